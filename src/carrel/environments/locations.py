"""Where the engine keeps its own things, and what this machine is called."""

from __future__ import annotations

import contextlib
import os
import platform
import stat
import sys
import tempfile
from pathlib import Path

import platformdirs

from carrel.core.errors import Forbidden

STATE_FOLDER = ".carrel"
"""Folder inside every changed environment: its lock, revisions and the mark of work under way. It lies in the prefix so
that all users of a shared environment exclude each other, undo works for whoever may write, and removing the environment
removes it too."""

_SYSTEMS = {"linux": "linux", "darwin": "osx", "win32": "win"}
_MACHINES = {"x86_64": "64", "amd64": "64", "i386": "32", "i686": "32", "arm64": "arm64", "aarch64": "aarch64"}


def cache_folder() -> Path:
    """Return the folder of caches: ``CARREL_CACHE_DIR``, or the user's cache folder."""
    chosen = os.environ.get("CARREL_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("carrel"))


def conda_cache_folder() -> Path:
    """Return the folder of extracted conda packages and repodata: this user's alone, also where the folder of caches is shared.

    Raises
    ------
    carrel.core.errors.Forbidden
        Somebody else made it.
    """
    folder = cache_folder() / "conda"
    if not _is_shared():
        return folder
    _make_shared(folder)
    own = folder / f"of-user-{os.getuid()}"
    own.mkdir(mode=0o700, exist_ok=True)
    status = own.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise Forbidden(
            f"{own} should be a folder of yours that nobody else may write to, and is not. Remove it, or choose another CARREL_CACHE_DIR.",
            code="cache_not_yours",
            path=str(own),
        )
    return own


def shared_archives_folder() -> Path | None:
    """Return the folder of archives that several users share; None when the caches are this user's alone."""
    if not _is_shared():
        return None
    folder = cache_folder() / "conda"
    for made in (folder, folder / "locks", folder / "archives"):
        _make_shared(made)
    return folder / "archives"


def _is_shared() -> bool:
    """Whether the folder of caches was chosen, and other users may write to it."""
    if not os.environ.get("CARREL_CACHE_DIR") or os.name != "posix":
        return False
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    status = folder.stat()
    return bool(status.st_uid not in (os.getuid(), 0) or status.st_mode & 0o022)


def _make_shared(folder: Path) -> None:
    """Make a folder for those who may write to the one above it; what one puts there the others cannot take away."""
    if folder.is_dir():
        return
    above = folder.parent.stat()
    # it has its mode before it has its name: another user may come in the same moment
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    with contextlib.suppress(PermissionError):
        partial.chmod(stat.S_IMODE(above.st_mode) & 0o2777 | 0o700 | stat.S_ISVTX)
    try:
        partial.rename(folder)
    except OSError:  # somebody was faster
        partial.rmdir()


def data_folder() -> Path:
    """Return the folder of kept data: ``CARREL_DATA_DIR``, or the user's data folder."""
    chosen = os.environ.get("CARREL_DATA_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("carrel"))


def environments_folder() -> Path:
    """Return the folder under which rebuilt environments live."""
    return data_folder() / "envs"


def current_platform() -> str:
    """Return conda's name of this platform (``linux-64``, ``osx-arm64`` …)."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    if system in ("osx", "win") and machine == "aarch64":
        machine = "arm64"
    return f"{system}-{machine}"
