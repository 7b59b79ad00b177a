"""What differs between two sets of packages, wherever they come from: environments, locks, revisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carrel.environments import conda_meta, inspection
from carrel.environments.credentials import strip_url
from carrel.environments.models import PackageSource, Revision
from carrel.environments.naming import normalize

if TYPE_CHECKING:
    from carrel.environments.states import State
    from carrel.formats.environment.lock import Lock


@dataclass(frozen=True, slots=True)
class Package:
    """What tells one package from another.

    Attributes
    ----------
    name : str
    source : {"conda", "pypi"}
    version : str
    build : str
        Empty for Python packages.
    digest : str
        SHA-256 (else MD5) of the archive, hexadecimal; empty when unknown.
    channel : str
        Channel or index it came from, without credentials; empty when unknown. It makes no difference by itself.
    """

    name: str
    source: PackageSource
    version: str
    build: str = ""
    digest: str = ""
    channel: str = ""

    def is_same(self, other: Package) -> bool:
        """Whether both are the same package, as far as both are known."""
        if (self.source, self.version, self.build) != (other.source, other.version, other.build):
            return False
        comparable = self.digest and other.digest and len(self.digest) == len(other.digest)
        return not comparable or self.digest == other.digest


@dataclass(frozen=True, slots=True)
class Changed:
    """A package that is there before and after, and is not the same."""

    before: Package
    after: Package

    @property
    def name(self) -> str:
        """Its name now."""
        return self.after.name


@dataclass(frozen=True, slots=True)
class Difference:
    """What has to be done to come from one set of packages to another; each part by name."""

    added: tuple[Package, ...] = ()
    changed: tuple[Changed, ...] = ()
    removed: tuple[Package, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.changed or self.removed)


def compare(before: Iterable[Package], after: Iterable[Package]) -> Difference:
    """Return how *after* differs from *before*. A package that moves between conda and PyPI is a changed one."""
    old, new = _by_identity(before), _by_identity(after)
    changed = [Changed(old[key], new[key]) for key in old.keys() & new.keys() if not old[key].is_same(new[key])]
    gone = {key: old[key] for key in old.keys() - new.keys()}
    come = {key: new[key] for key in new.keys() - old.keys()}
    for name, source in sorted(gone):
        other = (name, "pypi" if source == "conda" else "conda")
        if other in come:
            changed.append(Changed(gone.pop((name, source)), come.pop(other)))
    return Difference(
        added=tuple(sorted(come.values(), key=_order)),
        changed=tuple(sorted(changed, key=lambda pair: _order(pair.after))),
        removed=tuple(sorted(gone.values(), key=_order)),
    )


def of_prefix(prefix: str | Path) -> tuple[Package, ...]:
    """Return the packages that are installed at *prefix*.

    Raises
    ------
    carrel.core.errors.NotFound
        There is no environment.
    """
    path = inspection.absolute(prefix)
    inspection.kind_of(path)
    records = conda_meta.read_records(path) if conda_meta.is_conda_prefix(path) else []
    found = [Package(r.name, "conda", r.version, r.build, r.sha256 or r.md5, r.channel) for r in records]
    for one in inspection.python_distributions(path):
        found.append(
            Package(one.key, "pypi", one.version, "", _archive_digest(one.direct_url), strip_url(str(one.direct_url.get("url") or "")))
        )
    return tuple(sorted(found, key=_order))


def of_lock(lock: Lock) -> tuple[Package, ...]:
    """Return the packages that *lock* names."""
    found = [Package(p.name, "conda", p.version, p.build, p.sha256 or p.md5, p.channel) for p in lock.conda]
    found += [Package(normalize(p.name), "pypi", p.version, "", p.sha256, p.index) for p in lock.pypi]
    return tuple(sorted(found, key=_order))


def of_state(state: State) -> tuple[Package, ...]:
    """Return the packages of a state."""
    found = [
        Package(entry.name, "conda", entry.version, entry.build, entry.record.get("sha256") or entry.record.get("md5") or "", entry.channel)
        for entry in state.conda.values()
    ]
    found += [Package(entry.name, "pypi", entry.version, "", entry.digest, entry.origin) for entry in state.pypi.values()]
    return tuple(sorted(found, key=_order))


def of_revision(prefix: str | Path, revision: Revision | int) -> tuple[Package, ...]:
    """Return the packages after a revision of the environment at *prefix*.

    Raises
    ------
    carrel.core.errors.NotFound
        There is no such revision.
    """
    from carrel.environments import revisions

    number = revision if isinstance(revision, int) else revision.number
    return of_state(revisions.state_of(inspection.absolute(prefix), number))


def to_json(difference: Difference) -> dict[str, list[dict[str, Any]]]:
    """Return *difference* as plain values: lists of objects with names and versions on both sides."""
    return {
        "added": [_line(None, package) for package in difference.added],
        "changed": [_line(pair.before, pair.after) for pair in difference.changed],
        "removed": [_line(package, None) for package in difference.removed],
    }


def _line(before: Package | None, after: Package | None) -> dict[str, Any]:
    shown = after or before
    return {
        "name": shown.name if shown else "",
        "from_version": before.version if before else None,
        "to_version": after.version if after else None,
        "from_build": (before.build or None) if before else None,
        "to_build": (after.build or None) if after else None,
        "from_source": before.source if before else None,
        "to_source": after.source if after else None,
        "channel": (shown.channel or None) if shown else None,
    }


def _archive_digest(direct_url: Mapping[str, Any]) -> str:
    hashes = (direct_url.get("archive_info") or {}).get("hashes") or {}
    return str(hashes.get("sha256") or "")


def _by_identity(packages: Iterable[Package]) -> dict[tuple[str, str], Package]:
    return {(normalize(package.name), package.source): package for package in packages}


def _order(package: Package) -> tuple[str, str]:
    return package.name.lower(), package.source
