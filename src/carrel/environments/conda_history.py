"""Adding to ``conda-meta/history`` what conda would: its ``--from-history`` and ``--revisions`` read it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from carrel.environments import conda_meta
from carrel.environments.models import Plan
from carrel.environments.states import HISTORY, State


def append(prefix: Path, before: State, plan: Plan) -> None:
    """Write down what *plan* made of *before*."""
    old = {_dist(entry.record) for entry in before.conda.values()}
    new = {f"{r.channel}/{r.subdir}::{r.key}" for r in conda_meta.read_records(prefix)}
    if old == new:
        return
    lines = [f"==> {datetime.now(UTC):%Y-%m-%d %H:%M:%S} <==", f"# cmd: {plan.command.splitlines()[0] if plan.command else 'carrel'}"]
    lines += [f"-{dist}" for dist in sorted(old - new)] + [f"+{dist}" for dist in sorted(new - old)]
    updated = [spec for line in plan.added + plan.changed if line.reason == "requested" for spec in plan.conda.requested.get(line.name, ())]
    if updated:
        lines.append(f"# update specs: {json.dumps(updated)}")
    removed = [line.name for line in plan.removed if line.source == "conda" and line.reason == "requested"]
    if removed:
        lines.append(f"# remove specs: {json.dumps(removed)}")
    with (prefix / HISTORY).open("a", encoding="utf-8") as handle:
        handle.write("\n".join(lines) + "\n")
        handle.flush()
        os.fsync(handle.fileno())


def _dist(record: Mapping[str, Any]) -> str:
    return f"{record['channel']}/{record['subdir']}::{record['name']}-{record['version']}-{record['build']}"
