"""Changes of an environment in processes that are started warm, to be killed at any moment.

One process imports the engine and waits; each piece of work is a fork of it, so that what is killed is the work and not the
import of modules. What the work starts (conda's worker, uv, the interpreter) stays alive when it is killed, as it would.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from carrel.environments import Plan

_CODE = """
import json, os, pickle, sys
from carrel.environments import apply, restore, transactions
from carrel.environments import applying, restoring, compiling, tethers
from carrel.environments.conda import engine
from carrel.environments.pypi import uv
uv.executable()
from pathlib import Path

def work(command, prefix, argument):
    if command == "apply":
        apply(pickle.loads(Path(argument).read_bytes()))
    elif command == "restore":
        restore(prefix, int(argument))
    elif command == "repair":
        with transactions.exclusive(Path(prefix)):
            pass

print("ready", flush=True)
for line in sys.stdin:
    command, prefix, argument = json.loads(line)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work(command, prefix, argument)
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Workshop:
    """Starts works on one environment and kills them."""

    def __init__(self, prefix: Path, log: Path) -> None:
        self._prefix = prefix
        self.log = log
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        assert self._line() == "ready"

    def run(self, command: str, argument: object = "", *, kill_after: float | None = None) -> int:
        """Do a piece of work; return its exit code, ``-SIGKILL`` when it was killed in time."""
        import json

        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, str(self._prefix), str(argument)]) + "\n")
        self._process.stdin.flush()
        pid = int(self._line())
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):
                # the process group of this test is not its own: exactly one process is killed
                os.kill(pid, signal.SIGKILL)
        return int(self._line())

    def time_of(self, command: str, argument: object = "") -> float:
        """Do a piece of work whole and return the seconds it takes."""
        began = time.monotonic()
        assert self.run(command, argument) == 0, self.log.read_text()
        return time.monotonic() - began

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """End."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextlib.contextmanager
def workshop(prefix: Path, folder: Path) -> Iterator[Workshop]:
    """Have a workshop while the block runs."""
    made = Workshop(prefix, folder / "workshop.log")
    try:
        yield made
    finally:
        made.close()


def written(plan: Plan, path: Path) -> Path:
    """Write *plan* to *path* for a workshop."""
    path.write_bytes(pickle.dumps(plan))
    return path


def records(prefix: Path) -> dict[str, bytes]:
    """Return every record of the packages in *prefix*, to the byte."""
    found = {path.relative_to(prefix).as_posix(): path.read_bytes() for path in (prefix / "conda-meta").glob("*")}
    for path in prefix.glob("lib/python3*/site-packages/*.dist-info/*"):
        if path.is_file():
            found[path.relative_to(prefix).as_posix()] = path.read_bytes()
    return found
