from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgpack
import zstandard

from carrel import formats
from carrel.formats.conda import index
from carrel.testing.artifacts import build_conda


def record(name: str = "a", version: str = "1", **fields: Any) -> dict[str, Any]:
    artifact = build_conda(name, version, index=fields, run_exports=["a >=1"])
    attributes = formats.read(artifact.filename, artifact.open()).attributes
    return index.repodata_record(attributes, sha256="ab" * 32, md5="cd" * 16, size=10, indexed_timestamp=1_700_000_000_000)


def unpack(data: bytes) -> Any:
    assert zstandard.get_frame_parameters(data).content_size > 0
    return msgpack.unpackb(zstandard.ZstdDecompressor().decompress(data))


def test_a_record_has_what_clients_need_and_nothing_foreign() -> None:
    made = record(url="https://evil.example", md5="0" * 32, size=1, channel="x", license=None)
    assert made["md5"] == "cd" * 16
    assert made["sha256"] == "ab" * 32
    assert made["size"] == 10
    assert made["indexed_timestamp"] == 1_700_000_000_000
    assert made["depends"] == []
    assert made["run_exports"] == {"weak": ["a >=1"]}
    assert not {"url", "channel"} & set(made)
    assert list(made) == sorted(made)


def test_shards_do_not_depend_on_order_and_hold_raw_digests() -> None:
    records = {"a-1-0.conda": record(), "a-1-0.tar.bz2": record(), "a-2-0.conda": record(version="2")}
    one = index.shard(records, removed=["a-0-0.conda", "a-0-0.conda"])
    other = index.shard(dict(reversed(records.items())), removed=["a-0-0.conda"])
    assert one == other
    document = unpack(one.data)
    assert set(document) == {"packages", "packages.conda", "removed"}
    assert list(document["packages"]) == ["a-1-0.tar.bz2"]
    assert document["packages.conda"]["a-2-0.conda"]["sha256"] == bytes.fromhex("ab" * 32)
    assert document["packages.conda"]["a-2-0.conda"]["md5"] == bytes.fromhex("cd" * 16)


def test_both_sections_are_always_there() -> None:
    assert unpack(index.shard({}).data) == {"packages": {}, "packages.conda": {}}


def test_records_of_a_newer_schema_are_hidden_from_older_clients() -> None:
    records = {"a-1-0.conda": record(schema_version=3), "a-2-0.conda": record(version="2")}
    document = unpack(index.shard(records).data)
    assert list(document["packages.conda"]) == ["a-2-0.conda"]
    assert list(document["v3"]["conda"]) == ["a-1-0"]
    parts = index.fragments(records, removed=["a-0-0.conda"])
    assert parts.tar_bz2 == b""
    assert b"a-1-0" not in parts.conda
    whole = json.loads(index.assemble_repodata("noarch", [parts]))
    assert list(whole["packages.conda"]) == ["a-2-0.conda"]
    assert list(whole["v3"]["conda"]) == ["a-1-0"]
    moment = records["a-1-0.conda"]["indexed_timestamp"]
    assert whole["info"]["repodata_revisions"] == {"v3": {"n_packages": 1, "newest": moment, "oldest": moment}}
    listed, removed = index.listed_names(index.shard(records, ["a-0-0.conda"]).data)
    assert (listed, removed) == (set(records), {"a-0-0.conda"})


def test_match_specifications_of_the_newer_schema_have_brackets() -> None:
    made = record(schema_version=3, depends=["b", "c >=1,<2", 'd[version="1.*"]'], constrains=["e 1.0 py*"], extra_depends={"t": ["f =2"]})
    assert made["depends"] == ["b", 'c[version=">=1,<2"]', 'd[version="1.*"]']
    assert made["constrains"] == ['e[version="1.0",build="py*"]']
    assert made["extra_depends"] == {"t": ['f[version="=2"]']}
    assert record(depends=["c >=1,<2"])["depends"] == ["c >=1,<2"]


def test_the_shard_index_sorts_and_states_its_addresses() -> None:
    shards = {"b": b"\1" * 32, "a": b"\2" * 32}
    data = index.shard_index("noarch", shards, base_url="../", shards_base_url="./s/", created_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert data == index.shard_index(
        "noarch", dict(sorted(shards.items())), base_url="../", shards_base_url="./s/", created_at="2026-01-02T00:00:00.000000Z"
    )
    document = unpack(data)
    assert document["version"] == 1
    assert document["info"] == {
        "subdir": "noarch",
        "base_url": "../",
        "shards_base_url": "./s/",
        "created_at": "2026-01-02T00:00:00.000000Z",
    }
    assert list(document["shards"]) == ["a", "b"]


def test_fragments_of_any_shape_make_json() -> None:
    conda = index.fragments({"a-1-0.conda": record()}, removed=["y-1-0.conda"])
    bz2 = index.fragments({"b-1-0.tar.bz2": record("b")})
    both = index.fragments({"c-1-0.conda": record("c"), "c-1-0.tar.bz2": record("c"), "c-2-0.conda": record("c", "2")})
    none = index.Fragments()
    for parts in ([], [none], [conda], [bz2], [both], [conda, bz2], [bz2, conda, none, both], [both, conda]):
        document = json.loads(index.assemble_repodata("linux-64", iter(parts), relations={"overrides": "../.."}))
        assert document["info"] == {"subdir": "linux-64", "channel_relations": {"overrides": "../.."}}
        assert document["repodata_version"] == 1
        assert document["removed"] == (["y-1-0.conda"] if conda in parts else [])
        assert all(name.endswith(".conda") for name in document["packages.conda"])
        assert all(name.endswith(".tar.bz2") for name in document["packages"])
    assert set(document["packages.conda"]) == {"a-1-0.conda", "c-1-0.conda", "c-2-0.conda"}


def test_compressed_indexes_are_one_frame() -> None:
    data = bytes(range(256)) * 20_000
    packed = index.compress(data)
    assert zstandard.get_frame_parameters(packed).content_size == len(data)
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    assert decompressor.decompress(packed) == data
    assert decompressor.unused_data == b""
