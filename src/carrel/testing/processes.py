"""Child processes of tests: started on free ports, watched until ready, ended with all that they started."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any


class ProcessFailed(RuntimeError):
    """A process ended or did not become ready; the message holds the end of its log."""


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@functools.cache
def _ends_with_us() -> tuple[str, ...]:
    """Return what to put before a command so that the kernel kills it with the thread that started it (Linux).

    A run of tests that is killed cannot end its servers, and an abandoned one may keep a core busy for ever.
    """
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL") if setpriv and sys.platform == "linux" else ()


class Process:
    """A child process in a group of its own, with its output in a file.

    Parameters
    ----------
    command : Sequence of str
        Program and arguments.
    log_path : Path
        File that gets standard output and standard error, after what it holds already.
    env : Mapping of str to str, optional
        Variables that are added to this process's.
    **options
        Passed to :class:`subprocess.Popen`.
    """

    def __init__(self, command: Sequence[str | Path], log_path: Path, env: Mapping[str, str] | None = None, **options: Any) -> None:
        self.command = [str(part) for part in command]
        self.log_path = log_path
        log_path.parent.mkdir(parents=True, exist_ok=True)
        self._output: IO[bytes] = log_path.open("ab")
        self._popen = subprocess.Popen(
            [*_ends_with_us(), *self.command],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            start_new_session=True,
            **options,
        )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._popen.poll() is None

    @property
    def log(self) -> str:
        """All output so far."""
        return self.log_path.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool], timeout: float = 60.0) -> None:
        """Wait until *ready* returns True; exceptions of the kind OSError count as not yet.

        Raises
        ------
        ProcessFailed
            If the process ends before, or after *timeout* seconds.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.running:
                raise ProcessFailed(f"{self.command[:4]} ended with {self._popen.returncode}:\n{self.log[-4000:]}")
            try:
                if ready():
                    return
            except OSError:  # requests' exceptions are OSError too
                pass
            time.sleep(0.05)
        self.stop()
        raise ProcessFailed(f"{self.command[:4]} was not ready after {timeout:.0f} s:\n{self.log[-4000:]}")

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 10.0) -> int:
        """Ask the process to end, kill its group after *timeout* seconds, and return the exit status."""
        if self.running:
            self._popen.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout)
        return self.kill()

    def kill(self) -> int:
        """Kill the whole group at once, as a crash of the machine would, and return the exit status."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of the group is left, or not ours
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._output.close()
        return self._popen.wait()
