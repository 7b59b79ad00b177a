"""Rows 1, 2 and 15 in a channel of a million files.

Two hubs run at the same time and are measured in turn, so the ratios hold on a busy machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import mean

import msgpack
import pytest
import zstandard
from harness import FULL, REPEATS, Client, cpu_seconds, loaded_hub, median, memory_mb, report, timed
from seeds import load_conda, source

from carrel.testing.artifacts import Artifact, build_conda
from carrel.testing.hub import HubProcess

pytestmark = [pytest.mark.benchmark, pytest.mark.skipif(not FULL, reason="CARREL_BENCH_FULL=1 measures it")]

SMALL, LARGE = 10_000, 1_000_000
UPLOADS = 40
CHANNEL = "/conda/alice/linux-64"
_TEST = "tests/benchmarks/test_conda_scale.py"


class Measured:
    """A hub with a channel of some size."""

    def __init__(self, hub: HubProcess, token: str) -> None:
        self.hub = hub
        self.owner = Client(hub.port, {"Authorization": f"Bearer {token}"})
        self.anyone = Client(hub.port)
        self.cpu: dict[str, list[float]] = {}
        self.wall: dict[str, list[float]] = {}

    def measure(self, what: str, work: Callable[[], object]) -> None:
        """Note what *work* costs this hub."""
        before = cpu_seconds(self.hub.pid)
        self.wall.setdefault(what, []).append(timed(work))
        self.cpu.setdefault(what, []).append(1000 * (cpu_seconds(self.hub.pid) - before))

    def put(self, artifact: Artifact) -> None:
        """Upload a package."""
        status, body, _ = self.owner.request("PUT", f"/api/v1/namespaces/alice/files/{artifact.filename}?visibility=public", artifact.data)
        assert status == 201, body

    def names(self) -> dict[str, bytes]:
        """Return the shard index."""
        found: dict[str, bytes] = msgpack.unpackb(zstandard.decompress(self.anyone.get(f"{CHANNEL}/repodata_shards.msgpack.zst")))["shards"]
        return found

    def fix(self, number: int) -> None:
        """Change the record of one file."""
        body = {"packages.conda": {"zz-scale-0-1.0-0.conda": {"depends": [f"python >=3.{number}"]}}}
        headers = {"Content-Type": "application/json"}
        status, answer, _ = self.owner.request("PUT", "/api/v1/namespaces/alice/hotfixes/linux-64", json.dumps(body).encode(), headers)
        assert status == 200, answer


def test_a_million_files(tmp_path: Path) -> None:
    with ExitStack() as stack:
        hubs = {}
        for size in (SMALL, LARGE):
            load = partial(_load, count=size)
            hubs[size] = Measured(*stack.enter_context(loaded_hub(tmp_path / str(size), load)))
        for measured in hubs.values():
            measured.measure("first index", measured.names)
        for number in range(UPLOADS):
            artifact = build_conda(f"zz-scale-{number}", files={"share/new": str(number)}, depends=["python >=3.9"])
            for measured in hubs.values():
                measured.measure("upload", partial(measured.put, artifact))
                measured.measure("index after it", measured.names)
                digest = measured.names()[f"zz-scale-{number}"].hex()
                measured.measure("its shard", partial(measured.anyone.get, f"{CHANNEL}/shards/{digest}.msgpack.zst"))
        for number in range(REPEATS):
            for measured in hubs.values():
                measured.measure("hotfix of one file", partial(measured.fix, number))
        for measured in hubs.values():
            before = time.perf_counter()
            measured.anyone.get(f"{CHANNEL}/repodata.json.zst")
            report(2, f"whole index after a change, {_size(hubs, measured):,} files", time.perf_counter() - before, "s", bar=5, test=_TEST)
        memory = {size: memory_mb(measured.hub.pid, "VmHWM") for size, measured in hubs.items()}
        for what in ("upload", "index after it", "its shard", "hotfix of one file", "first index"):
            # The kernel counts CPU time in steps of ten milliseconds: only the mean of many tells.
            for how, average in (("wall", median), ("cpu", mean)):
                small, large = (average(getattr(hubs[size], how)[what]) for size in (SMALL, LARGE))
                told = {"peer": f"with {SMALL:,}", "peer_value": max(small, 0.001), "test": _TEST}
                report(1, f"{what}, {how}, {LARGE:,} files ({source()})", large, "ms", **told)
        report(
            15,
            f"highest memory, {LARGE:,} files",
            memory[LARGE],
            "MB",
            bar=400,
            peer=f"with {SMALL:,}",
            peer_value=memory[SMALL],
            test=_TEST,
        )
        hubs[LARGE].hub.stop()
        report(15, f"start, {LARGE:,} files", timed(hubs[LARGE].hub.start) / 1000, "s", bar=1.5, test=_TEST)


def _size(hubs: dict[int, Measured], measured: Measured) -> int:
    return next(size for size, item in hubs.items() if item is measured)


def _load(connection, namespace_id: int, *, count: int) -> None:
    load_conda(connection, namespace_id, count)
