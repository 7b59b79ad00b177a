"""One writer per environment or archive, among all processes and users of this machine.

A lock is a file on which the system keeps the lock (``flock``), so it ends with its holder, however that ends. Users who
share a folder share its locks: the file is made for as many as may write to the folder, and who may only read it can still
hold it where the file system allows that (network file systems do not, and are told of by name).
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from carrel.core import clock
from carrel.core.errors import Forbidden, Locked

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_POLL_SECONDS = 0.05
_INHERITED_SECONDS = 2.0
_BUSY = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})


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
        The lock cannot be made, or not be opened: another user made it for themselves alone.
    """
    holder = path.with_suffix(".holder.json")
    deadline = time.monotonic() + wait
    while (release := acquire(path)) is None:
        by = _read(holder)
        # a child that was being started when its parent was killed holds the parent's files for a moment more
        if time.monotonic() >= deadline + (_INHERITED_SECONDS if _is_gone(by.get("pid")) else 0):
            who = f" (process {by['pid']} of {by['user']}, since {by['since'][:16].replace('T', ' ')} UTC)" if by else ""
            raise Locked(f"Another process is working on {what}{who}. Wait until it is done, or cancel it there.", **by)
        time.sleep(_POLL_SECONDS)
    try:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)  # another user's cannot be written over, only replaced
            with holder.open("x", encoding="utf-8") as file:  # nor is a link followed that somebody put there meanwhile
                file.write(json.dumps({"pid": os.getpid(), "user": _user(), "since": clock.to_rfc3339(clock.now())}))
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        release()


def acquire(path: Path) -> Callable[[], None] | None:
    """Take the lock file *path* and return what lets it go, or None when someone else holds it.

    Raises
    ------
    Forbidden
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _acquire(path) if fcntl is not None else _acquire_portably(path)
    except PermissionError as error:
        owner = _owner(path)
        if owner:
            message = (
                f"The lock {path} belongs to {owner}, and you may not write to it. Ask them to let your group write to it (chmod g+rw)."
            )
            raise Forbidden(message, path=str(path)) from error
        raise Forbidden(f"You may not write to {path.parent}.", path=str(path.parent)) from error


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file *path* now."""
    if not path.exists():
        return False
    try:
        release = acquire(path)
    except (OSError, Forbidden):
        return False
    if release is None:
        return True
    release()
    return False


def discard(path: Path) -> bool:
    """Remove a lock file that nobody holds; return whether it is gone."""
    release = acquire(path)
    if release is None:
        return False
    try:
        # whoever waits for it sees that the name leads elsewhere and asks again
        path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        release()
    return True


def _acquire(path: Path) -> Callable[[], None] | None:
    while True:
        handle = open_file(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = _leads_to(path, handle)
        except OSError as error:
            os.close(handle)
            if error.errno in _BUSY:
                return None
            # a network file system gives no exclusive lock to who may only read
            raise PermissionError(error.errno, str(error)) from error
        except BaseException:
            os.close(handle)
            raise
        if same:
            return lambda: os.close(handle)
        os.close(handle)


def open_file(path: Path) -> int:
    """Open a lock file, made for as many as may write to its folder; return its descriptor. Not on Windows."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    # what exists is opened without O_CREAT: in a sticky folder systems refuse that for another user's file
    with contextlib.suppress(FileNotFoundError):
        try:
            return os.open(path, os.O_RDWR | flags)
        except PermissionError:
            return os.open(path, os.O_RDONLY | flags)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    folder, made = path.parent.stat(), os.fstat(handle)
    wanted = stat.S_IMODE(made.st_mode) | ((folder.st_mode & 0o022) * 3 & 0o066)
    if wanted != stat.S_IMODE(made.st_mode):
        with contextlib.suppress(PermissionError):  # another user made it in this very moment
            os.fchmod(handle, wanted)
    return handle


def _leads_to(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _acquire_portably(path: Path) -> Callable[[], None] | None:
    import filelock  # here, because it is needed on Windows alone

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return None
    return lock.release


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _owner(path: Path) -> str:
    """Return whose file *path* is, empty when it does not exist or is one's own."""
    try:
        return path.owner() if path.stat().st_uid != os.getuid() else ""
    except KeyError:
        return f"user {path.stat().st_uid}"
    except (OSError, AttributeError, NotImplementedError):
        return ""


def _is_gone(pid: object) -> bool:
    import psutil  # here, because most locks are free

    return isinstance(pid, int) and not psutil.pid_exists(pid)


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {key: found[key] for key in ("pid", "user", "since") if key in found} if isinstance(found, dict) and "since" in found else {}
