"""Which format an environment file is of: by its name, and by its content where the name leaves it open."""

from __future__ import annotations

import re
from enum import StrEnum

from carrel.core.errors import BadRequest, CarrelError
from carrel.formats.environment import explicit, pylock, uv_lock
from carrel.formats.parsing import load_toml, load_yaml

_CONDA_LOCK_NAME = re.compile(r"(?:.*[._-])?conda-lock(?:[._-].*)?\.ya?ml\Z")
_ENVIRONMENT_NAME = re.compile(r"(?:(?:.*[._-])?environment(?:[._-].*)?|env)\.ya?ml\Z")
_REQUIREMENTS_NAME = re.compile(r"(?:.*[._-])?requirements(?:[._-].*)?\.(?:txt|in)\Z")
_EXPORTED = re.compile(rb"^# This file may be used to create an environment using:", re.MULTILINE)
_EXPORTED_LINE = re.compile(rb"^[A-Za-z0-9_][A-Za-z0-9_.-]*=[^=\s]+=[^=\s]+[ \t\r]*$", re.MULTILINE)
_REQUIREMENT_LINE = re.compile(
    rb"^[ \t]*(?:[A-Za-z0-9][\w.-]*[ \t]*(?:\[[\w., \t-]*\][ \t]*)?(?:[=~<>!]=|[<>]|@\s)|-[ierc][ \t]|--[a-z-]+[ =])", re.MULTILINE
)


class FileFormat(StrEnum):
    """The formats that environment files are read in."""

    CONDA_LOCK = "conda-lock"
    PYLOCK = "pylock"
    PIXI_LOCK = "pixi-lock"
    PIXI_TOML = "pixi.toml"
    PYPROJECT = "pyproject.toml"
    UV_LOCK = "uv-lock"
    EXPLICIT = "explicit"
    CONDA_LIST = "conda-list"
    ENVIRONMENT_YML = "environment.yml"
    REQUIREMENTS = "requirements"
    SCRIPT = "script"
    NOTEBOOK = "notebook"


LOCKS = frozenset({FileFormat.CONDA_LOCK, FileFormat.PYLOCK, FileFormat.PIXI_LOCK, FileFormat.UV_LOCK, FileFormat.EXPLICIT})
KNOWN_FILES = (
    "environment.yml, conda-lock.yml, pixi.toml, pixi.lock, pylock.toml, uv.lock, pyproject.toml, requirements.txt, @EXPLICIT text files, "
    "scripts with a block '# /// script' and notebooks"
)


def by_name(filename: str) -> FileFormat | None:
    """Return the format that *filename* stands for, where it stands for an environment and nothing else."""
    if _CONDA_LOCK_NAME.match(filename):
        return FileFormat.CONDA_LOCK
    if pylock.is_pylock_name(filename):
        return FileFormat.PYLOCK
    if filename == "pixi.lock" or filename.endswith(".pixi.lock"):
        return FileFormat.PIXI_LOCK
    if filename == "pixi.toml" or filename.endswith(".pixi.toml"):
        return FileFormat.PIXI_TOML
    if uv_lock.is_uv_lock_name(filename):
        return FileFormat.UV_LOCK
    if _ENVIRONMENT_NAME.match(filename):
        return FileFormat.ENVIRONMENT_YML
    if _REQUIREMENTS_NAME.match(filename):
        return FileFormat.REQUIREMENTS
    return FileFormat.EXPLICIT if filename.endswith(".explicit") else None


def identify(filename: str, data: bytes) -> FileFormat:
    """Return the format of *data*, of which somebody says that it is an environment.

    Raises
    ------
    BadRequest
        No format is known under this name, or not with this content (code ``unknown_environment_format``).
    """
    suffix = filename.lower().rpartition(".")[2] if "." in filename else ""
    if suffix in {"txt", "lock", "explicit"} and explicit.is_explicit(data):
        return FileFormat.EXPLICIT
    found = by_name(filename)
    if found is FileFormat.REQUIREMENTS and _is_conda_list(data):
        return FileFormat.CONDA_LIST
    if found is None:
        found = _by_content(suffix, data) or (FileFormat.PYPROJECT if filename == "pyproject.toml" else None)
    if found is None:
        raise BadRequest(
            f"{filename[:120]!r} is not the name of a known environment file. Known are {KNOWN_FILES}.", code="unknown_environment_format"
        )
    return found


def _by_content(suffix: str, data: bytes) -> FileFormat | None:
    if suffix in {"yml", "yaml"}:
        return _yaml(data)
    if suffix == "toml":
        return _toml(data)
    if suffix == "lock":
        return FileFormat.UV_LOCK if b"\n[[package]]" in data or data.startswith(b"version = ") else _yaml(data)
    if suffix in {"txt", "in"}:
        if _is_conda_list(data):
            return FileFormat.CONDA_LIST
        # a list of words may be anything: it takes a version or an option to tell
        return FileFormat.REQUIREMENTS if _REQUIREMENT_LINE.search(data) else None
    return {"py": FileFormat.SCRIPT, "pyw": FileFormat.SCRIPT, "ipynb": FileFormat.NOTEBOOK}.get(suffix)


def _is_conda_list(data: bytes) -> bool:
    """Whether ``conda list --export`` wrote *data*."""
    return _EXPORTED.search(data) is not None and _EXPORTED_LINE.search(data) is not None


def _yaml(data: bytes) -> FileFormat:
    document = load_yaml(data, "The environment file", aliases=True)
    members = set(document) if isinstance(document, dict) else set()
    if {"metadata", "package"} <= members:
        return FileFormat.CONDA_LOCK
    return FileFormat.PIXI_LOCK if "environments" in members else FileFormat.ENVIRONMENT_YML


def _toml(data: bytes) -> FileFormat | None:
    try:
        document = load_toml(data, "The environment file")
    except CarrelError:
        return None
    if "lock-version" in document:
        return FileFormat.PYLOCK
    tool = document.get("tool")
    if isinstance(tool, dict) and "pixi" in tool:
        return FileFormat.PIXI_TOML
    if {"workspace", "project"} & set(document) and "dependencies" in document:
        return FileFormat.PIXI_TOML
    return FileFormat.PYPROJECT if {"project", "dependency-groups"} & set(document) else None
