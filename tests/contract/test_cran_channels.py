"""R repositories, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update

from carrel.core.access import Visibility
from carrel.core.clock import now
from carrel.core.kinds import Kind
from carrel.database.engine import Database
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.cran import indexes as cran_indexes
from carrel.hub.channels.cran.indexes import CranIndexes, Form, TreeRef
from carrel.hub.channels.cran.maintenance import CranChannelListener
from carrel.hub.packages.changes import PackageChange, Reason
from carrel.hub.packages.models import file, package
from carrel.testing.rows import Rows


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.packages: dict[str, int] = {}
        with database.write() as unit:
            self.namespace_id = Rows(unit.connection).namespace("alice")

    def upload(self, name: str, version: str, *, visibility: str = "public", labels: tuple[str, ...] = ("main",), subdir: str = "") -> int:
        with self.database.write() as unit:
            rows = Rows(unit.connection)
            if name not in self.packages:
                self.packages[name] = rows.package(self.namespace_id, name, visibility=visibility)
            attributes = {"index": {"Package": name, "Version": version}, "description": {"Package": name}}
            added = rows.file(
                self.namespace_id,
                self.packages[name],
                Kind.R,
                f"{name}_{version}.tar.gz",
                version=version,
                attributes=attributes,
                labels=labels,
                subdir=subdir,
            )
            self.tell(unit, name)
        return added.id

    def tell(self, unit, name: str, reason: Reason = Reason.FILES) -> None:
        change = PackageChange(self.namespace_id, self.packages[name], frozenset({Kind.R}), reason)
        CranChannelListener().files_changed(unit, [change])

    def change(self, name: str, statement) -> None:
        with self.database.write() as unit:
            unit.connection.execute(statement)
            self.tell(unit, name)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def listed(
    indexes: CranIndexes, world: World, *, label: str = "main", subdir: str = "", audience: Audience = Audience.EVERYONE
) -> list[str] | None:
    found = indexes.index(TreeRef(world.namespace_id, label, subdir), audience, Form.TEXT)
    if found is None:
        return None
    fields = [line.split(": ") for line in found.data.decode().splitlines() if line]
    names = [value for field, value in fields if field == "Package"]
    return [f"{name} {version}" for name, version in zip(names, [v for f, v in fields if f == "Version"], strict=True)]


def test_every_process_lists_the_highest_version(world: World) -> None:
    here, elsewhere = CranIndexes(world.database), CranIndexes(world.database)
    assert listed(here, world) == listed(elsewhere, world) == []
    for version in ("1.2", "1.10", "1.9-1"):
        world.upload("a", version)
    last = world.upload("b", "0.1")
    world.upload("b", "0.1", subdir="windows/4.2")
    for indexes in (here, elsewhere):
        assert listed(indexes, world) == ["a 1.10", "b 0.1"]
        assert listed(indexes, world, subdir="windows/4.2") == ["b 0.1"]
        assert listed(indexes, world, subdir="windows/4.3") == []
    ref = TreeRef(world.namespace_id, "main", "")
    before = here.index(ref, Audience.EVERYONE, Form.TEXT)
    assert before is not None
    assert here.peek(ref, Audience.EVERYONE, Form.TEXT, 5) is before
    assert here.peek(ref, Audience.EVERYONE, Form.TEXT, 6) is None
    archive = here.index(ref, Audience.EVERYONE, Form.ARCHIVE)
    world.change("b", delete(file).where(file.c.id == last))
    assert listed(here, world) == ["a 1.10"]
    assert here.index(ref, Audience.EVERYONE, Form.ARCHIVE) == archive


def test_yanked_and_quarantined(world: World) -> None:
    indexes = CranIndexes(world.database)
    world.upload("a", "1.0")
    newest = world.upload("a", "2.0")
    ref = TreeRef(world.namespace_id, "main", "")
    world.change("a", update(file).where(file.c.id == newest).values(yanked_at=now()))
    assert listed(indexes, world) == ["a 1.0"]
    archive = indexes.index(ref, Audience.EVERYONE, Form.ARCHIVE)
    world.change("a", update(package).values(status="quarantined"))
    assert listed(indexes, world) == []
    assert indexes.index(ref, Audience.EVERYONE, Form.ARCHIVE) != archive


def test_each_audience_and_label_sees_its_own(world: World) -> None:
    for visibility in Visibility:
        world.upload(visibility.value, "1.0", visibility=visibility.value, labels=("main", visibility.value))
    indexes = CranIndexes(world.database)
    private = world.packages["private"]
    assert listed(indexes, world) == ["public 1.0"]
    assert listed(indexes, world, audience=Audience.MEMBER) == ["organization 1.0", "public 1.0", "unlisted 1.0"]
    assert len(listed(indexes, world, audience=Audience.OWNER) or []) == len(Visibility)
    given = Audience(Audience.EVERYONE.visibilities, granted=frozenset({private}))
    assert listed(indexes, world, audience=given) == ["private 1.0", "public 1.0"]
    narrowed = Audience(Audience.OWNER.visibilities, names=frozenset({"private"}), labels=frozenset({"private"}))
    assert listed(indexes, world, audience=narrowed) is None
    assert listed(indexes, world, label="private", audience=narrowed) == ["private 1.0"]
    assert listed(indexes, world, label="private") is None
    assert listed(indexes, world, label="private", subdir="windows/4.2", audience=given) == []
    assert listed(indexes, world, label="nowhere", audience=Audience.OWNER) is None


def test_places_named_by_chance_do_not_fill_the_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cran_indexes, "_MAX_BYTES", 5_500)
    indexes = CranIndexes(world.database)
    refs = [TreeRef(world.namespace_id, "main", f"linux/{number}/4.4") for number in range(20)]
    assert all(indexes.index(ref, Audience.EVERYONE, Form.TEXT) for ref in refs)
    kept = [ref for ref in refs if indexes.peek(ref, Audience.EVERYONE, Form.TEXT, 0)]
    assert kept == refs[-5:]
    world.upload("a", "1.0")  # after a change they are not looked at again
    assert listed(indexes, world) == ["a 1.0"]
    assert not any(indexes.peek(ref, Audience.EVERYONE, Form.TEXT, 0) for ref in refs)
    assert listed(indexes, world, subdir="linux/0/4.4") == []
