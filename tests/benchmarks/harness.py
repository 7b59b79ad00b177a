"""What benchmarks share: a hub with rows, the CPU of a process, a probe, one printed line per figure."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from carrel.database.engine import Database
from carrel.hub.namespaces.models import namespace
from carrel.testing.hub import HubProcess

REPEATS = 7
# With it, what takes minutes is measured too: the peer at 50,000 packages, search at 500,000, a channel of a million files.
FULL = os.environ.get("CARREL_BENCH_FULL") == "1"
_OUT = os.environ.get("CARREL_BENCH_OUT")  # a file that gets one JSON line per figure


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its bar and its peer."""

    row: int
    what: str
    value: float
    unit: str
    bar: float | None = None
    peer: str = ""
    peer_value: float | None = None
    command: str = ""
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.bar is None or (self.value >= self.bar if self.at_least else self.value <= self.bar)

    def line(self) -> str:
        """Return the figure as it is printed."""
        text = f"row {self.row:>2} | {self.what} | {self.value:.4g} {self.unit}"
        if self.bar is not None:
            text += f" | bar {'≥' if self.at_least else '≤'} {self.bar:g} {self.unit}: {'holds' if self.holds else 'MISSED'}"
        if self.peer_value is not None:
            text += f" | {self.peer} {self.peer_value:.4g} {self.unit}: {self.value / self.peer_value:.3g} ×"
        return f"{text} | {self.command}"


def report(row: int, what: str, value: float, unit: str, *, test: str, **details: object) -> Figure:
    """Print a figure, and keep it where ``CARREL_BENCH_OUT`` says."""
    figure = Figure(row, what, value, unit, command=f"python -m pytest -s {test}", **details)  # type: ignore[arg-type]
    print(f"\n{figure.line()}", flush=True)
    if _OUT:
        with Path(_OUT).open("a") as out:
            out.write(json.dumps(asdict(figure)) + "\n")
    return figure


@contextmanager
def loaded_hub(folder: Path, load: Callable[[Connection, int], object] | None = None, *arguments: str) -> Iterator[tuple[HubProcess, str]]:
    """Run a hub in which ``alice`` has what *load* wrote (connection, namespace id); yield it and her token."""
    hub = HubProcess(folder / "data", ("--log-level=WARN", *arguments))
    hub.start()
    try:
        token = hub.create_user("alice")
        if load is not None:
            hub.stop()
            database = Database(f"sqlite:///{hub.data_dir / 'hub.db'}")
            with database.write() as unit:
                key = unit.connection.scalar(select(namespace.c.id).where(namespace.c.name == "alice"))
                load(unit.connection, int(key or 0))
            database.dispose()
            hub.start()
        yield hub, token
    finally:
        hub.stop()


def server_pid(hub: HubProcess) -> int:
    """Return the id of the process that serves."""
    return hub.pid


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    """Return ``VmRSS`` or ``VmHWM`` of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1000
    raise ValueError(field)


class Client:
    """One connection that stays open; cheaper than the server it measures."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = headers or {}

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes, str]:
        """Return status, body and ETag."""
        self._connection.request(method, path, body, {**self._headers, **(headers or {})})
        response = self._connection.getresponse()
        return response.status, response.read(), response.headers.get("ETag", "")

    def get(self, path: str, **headers: str) -> bytes:
        """Return the body of a 200."""
        status, body, _ = self.request("GET", path, None, headers)
        assert status == 200, (path, status, body[:300])
        return body


def timed(work: Callable[[], object]) -> float:
    """Return how long *work* takes, in milliseconds."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: list[float], percent: float) -> float:
    """Return a percentile by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def cpu_per_request(pid: int, work: Callable[[], object], count: int) -> float:
    """Return the server's CPU time per call of *work*, in milliseconds."""
    before = cpu_seconds(pid)
    for _ in range(count):
        work()
    return 1000 * (cpu_seconds(pid) - before) / count


_PROBE = """
import http.client, json, sys, time
port, path, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
found, end = [], time.perf_counter() + seconds
print("ready", flush=True)
while time.perf_counter() < end:
    started = time.perf_counter()
    connection.request("GET", path)
    connection.getresponse().read()
    found.append(1000 * (time.perf_counter() - started))
    time.sleep(0.005)
    if sys.stdin in __import__("select").select([sys.stdin], [], [], 0)[0]:
        break
print(json.dumps(found), flush=True)
"""


@contextmanager
def stall_probe(port: int, path: str = "/api/v1/") -> Iterator[list[float]]:
    """GET *path* every few milliseconds, from a process of its own; the list holds the times (ms) after the block."""
    found: list[float] = []
    command = [sys.executable, "-c", _PROBE, str(port), path, "600"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield found
    finally:
        process.stdin.write("stop\n")
        process.stdin.close()
        found.extend(json.loads(process.stdout.read() or "[]"))
        process.wait(timeout=60)
