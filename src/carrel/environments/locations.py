"""Where the engine keeps its own things, and what this machine is called."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import platformdirs

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
    """Return the folder of extracted conda packages and repodata."""
    return cache_folder() / "conda"


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
