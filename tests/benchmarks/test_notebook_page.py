"""Row 13: the page of a 200 kB notebook, beside nbconvert."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from carrel.client import HubClient
from carrel.hub.notebooks import rendering
from carrel.testing.hub import HubProcess

_COMMAND = "python -m pytest -m benchmark tests/benchmarks/test_notebook_page.py -s"
_SIZE = 200_000


def notebook(size: int = _SIZE) -> dict[str, Any]:
    """Return a notebook of about *size* bytes: text, code of this project, tables, streams."""
    generator = random.Random(1)
    lines = Path(rendering.__file__).read_text("utf-8").split("\n")
    cells: list[dict[str, Any]] = []
    while len(json.dumps(cells)) < size:
        number = len(cells)
        start = number * 7 % (len(lines) - 25)
        rows = "".join(f"<tr><th>{row}</th><td>{generator.random():.4f}</td><td>{row * 2}</td></tr>" for row in range(10))
        table = f"<table border='1' class='dataframe'><thead><tr><th></th><th>a</th><th>b</th></tr></thead><tbody>{rows}</tbody></table>"
        text = f"## Section {number}\n\nSome *text* with [a link](https://example.org), `code` and $x^{number}$."
        text += "\n\n- one\n- two\n\n|a|b|\n|-|-|\n|1|2|\n"
        cells.append({"cell_type": "markdown", "id": f"m{number}", "metadata": {}, "source": text})
        outputs = [
            {"output_type": "stream", "name": "stdout", "text": "line of output\n" * 10},
            {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": {"text/html": table, "text/plain": "…"}},
        ]
        source = "\n".join(lines[start : start + 25])
        cells.append(
            {"cell_type": "code", "id": f"c{number}", "metadata": {}, "execution_count": number, "source": source, "outputs": outputs}
        )
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": cells}


def _median(action: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return statistics.median(times)


@pytest.mark.benchmark
def test_cold_rendering_beside_nbconvert() -> None:
    nbconvert = pytest.importorskip("nbconvert")
    nbformat = pytest.importorskip("nbformat")
    document = notebook()
    ours = _median(lambda: rendering.render_notebook(document), 7)
    node = nbformat.from_dict(document)
    exporter = nbconvert.HTMLExporter(sanitize_html=True)
    theirs = _median(lambda: exporter.from_notebook_node(node), 3)
    print(f"\nrow 13, cold: {ours * 1000:.0f} ms, nbconvert {theirs * 1000:.0f} ms, ratio {theirs / ours:.0f}; bar 150 ms | {_COMMAND}")
    assert theirs > 5 * ours


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.benchmark
def test_cached_page_over_http(hub: HubProcess) -> None:
    client = HubClient(hub.url, hub.create_user("ana"))
    release = client.start_release("ana", "study", kind="notebook", visibility="public")
    client.upload_file("ana", json.dumps(notebook()).encode(), "study.ipynb", package="study", version=release.version)
    client.publish_release("ana", "study", release.version)
    page = requests.get(f"{hub.url}/ana/study", headers={"Accept": "text/html"}, timeout=60)
    address = hub.url + "/-/render/" + page.text.partition(' src="/-/render/')[2].partition('"')[0]
    session = requests.Session()
    etag = session.get(address, timeout=60).headers["ETag"]
    for name, headers in (("whole document", {}), ("unchanged, 304", {"If-None-Match": etag})):
        count = 500
        before = _cpu_seconds(hub.pid)
        for _ in range(count):
            session.get(address, headers=headers, timeout=60)
        print(f"\nrow 13, cached, {name}: {(_cpu_seconds(hub.pid) - before) / count * 1000:.2f} ms CPU; bar 1 ms | {_COMMAND}")
