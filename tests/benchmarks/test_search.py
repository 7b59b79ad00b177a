"""Row 9: search as a person types, over HTTP."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from harness import FULL, Client, cpu_seconds, loaded_hub, median, percentile, report, timed
from sqlalchemy import insert

from carrel.core.clock import now
from carrel.hub.packages.models import import_name, package
from carrel.hub.search.facets import document_facets
from carrel.hub.search.index import Document
from carrel.hub.search.repository import SearchRepository

pytestmark = pytest.mark.benchmark

BARS = {10_000: 10, 30_000: 15, 500_000: 50}
_WORDS = (
    "data array plot graph cloud stream image signal table model text search parse render solve fit cache queue index learn "
    "neural vision sparse tensor matrix geo climate protein genome audio video network async http json yaml config test lint"
).split()
_COMMON = "a python library for fast and simple tools to work with".split()


def load(connection, namespace_id: int, *, count: int, notebooks: bool = False) -> None:
    """Write packages with names, modules, summaries and (notebooks) texts, as their listener indexes them."""
    generator = random.Random(7)
    repository = SearchRepository(connection)
    kind = "notebook" if notebooks else "conda"
    rows, modules, documents = [], [], []
    for number in range(count):
        name = f"{generator.choice(_WORDS)}-{generator.choice(_WORDS)}-{number:x}"
        summary = " ".join(generator.choices(_COMMON, k=8) + generator.choices(_WORDS, k=4))
        body = " ".join(generator.choices(_WORDS, k=300)) if notebooks else ""
        key = 1_000_000 + number
        rows.append(
            {
                "id": key,
                "namespace_id": namespace_id,
                "name": name,
                "name_key": name,
                "canonical_name": name,
                "kinds": [kind],
                "summary": summary,
                "visibility": "public",
                "latest_version": "1.0",
                "created_at": now(),
                "updated_at": now(),
            }
        )
        module = name.replace("-", "_")
        modules.append({"package_id": key, "name": module})
        documents.append(Document(key, name, (module,), summary, body, document_facets(namespace_id, "public", [kind], published=True)))
    connection.execute(insert(package), rows)
    connection.execute(insert(import_name), modules)
    for document in documents:
        repository.put(document, new=True)


def queries(count: int) -> list[str]:
    """Return what is sent while people type: every beginning of names, words and phrases."""
    generator = random.Random(11)
    found: list[str] = []
    while len(found) < count:
        whole = generator.choice(
            [
                f"{generator.choice(_WORDS)}-{generator.choice(_WORDS)}",
                generator.choice(_WORDS),
                f"{generator.choice(_COMMON)} {generator.choice(_WORDS)}",
                f"{generator.choice(_WORDS)} {generator.choice(_WORDS)} {generator.choice(_COMMON)}",
                "umat",
                "nothing like it",
            ]
        )
        found.extend(whole[:length] for length in range(1, len(whole) + 1))
    return found[:count]


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
