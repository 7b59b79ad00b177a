"""Records of the native library from JSON and back (worker side)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rattler import Channel, PrefixRecord, RepoData, RepoDataRecord

_SET_LATER = ("url", "channel", "fn", "mirrors", "sha256", "md5", "size", "indexed_timestamp")


def prefix_records(prefix: str | Path) -> dict[str, Any]:
    """Return the records of what is installed, by name."""
    records = (PrefixRecord.from_path(path) for path in sorted(Path(prefix, "conda-meta").glob("*.json")))
    return {record.name.normalized: record for record in records}


def from_json(described: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return records for what :func:`to_json` described."""
    described = list(described)
    # the library makes records of files only; of one index it does so many times faster than of a file for each
    entries = {
        f"{number}-1-0.conda": {key: value for key, value in one.items() if key not in _SET_LATER} for number, one in enumerate(described)
    }
    with tempfile.TemporaryDirectory(prefix="carrel-records-") as folder:
        path = Path(folder, "repodata.json")
        path.write_text(json.dumps({"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": entries}))
        read = {record.file_name: record for record in RepoData.from_path(path).into_repo_data(Channel(Path(folder).as_uri()))}
    return [_complete(read[filename], one) for filename, one in zip(entries, described, strict=True)]


def _complete(package: Any, described: Mapping[str, Any]) -> Any:
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
