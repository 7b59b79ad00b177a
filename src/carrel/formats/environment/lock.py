"""An environment pinned to the byte: what a lock file says, whatever its format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from packaging.utils import canonicalize_name


class LockKind(StrEnum):
    """What kind of environment was captured."""

    CONDA = "conda"
    VENV = "venv"


@dataclass(frozen=True, slots=True)
class LockedConda:
    """One conda package.

    Attributes
    ----------
    name, version, build : str
    url : str
        Where the archive is, without credentials.
    sha256, md5 : str
        Digests of the archive, hexadecimal; empty when unknown. At least one is known.
    size : int
        Bytes; 0 when unknown.
    subdir : str
    channel : str
        URL of the channel, without credentials.
    depends : tuple of str
        Match specifications.
    """

    name: str
    version: str
    build: str
    url: str
    sha256: str = ""
    md5: str = ""
    size: int = 0
    subdir: str = ""
    channel: str = ""
    depends: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """Name of the archive."""
        return url_filename(self.url)


@dataclass(frozen=True, slots=True)
class LockedPypi:
    """One Python distribution.

    Attributes
    ----------
    name, version : str
    url : str
        Where the file is, without credentials.
    sha256 : str
        Digest of the file, hexadecimal; empty when unknown.
    size : int
        Bytes; 0 when unknown.
    index : str
        URL of the index it came from; empty when unknown.
    requires_python : str
    requires_dist : tuple of str
    """

    name: str
    version: str
    url: str
    sha256: str = ""
    size: int = 0
    index: str = ""
    requires_python: str = ""
    requires_dist: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """Name of the file."""
        return url_filename(self.url)


@dataclass(frozen=True, slots=True)
class LockProblem:
    """Something installed that cannot be locked, such as a package installed from a folder.

    Attributes
    ----------
    code : str
        Stable, such as ``editable`` or ``unknown_origin``.
    message : str
        For people.
    name : str
        The package, if it is about one.
    remedy : str
        What can be done about it: ``build_wheel``, ``upload_wheel``, ``copy_package``, ``add_index`` or ``reinstall``; empty when
        nothing is known.
    """

    code: str
    message: str
    name: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """All packages of one environment on one platform.

    Attributes
    ----------
    platform : str
        conda subdir, such as ``linux-64`` (venvs have one too).
    python_version : str
        Such as ``3.11.9``; empty without Python.
    requested : tuple of str
        What people asked for, as specifications; the rest came as dependencies.
    channels : tuple of str
        URLs, highest priority first, without credentials.
    conda : tuple of LockedConda
    pypi : tuple of LockedPypi
    captured_at : datetime
    kind : LockKind
    problems : tuple of LockProblem
    virtual_packages : tuple of str
        What the machine had (CEP 30): ``__glibc=2.36=0``.
    exclude_newer : datetime or None
        Nothing published later was considered; None where nothing was solved.
    """

    platform: str
    python_version: str = ""
    requested: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    conda: tuple[LockedConda, ...] = ()
    pypi: tuple[LockedPypi, ...] = ()
    captured_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    kind: LockKind = LockKind.CONDA
    problems: tuple[LockProblem, ...] = ()
    virtual_packages: tuple[str, ...] = ()
    exclude_newer: datetime | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the packages' names, versions, builds and digests, and of the platform.

        Where they are fetched from, when they were captured and what was asked for make no difference.
        """
        canonical = {
            "platform": self.platform,
            "conda": sorted([item.name, item.version, item.build, item.sha256 or item.md5] for item in self.conda),
            "pypi": sorted([str(canonicalize_name(item.name)), item.version, item.sha256] for item in self.pypi),
        }
        return hashlib.sha256(json.dumps(canonical, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def download_bytes(self) -> int:
        """Sum of the known sizes."""
        return sum(item.size for item in self.conda) + sum(item.size for item in self.pypi)


@dataclass(frozen=True, slots=True)
class LockSet:
    """Locks of one environment for several platforms, each at most once; the first is the one that was captured.

    Attributes
    ----------
    locks : tuple of Lock
        At least one.
    """

    locks: tuple[Lock, ...]

    @property
    def platforms(self) -> tuple[str, ...]:
        """Platforms in order."""
        return tuple(lock.platform for lock in self.locks)

    def for_platform(self, platform: str) -> Lock | None:
        """Return the lock for *platform*; one for ``noarch`` alone fits everywhere."""
        return next((lock for lock in self.locks if lock.platform in (platform, "noarch")), None)


def problem_to_json(problem: LockProblem) -> dict[str, str]:
    """Return *problem* as it is kept in files; the remedy only where there is one."""
    described = {"code": problem.code, "message": problem.message, "name": problem.name}
    return {**described, "remedy": problem.remedy} if problem.remedy else described


def url_filename(url: str) -> str:
    """Return the last part of the path of *url*."""
    return url.partition("#")[0].partition("?")[0].rpartition("/")[2]


def split_conda_url(url: str) -> tuple[str, str, str]:
    """Return ``(channel, subdir, filename)`` of the URL of a conda package."""
    path = url.partition("#")[0].partition("?")[0]
    rest, _, filename = path.rpartition("/")
    channel, _, subdir = rest.rpartition("/")
    return channel, subdir, filename


def split_conda_filename(filename: str) -> tuple[str, str, str]:
    """Return ``(name, version, build)`` of the file name of a conda package.

    Raises
    ------
    ValueError
    """
    stem = filename.removesuffix(".conda").removesuffix(".tar.bz2")
    parts = stem.rsplit("-", 2)
    if stem == filename or len(parts) != 3 or not all(parts):
        raise ValueError(f"{filename[:200]!r} is not the file name of a conda package")
    return parts[0], parts[1], parts[2]


def in_install_order(packages: Iterable[LockedConda]) -> list[LockedConda]:
    """Return *packages* with dependencies before what needs them, otherwise by name."""
    by_name = {item.name: item for item in sorted(packages, key=lambda item: item.name)}
    order: list[LockedConda] = []
    state: dict[str, bool] = {}  # False while its dependencies are being placed, so circles end
    for root in by_name:
        stack = [(root, False)]
        while stack:
            name, placed = stack.pop()
            if placed:
                state[name] = True
                order.append(by_name[name])
            elif name not in state:
                state[name] = False
                stack.append((name, True))
                needed = {depend.split()[0].partition("[")[0] for depend in by_name[name].depends if depend.strip()}
                stack.extend((other, False) for other in sorted(needed, reverse=True) if other in by_name and other not in state)
    return order
