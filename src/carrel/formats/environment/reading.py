"""One door for environment files of every format: what they lock, or what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from carrel.core.errors import BadRequest
from carrel.formats.environment import (
    conda_lock,
    environment_yml,
    explicit,
    notebook_metadata,
    pixi_lock,
    pixi_toml,
    pylock,
    pyproject,
    requirements,
    script,
    uv_lock,
)
from carrel.formats.environment.checks import parse_requirement
from carrel.formats.environment.identifying import FileFormat, identify
from carrel.formats.environment.lock import LockSet
from carrel.formats.environment.spec import EnvironmentSpec


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a file is read for, and with."""

    platform: str | None
    python_version: str | None
    extras: Collection[str]
    groups: Collection[str] | None
    open_beside: Callable[[str], bytes] | None


def read(
    filename: str,
    data: bytes,
    *,
    platform: str | None = None,
    python_version: str | None = None,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    open_beside: Callable[[str], bytes] | None = None,
) -> LockSet | EnvironmentSpec:
    """Return what an environment file locks, or what it asks for.

    Parameters
    ----------
    filename : str
        Base name: tells the format, together with the content where several are named alike.
    data : bytes
    platform : str, optional
        conda's name of the platform that files for all platforms (``uv.lock``, ``pylock.toml`` with markers) are read for. Files
        that hold a lock for each of several platforms are read whole.
    python_version : str, optional
        Version that files for several versions of Python are read for; by default the one of this process, if the file allows it.
    extras, groups : collection of str
        Extras and dependency groups to take from ``uv.lock``, ``pylock.toml`` and ``pyproject.toml``; by default none, and the
        default groups.
    open_beside : callable, optional
        Returns the content of a file that this one names by a relative path (``-r other.txt``). Without it such files are told,
        not followed. See :func:`below`.

    Returns
    -------
    LockSet or EnvironmentSpec
        A lock for each platform of the file; what is to be solved otherwise. A requirements file whose requirements all have digests is a
        specification too: :func:`carrel.formats.environment.requirements.hashes`.

    Raises
    ------
    InvalidFile
        The file breaks its format; the line is told under ``line`` where the format has lines.
    BadRequest
        No format is known under this name (code ``unknown_environment_format``); the platform is needed (``platform_required``).
    """
    format_ = identify(filename, data)
    return _READERS[format_](data, _Asked(platform, python_version, extras, groups, open_beside))


def _pylock(data: bytes, asked: _Asked) -> LockSet:
    version = asked.python_version
    return LockSet((pylock.read(data, platform=asked.platform, python_version=version, extras=asked.extras, groups=asked.groups),))


def _uv_lock(data: bytes, asked: _Asked) -> LockSet:
    if asked.platform is None:
        raise BadRequest("uv.lock is for all platforms: say which.", code="platform_required")
    groups = ("dev",) if asked.groups is None else asked.groups
    version = asked.python_version
    return LockSet((uv_lock.read(data, platform=asked.platform, python_version=version, extras=asked.extras, groups=groups),))


def _notebook(data: bytes, asked: _Asked) -> LockSet | EnvironmentSpec:
    spec = notebook_metadata.read(data)
    locked = notebook_metadata.uv_lock_of(data)
    # a lock of what the notebook asked for before says nothing of what it asks for now
    if locked is None or asked.platform is None or set(uv_lock.describe(locked).requested) != _names(spec):
        return spec
    return _uv_lock(locked, asked)


def _names(spec: EnvironmentSpec) -> set[str]:
    names = set()
    for line in spec.pip:
        try:
            names.add(str(canonicalize_name(parse_requirement(line).name)))
        except InvalidRequirement:
            names.add(line)
    return names


_READERS: dict[FileFormat, Callable[[bytes, _Asked], LockSet | EnvironmentSpec]] = {
    FileFormat.CONDA_LOCK: lambda data, asked: conda_lock.read_all(data),
    FileFormat.PYLOCK: _pylock,
    FileFormat.PIXI_LOCK: lambda data, asked: pixi_lock.read(data),
    FileFormat.PIXI_TOML: lambda data, asked: pixi_toml.read(data),
    FileFormat.PYPROJECT: lambda data, asked: pyproject.read(data, extras=asked.extras, groups=asked.groups),
    FileFormat.UV_LOCK: _uv_lock,
    FileFormat.EXPLICIT: lambda data, asked: LockSet((explicit.read(data),)),
    FileFormat.CONDA_LIST: lambda data, asked: explicit.read_specs(data),
    FileFormat.ENVIRONMENT_YML: lambda data, asked: environment_yml.read(data),
    FileFormat.REQUIREMENTS: lambda data, asked: requirements.read(data, open_beside=asked.open_beside),
    FileFormat.SCRIPT: lambda data, asked: script.read(data),
    FileFormat.NOTEBOOK: _notebook,
}
