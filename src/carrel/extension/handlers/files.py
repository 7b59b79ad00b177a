"""Paths of the contents API as places on this machine."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from carrel.core.errors import BadRequest


def root_of(contents_manager: Any) -> Path | None:
    """Return the folder that the contents manager serves, None when its files are not on this machine's disk."""
    root = getattr(contents_manager, "root_dir", None)
    return Path(root).resolve() if isinstance(root, str) and root else None


def place(contents_manager: Any, path: str) -> Path | None:
    """Return where a path of the contents API lies.

    Raises
    ------
    carrel.core.errors.BadRequest
        The path leaves the served folder.
    """
    root = root_of(contents_manager)
    if root is None:
        return None
    pure = PurePosixPath(path.partition(":")[2] if path.startswith("RTC:") else path)
    found = (root / str(pure).lstrip("/")).resolve()
    if not found.is_relative_to(root) or "\0" in path:
        raise BadRequest("The path leaves the folder of this server.", code="invalid_path")
    return found


def folder_of(contents_manager: Any, path: str) -> Path | None:
    """Return the folder of the notebook at *path*, None when it is not on disk."""
    found = place(contents_manager, path)
    return found.parent if found is not None and found.parent.is_dir() else None
