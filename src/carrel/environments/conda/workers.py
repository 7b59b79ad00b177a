"""Workers from the outside: started when needed, asked one thing after another, kept for a while, killed to cancel.

A plan is mostly carried out a moment later, and a start costs a tenth of a second. So a worker that has answered stays for
half a minute for whoever asks next from the same surroundings (environment variables, working directory). It ends with this
process: its standard input is its life line.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from carrel.core.errors import CarrelError
from carrel.core.progress import CancelSignal
from carrel.environments import processes

_MODULE = "carrel.environments.conda.worker"
_KEPT_SECONDS = 30.0
_WRITING = ("fetch", "link")
_REUSABLE = os.name == "posix"  # elsewhere what ties a child to a piece of work is given when it starts


class WorkerDied(CarrelError):
    """A worker ended without an answer.

    Attributes
    ----------
    returncode : int
    stderr : str
        What it wrote last.
    """

    def __init__(self, returncode: int, stderr: str) -> None:
        super().__init__(f"The conda engine ended unexpectedly (exit code {returncode}).", code="engine_crashed")
        self.returncode, self.stderr = returncode, stderr


def ask(request: Mapping[str, Any], on_progress: Callable[[Mapping[str, Any]], None], cancel: CancelSignal) -> dict[str, Any]:
    """Have a worker serve *request*, and return its answer: a line of type ``result`` or ``error``.

    Raises
    ------
    WorkerDied
    carrel.core.errors.Cancelled
        After the worker is gone.
    """
    worker = _take()
    try:
        answer = worker.ask(request, on_progress, cancel)
    except BaseException:
        worker.end()
        raise
    if answer["type"] == "error" and request["command"] in _WRITING:
        worker.end()  # threads of the library go on with what was begun, until their process ends
    else:
        _keep(worker)
    return answer


def close() -> None:
    """End the workers that wait."""
    global _alarm
    with _lock:
        if _alarm is not None:
            _alarm.cancel()
        _alarm = None
        waiting, _waiting[:] = list(_waiting), []
    for worker, _ in waiting:
        worker.end()


class _Worker:
    """One process."""

    def __init__(self) -> None:
        self.surroundings = _surroundings()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-P", "-m", _MODULE]
        self._line: socket.socket | None = None
        if not _REUSABLE:
            self._child = processes.Child(command, environment=environment, stdin=subprocess.PIPE)
            return
        # not a pipe: open files can be sent over a socket, and the locks of the work have to be
        self._line, theirs = socket.socketpair()
        with theirs:
            self._child = processes.Child(command, environment=environment, stdin=theirs, tied=False)
        _all.add(self)

    def is_usable(self) -> bool:
        return self._child.process.poll() is None and self.surroundings == _surroundings()

    def ask(self, request: Mapping[str, Any], on_progress: Callable[[Mapping[str, Any]], None], cancel: CancelSignal) -> dict[str, Any]:
        text = json.dumps(request).encode() + b"\n"
        self._child.skip()  # what was said after the answer before is nothing of this request
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # then its streams end too
            self._send(text)
        remarks: list[str] = []
        for stream, line in self._child.lines(cancel=cancel):
            if stream == "stderr":
                remarks.append(line)
                continue
            if not line.endswith("\n"):
                break  # it died within the line
            message = json.loads(line)
            if message["type"] != "progress":
                answer: dict[str, Any] = message
                return answer
            on_progress(message)
        raise WorkerDied(self._child.process.wait(), "".join(remarks))

    def _send(self, text: bytes) -> None:
        if self._line is None:
            if (stdin := self._child.process.stdin) is not None:
                stdin.write(text.decode())
                stdin.flush()
            return
        tie = processes.tether.get()
        if tie is not None and tie.descriptors:
            socket.send_fds(self._line, [b"\n"], list(tie.descriptors))
        self._line.sendall(text)

    def end(self) -> None:
        self._child.end()
        self.let_go()
        _all.discard(self)

    def let_go(self) -> None:
        """Close this process's end of the life line."""
        if self._line is not None:
            self._line.close()


_lock = threading.Lock()
_waiting: list[tuple[_Worker, float]] = []
_all: set[_Worker] = set()
_of_parent: list[_Worker] = []
_alarm: threading.Timer | None = None


def _surroundings() -> Sequence[object]:
    folder = None
    with contextlib.suppress(OSError):  # it may have been removed
        folder = Path.cwd()
    return (folder, dict(os.environ))


def _take() -> _Worker:
    unusable, found = [], None
    with _lock:
        while _waiting and found is None:
            worker, _ = _waiting.pop()
            if worker.is_usable():
                found = worker
            else:
                unusable.append(worker)
    for worker in unusable:
        worker.end()
    return found or _Worker()


def _keep(worker: _Worker) -> None:
    if not _REUSABLE:
        worker.end()
        return
    with _lock:
        _waiting.append((worker, time.monotonic()))
        _set_alarm()


def _set_alarm() -> None:
    """Come back when the first of those that wait has waited long enough; one alarm at a time. The lock must be held."""
    global _alarm
    if _waiting and (_alarm is None or not _alarm.is_alive()):
        _alarm = threading.Timer(max(0.0, _waiting[0][1] + _KEPT_SECONDS - time.monotonic()), _expire)
        _alarm.daemon = True
        _alarm.start()


def _expire() -> None:
    global _alarm
    now = time.monotonic()
    with _lock:
        _alarm = None  # this one has rung: who is kept while the old ones end needs another
        old = [entry for entry in _waiting if now - entry[1] >= _KEPT_SECONDS]
        _waiting[:] = [entry for entry in _waiting if entry not in old]
        _set_alarm()
    for worker, _ in old:
        worker.end()


def _after_fork() -> None:
    """Forget, in a forked child, the workers of the process that it comes from; those end with that one, not with the child.

    Nothing of them may be closed but the life line, nor freed: the threads that read from them held locks, and are not here.
    """
    global _lock, _alarm
    _lock, _alarm = threading.Lock(), None
    for worker in _all:
        worker.let_go()
    _of_parent.extend(_all)
    _all.clear()
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(close)
