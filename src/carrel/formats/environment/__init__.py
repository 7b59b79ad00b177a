"""Environments: locks and specifications in the standard files."""

from __future__ import annotations

from carrel.core.errors import BadRequest
from carrel.formats.environment import conda_lock, pylock
from carrel.formats.environment.lock import Lock, LockKind, LockSet

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
    from carrel.formats.environment import identifying, reading

    try:
        format_ = identifying.identify(filename, data)
    except BadRequest as error:
        raise _not_a_lock(filename) from error
    if format_ is identifying.FileFormat.CONDA_LOCK:
        return conda_lock.read(data, platform)
    if format_ not in identifying.LOCKS:
        raise _not_a_lock(filename)
    found = reading.read(filename, data, platform=platform)
    if not isinstance(found, LockSet):
        raise _not_a_lock(filename)
    if len(found.locks) == 1:
        return found.locks[0]
    lock = found.for_platform(platform) if platform else None
    if lock is None:
        names = ", ".join(found.platforms)
        known = {"platforms": list(found.platforms)}
        if platform is None:
            raise BadRequest(f"The lock file is for {names}: say which.", code="platform_required", **known)
        raise BadRequest(f"The lock file is for {names}, not for {platform}.", code="wrong_platform", **known)
    return lock


def _not_a_lock(filename: str) -> BadRequest:
    message = f"{filename[:120]!r} is not a lock. Use conda-lock.yml, pixi.lock, pylock.toml, uv.lock or an @EXPLICIT file."
    return BadRequest(message, code="not_a_lock")
