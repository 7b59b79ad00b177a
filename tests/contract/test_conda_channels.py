"""Shards and indexes of conda channels, on both databases."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

import msgpack
import pytest
import zstandard
from sqlalchemy import delete, insert, select, update

from carrel.core.access import Role, Visibility
from carrel.core.clock import now
from carrel.core.kinds import Kind
from carrel.database.engine import Database
from carrel.hub.channels.audience import Audience, audience_of
from carrel.hub.channels.conda.assembly import AssemblyRequest, assemble, assemble_in_process, pieces, size_of
from carrel.hub.channels.conda.indexes import ChannelRef, CondaIndexes
from carrel.hub.channels.conda.maintenance import CondaChannelListener, announce
from carrel.hub.channels.conda.repository import CondaChannelRepository
from carrel.hub.channels.models import shard_content
from carrel.hub.channels.repository import ChannelVersionRepository, sweep_changes
from carrel.hub.channels.versions import channel_versions
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.changes import PackageChange, Reason
from carrel.hub.packages.models import file, package
from carrel.testing.rows import Rows, conda_record


class World:
    """A namespace with packages, changed as uploads change it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.packages: dict[str, int] = {}
        with database.write() as unit:
            self.namespace_id = Rows(unit.connection).namespace("alice")

    def upload(
        self, name: str, build: str = "0", *, visibility: str = "public", labels: tuple[str, ...] = ("main",), **record: str
    ) -> None:
        with self.database.write() as unit:
            rows = Rows(unit.connection)
            if name not in self.packages:
                self.packages[name] = rows.package(self.namespace_id, name, visibility=visibility)
            extension = record.pop("extension", ".conda")
            values = conda_record(name, build=build, **record)
            filename = f"{name}-1.0-{build}{extension}"
            rows.conda_file(self.namespace_id, self.packages[name], values, labels=labels, filename=filename)
            self.tell(unit, name)

    def tell(self, unit, name: str, reason: Reason = Reason.FILES) -> None:
        change = PackageChange(self.namespace_id, self.packages[name], frozenset({Kind.CONDA}), reason)
        CondaChannelListener().files_changed(unit, [change])

    def ref(self, subdir: str = "noarch", label: str = "main") -> ChannelRef:
        return ChannelRef(self.namespace_id, label, subdir)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def listing(indexes: CondaIndexes, channel: ChannelRef, audience: Audience = Audience.EVERYONE) -> dict[str, list[str]] | None:
    """Return the file names by package that a client reads through the index and its shards."""
    index = indexes.index(channel, audience)
    if index is None:
        return None
    document = msgpack.unpackb(zstandard.decompress(index.data))
    assert document["info"]["subdir"] == channel.subdir
    found = {}
    for name, digest in document["shards"].items():
        data = indexes.shard(channel.namespace_id, digest.hex(), audience)
        assert data is not None
        shard = msgpack.unpackb(zstandard.decompress(data))
        found[name] = sorted([*shard["packages"], *shard["packages.conda"]])
    assert list(found) == sorted(found)
    return found


def removed(world: World, label: str, name: str, subdir: str = "noarch") -> list[str]:
    """Return what the index of a label says was removed of a package: the same in its shard and in the whole index."""
    indexes = CondaIndexes(world.database)
    index = indexes.index(world.ref(subdir, label), Audience.OWNER)
    assert index is not None
    digest = msgpack.unpackb(zstandard.decompress(index.data))["shards"][name].hex()
    data = indexes.shard(world.namespace_id, digest, Audience.OWNER)
    assert data is not None
    found = msgpack.unpackb(zstandard.decompress(data)).get("removed", [])
    with world.database.read() as unit:
        label_id = CondaChannelRepository(unit.connection).label_id(world.namespace_id, label)
        whole = b",".join(CondaChannelRepository(unit.connection).fragments(label_id, subdir, Audience.OWNER, "removed"))
    assert set(found) <= set(json.loads(b"[" + whole + b"]"))
    return found


def test_yanked_files_are_removed_and_come_back(world: World) -> None:
    world.upload("a")
    world.upload("a", "1")
    indexes = CondaIndexes(world.database)
    for yanked_at, listed, gone in ((now(), ["a-1.0-0.conda"], ["a-1.0-1.conda"]), (None, ["a-1.0-0.conda", "a-1.0-1.conda"], [])):
        with world.database.write() as unit:
            unit.connection.execute(update(file).where(file.c.filename == "a-1.0-1.conda").values(yanked_at=yanked_at))
            world.tell(unit, "a")
        assert listing(indexes, world.ref()) == {"a": listed}
        assert removed(world, "main", "a") == gone


def test_relations_of_a_label_are_in_its_index_only(world: World) -> None:
    world.upload("a", labels=("main", "rc"))
    indexes = CondaIndexes(world.database)
    listing(indexes, world.ref(label="rc"))
    before = indexes.index(world.ref(label="rc"), Audience.EVERYONE)
    with world.database.write() as unit:
        unit.connection.execute(update(label).where(label.c.name == "rc").values(relations={"overrides": "../.."}))
        announce(unit, world.namespace_id)
    after = indexes.index(world.ref(label="rc"), Audience.EVERYONE)
    assert before is not None
    assert after is not None
    assert msgpack.unpackb(zstandard.decompress(after.data))["info"]["channel_relations"] == {"overrides": "../.."}
    assert before.etag != after.etag
    assert before.content_key != after.content_key
    main = indexes.index(world.ref(), Audience.EVERYONE)
    assert main is not None
    assert "channel_relations" not in msgpack.unpackb(zstandard.decompress(main.data))["info"]


def test_an_upload_is_in_the_index_of_every_process(world: World) -> None:
    here, elsewhere = CondaIndexes(world.database), CondaIndexes(world.database)
    assert listing(here, world.ref()) == {}
    assert listing(elsewhere, world.ref()) == {}
    world.upload("a")
    world.upload("b", labels=("main", "dev/x"))
    world.upload("a", "1", extension=".tar.bz2")
    expected = {"a": ["a-1.0-0.conda", "a-1.0-1.tar.bz2"], "b": ["b-1.0-0.conda"]}
    assert listing(here, world.ref()) == expected
    assert listing(elsewhere, world.ref()) == expected
    assert listing(here, world.ref(label="dev/x")) == {"b": ["b-1.0-0.conda"]}


def test_only_the_touched_package_is_rewritten(world: World) -> None:
    for name in ("a", "b", "c"):
        world.upload(name)
    with world.database.read() as unit:
        before = {name: CondaChannelRepository(unit.connection).shard_digests(key) for name, key in world.packages.items()}
    world.upload("b", "1")
    with world.database.read() as unit:
        after = {name: CondaChannelRepository(unit.connection).shard_digests(key) for name, key in world.packages.items()}
    assert before["a"] == after["a"]
    assert before["c"] == after["c"]
    assert before["b"] != after["b"]


def test_noarch_always_exists_and_other_empty_subdirs_do_not(world: World) -> None:
    indexes = CondaIndexes(world.database)
    assert listing(indexes, world.ref("noarch")) == {}
    assert listing(indexes, world.ref("linux-64")) is None
    assert listing(indexes, world.ref("noarch", "nowhere")) is None
    world.upload("a", subdir="linux-64", labels=("dev",))
    assert listing(indexes, world.ref("linux-64")) is None
    assert listing(indexes, world.ref("linux-64", "dev")) == {"a": ["a-1.0-0.conda"]}
    assert listing(indexes, world.ref("noarch", "dev")) == {}


def test_platforms_asked_for_by_chance_are_not_remembered(world: World) -> None:
    indexes = CondaIndexes(world.database)
    world.upload("a", subdir="linux-64")
    for number in range(20):
        assert indexes.index(world.ref(f"made-up{number}"), Audience.EVERYONE) is None
    assert listing(indexes, world.ref("linux-64")) == {"a": ["a-1.0-0.conda"]}
    assert indexes.known_channels(world.namespace_id) == 1


def test_each_audience_sees_its_own(world: World) -> None:
    for visibility in Visibility:
        world.upload(visibility.value, visibility=visibility.value)
    indexes = CondaIndexes(world.database)
    everyone = {"public"}
    member = everyone | {"unlisted", "organization"}
    assert set(listing(indexes, world.ref()) or ()) == everyone
    assert set(listing(indexes, world.ref(), audience_of(Role.MEMBER)) or ()) == member
    assert set(listing(indexes, world.ref(), audience_of(Role.OWNER)) or ()) == {v.value for v in Visibility}
    owner = indexes.index(world.ref(), Audience.OWNER)
    assert owner is not None
    shards = msgpack.unpackb(zstandard.decompress(owner.data))["shards"]
    version = indexes.known_version(world.namespace_id)
    for name, digest in shards.items():
        visible = indexes.shard(world.namespace_id, digest.hex(), Audience.EVERYONE) is not None
        assert visible is (name in everyone)
        assert (indexes.peek_shard(world.namespace_id, digest.hex(), Audience.EVERYONE, version) is not None) is visible


def test_a_label_of_private_packages_is_absent_for_others(world: World) -> None:
    world.upload("secret", visibility="private", labels=("hush",))
    indexes = CondaIndexes(world.database)
    assert listing(indexes, world.ref(label="hush")) is None
    assert listing(indexes, world.ref(label="hush"), Audience.OWNER) == {"secret": ["secret-1.0-0.conda"]}


def test_a_package_made_private_leaves_index_and_shards(world: World) -> None:
    world.upload("a")
    indexes = CondaIndexes(world.database)
    index = indexes.index(world.ref(), Audience.EVERYONE)
    assert index is not None
    (digest,) = msgpack.unpackb(zstandard.decompress(index.data))["shards"].values()
    assert indexes.shard(world.namespace_id, digest.hex(), Audience.EVERYONE)
    with world.database.write() as unit:
        unit.connection.execute(update(package).values(visibility="private"))
        world.tell(unit, "a", Reason.VISIBILITY)
    assert listing(indexes, world.ref()) == {}
    version = indexes.known_version(world.namespace_id)
    assert indexes.peek_shard(world.namespace_id, digest.hex(), Audience.EVERYONE, version) is None
    assert indexes.peek_shard(world.namespace_id, digest.hex(), Audience.OWNER, version)


def test_removed_files_labels_and_packages_leave_the_index(world: World) -> None:
    world.upload("a", labels=("main", "dev"))
    world.upload("a", "1", labels=("main", "dev"))
    world.upload("b", labels=("main", "dev"))
    indexes = CondaIndexes(world.database)
    listing(indexes, world.ref())
    with world.database.write() as unit:
        unit.connection.execute(delete(file).where(file.c.filename == "a-1.0-1.conda"))
        world.tell(unit, "a")
    assert listing(indexes, world.ref()) == {"a": ["a-1.0-0.conda"], "b": ["b-1.0-0.conda"]}
    with world.database.write() as unit:
        dev = unit.connection.scalar(select(label.c.id).where(label.c.name == "dev"))
        b = select(file.c.id).where(file.c.filename == "b-1.0-0.conda").scalar_subquery()
        unit.connection.execute(delete(file_label).where(file_label.c.label_id == dev, file_label.c.file_id == b))
        world.tell(unit, "b", Reason.LABELS)
    # The name stays, with the files that were listed once.
    assert listing(indexes, world.ref(label="dev")) == {"a": ["a-1.0-0.conda"], "b": []}
    assert removed(world, "dev", "a") == ["a-1.0-1.conda"]
    assert removed(world, "dev", "b") == ["b-1.0-0.conda"]
    assert removed(world, "main", "b") == []
    with world.database.write() as unit:
        file_id = unit.connection.scalar(select(file.c.id).where(file.c.filename == "b-1.0-0.conda"))
        unit.connection.execute(insert(file_label).values(file_id=file_id, label_id=dev))
        world.tell(unit, "b", Reason.LABELS)
    assert removed(world, "dev", "b") == []
    assert listing(indexes, world.ref(label="dev")) == {"a": ["a-1.0-0.conda"], "b": ["b-1.0-0.conda"]}
    with world.database.write() as unit:
        unit.connection.execute(delete(package).where(package.c.id == world.packages["a"]))
        world.tell(unit, "a", Reason.PACKAGE)
    assert listing(indexes, world.ref()) == {"b": ["b-1.0-0.conda"]}


def test_an_old_shard_stays_readable_for_those_who_hold_the_old_index(world: World) -> None:
    world.upload("a")
    indexes = CondaIndexes(world.database)
    index = indexes.index(world.ref(), Audience.EVERYONE)
    assert index is not None
    (digest,) = msgpack.unpackb(zstandard.decompress(index.data))["shards"].values()
    world.upload("a", "1")
    assert CondaIndexes(world.database).shard(world.namespace_id, digest.hex(), Audience.EVERYONE)
    with world.database.write() as unit:
        assert CondaChannelRepository(unit.connection).sweep_content(now() - timedelta(days=7)) == 0
        assert CondaChannelRepository(unit.connection).sweep_content(now() + timedelta(seconds=1)) == 1
        assert len(unit.connection.execute(select(shard_content)).all()) == 1
    assert CondaIndexes(world.database).shard(world.namespace_id, digest.hex(), Audience.EVERYONE) is None
    assert listing(CondaIndexes(world.database), world.ref()) == {"a": ["a-1.0-0.conda", "a-1.0-1.conda"]}


def test_a_process_that_slept_through_the_sweep_reads_everything_again(world: World) -> None:
    world.upload("a")
    indexes = CondaIndexes(world.database)
    listing(indexes, world.ref())
    world.upload("b")
    world.upload("c")
    with world.database.write() as unit:
        assert sweep_changes(unit.connection, now() + timedelta(seconds=1)) == 3
    world.upload("d")
    with world.database.read() as unit:
        assert ChannelVersionRepository(unit.connection, "conda").changes_since(world.namespace_id, 1).package_ids is None
    assert set(listing(indexes, world.ref()) or ()) == {"a", "b", "c", "d"}


def test_the_version_tells_of_every_commit(world: World) -> None:
    versions = channel_versions(world.database)
    assert versions.current(world.namespace_id, "conda") == 0
    for expected in range(1, 4):
        world.upload("a", str(expected))
        assert versions.current(world.namespace_id, "conda") == expected
    versions.close()


def test_concurrent_uploads_to_one_package_lose_nothing(world: World) -> None:
    world.upload("a")
    failures: list[BaseException] = []

    def upload(start: int) -> None:
        try:
            for build in range(start, start + 5):
                world.upload("a", str(build))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=upload, args=(base,)) for base in (10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    found = listing(CondaIndexes(world.database), world.ref())
    assert found is not None
    assert len(found["a"]) == 16


@pytest.mark.parametrize("run", [assemble, assemble_in_process])
def test_the_whole_index_is_one_frame_with_everything(world: World, tmp_path: Path, run) -> None:
    world.upload("b")
    world.upload("a", extension=".tar.bz2")
    world.upload("c", visibility="private")
    with world.database.read() as unit:
        label_id = CondaChannelRepository(unit.connection).label_id(world.namespace_id, "main")
    indexes = CondaIndexes(world.database)
    for audience, names in ((Audience.EVERYONE, ["a", "b"]), (Audience.OWNER, ["a", "b", "c"])):
        request = AssemblyRequest(label_id, "noarch", audience, str(tmp_path / "indexes"))
        assert size_of(world.database, request) > 100
        whole = run(world.database, request)
        index = indexes.index(world.ref(), audience)
        assert index is not None
        assert whole.content_key == index.content_key
        data = Path(whole.path).read_bytes()
        # The one-shot call stops after the first frame.
        text = zstandard.ZstdDecompressor().decompress(data)
        document = json.loads(text)
        records = {**document["packages"], **document["packages.conda"]}
        assert sorted(record["name"] for record in records.values()) == names
        assert list(document["packages"]) == ["a-1.0-0.tar.bz2"]
        assert all(len(record["sha256"]) == 64 and record["indexed_timestamp"] > 0 for record in records.values())
        size, parts = pieces(Path(whole.path), decompressed=True)
        assert b"".join(parts) == text
        assert size == len(text)


def test_the_whole_index_of_nothing_is_valid(world: World, tmp_path: Path) -> None:
    whole = assemble(world.database, AssemblyRequest(None, "noarch", Audience.EVERYONE, str(tmp_path)))
    document = json.loads(zstandard.ZstdDecompressor().decompress(Path(whole.path).read_bytes()))
    assert document == {"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": {}, "removed": [], "repodata_version": 1}
    index = CondaIndexes(world.database).index(world.ref(), Audience.EVERYONE)
    assert index is not None
    assert index.content_key == whole.content_key
