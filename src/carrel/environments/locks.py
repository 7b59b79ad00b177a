"""One writer per environment, among all processes and users of this machine."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from carrel.core import clock
from carrel.core.errors import Forbidden, Locked


@contextlib.contextmanager
def locked(path: Path, what: str, *, wait: float = 0) -> Iterator[None]:
    """Hold the lock file *path* meanwhile.

    Parameters
    ----------
    what : str
        What is locked, for the message (``the environment analysis``).
    wait : float
        Seconds to wait for another holder.

    Raises
    ------
    Locked
        Someone else holds it (fields ``pid``, ``user``, ``since``).
    Forbidden
        The lock cannot be made.
    """
    holder = path.with_suffix(".holder.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path)
        lock.acquire(timeout=wait)
    except filelock.Timeout:
        by = _read(holder)
        who = f" (process {by['pid']} of {by['user']}, since {by['since'][:16].replace('T', ' ')} UTC)" if by else ""
        raise Locked(f"Another process is working on {what}{who}. Wait until it is done, or cancel it there.", **by) from None
    except PermissionError as error:
        raise Forbidden(f"You may not write to {path.parent}.", path=str(path.parent)) from error
    try:
        with contextlib.suppress(OSError):
            holder.write_text(json.dumps({"pid": os.getpid(), "user": _user(), "since": clock.to_rfc3339(clock.now())}))
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file *path* now."""
    if not path.exists():
        return False
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {key: found[key] for key in ("pid", "user", "since") if key in found} if isinstance(found, dict) and "since" in found else {}
