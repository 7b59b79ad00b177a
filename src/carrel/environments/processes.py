"""Child processes that can be killed at any moment, and whose words are read without blocking the wish to cancel."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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


class Child:
    """A running program whose lines can be waited for and which can be ended at any moment, with every child of its own.

    Parameters
    ----------
    arguments : sequence of str or path
    environment : mapping of str to str, optional
        This process's by default.
    stdin : int or file, optional
        As for :class:`subprocess.Popen`; nothing to read by default.
    tied : bool
        Whether it belongs to the present work (see :data:`tether`).
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        stdin: Any = subprocess.DEVNULL,
        directory: Path | None = None,
        tied: bool = True,
    ) -> None:
        tie = (tether.get() if tied else None) or Tether()
        options: dict[str, Any] = {"start_new_session": True, "pass_fds": tie.descriptors} if os.name == "posix" else {}
        self.name = Path(str(arguments[0])).name
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**(os.environ if environment is None else environment), **tie.variables},
            cwd=directory,
            text=True,
            encoding="utf-8",
            errors="replace",
            **options,
        )
        self._lines: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._readers = [_reader("stdout", self.process.stdout, self._lines), _reader("stderr", self.process.stderr, self._lines)]
        self._open_streams = len(self._readers)

    def lines(self, *, cancel: CancelSignal, timeout: float | None = None) -> Iterator[tuple[str, str]]:
        """Yield ``("stdout" | "stderr", line)`` as they come, until both have ended.

        Raises
        ------
        carrel.core.errors.Cancelled
        TimeoutError
        """
        deadline = time.monotonic() + timeout if timeout else None
        ended: float | None = None
        while self._open_streams:
            if cancel.is_set():
                raise Cancelled("The work was cancelled.")
            if deadline and time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} took longer than {timeout:.0f} s.")
            try:
                stream, line = self._lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self.process.poll() is not None:
                    ended = ended or time.monotonic()
                    if time.monotonic() - ended > _GRACE_SECONDS:
                        return  # it left a server of its own behind (of a compiler cache, say), which holds the streams
                continue
            if line is None:
                self._open_streams -= 1
            else:
                yield stream, line

    def skip(self) -> None:
        """Leave out the lines that have come by now."""
        with contextlib.suppress(queue.Empty):
            while True:
                if self._lines.get_nowait()[1] is None:
                    self._open_streams -= 1

    def end(self) -> None:
        """Make sure that it is gone, with its own children, and that nothing stays open but what others write to."""
        process = self.process
        if process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
                process.wait()
        for reader in self._readers:
            reader.join(_GRACE_SECONDS / 4)
        for stream, reader in zip((process.stdout, process.stderr), self._readers, strict=True):
            if stream is not None and not reader.is_alive():  # closing would wait for who reads
                with contextlib.suppress(OSError):
                    stream.close()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.process.pid, number)
            else:
                self.process.terminate()


def run(
    arguments: Sequence[str | Path],
    *,
    cancel: CancelSignal,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    on_stdout: Callable[[str], None] | None = None,
    on_stderr: Callable[[str], None] | None = None,
    directory: Path | None = None,
    timeout: float | None = None,
) -> Finished:
    """Run a program to its end, or kill it when *cancel* is set.

    Parameters
    ----------
    stdin : str, optional
        Text to write first.
    on_stdout, on_stderr : callable, optional
        Called in this thread with each line, as it comes.

    Raises
    ------
    carrel.core.errors.Cancelled
        After the child, and every child of its own, is gone.
    """
    child = Child(arguments, environment=environment, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE, directory=directory)
    collected: dict[str, list[str]] = {"stdout": [], "stderr": []}
    callbacks = {"stdout": on_stdout, "stderr": on_stderr}
    try:
        if stdin is not None and child.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                child.process.stdin.write(stdin)
                child.process.stdin.close()
        for stream, line in child.lines(cancel=cancel, timeout=timeout):
            callback = callbacks[stream]
            if callback is not None:
                callback(line.rstrip("\r\n"))
            collected[stream].append(line)
        returncode = child.process.wait()
    finally:
        child.end()
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
