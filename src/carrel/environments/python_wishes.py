"""With which words Python packages were asked for: their own records say only that they were, the history says how."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from carrel.core.errors import BadRequest, InvalidFile
from carrel.environments import files, inspection, revisions, specs
from carrel.environments.credentials import strip_url
from carrel.environments.distributions import Distribution
from carrel.environments.models import Change, Revision, Spec
from carrel.environments.naming import normalize

_INSTALL = re.compile(r"install (?P<name>[^\s\[@]+)(?:\[(?P<extras>[^\]]*)\])?(?: (?P<version>[^\s@]\S*))?(?: @ (?P<url>\S+))? \(PyPI\)\Z")


def asked_for(prefix: Path, found: Iterable[Distribution]) -> dict[str, str]:
    """Return the requirements (PEP 508) that people wrote, by normalized name; without credentials.

    Of *found*, the distributions of *prefix*, those are left out that nobody asked for from here, and those whose version does not
    fit any more: another program changed them. What was updated since is asked for in whichever version.
    """
    with contextlib.suppress(InvalidFile):  # a damaged history: nothing is known
        wishes = _latest(reversed(revisions.history(prefix)))
        present = {one.key: one for one in found if one.requested}
        return {
            key: text
            for key, (spec, updated) in wishes.items()
            if key in present and (text := _still_true(spec, present[key], updated=updated))
        }
    return {}


def lines(prefix: Path) -> tuple[str, ...]:
    """Return what :func:`asked_for` finds as the lines of a request, for the history of a copy of *prefix*."""
    known = asked_for(prefix, inspection.python_distributions(prefix))
    return revisions.request_of(Change(tuple(specs.parse(text, "pypi") for text in known.values())))


def reworded(prefix: Path, change: Change) -> list[Distribution]:
    """Return the distributions of *prefix* that *change* asks for in other words than they were asked for before, or for the first time."""
    asked = {normalize(spec.name): spec for spec in change.add if spec.source == "pypi" and not spec.marker}
    if not asked:
        return []
    # an address, of which not every word is written down, is the same as long as it changes nothing
    wanted = {key: "" if spec.url else specs.requirement(spec) for key, spec in asked.items()}
    found = inspection.python_distributions(prefix)
    known = asked_for(prefix, found)
    return [one for one in found if one.key in wanted and (not one.requested or wanted[one.key] not in ("", known.get(one.key)))]


def mark(distribution: Distribution) -> None:
    """Note in the records of *distribution* that a person asked for it (PEP 376), where its installer did not."""
    record = distribution.path / "RECORD"
    if distribution.requested or not record.is_file():
        return
    text = record.read_text(encoding="utf-8")
    row = f"{distribution.path.name}/REQUESTED,,\n"
    files.write_atomically(record, (text + ("" if text.endswith("\n") else "\n") + row).encode())
    files.write_atomically(distribution.path / "REQUESTED", b"")


def _latest(known: Iterable[Revision]) -> Mapping[str, tuple[Spec, bool]]:
    """Return what is wished for after the last of *known*, which begin with the oldest, and whether it was updated since."""
    after: dict[int, dict[str, tuple[Spec, bool]]] = {}
    present: dict[str, tuple[Spec, bool]] = {}
    for revision in known:
        for line in revision.request:
            word, _, rest = line.partition(" ")
            if word == "restore" and rest.isdecimal():
                present = dict(after.get(int(rest), {}))
            elif word == "remove":
                present.pop(normalize(rest), None)
            elif word == "update" and (wish := present.get(normalize(rest))):
                present[normalize(rest)] = (wish[0], True)
            elif (spec := _spec(line)) is not None:
                present[normalize(spec.name)] = (spec, False)
        after[revision.number] = dict(present)
    return present


def _spec(line: str) -> Spec | None:
    """Return the wish that a line of :func:`carrel.environments.revisions.request_of` tells, if it is for a Python package."""
    match = _INSTALL.match(line)
    if match is None:
        return None
    extras = tuple(extra for extra in (match["extras"] or "").split(",") if extra)
    return Spec(match["name"], match["version"], "pypi", extras=extras, url=match["url"])


def _still_true(spec: Spec, distribution: Distribution, *, updated: bool) -> str:
    """Return *spec* as a requirement if *distribution* is what it asks for, else an empty text."""
    try:
        if spec.url:
            return specs.requirement(spec) if _is_from(spec.url, distribution.direct_url) else ""
        text = specs.requirement(spec)
        if Requirement(text).specifier.contains(distribution.version, prereleases=True):
            return text
        return specs.requirement(replace(spec, version=None)) if updated else ""
    except (BadRequest, ValueError):  # written by hand
        return ""


def _is_from(url: str, direct_url: Mapping[str, Any]) -> bool:
    """Whether what *direct_url* (PEP 610) tells of was asked for by *url*."""
    there = strip_url(str(direct_url.get("url") or ""))
    vcs = direct_url.get("vcs_info")
    if vcs is None:
        return there == url
    if direct_url.get("subdirectory"):  # which is not written down
        return False
    revision = vcs.get("requested_revision")
    return f"{vcs.get('vcs')}+{there}" + (f"@{revision}" if revision else "") == url.partition("#")[0]
