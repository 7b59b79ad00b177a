"""Collections and their channel views, on both databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zstandard
from service_world import World

from carrel.core.errors import Conflict, NotFound
from carrel.database.engine import Database
from carrel.hub.accounts.principal import Principal
from carrel.hub.app import build_hub
from carrel.hub.channels.collections.conda import content_key, shard_index
from carrel.hub.collections import service
from carrel.hub.packages.views import PackageView
from carrel.hub.settings import HubSettings
from carrel.storage import open_store
from carrel.testing.artifacts import build_conda, build_wheel


def _package(world: World, who: str, namespace: str, name: str, version: str = "1.0", **options: Any) -> None:
    artifact = build_conda(name, version, noarch="generic")
    world.upload(who, namespace, artifact.filename, artifact.data, **options)


def _names(world: World, principal: Principal, name: str = "kit") -> list[str]:
    view = world.read(lambda uow: world.hub.collections.get(uow, principal, "acme", name))
    return [f"{item.package.namespace}/{item.package.name}" for item in view.items]


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> World:
    world = World(build_hub(HubSettings(data_dir=tmp_path), database, open_store(tmp_path / "files", tmp_path / "spool")))
    _package(world, "alice", "acme", "tool", visibility="public")
    _package(world, "alice", "acme", "hidden", visibility="private")
    _package(world, "bob", "bob", "tool", version="9.0", visibility="public")
    wheel = build_wheel("My.Lib")
    world.upload("bob", "bob", wheel.filename, wheel.data, visibility="public")
    alice = world.principal("alice")
    world.write(lambda uow: world.hub.collections.create(uow, alice, "acme", "kit", visibility="public"))
    for namespace, name in (("acme", "tool"), ("acme", "hidden"), ("bob", "tool"), ("bob", "My.Lib")):
        world.write(lambda uow, n=namespace, p=name: world.hub.collections.put_item(uow, alice, "acme", "kit", n, p))
    return world


def test_the_first_of_a_name_counts_and_viewers_see_their_own(filled: World, tmp_path: Path) -> None:
    channels = filled.hub.channels.collections

    def shards(who: str) -> list[Any]:
        return filled.read(lambda uow: channels.shards(uow, filled.principal(who), "acme", "kit", "noarch"))  # type: ignore[no-any-return]

    assert [shard.name for shard in shards("")] == ["tool"]
    assert [shard.name for shard in shards("alice")] == ["hidden", "tool"]
    key = content_key("noarch", shards("alice"))
    assert key != content_key("noarch", shards(""))
    assert key != content_key("linux-64", shards("alice"))
    index = msgpack.unpackb(zstandard.decompress(shard_index("noarch", shards("alice"))))
    assert {name: digest.hex() for name, digest in index["shards"].items()} == {each.name: each.sha256 for each in shards("alice")}
    whole = json.loads(zstandard.decompress(channels.wholes.path("noarch", shards("alice")).read_bytes()))
    assert sorted(whole["packages.conda"]) == ["hidden-1.0-0.conda", "tool-1.0-0.conda"]
    order = ["bob/tool"]
    filled.write(lambda uow: filled.hub.collections.update(uow, filled.principal("alice"), "acme", "kit", order=order))
    whole = json.loads(zstandard.decompress(channels.wholes.path("noarch", shards("alice")).read_bytes()))
    assert sorted(whole["packages.conda"]) == ["hidden-1.0-0.conda", "tool-9.0-0.conda"]
    with pytest.raises(NotFound):
        filled.read(lambda uow: channels.shards(uow, filled.principal("alice"), "acme", "kit", "osx-64"))


def test_python_projects_by_their_normalised_names(filled: World) -> None:
    channels, anyone = filled.hub.channels.collections, filled.principal("")
    assert filled.read(lambda uow: channels.projects(uow, anyone, "acme", "kit")) == ["my-lib"]
    assert filled.read(lambda uow: channels.holder_of_project(uow, anyone, "acme", "kit", "my-lib")) == "bob"
    assert filled.read(lambda uow: channels.holder_of_file(uow, anyone, "acme", "kit", "conda/noarch/tool-1.0-0.conda")) == "acme"
    with pytest.raises(NotFound):
        filled.read(lambda uow: channels.holder_of_file(uow, anyone, "acme", "kit", "conda/noarch/hidden-1.0-0.conda"))


def test_a_quarantined_package_is_shown_but_not_installed(filled: World) -> None:
    alice, channels = filled.principal("alice"), filled.hub.channels.collections
    filled.write(lambda uow: filled.hub.packages.update(uow, filled.principal("bob"), "bob", "My.Lib", {"status": "quarantined"}))
    assert "bob/My.Lib" in [name.replace("my_lib", "My.Lib") for name in _names(filled, alice)]
    assert filled.read(lambda uow: channels.projects(uow, alice, "acme", "kit")) == []


def test_items_go_with_their_package_and_stay_without_their_collection(filled: World) -> None:
    alice, bob = filled.principal("alice"), filled.principal("bob")
    before = _names(filled, alice)
    filled.write(lambda uow: filled.hub.packages.delete(uow, bob, "bob", "tool"))
    assert _names(filled, alice) == [name for name in before if name != "bob/tool"]
    tool: PackageView = filled.read(lambda uow: filled.hub.packages.get(uow, alice, "acme", "tool"))
    assert [view.name for view in filled.read(lambda uow: filled.hub.collections.holding(uow, bob, tool))] == ["kit"]
    filled.write(lambda uow: filled.hub.collections.delete(uow, alice, "acme", "kit"))
    assert filled.read(lambda uow: filled.hub.collections.holding(uow, bob, tool)) == []
    assert filled.read(lambda uow: filled.hub.packages.get(uow, alice, "acme", "tool")).name == "tool"


def test_a_collection_is_full_one_day(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = filled.principal("alice")
    monkeypatch.setattr(service, "MAX_ITEMS", 4)
    _package(filled, "alice", "acme", "fifth")
    with pytest.raises(Conflict):
        filled.write(lambda uow: filled.hub.collections.put_item(uow, alice, "acme", "kit", "acme", "fifth"))
    monkeypatch.setattr(service, "MAX_COLLECTIONS", 1)
    with pytest.raises(Conflict):
        filled.write(lambda uow: filled.hub.collections.create(uow, alice, "acme", "other"))
