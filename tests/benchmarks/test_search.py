"""Row 9: search as a person types, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from harness import FULL, Client, cpu_seconds, loaded_hub, median, percentile, report, timed
from search_rows import load, queries

pytestmark = pytest.mark.benchmark

BARS = {10_000: 10, 30_000: 15, 500_000: 50}


def measure(folder: Path, load_rows: Callable[..., None], what: str, bar: float, test: str) -> None:
    with loaded_hub(folder, load_rows) as (hub, token):
        client = Client(hub.port, {"Authorization": f"Bearer {token}"})
        for text in queries(30):
            client.get(f"/api/v1/search?q={quote(text)}")
        used = cpu_seconds(hub.pid)
        times = [timed(lambda text=text: client.get(f"/api/v1/search?q={quote(text)}")) for text in queries(400)]
        report(9, f"search as typed, server CPU, {what}", 1000 * (cpu_seconds(hub.pid) - used) / len(times), "ms", test=test)
        bare = [timed(lambda: client.get("/api/v1/")) for _ in range(400)]
        told = {"peer": "GET of the server's name", "test": test}
        report(9, f"search as typed, median, {what}", median(times), "ms", peer_value=median(bare), **told)
        report(9, f"search as typed, p95, {what}", percentile(times, 95), "ms", bar=bar, peer_value=percentile(bare, 95), **told)


@pytest.mark.parametrize("size", [10_000, *([30_000, 500_000] if FULL else [])])
def test_row_9(tmp_path: Path, size: int) -> None:
    measure(tmp_path, partial(load, count=size), f"{size:,} packages", BARS[size], f"tests/benchmarks/test_search.py -k {size}")


@pytest.mark.skipif(not FULL, reason="CARREL_BENCH_FULL=1 measures it")
def test_row_9_notebooks(tmp_path: Path) -> None:
    load_rows = partial(load, count=100_000, notebooks=True)
    measure(tmp_path, load_rows, "100,000 notebooks", 50, "tests/benchmarks/test_search.py -k notebooks")
