"""The processes of running kernels: which program a kernel is, and which process of this machine serves a connection."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

_POLL_SECONDS = 0.1
_R_PROGRAM = re.compile(r"(.+)/lib(?:64)?/R/bin/(?:exec/)?R\Z")
_WRAPPERS = ("sh", "bash", "dash", "zsh", "env", "conda", "mamba", "micromamba", "pixi", "uv", "cmd.exe")


def process_interpreter(pid: int) -> Path | None:
    """Return the program of a process as it was called.

    The first argument keeps the path inside a venv; the executable that the system reports is the base interpreter that the
    venv links to, which is another environment. A first argument that leads to another program than the one that runs does not
    count: a process may write there what it likes.
    """
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        for candidate in [process, *process.children(recursive=True)]:  # a wrapper may stand before the interpreter
            arguments = candidate.cmdline()
            if not arguments:
                continue
            if candidate is process and Path(arguments[0]).name.lower() in _WRAPPERS:
                continue
            return _program(candidate, arguments[0])
    return None


def _program(process: psutil.Process, called: str) -> Path:
    running = ""
    with contextlib.suppress(psutil.Error, OSError):
        running = process.exe()
    program = called
    if not Path(called).is_absolute():
        path = None
        with contextlib.suppress(psutil.Error, OSError):
            path = process.environ().get("PATH")
        program = shutil.which(called, path=path) or running or called
    # elsewhere a framework's stub or a redirector starts the interpreter, which then is another file
    if sys.platform == "linux" and running and Path(running).exists() and not _same(Path(program), Path(running)):
        program = running
    # R's own program lies deep in its home; people call the script beside other programs of the environment
    if (match := _R_PROGRAM.match(program)) and Path(match[1], "bin", "R").exists():
        return Path(match[1], "bin", "R")
    return Path(program)


def _same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return False


def contains(prefix: Path, program: Path) -> bool:
    """Whether *program* is a program of the environment at *prefix*, links in the path of the prefix itself aside.

    It must lie where environments keep programs: any folder further up contains it too, and ``/`` every one.
    """
    with contextlib.suppress(OSError):
        folder, root = program.parent.resolve(), prefix.resolve()
        if folder in (root, root / "bin", root / "Scripts"):
            return True
        return (prefix / "conda-meta").is_dir() and folder.is_relative_to(root)
    return False


def is_local_address(address: str) -> bool:
    """Whether *address* (an IP address or a host name) is one of this machine's."""
    if address in ("", "*", "0.0.0.0", "::", "localhost") or address.startswith("127.") or address == "::1":  # noqa: S104 - compared, not bound
        return True
    own = {entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries}
    if address in own:
        return True
    with contextlib.suppress(OSError):
        return socket.gethostbyname(address) in own
    return False


def process_of_connection(connection_file: Path, connection: Mapping[str, Any], *, wait: float = 0) -> int | None:
    """Return the process that serves the kernel of *connection_file*, None when no process of this machine does.

    It is the one that listens on the kernel's shell port; one that merely names the file on its command line counts where the
    system does not tell who listens.

    Parameters
    ----------
    wait : float
        Seconds that a kernel which is starting, and does not listen yet, is waited for.
    """
    deadline = time.monotonic() + wait
    while True:
        named = [process for process in _own_processes() if _names_file(process, connection_file)]
        if connection.get("transport", "tcp") != "tcp":  # a socket in the file system has no port
            return named[-1].pid if named else None
        pid = _who_listens(named, connection.get("shell_port"))
        if pid is not None or not named or time.monotonic() >= deadline:
            return pid
        time.sleep(_POLL_SECONDS)


def _who_listens(named: Iterable[psutil.Process], port: Any) -> int | None:
    unsure: list[int] = []
    for process in named:
        try:
            if _listens(process, port):
                return process.pid
        except (psutil.AccessDenied, NotImplementedError):
            unsure.append(process.pid)
        except psutil.Error:
            continue
    with contextlib.suppress(psutil.Error, OSError, NotImplementedError):
        for entry in psutil.net_connections(kind="tcp"):
            if entry.status == psutil.CONN_LISTEN and entry.laddr and entry.laddr.port == port and entry.pid:
                return int(entry.pid)
    # a wrapper names the file too and comes first: its child is the kernel
    return unsure[-1] if unsure else None


def processes_of_session(name: str) -> Iterator[tuple[int, Path]]:
    """Yield ``(process, connection file)`` of kernels that were started for the session *name* (``JPY_SESSION_NAME``)."""
    for process in _own_processes():
        with contextlib.suppress(psutil.Error, OSError):
            file = next((argument for argument in process.cmdline() if argument.endswith(".json") and "kernel-" in argument), None)
            if file and process.environ().get("JPY_SESSION_NAME") == name:
                yield process.pid, Path(file)


def _own_processes() -> Iterator[psutil.Process]:
    own = os.getuid() if hasattr(os, "getuid") else None
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if own in (None, 0) or process.uids().real == own:
                yield process


def _names_file(process: psutil.Process, file: Path) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return any(argument.endswith(file.name) for argument in process.cmdline())
    return False


def _listens(process: psutil.Process, port: Any) -> bool:
    return any(
        entry.status == psutil.CONN_LISTEN and entry.laddr and entry.laddr.port == port for entry in process.net_connections(kind="tcp")
    )
