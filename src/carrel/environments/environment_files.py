"""Environment files on this machine's disk, with the files beside them that they name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from carrel.core.errors import BadRequest, TooLarge
from carrel.core.units import format_bytes
from carrel.formats.environment import reading
from carrel.formats.environment.lock import LockSet
from carrel.formats.environment.spec import EnvironmentSpec

_LARGEST = 64 * 1024 * 1024


def read_environment_file(
    path: Path,
    *,
    platform: str | None = None,
    python_version: str | None = None,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
) -> LockSet | EnvironmentSpec:
    """Return what the environment file at *path* locks, or what it asks for.

    Files that it names (``-r other.txt``) are followed as long as they are in its folder or below; a file from somewhere else
    cannot make this read what it does not hold.

    Parameters
    ----------
    path : Path
    platform, python_version, extras, groups
        See :func:`carrel.formats.environment.reading.read`.

    Raises
    ------
    carrel.core.errors.InvalidFile
        With the number of the line under ``line``.
    carrel.core.errors.BadRequest
        See :func:`carrel.formats.environment.reading.read`.
    """
    return reading.read(
        path.name,
        _content(path),
        platform=platform,
        python_version=python_version,
        extras=extras,
        groups=groups,
        open_beside=opener_beside(path),
    )


def opener_beside(path: Path) -> Callable[[str], bytes]:
    """Return a function that reads files by their path from the folder of *path*, if they are in it or below."""
    folder = path.resolve().parent

    def open_beside(name: str) -> bytes:
        wanted = (folder / name).resolve()
        if not wanted.is_relative_to(folder):
            raise BadRequest(f"{name[:120]!r} is outside of the folder of {path.name}. Copy it there.", code="outside_of_folder")
        if wanted.exists() and not wanted.is_file():  # a pipe would let this wait for ever
            raise BadRequest(f"{name[:120]!r} is not a file.", code="not_a_file")
        return _content(wanted)

    return open_beside


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    if size > _LARGEST:
        raise TooLarge(f"{path.name} has {format_bytes(size)}; environment files have at most {format_bytes(_LARGEST)}.", limit=_LARGEST)
    return path.read_bytes()
