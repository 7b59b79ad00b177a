"""Whether a package suits an environment, decided from what its index says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from packaging import tags

_CLAUSE = re.compile(r"(==|!=|>=|<=|~=|>|<|=)?\s*([0-9][0-9A-Za-z.!+_]*)(\.?\*)?\Z")
_PYTHON_DEPEND = re.compile(r"python(?:\s+(?P<spec>\S+))?(?:\s+\S+)?\Z")


@dataclass(frozen=True, slots=True)
class Offer:
    """One version of a package at a source. ``reason`` says why it cannot be installed; empty if it can."""

    version: str
    build: str = ""
    published_at: str | None = None
    size: int | None = None
    reason: str = ""
    prerelease: bool = False
    depends: tuple[str, ...] = ()
    kind: str = "conda"


def version_key(version: str) -> tuple[int, Any]:
    """Return a key that orders versions; those outside PEP 440 come first, by their numbers."""
    try:
        return (1, Version(version))
    except InvalidVersion:
        return (0, tuple(int(part) for part in re.findall(r"\d+", version)[:8]))


def is_prerelease(version: str) -> bool:
    """Whether *version* is a pre-release by PEP 440."""
    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False


def is_newer(version: str, than: str) -> bool:
    """Whether *version* comes after *than*."""
    first, second = version_key(version), version_key(than)
    return first[0] == second[0] and bool(first[1] > second[1])


def conda_spec_allows(spec: str, version: str) -> bool:
    """Whether conda's version *spec* (``>=3.11,<3.12.0a0``, ``3.11.*``, ``2.7|3.8``) allows *version*.

    What is not understood is allowed: the solver has the last word.
    """
    try:
        found = Version(version)
    except InvalidVersion:
        return True
    return any(all(_clause(clause, found) for clause in group.split(",") if clause.strip()) for group in spec.split("|"))


def _clause(clause: str, version: Version) -> bool:
    clause = clause.strip()
    if clause in ("", "*"):
        return True
    match = _CLAUSE.match(clause)
    if match is None:
        return True
    operator, text, star = match.group(1) or "", match.group(2).rstrip("."), bool(match.group(3))
    try:
        wanted = Version(text)
    except InvalidVersion:
        return True
    starts = version.release[: len(wanted.release)] == wanted.release
    match operator:
        case "" | "=":
            return starts if star or operator == "=" else version == wanted or starts
        case "==":
            return starts if star else version == wanted
        case "!=":
            return not starts if star else version != wanted
        case ">=":
            return version >= wanted
        case "<=":
            return version <= wanted
        case ">":
            return version > wanted
        case "<":
            return version < wanted
        case _:
            return version >= wanted and version.release[: len(wanted.release) - 1] == wanted.release[:-1]


def conda_reason(record: Mapping[str, Any], platform: str, python_version: str) -> str:
    """Return why a conda record does not suit, empty if it does."""
    subdir = record.get("subdir") or "noarch"
    if subdir not in ("noarch", platform):
        return f"Not for {platform}"
    for depend in record.get("depends") or ():
        match = _PYTHON_DEPEND.match(str(depend))
        spec = match.group("spec") if match else None
        if spec and python_version and not conda_spec_allows(spec, python_version):
            return f"Not for Python {short_python(python_version)}"
    return ""


def short_python(version: str) -> str:
    """Return ``3.12`` of ``3.12.4``."""
    return ".".join(version.split(".")[:2])


@lru_cache(maxsize=8)
def _supported_tags(python: tuple[int, ...]) -> frozenset[tags.Tag]:
    platforms = list(tags.platform_tags())
    return frozenset(
        [*tags.cpython_tags(python, platforms=platforms), *tags.compatible_tags(python, f"cp{python[0]}{python[1]}", platforms)]
    )


def pypi_reason(filename: str, requires_python: str | None, python_version: str, *, yanked: bool = False) -> str:
    """Return why a file of a Python package does not suit, empty if it does."""
    if yanked:
        return "Withdrawn by its authors"
    if requires_python and python_version:
        try:
            if not SpecifierSet(requires_python).contains(python_version, prereleases=True):
                return f"Not for Python {short_python(python_version)}"
        except InvalidSpecifier:
            pass
    if filename.endswith(".whl"):
        try:
            file_tags = parse_wheel_filename(filename)[3]
        except (InvalidWheelFilename, InvalidVersion):
            return "The file's name is damaged"
        numbers = tuple(int(part) for part in re.findall(r"\d+", python_version)[:2])
        if len(numbers) == 2 and not file_tags & _supported_tags(numbers):
            return "Not for this platform or Python"
    elif not filename.endswith((".tar.gz", ".zip")):
        return "A form that cannot be installed"
    return ""


def best(offers: Sequence[Offer]) -> Offer | None:
    """Return the newest installable offer, a final release if there is one; else the newest."""
    if not offers:
        return None
    ordered = sorted(offers, key=lambda offer: version_key(offer.version), reverse=True)
    fitting = [offer for offer in ordered if not offer.reason]
    return next((offer for offer in fitting if not offer.prerelease), fitting[0] if fitting else ordered[0])


def merge_versions(offers: Sequence[Offer]) -> list[Offer]:
    """Return one offer per version, newest first; the installable file of a version speaks for it."""
    chosen: dict[str, Offer] = {}
    for offer in offers:
        known = chosen.get(offer.version)
        if known is None or (known.reason and not offer.reason):
            chosen[offer.version] = offer
    return sorted(chosen.values(), key=lambda offer: version_key(offer.version), reverse=True)
