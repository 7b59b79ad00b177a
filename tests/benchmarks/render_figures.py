"""Write the page of figures from what benchmarks recorded: ``python tests/benchmarks/render_figures.py figures.jsonl page.md``."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

STATIC_MS = 0.37
HEAD = """# How fast, against what

Figures are medians, taken in one run beside the peer that the line names; ratios say more than times, which depend on the machine and on
what else it does. The bars are the project's own. This page is made by

```
CARREL_BENCH_OUT=figures.jsonl python -m pytest -s tests/benchmarks
python tests/benchmarks/render_figures.py figures.jsonl docs/explanation/performance.md
```

and each line can be had by itself with its command. Records are those of a real channel index where `CARREL_BENCH_SEEDS` names
a folder that has them, of the same shape otherwise; rows are loaded by SQL, and what is measured goes through a running hub with SQLite,
authentication, validation and `fsync`. `CARREL_BENCH_FULL=1` adds what takes minutes.

"""
FOOT = """
## What makes it so

* [Decision 9](../decisions/0009-channel-indexes.md): indexes are kept per package and packed when somebody reads.
* [Decision 4](../decisions/0004-search-without-scores.md): search stops at the best, whatever the number of matches.
* Tokens are looked up by one SHA-256 and remembered for seconds; small files and shards are answered from memory after the rights are
  checked, which costs no query.
* Statements of the upload path are built once: building them took longer than running them.
"""


def main(source: Path, target: Path) -> None:
    """Render the newest figure of each kind."""
    figures: dict[tuple[int, str], dict[str, Any]] = {}
    for line in source.read_text().splitlines():
        figure = json.loads(line)
        figures[figure["row"], figure["what"]] = figure
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        f"Measured on {machine}{_load()}.{_speed(figures.values())}\n",
        "| what | figure | bar | peer in the same run | ratio | command |",
        "|---|---|---|---|---|---|",
    ]
    lines.extend(_row(figures[key]) for key in sorted(figures, key=lambda key: key[0]))
    target.write_text(HEAD + "\n".join(lines) + "\n" + FOOT)


def _speed(figures: Iterable[dict[str, Any]]) -> str:
    """Return how this machine compares with the one that the absolute bars were set on, as one peer tells."""
    took = next((figure["peer_value"] for figure in figures if figure["row"] == 6 and figure["peer"].startswith("Tornado")), None)
    if took is None:
        return ""
    return (
        f" The bars were set on a machine on which Tornado's static handler took {STATIC_MS} ms of CPU for a request. In this run it took "
        f"{took:.2f} ms, {took / STATIC_MS:.1f} times that: times and rates are to be read with this factor, ratios as they are."
    )


def _row(figure: dict[str, Any]) -> str:
    unit = figure["unit"]
    bar = "–"
    if figure["bar"] is not None:
        holds = figure["value"] >= figure["bar"] if figure["at_least"] else figure["value"] <= figure["bar"]
        bar = f"{'≥' if figure['at_least'] else '≤'} {figure['bar']:g} {unit}{'' if holds else ' (missed)'}"
    peer, ratio = "–", "–"
    if figure["peer_value"] is not None:
        peer = f"{figure['peer']}: {figure['peer_value']:.3g} {unit}"
        ratio = f"{figure['value'] / figure['peer_value']:.3g}"
    return f"| {figure['what']} | **{figure['value']:.3g} {unit}** | {bar} | {peer} | {ratio} | `{figure['command']}` |"


def _load() -> str:
    load = os.getloadavg()[1]
    if load <= 2 * (os.cpu_count() or 1):
        return ""
    # CPU times grow with the load too: neighbours share caches and cores. What remains comparable is the ratio to the peer.
    return f", under a load of {load:.0f} by other work: compare the ratios, the times and bars hold for a machine of one's own"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
