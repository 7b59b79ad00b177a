"""What conda clients read: repodata records, shards and their index (CEP 16), ``repodata.json`` (CEP 36).

All of it is deterministic: the same records give the same bytes, whatever the order they came in. A shard and a pair
of JSON fragments hold all records of one package name; both are kept and only joined when a client asks, so a change
costs the same in a channel of ten names and of a million.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgpack
import zstandard

from carrel.core.clock import to_rfc3339
from carrel.formats.conda.matching import bracketed
from carrel.formats.conda.metadata import schema_version

# Fields of index.json that tell of the building machine, or that the server says itself.
_DROPPED = frozenset(
    """
    md5 sha256 size url channel fn indexed_timestamp run_exports has_prefix signatures attestations_sha256 revoked
    """.split()
)
_NULLABLE = frozenset({"license", "license_family", "noarch", "arch", "platform", "timestamp", "track_features", "features"})


@dataclass(frozen=True, slots=True)
class Shard:
    """The records of one package name, compressed as clients fetch them; *sha256* (hexadecimal) is the name of the file."""

    data: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Revision:
    """What ``info.repodata_revisions`` says of the records under ``v3`` (CEP 48).

    Attributes
    ----------
    n_packages : int
    oldest, newest : int
        Lowest and highest ``indexed_timestamp``.
    """

    n_packages: int
    oldest: int
    newest: int

    @staticmethod
    def total(parts: Iterable[Revision]) -> Revision | None:
        """Return what the sum of *parts* is, None for none."""
        known = list(parts)
        if not known:
            return None
        return Revision(sum(part.n_packages for part in known), min(part.oldest for part in known), max(part.newest for part in known))


@dataclass(frozen=True, slots=True)
class Fragments:
    """The records of one package name as members of the JSON objects of a whole index.

    There are no braces around the members and no comma at the ends; each may be empty.

    Attributes
    ----------
    tar_bz2, conda : bytes
        Of ``packages`` and ``packages.conda``.
    v3_tar_bz2, v3_conda : bytes
        Of ``v3``: records that older clients must not see (CEP 48).
    removed : bytes
        Of ``removed``.
    revision : Revision, optional
        Of the records under ``v3``.
    """

    tar_bz2: bytes = b""
    conda: bytes = b""
    v3_tar_bz2: bytes = b""
    v3_conda: bytes = b""
    removed: bytes = b""
    revision: Revision | None = None


def repodata_record(
    attributes: Mapping[str, Any], *, sha256: str, md5: str, size: int, indexed_timestamp: int, attestations_sha256: str | None = None
) -> dict[str, Any]:
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
    attestations_sha256 : str, optional
        Digest of the file's attestations (CEP 50), None when it has none.
    """
    record = {key: value for key, value in attributes["index"].items() if key not in _DROPPED and not (value is None and key in _NULLABLE)}
    record["depends"] = list(record.get("depends") or [])
    record["constrains"] = list(record.get("constrains") or [])
    if (run_exports := attributes.get("run_exports")) is not None:
        record["run_exports"] = dict(run_exports)  # also when it is empty: absent would mean that nobody knows (CEP 21)
    if attestations_sha256 is not None:
        record["attestations_sha256"] = attestations_sha256
    if schema_version(record) >= 3:
        for key in ("depends", "constrains"):
            record[key] = [bracketed(spec) for spec in record[key]]
        if isinstance(extra := record.get("extra_depends"), dict):
            record["extra_depends"] = {name: [bracketed(spec) for spec in specs] for name, specs in extra.items()}
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


def listed_names(data: bytes) -> tuple[set[str], set[str]]:
    """Return the names of the files that the compressed shard *data* lists, and of those that it says were removed."""
    reader = msgpack.Unpacker()
    reader.feed(zstandard.ZstdDecompressor().decompress(data))
    listed: set[str] = set()
    removed: set[str] = set()
    # Records are passed over: every upload asks this of the shard that it replaces.
    for _ in range(reader.read_map_header()):
        section = reader.unpack()
        if section in ("packages", "packages.conda"):
            listed.update(_keys(reader))
        elif section == "v3":
            for _ in range(reader.read_map_header()):
                extension = reader.unpack()
                listed.update(f"{name}.{extension}" for name in _keys(reader))
        elif section == "removed":
            removed.update(reader.unpack())
        else:
            reader.skip()
    return listed, removed


def _keys(reader: msgpack.Unpacker) -> Iterator[str]:
    """Yield the keys of the mapping that *reader* stands before."""
    for _ in range(reader.read_map_header()):
        yield reader.unpack()
        reader.skip()


def _info(subdir: str, relations: Mapping[str, str] | None, revision: Revision | None) -> dict[str, Any]:
    info: dict[str, Any] = {"subdir": subdir}
    if relations:
        info["channel_relations"] = dict(relations)
    if revision is not None:
        info["repodata_revisions"] = {
            "v3": {"n_packages": revision.n_packages, "newest": revision.newest, "oldest": revision.oldest},
        }
    return info


def shard_index(
    subdir: str,
    shards: Mapping[str, bytes],
    *,
    base_url: str = "",
    shards_base_url: str = "./shards/",
    created_at: datetime | str,
    relations: Mapping[str, str] | None = None,
    revision: Revision | None = None,
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
    relations : mapping, optional
        Other channels to load (CEP 42).
    revision : Revision, optional
        Of the records under ``v3`` in all shards.
    """
    info = {
        "subdir": subdir,
        "base_url": base_url,
        "shards_base_url": shards_base_url,
        "created_at": created_at if isinstance(created_at, str) else to_rfc3339(created_at),
        **_info(subdir, relations, revision),
    }
    names = list(shards)
    order = sorted(names)
    ordered = dict(shards) if order == names else {name: shards[name] for name in order}
    packed = msgpack.packb({"version": 1, "info": info, "shards": ordered}, use_bin_type=True)
    return compress(packed, level=-1)  # digests do not compress, only the names do: a higher level costs time and saves nothing


def fragments(records: Mapping[str, Mapping[str, Any]], removed: Iterable[str] = ()) -> Fragments:
    """Return the records of one package name, and the names of files that were removed, for the whole index."""
    members: dict[str, list[str]] = {"tar_bz2": [], "conda": [], "v3_tar_bz2": [], "v3_conda": []}
    moments: list[int] = []
    for filename in sorted(records):
        record = records[filename]
        section, key = ("conda", filename) if filename.endswith(".conda") else ("tar_bz2", filename)
        if schema_version(record) >= 3:
            section, key = f"v3_{section}", filename.removesuffix(".conda").removesuffix(".tar.bz2")
            moments.append(record["indexed_timestamp"])
        members[section].append(f"{to_json(key)}:{to_json(record)}")
    return Fragments(
        **{section: ",".join(texts).encode() for section, texts in members.items()},
        removed=",".join(to_json(filename) for filename in sorted(set(removed))).encode(),
        revision=Revision(len(moments), min(moments), max(moments)) if moments else None,
    )


def repodata_layout(
    subdir: str, *, relations: Mapping[str, str] | None = None, revision: Revision | None = None
) -> list[tuple[bytes, str | None]]:
    """Return what ``repodata.json`` is made of: literal text, each followed by the named members of all :class:`Fragments`."""
    head = b'{"info":%b,"packages":{' % to_json(_info(subdir, relations, revision)).encode()
    layout: list[tuple[bytes, str | None]] = [
        (head, "tar_bz2"),
        (b'},"packages.conda":{', "conda"),
        (b'},"removed":[', "removed"),
    ]
    if revision is None:
        return [*layout, (b'],"repodata_version":1}', None)]
    return [*layout, (b'],"repodata_version":1,"v3":{"conda":{', "v3_conda"), (b'},"tar.bz2":{', "v3_tar_bz2"), (b"}}}", None)]


def assemble_repodata(subdir: str, parts: Iterable[Fragments], *, relations: Mapping[str, str] | None = None) -> bytes:
    """Return ``repodata.json`` made of *parts*, in the order given (sort by package name)."""
    known = list(parts)
    revision = Revision.total(part.revision for part in known if part.revision is not None)
    made = []
    for literal, section in repodata_layout(subdir, relations=relations, revision=revision):
        made.append(literal)
        if section is not None:
            made.append(b",".join(found for part in known if (found := getattr(part, section))))
    return b"".join(made)


def compress(data: bytes, level: int = 3) -> bytes:
    """Return *data* as **one** zstd frame that states its content size.

    Several frames in a row are valid zstd, but py-rattler stops after the first.
    """
    return zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False).compress(data)


def to_json(value: Any) -> str:
    """Return *value* as compact JSON with sorted keys: the same value is always the same text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
