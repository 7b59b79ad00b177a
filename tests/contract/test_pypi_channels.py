"""The simple index, on both databases."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete, insert, update

from carrel.core.access import Visibility
from carrel.core.clock import now
from carrel.core.kinds import Kind
from carrel.database.engine import Database
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.pypi.indexes import PageRef, PypiIndexes
from carrel.hub.channels.pypi.maintenance import PypiChannelListener
from carrel.hub.packages.changes import PackageChange, Reason
from carrel.hub.packages.models import companion, file, package
from carrel.testing.rows import Rows


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.packages: dict[str, int] = {}
        with database.write() as unit:
            self.namespace_id = Rows(unit.connection).namespace("alice")

    def upload(
        self, name: str, filename: str, *, visibility: str = "public", labels: tuple[str, ...] = ("main",), requires_python: str = ""
    ) -> int:
        with self.database.write() as unit:
            rows = Rows(unit.connection)
            if name not in self.packages:
                self.packages[name] = rows.package(self.namespace_id, name, visibility=visibility)
            added = rows.pypi_file(self.namespace_id, self.packages[name], filename, labels=labels, requires_python=requires_python)
            self.tell(unit, name)
        return added.id

    def tell(self, unit, name: str, reason: Reason = Reason.FILES) -> None:
        change = PackageChange(self.namespace_id, self.packages[name], frozenset({Kind.PYPI}), reason)
        PypiChannelListener().files_changed(unit, [change])

    def ref(self, project: str = "", label: str = "main", audience: Audience = Audience.EVERYONE) -> PageRef:
        return PageRef(self.namespace_id, label, project, audience)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def names(indexes: PypiIndexes, ref: PageRef) -> list[str] | None:
    pages = indexes.page(ref)
    if pages is None:
        return None
    document = json.loads(pages.json.data)
    found = [item["filename"] for item in document["files"]] if ref.project else [item["name"] for item in document["projects"]]
    html = pages.html.data.decode()
    assert all(f">{name}</a>" in html for name in found)
    return found


def test_an_upload_is_on_the_page_of_every_process(world: World) -> None:
    here, elsewhere = PypiIndexes(world.database), PypiIndexes(world.database)
    assert names(here, world.ref()) == names(elsewhere, world.ref()) == []
    assert names(here, world.ref("my-tool")) is None
    world.upload("My_Tool", "my_tool-1.0-py3-none-any.whl", requires_python=">=3.9")
    world.upload("My_Tool", "my_tool-1.0.tar.gz")
    for indexes in (here, elsewhere):
        assert names(indexes, world.ref()) == ["my-tool"]
        assert names(indexes, world.ref("my-tool")) == ["my_tool-1.0-py3-none-any.whl", "my_tool-1.0.tar.gz"]
    pages = here.page(world.ref("my-tool"))
    assert pages is not None
    wheel, sdist = json.loads(pages.json.data)["files"]
    assert wheel["requires-python"] == ">=3.9"
    assert wheel["core-metadata"]["sha256"] in pages.html.data.decode()
    assert wheel["url"] == f"../../files/{wheel['hashes']['sha256']}/{wheel['filename']}"
    assert sdist["core-metadata"] is False
    assert sdist["yanked"] is False


def test_only_the_touched_project_is_made_again(world: World) -> None:
    indexes = PypiIndexes(world.database)
    world.upload("a", "a-1.0.tar.gz")
    world.upload("b", "b-1.0.tar.gz")
    kept, stale = indexes.page(world.ref("a")), indexes.page(world.ref("b"))
    world.upload("b", "b-1.0-py3-none-any.whl")
    assert indexes.peek(world.ref("a"), 3) is None  # not known to be current yet
    assert indexes.page(world.ref("b")) is not stale
    assert indexes.peek(world.ref("a"), 3) is kept


def test_each_audience_and_label_sees_its_own(world: World) -> None:
    for visibility in Visibility:
        world.upload(visibility.value, f"{visibility.value}-1.0.tar.gz", visibility=visibility.value, labels=("main", visibility.value))
    indexes = PypiIndexes(world.database)
    assert names(indexes, world.ref()) == ["public"]
    assert names(indexes, world.ref(audience=Audience.MEMBER)) == ["organization", "public", "unlisted"]
    assert names(indexes, world.ref(audience=Audience.OWNER)) == ["organization", "private", "public", "unlisted"]
    assert names(indexes, world.ref("private")) is None
    assert names(indexes, world.ref("private", audience=Audience.OWNER)) == ["private-1.0.tar.gz"]
    assert names(indexes, world.ref(label="private")) is None
    assert names(indexes, world.ref(label="nowhere", audience=Audience.OWNER)) is None
    assert names(indexes, world.ref(label="private", audience=Audience.OWNER)) == ["private"]


def test_private_removed_and_yanked(world: World) -> None:
    indexes = PypiIndexes(world.database)
    first = world.upload("a", "a-1.0.tar.gz")
    world.upload("a", "a-1.0-py3-none-any.whl")
    with world.database.write() as unit:
        unit.connection.execute(update(file).where(file.c.id == first).values(yanked_at=now(), yanked_reason="broken"))
        world.tell(unit, "a")
    pages = indexes.page(world.ref("a"))
    assert pages is not None
    assert b'data-yanked="broken"' in pages.html.data
    assert [item["yanked"] for item in json.loads(pages.json.data)["files"]] == ["broken", False]
    with world.database.write() as unit:
        unit.connection.execute(delete(file).where(file.c.id == first))
        world.tell(unit, "a")
    assert names(indexes, world.ref("a")) == ["a-1.0-py3-none-any.whl"]
    with world.database.write() as unit:
        unit.connection.execute(update(package).values(visibility="private"))
        world.tell(unit, "a", Reason.VISIBILITY)
    assert names(indexes, world.ref("a")) is None
    assert names(indexes, world.ref()) == []
    with world.database.write() as unit:
        unit.connection.execute(delete(package))
        world.tell(unit, "a", Reason.PACKAGE)
    assert names(indexes, world.ref("a", audience=Audience.OWNER)) is None


def test_status_and_other_indexes(world: World) -> None:
    indexes = PypiIndexes(world.database)
    world.upload("My_Tool", "my_tool-1.0.tar.gz")
    other = "https://other.example/simple/my-tool/"
    with world.database.write() as unit:
        unit.connection.execute(
            update(package).values(status="archived", status_reason="see <b>", tracks=[other], alternate_locations=[other])
        )
        world.tell(unit, "My_Tool", Reason.PACKAGE)
    pages = indexes.page(world.ref("my-tool"))
    assert pages is not None
    document = json.loads(pages.json.data)
    assert document["project-status"] == {"status": "archived", "reason": "see <b>"}
    assert document["meta"]["tracks"] == document["alternate-locations"] == [other]
    assert b'<meta name="pypi:project-status-reason" content="see &lt;b&gt;">' in pages.html.data
    with world.database.write() as unit:
        unit.connection.execute(update(package).values(status="quarantined"))
        world.tell(unit, "My_Tool", Reason.PACKAGE)
    assert names(indexes, world.ref("my-tool")) == []
    assert names(indexes, world.ref()) == ["my-tool"]


def test_two_packages_that_are_one_project(world: World) -> None:
    indexes = PypiIndexes(world.database)
    for name in ("my_tool", "my-tool"):
        world.upload(name, f"{name}-1.0.tar.gz")
    with world.database.write() as unit:
        unit.connection.execute(update(package).where(package.c.name == "my-tool").values(status="quarantined"))
        world.tell(unit, "my-tool", Reason.PACKAGE)
    assert names(indexes, world.ref("my-tool")) == ["my_tool-1.0.tar.gz"]
    narrowed = Audience(Audience.EVERYONE.visibilities, names=frozenset({"my-tool"}))
    assert names(indexes, world.ref("my-tool", audience=narrowed)) == []
    of_items = Audience.EVERYONE.of_items(frozenset({world.packages["my_tool"]}))
    assert names(indexes, world.ref("my-tool", audience=of_items)) == ["my_tool-1.0.tar.gz"]


def test_provenance_is_at_an_absolute_address(world: World) -> None:
    indexes = PypiIndexes(world.database)
    attested = world.upload("a", "a-1.0.tar.gz")
    with world.database.write() as unit:
        sha256 = Rows(unit.connection).blob(b"provenance")
        unit.connection.execute(insert(companion).values(file_id=attested, suffix=".provenance", sha256=sha256))
        world.tell(unit, "a")
    pages = indexes.page(world.ref("a"))
    assert pages is not None
    here, there = pages.json.at("https://hub.example/pypi/alice"), pages.json.at("http://[::1]:8000/pypi/alice")
    assert json.loads(here.data)["files"][0]["provenance"] == "https://hub.example/pypi/alice/integrity/a/1.0/a-1.0.tar.gz/provenance"
    assert len({here.etag, there.etag, pages.json.etag}) == 3
    assert b'data-provenance="https://hub.example/pypi/alice/' in pages.html.at("https://hub.example/pypi/alice").data
