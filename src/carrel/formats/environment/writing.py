"""Environments as files: of a lock, of locks for several platforms, of what is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from packaging.utils import canonicalize_name

from carrel.core.errors import BadRequest
from carrel.formats.environment import (
    conda_lock,
    environment_yml,
    explicit,
    notebook_writing,
    pixi_lock_writing,
    pixi_toml_writing,
    pylock,
    requirements,
    script,
)
from carrel.formats.environment.conda_specs import name_of
from carrel.formats.environment.identifying import FileFormat, by_name
from carrel.formats.environment.lock import Lock, LockKind, LockSet
from carrel.formats.environment.spec import EnvironmentSpec

_NEW_NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@dataclass(frozen=True, slots=True)
class WritableFormat:
    """One format that environments are written in.

    Attributes
    ----------
    filename : str
        What the file is called.
    summary : str
        What it says, for people.
    values : frozenset of type
        What can be written in it: :class:`Lock`, :class:`LockSet`, :class:`EnvironmentSpec`.
    into : bool
        Whether it is written into a file that holds other things too.
    """

    filename: str
    summary: str
    values: frozenset[type]
    into: bool = False


_LOCK, _LOCKS, _SPEC = frozenset({Lock}), frozenset({Lock, LockSet}), frozenset({Lock, EnvironmentSpec})
FORMATS: Mapping[str, WritableFormat] = MappingProxyType(
    {
        "environment.yml": WritableFormat("environment.yml", "The packages with their versions, for conda and everything like it.", _SPEC),
        "explicit": WritableFormat("explicit.txt", "The addresses of the conda packages (@EXPLICIT).", _LOCK),
        "conda-lock": WritableFormat("conda-lock.yml", "Every package with address and digest, for one platform or several.", _LOCKS),
        "pixi.toml": WritableFormat("pixi.toml", "A workspace of pixi.", _SPEC),
        "pixi.lock": WritableFormat("pixi.lock", "Every package with address and digest, for pixi.", _LOCKS),
        "pylock.toml": WritableFormat("pylock.toml", "Every Python package with address and digest, for pip and uv.", _LOCK),
        "requirements.txt": WritableFormat("requirements.txt", "Every Python package with version and digest, for pip and uv.", _SPEC),
        "script": WritableFormat("script.py", "A block '# /// script' (PEP 723) at the head of a script.", _SPEC, into=True),
        "notebook": WritableFormat("notebook.ipynb", "What a notebook needs, written into it.", _SPEC, into=True),
    }
)
_BY_FORMAT = {
    FileFormat.CONDA_LOCK: "conda-lock",
    FileFormat.ENVIRONMENT_YML: "environment.yml",
    FileFormat.EXPLICIT: "explicit",
    FileFormat.PIXI_LOCK: "pixi.lock",
    FileFormat.PIXI_TOML: "pixi.toml",
    FileFormat.PYLOCK: "pylock.toml",
    FileFormat.REQUIREMENTS: "requirements.txt",
}


@dataclass(frozen=True, slots=True)
class Options:
    """How an environment is written.

    Attributes
    ----------
    name : str
        Of the environment, where the format has a place for it.
    builds : bool
        Whether conda packages are named with their builds too, in formats that are solved again.
    from_history : bool
        Whether only what was asked for is named, as it was asked for, in formats that are solved again.
    into : bytes or None
        The script or notebook to write into; None makes a new one.
    form : str
        How to write in a notebook; see :func:`carrel.formats.environment.notebook_writing.write`.
    """

    name: str = ""
    builds: bool = True
    from_history: bool = False
    into: bytes | None = None
    form: str = ""


def format_of(filename: str) -> str | None:
    """Return the name of the format that a file named *filename* is written in, None where the name does not tell."""
    if filename.endswith(".ipynb"):
        return "notebook"
    if filename.endswith(".py"):
        return "script"
    found = by_name(filename)
    if found is not None:
        return _BY_FORMAT.get(found)
    return {"yml": "environment.yml", "yaml": "environment.yml", "txt": "explicit"}.get(filename.rpartition(".")[2])


def write(value: Lock | LockSet | EnvironmentSpec, format_: str, options: Options = Options()) -> tuple[str, bytes]:
    """Return the name and the content of a file that says what *value* does.

    Parameters
    ----------
    value : Lock, LockSet or EnvironmentSpec
    format_ : str
        A key of :data:`FORMATS`.
    options : Options

    Raises
    ------
    BadRequest
        The format is not known (code ``unknown_environment_format``), or cannot say it: it is for locks (``not_a_lock``), for one
        platform (``platform_required``), for Python packages (``conda_packages``) or for conda packages (``python_packages``).
    InvalidFile
        An address carries credentials (code ``credentials_in_file``).
    """
    if format_ not in FORMATS:
        raise BadRequest(f"{format_[:40]!r} is not a format. Use one of: {', '.join(FORMATS)}.", code="unknown_environment_format")
    known = FORMATS[format_]
    if isinstance(value, LockSet) and (len(value.locks) == 1 or LockSet not in known.values):
        if len(value.locks) != 1:
            raise BadRequest(f"{known.filename} is for one platform, not for {', '.join(value.platforms)}.", code="platform_required")
        value = value.locks[0]
    if isinstance(value, EnvironmentSpec) and EnvironmentSpec not in known.values:
        raise BadRequest(f"{known.filename} holds what was solved. Solve it first: carrel env lock.", code="not_a_lock")
    return known.filename, _WRITERS[format_](value, options)


def specification(lock: Lock, options: Options = Options()) -> EnvironmentSpec:
    """Return what asks for the environment of *lock*: all its packages at their versions, or what was asked for.

    Without a record of what was asked for, all packages are named.
    """
    dependencies, pip = _asked_for(lock) if options.from_history else ([], [])
    if not dependencies and not (pip and lock.kind is LockKind.VENV):
        ordered = sorted(lock.conda, key=lambda item: item.name)
        dependencies = [f"{item.name}={item.version}" + (f"={item.build}" if options.builds else "") for item in ordered]
        pip = _pins(lock)
    platforms = (lock.platform,) if lock.platform and lock.platform != "noarch" else ()
    if lock.conda:
        # nodefaults keeps conda from adding the channels of its own settings
        channels = (*lock.channels, "nodefaults") if lock.channels else ()
        return EnvironmentSpec(options.name, channels, tuple(dependencies), tuple(pip), platforms=platforms)
    minor = ".".join(lock.python_version.split(".")[:2])
    return EnvironmentSpec(
        name=options.name,
        pip=tuple(pip),
        platforms=platforms,
        requires_python=f"=={minor}.*" if minor else "",
        indexes=tuple(dict.fromkeys(item.index for item in lock.pypi if item.index)),
        exclude_newer=lock.exclude_newer,
    )


def _pins(lock: Lock) -> list[str]:
    pypi = {str(canonicalize_name(item.name)): item for item in lock.pypi}
    return [f"{name}=={item.version}" if item.index else f"{name} @ {item.url}" for name, item in sorted(pypi.items())]


def _asked_for(lock: Lock) -> tuple[list[str], list[str]]:
    conda = {item.name for item in lock.conda}
    pypi = {str(canonicalize_name(item.name)): item for item in lock.pypi}
    dependencies: list[str] = []
    pip: dict[str, str] = {}
    for text in lock.requested:
        name = name_of(text)
        key = str(canonicalize_name(name))
        if name in conda:
            dependencies.append(text)
        elif key in pypi:
            # what is on no index is only there, whichever version was asked for
            pip[key] = text if pypi[key].index or "@" in text else f"{key} @ {pypi[key].url}"
    return dependencies, [text for _, text in sorted(pip.items())]


def _environment_yml(value: Lock | LockSet | EnvironmentSpec, options: Options) -> bytes:
    spec = _spec(value, options)
    if not spec.dependencies and isinstance(value, Lock) and value.python_version:
        spec = replace(spec, dependencies=(f"python={value.python_version}", "pip"), indexes=())
    return environment_yml.write(spec)


def _spec(value: Lock | LockSet | EnvironmentSpec, options: Options) -> EnvironmentSpec:
    if isinstance(value, EnvironmentSpec):
        return replace(value, name=options.name or value.name)
    return specification(_one(value), options)


def _one(value: Lock | LockSet | EnvironmentSpec) -> Lock:
    if not isinstance(value, Lock):
        raise TypeError("a lock for one platform is needed")
    return value


def _only_python(value: Lock | LockSet | EnvironmentSpec, what: str) -> None:
    if isinstance(value, Lock) and value.conda:
        message = f"{what} cannot hold the conda packages of this environment. Use conda-lock, pixi.lock or environment.yml."
        raise BadRequest(message, code="conda_packages")


def _explicit(value: Lock | LockSet | EnvironmentSpec, options: Options) -> bytes:
    lock = _one(value)
    if not lock.conda:
        raise BadRequest("An @EXPLICIT file holds conda packages, and there are none. Use pylock.toml.", code="python_packages")
    return explicit.write(lock)


def _pylock(value: Lock | LockSet | EnvironmentSpec, options: Options) -> bytes:
    _only_python(value, "pylock.toml")
    return pylock.write(_one(value))


def _requirements(value: Lock | LockSet | EnvironmentSpec, options: Options) -> bytes:
    _only_python(value, "requirements.txt")
    if isinstance(value, EnvironmentSpec) or options.from_history:
        return requirements.write(_spec(value, options))
    return requirements.write_lock(_one(value))


def _script(value: Lock | LockSet | EnvironmentSpec, options: Options) -> bytes:
    _only_python(value, "The block of a script")
    return script.write(_spec(value, options), options.into or b"")


def _notebook(value: Lock | LockSet | EnvironmentSpec, options: Options) -> bytes:
    new = json.dumps(_NEW_NOTEBOOK, indent=1).encode() + b"\n"
    return notebook_writing.write(_spec(value, options), new if options.into is None else options.into, options.form)


def _locks(value: Lock | LockSet | EnvironmentSpec) -> LockSet:
    return value if isinstance(value, LockSet) else LockSet((_one(value),))


def _pixi_toml(value: Lock | LockSet | EnvironmentSpec, options: Options) -> bytes:
    return pixi_toml_writing.write(_spec(value, options))


def _pixi_lock(value: Lock | LockSet | EnvironmentSpec, options: Options) -> bytes:
    locks = _locks(value)
    if any(not lock.conda for lock in locks.locks):
        raise BadRequest("pixi takes Python from conda, and there are no conda packages. Use pylock.toml.", code="python_packages")
    return pixi_lock_writing.write(locks)


_WRITERS: Mapping[str, Callable[[Lock | LockSet | EnvironmentSpec, Options], bytes]] = {
    "environment.yml": _environment_yml,
    "explicit": _explicit,
    "conda-lock": lambda value, options: conda_lock.write_all(_locks(value)),
    "pixi.toml": _pixi_toml,
    "pixi.lock": _pixi_lock,
    "pylock.toml": _pylock,
    "requirements.txt": _requirements,
    "script": _script,
    "notebook": _notebook,
}
