"""Records of the native library from JSON and back (worker side)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rattler import PackageRecord, PrefixRecord, RepoDataRecord


def prefix_records(prefix: str | Path) -> dict[str, Any]:
    """Return the records of what is installed, by name."""
    records = (PrefixRecord.from_path(path) for path in sorted(Path(prefix, "conda-meta").glob("*.json")))
    return {record.name.normalized: record for record in records}


def from_json(described: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return records for what :func:`to_json` described."""
    records = []
    with tempfile.TemporaryDirectory(prefix="carrel-records-") as folder:
        path = Path(folder, "record.json")
        for one in described:
            path.write_text(json.dumps(one))
            records.append(_complete(PackageRecord.from_index_json(path), one))
    return records


def _complete(package: Any, described: Mapping[str, Any]) -> Any:
    # the reader of index.json leaves out what only repodata knows
    filename = described.get("fn") or str(described["url"]).rpartition("/")[2]
    record = RepoDataRecord(package, filename, described["url"], described.get("channel") or "")
    if described.get("sha256"):
        record.sha256 = bytes.fromhex(described["sha256"])
    if described.get("md5"):
        record.md5 = bytes.fromhex(described["md5"])
    if described.get("size"):
        record.size = int(described["size"])
    if described.get("indexed_timestamp"):
        record.indexed_timestamp = datetime.fromtimestamp(described["indexed_timestamp"] / 1000, UTC)
    return record


def to_json(record: Any) -> dict[str, Any]:
    """Return *record* as JSON."""
    described: dict[str, Any] = json.loads(record.to_json())
    return described
