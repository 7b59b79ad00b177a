"""What conda clients read: repodata records, shards and their index (CEP 16), ``repodata.json`` (CEP 36).

All of it is deterministic: the same records give the same bytes, whatever the order they came in. A shard and a pair
of JSON fragments hold all records of one package name; both are kept and only joined when a client asks, so a change
costs the same in a channel of ten names and of a million.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgpack
import zstandard

from carrel.core.clock import to_rfc3339
from carrel.formats.conda.metadata import schema_version

# Fields of index.json that tell of the building machine, or that the server says itself.
_DROPPED = frozenset({"md5", "sha256", "size", "url", "channel", "fn", "indexed_timestamp", "run_exports", "has_prefix", "signatures"})
_NULLABLE = frozenset({"license", "license_family", "noarch", "arch", "platform", "timestamp", "track_features", "features"})


@dataclass(frozen=True, slots=True)
class Shard:
    """The records of one package name, compressed as clients fetch them; *sha256* (hexadecimal) is the name of the file."""

    data: bytes
    sha256: str


def repodata_record(attributes: Mapping[str, Any], *, sha256: str, md5: str, size: int, indexed_timestamp: int) -> dict[str, Any]:
    """Return the repodata record of one file.

    Parameters
    ----------
    attributes : mapping
        As :class:`carrel.formats.base.FileMetadata` keeps them: ``index`` and ``run_exports``.
    sha256, md5 : str
        Digests in hexadecimal.
    size : int
        Bytes.
    indexed_timestamp : int
        When the server first listed the file, milliseconds since the epoch (CEP 47); never changes afterwards.
    """
    record = {key: value for key, value in attributes["index"].items() if key not in _DROPPED and not (value is None and key in _NULLABLE)}
    record["depends"] = list(record.get("depends") or [])
    record["constrains"] = list(record.get("constrains") or [])
    run_exports = attributes.get("run_exports")
    if run_exports:
        record["run_exports"] = dict(run_exports)
    record["sha256"] = sha256
    record["md5"] = md5
    record["size"] = size
    record["indexed_timestamp"] = indexed_timestamp
    return dict(sorted(record.items()))


def shard(records: Mapping[str, Mapping[str, Any]], removed: Iterable[str] = ()) -> Shard:
    """Return the shard of one package name.

    Parameters
    ----------
    records : mapping of str to mapping
        File name to record.
    removed : iterable of str
        Names of files that were listed once (they stay downloadable).
    """
    document: dict[str, Any] = {"packages": {}, "packages.conda": {}}
    newer: dict[str, dict[str, Any]] = {}
    for filename in sorted(records):
        record = dict(sorted(records[filename].items()))
        for key in ("sha256", "md5"):
            if isinstance(record.get(key), str):
                record[key] = bytes.fromhex(record[key])
        section = "conda" if filename.endswith(".conda") else "tar.bz2"
        if schema_version(record) >= 3:  # older clients must not see these (CEP 48)
            newer.setdefault(section, {})[filename.removesuffix("." + section)] = record
        else:
            document["packages.conda" if section == "conda" else "packages"][filename] = record
    gone = sorted(set(removed))
    if gone:
        document["removed"] = gone
    if newer:
        document["v3"] = newer
    data = compress(msgpack.packb(document, use_bin_type=True))
    return Shard(data, hashlib.sha256(data).hexdigest())


def shard_index(
    subdir: str,
    shards: Mapping[str, bytes],
    *,
    base_url: str = "",
    shards_base_url: str = "./shards/",
    created_at: datetime | str,
) -> bytes:
    """Return ``repodata_shards.msgpack.zst``.

    Parameters
    ----------
    subdir : str
    shards : mapping of str to bytes
        Package name to the raw SHA-256 (32 bytes) of its shard. A mapping that is already in order is packed fastest.
    base_url, shards_base_url : str
        Where packages and shards are, relative to the index; clients join the second with the shard's file name as it is.
    created_at : datetime or str
    """
    info = {
        "subdir": subdir,
        "base_url": base_url,
        "shards_base_url": shards_base_url,
        "created_at": created_at if isinstance(created_at, str) else to_rfc3339(created_at),
    }
    names = list(shards)
    order = sorted(names)
    ordered = dict(shards) if order == names else {name: shards[name] for name in order}
    packed = msgpack.packb({"version": 1, "info": info, "shards": ordered}, use_bin_type=True)
    return compress(packed, level=-1)  # digests do not compress, only the names do: a higher level costs time and saves nothing


def json_fragment(records: Mapping[str, Mapping[str, Any]]) -> tuple[bytes, bytes]:
    """Return the records of one package name as members of the JSON objects ``packages`` and ``packages.conda``.

    Either may be empty. There are no braces around the members and no comma at the ends. Records that need a newer
    schema (CEP 48) are left out: clients that know it read shards.
    """
    older: list[str] = []
    newer: list[str] = []
    for filename in sorted(records):
        record = records[filename]
        if schema_version(record) >= 3:
            continue
        member = f"{_json(filename)}:{_json(record)}"
        (newer if filename.endswith(".conda") else older).append(member)
    return ",".join(older).encode(), ",".join(newer).encode()


def assemble_repodata(subdir: str, fragments: Iterable[tuple[bytes, bytes]], removed: Iterable[str] = ()) -> bytes:
    """Return ``repodata.json`` made of *fragments*, in the order given (sort by package name)."""
    pairs = list(fragments)
    older = [fragment for fragment, _ in pairs if fragment] or [b""]
    newer = [fragment for _, fragment in pairs if fragment] or [b""]
    # One join, so that the bytes (hundreds of megabytes in large channels) are copied once.
    older[0] = b'{"info":{"subdir":%b},"packages":{%b' % (_json(subdir).encode(), older[0])
    newer[-1] = b'%b},"removed":%b,"repodata_version":1}' % (newer[-1], _json(sorted(set(removed))).encode())
    older[-1] = b'%b},"packages.conda":{%b' % (older[-1], newer[0])
    return b",".join([*older, *newer[1:]])


def compress(data: bytes, level: int = 3) -> bytes:
    """Return *data* as **one** zstd frame that states its content size.

    Several frames in a row are valid zstd, but py-rattler stops after the first.
    """
    return zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False).compress(data)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
