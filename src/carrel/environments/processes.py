"""Child processes that can be killed at any moment, and whose words are read without blocking the wish to cancel."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from carrel.core.errors import Cancelled
from carrel.core.progress import CancelSignal

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Tether:
    """What ties child processes to the work they are part of; see :mod:`carrel.environments.tethers`.

    Attributes
    ----------
    descriptors : tuple of int
        Open files that children inherit.
    variables : mapping of str to str
        Environment variables that they are found by.
    """

    descriptors: tuple[int, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


tether: ContextVar[Tether | None] = ContextVar("tether", default=None)
"""The tether of children that are started from here on."""


class Finished:
    """What a child process left: exit code and the text it wrote."""

    def __init__(self, returncode: int, stdout: str, stderr: str) -> None:
        self.returncode, self.stdout, self.stderr = returncode, stdout, stderr


def run(
    arguments: Sequence[str | Path],
    *,
    cancel: CancelSignal,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    hold_stdin: bool = False,
    on_stdout: Callable[[str], None] | None = None,
    on_stderr: Callable[[str], None] | None = None,
    directory: Path | None = None,
    timeout: float | None = None,
) -> Finished:
    """Run a program to its end, or kill it when *cancel* is set.

    Parameters
    ----------
    stdin : str, optional
        Text to write first. With *hold_stdin* the stream stays open until the child ends: a child that reads on notices
        when this process dies.
    on_stdout, on_stderr : callable, optional
        Called in this thread with each line, as it comes.

    Raises
    ------
    carrel.core.errors.Cancelled
        After the child, and every child of its own, is gone.
    """
    tied = tether.get() or Tether()
    options: dict[str, Any] = {"start_new_session": True, "pass_fds": tied.descriptors} if os.name == "posix" else {}
    process = subprocess.Popen(
        [str(argument) for argument in arguments],
        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**(os.environ if environment is None else environment), **tied.variables},
        cwd=directory,
        text=True,
        encoding="utf-8",
        errors="replace",
        **options,
    )
    lines: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
    readers = [_reader("stdout", process.stdout, lines), _reader("stderr", process.stderr, lines)]
    collected: dict[str, list[str]] = {"stdout": [], "stderr": []}
    callbacks = {"stdout": on_stdout, "stderr": on_stderr}
    deadline = time.monotonic() + timeout if timeout else None
    ended: float | None = None
    try:
        if stdin is not None and process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(stdin)
                process.stdin.flush()
                if not hold_stdin:
                    process.stdin.close()
        open_streams = len(readers)
        while open_streams:
            if cancel.is_set():
                raise Cancelled("The work was cancelled.")
            if deadline and time.monotonic() > deadline:
                raise TimeoutError(f"{Path(str(arguments[0])).name} took longer than {timeout:.0f} s.")
            try:
                stream, line = lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if process.poll() is not None:
                    ended = ended or time.monotonic()
                    if time.monotonic() - ended > _GRACE_SECONDS:
                        break  # it left a server of its own behind (of a compiler cache, say), which holds the streams
                continue
            if line is None:
                open_streams -= 1
                continue
            callback = callbacks[stream]
            if callback is not None:
                callback(line.rstrip("\r\n"))
            collected[stream].append(line)
        returncode = process.wait()
    finally:
        _end(process, readers)
    return Finished(returncode, "".join(collected["stdout"]), "".join(collected["stderr"]))


def _reader(name: str, stream: IO[str] | None, lines: queue.SimpleQueue[tuple[str, str | None]]) -> threading.Thread:
    def read() -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in stream or ():
                lines.put((name, line))
        lines.put((name, None))

    thread = threading.Thread(target=read, name=f"carrel-{name}", daemon=True)
    thread.start()
    return thread


def _end(process: subprocess.Popen[str], readers: Sequence[threading.Thread]) -> None:
    """Make sure that the child is gone, with its own children, and that nothing stays open but what others write to."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            process.wait()
    for reader in readers:
        reader.join(_GRACE_SECONDS / 4)
    for stream, reader in zip((process.stdout, process.stderr), readers, strict=True):
        if stream is not None and not reader.is_alive():  # closing would wait for who reads
            with contextlib.suppress(OSError):
                stream.close()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _signal(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.terminate()
