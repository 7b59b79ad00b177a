"""Kinds of files in the words of anaconda.org, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from carrel.core.errors import BadRequest
from carrel.core.kinds import Kind
from carrel.formats import detect

_KINDS = {
    "conda": Kind.CONDA,
    "pypi": Kind.PYPI,
    "standard_python": Kind.PYPI,
    "r": Kind.R,
    "cran": Kind.R,
    "standard_r": Kind.R,
    "ipynb": Kind.NOTEBOOK,
    "notebook": Kind.NOTEBOOK,
    "env": Kind.ENVIRONMENT,
    "environment": Kind.ENVIRONMENT,
    "file": Kind.FILE,
    "project": Kind.FILE,
    "installer": Kind.FILE,
}
# Every value here is a member of the client's list: it stops at others.
_TYPES = {Kind.NOTEBOOK: "ipynb", Kind.ENVIRONMENT: "env"}
_PROMOTED = (Kind.NOTEBOOK, Kind.ENVIRONMENT)


def kind_of(text: str) -> Kind:
    """Return the kind that a client calls *text*.

    Raises
    ------
    BadRequest
    """
    kind = _KINDS.get(text.lower())
    if kind is None:
        raise BadRequest(f"{text[:40]!r} is not a package type. Use one of: conda, pypi, r, ipynb, env, file.", code="unknown_kind")
    return kind


def type_of(kind: str) -> str:
    """Return what anaconda.org calls a kind."""
    return _TYPES.get(Kind(kind), kind)


def types_of(kinds: Iterable[str]) -> list[str]:
    """Return the types of a package.

    Notebooks and environments count as files too: current clients upload them as type ``file``, and only into packages
    that have that type.
    """
    found = list(dict.fromkeys(type_of(kind) for kind in kinds))
    if "file" not in found and any(Kind(kind) in _PROMOTED for kind in kinds):
        found.append("file")
    return found


def promoted(kind: Kind, filename: str, source: BinaryIO | None = None) -> Kind:
    """Return what a file announced as *kind* is kept as: plain files that are notebooks, environments or locks become these."""
    if kind is not Kind.FILE:
        return kind
    found = detect(filename, source).kind
    return found if found in _PROMOTED else kind
