"""No child of a dead process goes on writing in an environment while the next one repairs it.

Programs like uv do not notice that whoever started them was killed. So every child that is started while an environment is
changed inherits a lock, which stays taken until the last of them has ended, and carries a variable in its environment by
which it is found and ended. Where locks are not inherited (Windows), finding and ending them is all there is.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from carrel.core.errors import Locked
from carrel.environments import locks, processes

_VARIABLE = "CARREL_WORKS_FOR"
_PATIENCE_SECONDS = 10.0


@contextlib.contextmanager
def tied(path: Path, what: str) -> Iterator[None]:
    """Tie the children of this thread to the work that *path* stands for; end those of a dead process before.

    To be called by whoever holds the lock of the work: nobody else's children are alive rightfully.

    Parameters
    ----------
    path : Path
        A file of the work's own; made when needed.
    what : str
        What is worked on, for the message (``the environment analysis``).

    Raises
    ------
    Locked
        A program that a dead process started cannot be ended.
    """
    mark = str(path.resolve())
    handle = locks.open_file(path) if os.name == "posix" else os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        _take(handle, mark, what)
        token = processes.tether.set(processes.Tether((handle,), {_VARIABLE: mark}))
        try:
            yield
        finally:
            processes.tether.reset(token)
    finally:
        os.close(handle)


def _take(handle: int, mark: str, what: str) -> None:
    try:
        import fcntl
    except ImportError:
        end(mark)
        return
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        left = end(mark)
        if time.monotonic() > deadline:
            by = f" (process {', '.join(map(str, left))})" if left else ""
            raise Locked(f"A program that a dead process started is still working on {what}{by}. End it, then try again.")
        time.sleep(0.05)


def end(mark: str) -> list[int]:
    """Kill the processes that carry *mark*; return those that could not be."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(_VARIABLE) == mark:
                found.append(process)
    left = []
    for process in found:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
        except psutil.Error:
            left.append(process.pid)
    psutil.wait_procs(found, timeout=2)
    return left
