"""Environments: locks and specifications in the standard files."""

from __future__ import annotations

from carrel.core.errors import BadRequest
from carrel.formats.environment import conda_lock, explicit, pylock
from carrel.formats.environment.lock import Lock, LockKind

__all__ = ["dump_lock", "load_lock"]


def dump_lock(lock: Lock) -> tuple[str, bytes]:
    """Return the file name and bytes in which *lock* is shared: ``pylock.toml`` for venvs, else ``conda-lock.yml``."""
    if lock.kind is LockKind.VENV:
        return pylock.FILENAME, pylock.write(lock)
    return conda_lock.FILENAME, conda_lock.write(lock)


def load_lock(filename: str, data: bytes, platform: str | None = None) -> Lock:
    """Return the lock in *data*.

    Parameters
    ----------
    filename : str
        Tells the format.
    data : bytes
    platform : str, optional
        Needed for a file for several.

    Raises
    ------
    BadRequest
        The format is no lock (code ``not_a_lock``).
    InvalidFile
    """
    if pylock.is_pylock_name(filename):
        return pylock.read(data, platform=platform)
    if "conda-lock" in filename:
        return conda_lock.read(data, platform)
    if explicit.is_explicit(data):
        return explicit.read(data)
    raise BadRequest(f"{filename[:120]!r} is not a lock. Use conda-lock.yml, pylock.toml or an @EXPLICIT file.", code="not_a_lock")
