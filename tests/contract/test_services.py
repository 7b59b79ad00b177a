"""The rules of the hub on both databases, without HTTP."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from service_world import World

from carrel.core.access import Role
from carrel.core.clock import now
from carrel.core.errors import BadRequest, Conflict, FileExists, Forbidden, NotFound, Unavailable
from carrel.core.scopes import ALL_SCOPES, Scope, expand
from carrel.database.engine import Database
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats import Hints
from carrel.hub.accounts.principal import ANONYMOUS, Via
from carrel.hub.app import build_hub
from carrel.hub.context import Hub
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.service import UploadRequest
from carrel.hub.packages.changes import PackageChange
from carrel.hub.packages.views import FileView
from carrel.hub.releases.service import NewRelease
from carrel.hub.settings import HubSettings
from carrel.storage import open_store
from carrel.testing.artifacts import build_notebook, build_wheel


@pytest.fixture
def hub(database: Database, tmp_path: Path) -> Hub:
    settings = HubSettings(data_dir=tmp_path, device_interval=0, sweep_grace_seconds=0, temp_grace_seconds=0)
    return build_hub(settings, database, open_store(tmp_path / "files", tmp_path / "spool"))


@pytest.fixture
def world(hub: Hub) -> World:
    return World(hub)


def csv(
    world: World, who: str = "alice", namespace: str = "acme", version: str = "1", data: bytes = b"a,b\n1,2\n", **options: Any
) -> FileView:
    return world.upload(who, namespace, "data.csv", data, package="numbers", version=version, **options)[0]


@pytest.mark.parametrize(
    ("visibility", "seen_by"),
    [
        ("private", {"alice"}),
        ("organization", {"alice", "bob"}),
        ("unlisted", {"alice", "bob", "carol", ""}),
        ("public", {"alice", "bob", "carol", ""}),
    ],
)
def test_what_is_invisible_is_absent(world: World, visibility: str, seen_by: set[str]) -> None:
    csv(world, visibility=visibility)
    for who in ("alice", "bob", "carol", ""):
        principal = world.principal(who)
        if who in seen_by:
            assert world.read(lambda uow, p=principal: world.hub.packages.get(uow, p, "acme", "NUMBERS")).name == "numbers"
            assert world.read(lambda uow, p=principal: world.hub.releases.get(uow, p, "acme", "numbers", "latest")).version == "1"
        else:
            with pytest.raises(NotFound):
                world.read(lambda uow, p=principal: world.hub.packages.get(uow, p, "acme", "numbers"))
            with pytest.raises(NotFound):
                world.read(lambda uow, p=principal: world.hub.releases.page(uow, p, "acme", "numbers"))
        listed = world.read(lambda uow, p=principal: world.hub.packages.page(uow, p, "acme")).items
        in_lists = who in seen_by and not (visibility == "unlisted" and who in ("carol", ""))
        assert [item.name for item in listed] == (["numbers"] if in_lists else [])
        labels = world.read(lambda uow, p=principal: world.hub.labels.list(uow, p, "acme"))
        assert [(item.name, item.files) for item in labels] == ([("main", 1)] if in_lists else [("main", 0)] if who == "bob" else [])


def test_drafts_are_seen_by_members_and_published_in_one_step(world: World) -> None:
    alice, bob, carol = (world.principal(name) for name in ("alice", "bob", "carol"))
    view, made = world.write(lambda uow: world.hub.releases.start(uow, alice, "acme", "numbers", NewRelease(visibility="public")))
    assert (view.version, view.state, made) == ("1", "draft", True)
    with pytest.raises(Conflict, match="no files"):
        world.write(lambda uow: world.hub.releases.publish(uow, alice, "acme", "numbers", "1"))
    csv(world)
    assert world.read(lambda uow: world.hub.releases.get(uow, bob, "acme", "numbers", "1")).state == "draft"
    with pytest.raises(NotFound):
        world.read(lambda uow: world.hub.packages.get(uow, carol, "acme", "numbers"))
    world.write(lambda uow: world.hub.releases.publish(uow, alice, "acme", "numbers", "1", ["dev"]))
    world.write(lambda uow: world.hub.releases.publish(uow, alice, "acme", "numbers", "1"))
    package = world.read(lambda uow: world.hub.packages.get(uow, carol, "acme", "numbers"))
    assert (package.latest_version, package.kinds) == ("1", ("file",))
    release = world.read(lambda uow: world.hub.releases.get(uow, carol, "acme", "numbers", "1"))
    assert release.files[0].labels == ("dev",)


def test_an_unchanged_publication_makes_no_release(world: World) -> None:
    alice = world.principal("alice")
    file = csv(world)
    same = NewRelease(if_changed={"data.csv": file.sha256})
    view, made = world.write(lambda uow: world.hub.releases.start(uow, alice, "acme", "numbers", same))
    assert (view.version, made) == ("1", False)
    other = NewRelease(if_changed={"data.csv": "0" * 64})
    view, made = world.write(lambda uow: world.hub.releases.start(uow, alice, "acme", "numbers", other))
    assert (view.version, made) == ("2", True)


def test_a_draft_changes_who_sees_a_package_only_when_it_is_published(world: World) -> None:
    alice = world.principal("alice")
    csv(world, visibility="private")
    world.write(lambda uow: world.hub.releases.start(uow, alice, "acme", "numbers", NewRelease(visibility="public")))
    csv(world, version="2")
    assert world.read(lambda uow: world.hub.packages.get(uow, alice, "acme", "numbers")).visibility == "private"
    world.write(lambda uow: world.hub.releases.publish(uow, alice, "acme", "numbers", "2"))
    assert world.read(lambda uow: world.hub.packages.get(uow, alice, "acme", "numbers")).visibility == "public"


def test_a_name_is_never_published_with_other_bytes(world: World) -> None:
    csv(world)
    assert world.upload("alice", "acme", "data.csv", b"a,b\n1,2\n", package="numbers", version="1")[1] is False
    with pytest.raises(FileExists):
        csv(world, data=b"a,b\n3,4\n")
    alice = world.principal("alice")
    world.write(lambda uow: world.hub.packages.delete(uow, alice, "acme", "numbers"))
    with pytest.raises(FileExists, match="stays taken"):
        csv(world, data=b"a,b\n3,4\n")
    assert csv(world).version == "1"
    view, _ = world.write(lambda uow: world.hub.releases.start(uow, alice, "acme", "numbers", NewRelease()))
    assert view.version == "2"


def test_numbers_of_removed_releases_are_not_given_again(world: World) -> None:
    alice = world.principal("alice")
    csv(world)
    csv(world, version="2", data=b"x\n1\n")
    world.write(lambda uow: world.hub.releases.delete(uow, alice, "acme", "numbers", "2"))
    assert world.read(lambda uow: world.hub.packages.get(uow, alice, "acme", "numbers")).latest_version == "1"
    view, _ = world.write(lambda uow: world.hub.releases.start(uow, alice, "acme", "numbers", NewRelease()))
    assert view.version == "3"


def test_an_undone_first_publication_leaves_no_package(world: World) -> None:
    alice = world.principal("alice")
    csv(world)
    world.write(lambda uow: world.hub.releases.delete(uow, alice, "acme", "numbers", "1"))
    with pytest.raises(NotFound):
        world.read(lambda uow: world.hub.packages.get(uow, alice, "acme", "numbers"))


def test_members_publish_and_owners_decide(world: World) -> None:
    bob, carol = world.principal("bob"), world.principal("carol")
    csv(world, "bob")
    with pytest.raises(Forbidden):
        csv(world, "carol")
    with pytest.raises(Forbidden):
        world.write(lambda uow: world.hub.packages.update(uow, bob, "acme", "numbers", {"visibility": "public"}))
    with pytest.raises(Forbidden):
        world.write(lambda uow: world.hub.packages.delete(uow, bob, "acme", "numbers"))
    with pytest.raises(Forbidden):
        world.write(lambda uow: world.hub.releases.start(uow, bob, "acme", "other", NewRelease(visibility="private")))
    with pytest.raises(NotFound):
        world.write(lambda uow: world.hub.packages.delete(uow, carol, "acme", "numbers"))
    csv(world, "alice", version="2", data=b"x\n1\n")
    with pytest.raises(Forbidden):
        world.write(lambda uow: world.hub.releases.delete(uow, bob, "acme", "numbers", "2"))
    world.write(lambda uow: world.hub.releases.delete(uow, bob, "acme", "numbers", "1"))


def test_a_private_package_of_owners_is_absent_for_members_who_upload(world: World) -> None:
    csv(world, visibility="private")
    with pytest.raises(NotFound):
        csv(world, "bob", version="2")


def test_an_organization_keeps_an_owner(world: World) -> None:
    alice = world.principal("alice")
    with pytest.raises(Conflict, match="owner"):
        world.write(lambda uow: world.hub.namespaces.remove_member(uow, alice, "acme", "alice"))
    with pytest.raises(Conflict, match="owner"):
        world.write(lambda uow: world.hub.namespaces.set_member(uow, alice, "acme", "alice", Role.MEMBER))
    world.write(lambda uow: world.hub.namespaces.set_member(uow, alice, "acme", "bob", Role.OWNER))
    world.write(lambda uow: world.hub.namespaces.remove_member(uow, alice, "acme", "alice"))
    assert world.principal("alice").role_in(world.read(lambda uow: world.hub.namespaces.get(uow, alice, "acme")).id) is None


def test_names_are_taken_once(world: World) -> None:
    with pytest.raises(Conflict):
        world.write(lambda uow: world.hub.accounts.create_user(uow, "acme", None))
    with pytest.raises(Conflict):
        world.write(lambda uow: world.hub.namespaces.create_organization(uow, world.principal("carol"), "bob", "", ""))


def test_tokens_never_exceed_their_maker(world: World) -> None:
    alice = world.principal("alice")
    read_only = replace(
        alice, scopes=frozenset({Scope.PACKAGE_READ, Scope.ACCOUNT_WRITE}), via=Via.TOKEN, expires_at=now() + timedelta(hours=1)
    )
    create = world.hub.tokens.create
    with pytest.raises(Forbidden, match="Missing here"):
        world.write(lambda uow: create(uow, read_only, name="x", scopes={Scope.PACKAGE_WRITE}, expires_in=60))
    with pytest.raises(Forbidden, match="outlive"):
        world.write(lambda uow: create(uow, read_only, name="x", scopes={Scope.PACKAGE_READ}))
    with pytest.raises(Forbidden):
        world.write(lambda uow: create(uow, world.principal("carol"), name="x", scopes={Scope.PACKAGE_READ}, namespace="acme"))
    new = world.write(lambda uow: create(uow, alice, name="x", scopes={Scope.PACKAGE_READ}, namespace="acme", expires_in=60))
    found = world.hub.resolver.resolve(Via.TOKEN, new.secret)
    assert found is not None
    assert found.scopes == expand({Scope.PACKAGE_READ})
    assert len(found.memberships) == 1
    assert world.hub.resolver.cached(Via.TOKEN, new.secret) == found
    world.hub.usage.flush()
    assert world.read(lambda uow: world.hub.tokens.list(uow, alice))[0].last_used_at is not None
    world.write(lambda uow: world.hub.tokens.revoke(uow, alice, new.view.id))
    assert world.hub.resolver.cached(Via.TOKEN, new.secret) is None
    assert world.hub.resolver.resolve(Via.TOKEN, new.secret) is None


def test_expired_tokens_and_sessions_are_unknown(world: World, database: Database) -> None:
    from sqlalchemy import update

    from carrel.hub.accounts.models import session
    from carrel.hub.tokens.models import token

    alice = world.principal("alice")
    new = world.write(lambda uow: world.hub.tokens.create(uow, alice, name="x", scopes=ALL_SCOPES, expires_in=60))
    opened = world.write(lambda uow: world.hub.accounts.open_session(uow, alice))
    assert world.hub.resolver.resolve(Via.SESSION, opened.secret) is not None
    assert world.hub.resolver.resolve(Via.TOKEN, opened.secret) is None
    with database.write() as uow:
        uow.connection.execute(update(token).values(expires_at=now() - timedelta(seconds=1)))
        uow.connection.execute(update(session).values(expires_at=now() - timedelta(seconds=1)))
    assert world.hub.resolver.resolve(Via.TOKEN, new.secret) is None
    assert world.hub.resolver.resolve(Via.SESSION, opened.secret) is None


def test_device_sign_in(world: World) -> None:
    devices, alice = world.hub.devices, world.principal("alice")
    code = world.write(lambda uow: devices.start(uow, "lab"))
    pending = world.write(lambda uow: devices.poll(uow, code.device_code))
    assert isinstance(pending, BadRequest)
    assert pending.code == "authorization_pending"
    assert world.read(lambda uow: devices.pending(uow, code.user_code.lower().replace("-", " "))).client_name == "lab"
    with pytest.raises(Forbidden):
        world.write(lambda uow: devices.decide(uow, replace(alice, via=Via.TOKEN), code.user_code, approve=True))
    world.write(lambda uow: devices.decide(uow, alice, code.user_code, approve=True))
    with pytest.raises(NotFound):
        world.write(lambda uow: devices.decide(uow, alice, code.user_code, approve=False))
    new = world.write(lambda uow: devices.poll(uow, code.device_code))
    found = world.hub.resolver.resolve(Via.TOKEN, new.secret)
    assert found is not None
    assert found.user_name == "alice"
    again = world.write(lambda uow: devices.poll(uow, code.device_code))
    assert again.code == "expired_token"
    refused = world.write(lambda uow: devices.start(uow, "other"))
    world.write(lambda uow: devices.decide(uow, alice, refused.user_code, approve=False))
    assert world.write(lambda uow: devices.poll(uow, refused.device_code)).code == "access_denied"
    assert world.write(lambda uow: devices.poll(uow, "nonsense")).code == "expired_token"


def test_labels(world: World, database: Database) -> None:
    from sqlalchemy import update

    from carrel.hub.labels.models import label

    alice, bob = world.principal("alice"), world.principal("bob")
    csv(world, "bob", labels=("main", "dev/nightly"))
    view = world.write(lambda uow: world.hub.files.set_labels(uow, bob, "acme", "numbers", "1", "data.csv", None, ["tested"]))
    assert view.labels == ("tested",)
    with database.write() as uow:
        uow.connection.execute(update(label).where(label.c.name == "main").values(locked=True))
    with pytest.raises(Forbidden, match="locked"):
        world.write(lambda uow: world.hub.files.set_labels(uow, bob, "acme", "numbers", "1", "data.csv", None, ["main"]))
    with pytest.raises(Forbidden, match="locked"):
        csv(world, "bob", version="2")
    view = world.write(lambda uow: world.hub.files.set_labels(uow, alice, "acme", "numbers", "1", "data.csv", None, ["main"]))
    assert view.labels == ("main",)


def test_pages_of_packages(world: World) -> None:
    for number in range(5):
        world.upload("alice", "acme", "data.csv", b"a\n1\n", package=f"p{number}", version="1", visibility="public")
    names, cursor = [], None
    while True:
        page = world.read(
            lambda uow, c=cursor: world.hub.packages.page(uow, ANONYMOUS, "acme", limit=2, cursor=c, kind="file", label="main")
        )
        names += [item.name for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == ["p0", "p1", "p2", "p3", "p4"]
    assert world.read(lambda uow: world.hub.packages.page(uow, ANONYMOUS, "acme", kind="conda")).items == ()
    with pytest.raises(BadRequest):
        world.read(lambda uow: world.hub.packages.page(uow, ANONYMOUS, "acme", cursor="\x00"))


def test_the_latest_version_is_the_highest_final_one(world: World) -> None:
    alice = world.principal("alice")
    for version in ("1.9", "1.10", "2.0rc1", "1.2"):
        csv(world, version=version, data=f"v\n{version}\n".encode())
    assert world.read(lambda uow: world.hub.packages.get(uow, alice, "acme", "numbers")).latest_version == "1.10"
    world.write(lambda uow: world.hub.files.delete(uow, alice, "acme", "numbers", "1.10", "data.csv", None))
    assert world.read(lambda uow: world.hub.packages.get(uow, alice, "acme", "numbers")).latest_version == "1.9"
    newest = world.read(lambda uow: world.hub.releases.page(uow, alice, "acme", "numbers", limit=2))
    assert [item.version for item in newest.items] == ["1.2", "2.0rc1"]
    rest = world.read(lambda uow: world.hub.releases.page(uow, alice, "acme", "numbers", limit=2, cursor=newest.next_cursor))
    assert [item.version for item in rest.items] == ["1.9"]


def test_a_failing_listener_undoes_the_whole_change(world: World, hub: Hub) -> None:
    class Broken:
        def files_changed(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
            raise RuntimeError("index")

    upkeep = hub.files._upkeep
    upkeep._listeners = (*upkeep._listeners, Broken())
    with pytest.raises(RuntimeError):
        csv(world)
    with pytest.raises(NotFound):
        world.read(lambda uow: hub.packages.get(uow, world.principal("alice"), "acme", "numbers"))


def test_only_unreferenced_bytes_are_swept(world: World, hub: Hub) -> None:
    kept = csv(world)
    gone = csv(world, version="2", data=b"x\n1\n")
    alice = world.principal("alice")
    world.write(lambda uow: hub.releases.delete(uow, alice, "acme", "numbers", "2"))
    orphan = hub.blobs.open_writer()
    orphan.write(b"orphan")
    orphan.commit("0" * 64)
    swept = hub.sweep.run()
    assert swept.blobs == 2
    assert hub.blobs.exists(kept.sha256)
    assert not hub.blobs.exists(gone.sha256)
    assert not hub.blobs.exists("0" * 64)
    assert csv(world, version="2", data=b"x\n1\n").sha256 == gone.sha256
    assert hub.blobs.exists(gone.sha256)


def test_the_same_file_from_many_at_once_is_one_file(world: World) -> None:
    results: list[Any] = []

    def work(number: int) -> None:
        try:
            results.append(world.upload("alice", "acme", "data.csv", f"a\n{number % 2}\n".encode(), package="numbers", version="1"))
        except FileExists as error:
            results.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [item for item in results if isinstance(item, tuple) and item[1]]
    assert len(results) == 8
    assert len(made) == 1
    digests = {item[0].sha256 for item in results if isinstance(item, tuple)}
    assert digests == {made[0][0].sha256}


def test_downloads_are_counted_in_batches(world: World, hub: Hub) -> None:
    file = csv(world)
    for _ in range(3):
        hub.usage.downloaded(file.id)
    hub.usage.flush()
    hub.usage.flush()
    release = world.read(lambda uow: hub.releases.get(uow, world.principal("alice"), "acme", "numbers", "1"))
    assert release.files[0].downloads == 3


def test_a_given_summary_stands_until_another_one_is_given(world: World, hub: Hub) -> None:
    alice = world.principal("alice")
    notebook = build_notebook(cells=["# A title\n\nWhat the notebook says of itself."])

    def publish(version: str, **options: Any) -> str:
        world.upload("alice", "acme", "n.ipynb", notebook.data, package="study", version=version, **options)
        world.upload("alice", "acme", "environment.yml", b"name: x\ndependencies: [python]\n", package="study", version=version)
        return str(world.write(lambda uow: hub.releases.publish(uow, alice, "acme", "study", version)).summary)

    world.write(lambda uow: hub.releases.start(uow, alice, "acme", "study", NewRelease(version="1", summary="Given at the start.")))
    assert publish("1") == "Given at the start."
    world.write(lambda uow: hub.releases.start(uow, alice, "acme", "study", NewRelease(version="2", summary="Given at the start.")))
    assert publish("2", summary="Given with the file.") == "Given with the file."
    world.write(lambda uow: hub.releases.start(uow, alice, "acme", "study", NewRelease(version="3")))
    assert publish("3") == "What the notebook says of itself."
    world.write(lambda uow: hub.releases.start(uow, alice, "acme", "study", NewRelease(version="4", summary="First.")))
    world.write(lambda uow: hub.releases.start(uow, alice, "acme", "study", NewRelease(version="4", summary="Second thoughts.")))
    assert publish("4") == "Second thoughts."
    assert world.read(lambda uow: hub.packages.get(uow, alice, "acme", "study")).summary == "Second thoughts."


def test_a_visibility_given_with_a_file_of_a_draft_waits_for_the_draft(world: World, hub: Hub) -> None:
    csv(world, version="1", visibility="private")
    alice, bob = world.principal("alice"), world.principal("bob")
    world.write(lambda uow: hub.releases.start(uow, alice, "acme", "numbers", NewRelease(version="2")))
    csv(world, version="2", data=b"x\n", visibility="public")
    assert world.read(lambda uow: hub.packages.get(uow, alice, "acme", "numbers")).visibility == "private"
    world.write(lambda uow: hub.releases.publish(uow, alice, "acme", "numbers", "2"))
    assert world.read(lambda uow: hub.packages.get(uow, alice, "acme", "numbers")).visibility == "public"
    world.write(lambda uow: hub.releases.start(uow, bob, "acme", "numbers", NewRelease(version="3")))
    with pytest.raises(Forbidden):
        csv(world, "bob", version="3", data=b"y\n", visibility="unlisted")


def test_a_package_goes_with_its_last_file(world: World, hub: Hub) -> None:
    csv(world, version="1")
    csv(world, version="2", data=b"x\n")
    alice = world.principal("alice")
    for version in ("1", "2"):
        assert world.read(lambda uow: hub.packages.get(uow, alice, "acme", "numbers")).latest_version == "2"
        world.write(lambda uow, version=version: hub.files.delete(uow, alice, "acme", "numbers", version, "data.csv", None))
    with pytest.raises(NotFound):
        world.read(lambda uow: hub.packages.get(uow, alice, "acme", "numbers"))
    with pytest.raises(FileExists):
        csv(world, version="2", data=b"other\n")


def test_uploads_that_wait_for_each_other_see_what_the_other_did(world: World, hub: Hub) -> None:
    csv(world, version="0.1")
    alice, wheel = world.principal("alice"), build_wheel("numbers", "2.0")
    registered, errors = threading.Event(), []

    def later() -> None:
        registered.wait(10)
        try:
            csv(world, version="1")
        except Exception as error:
            errors.append(error)

    waiting = threading.Thread(target=later)
    waiting.start()
    incoming = IncomingFile(hub.blobs, 10_000_000, hub.leaks)
    incoming.feed(wheel.data)
    stored = incoming.finish(wheel.filename, None, Hints(), size=None, sha256=None)
    with hub.database.write() as uow:
        hub.files.register(uow, alice, UploadRequest("acme", wheel.filename), stored)
        registered.set()
        threading.Event().wait(0.5)  # the other one is at the lock by now
    waiting.join()
    package = world.read(lambda uow: hub.packages.get(uow, alice, "acme", "numbers"))
    assert (package.kinds, package.latest_version, errors) == (("file", "pypi"), "2.0", [])


def test_an_upload_beside_the_removal_of_its_package(world: World, hub: Hub) -> None:
    csv(world, version="1")
    alice = world.principal("alice")
    removed, results = threading.Event(), []

    def later() -> None:
        removed.wait(10)
        try:
            results.append(csv(world, version="2"))
        except Exception as error:
            results.append(error)

    waiting = threading.Thread(target=later)
    waiting.start()
    with hub.database.write() as uow:
        hub.packages.delete(uow, alice, "acme", "numbers")
        removed.set()
        threading.Event().wait(0.5)
    waiting.join()
    assert isinstance(results[0], FileView | Unavailable)


def test_the_same_labels_from_two_at_once(world: World, hub: Hub) -> None:
    csv(world)
    alice = world.principal("alice")
    assigned, results = threading.Event(), []

    def assign(uow: UnitOfWork) -> tuple[str, ...]:
        labels = ["main", "dev", "tested"]
        return hub.files.set_labels(uow, alice, "acme", "numbers", "1", "data.csv", None, labels).labels

    def later() -> None:
        assigned.wait(10)
        try:
            results.append(world.write(assign))
        except Exception as error:
            results.append(error)

    waiting = threading.Thread(target=later)
    waiting.start()
    with hub.database.write() as uow:
        assign(uow)
        assigned.set()
        threading.Event().wait(0.5)
    waiting.join()
    assert results == [("dev", "main", "tested")]


def test_bytes_that_a_sweep_takes_during_an_upload_are_asked_for_again(world: World, hub: Hub) -> None:
    data, request = b"a\n1\n", UploadRequest("acme", "data.csv", package="numbers", version="1")
    incoming = IncomingFile(hub.blobs, 1_000, hub.leaks)
    incoming.feed(data)
    stored = incoming.finish("data.csv", None, Hints("numbers", "1"), size=None, sha256=None)
    hub.blobs.delete(stored.digests.sha256)
    with pytest.raises(Unavailable):
        world.write(lambda uow: hub.files.register(uow, world.principal("alice"), request, stored))
    assert csv(world).filename == "data.csv"


@pytest.mark.parametrize("cursor", ["OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "eA", "w7w"])
def test_cursors_that_nobody_gave_out(world: World, hub: Hub, cursor: str) -> None:
    csv(world)
    with pytest.raises(BadRequest):
        world.read(lambda uow: hub.releases.page(uow, world.principal("alice"), "acme", "numbers", cursor=cursor))


def test_a_token_made_by_a_narrowed_one_says_that_it_is_narrowed(world: World, hub: Hub) -> None:
    alice = world.principal("alice")
    narrow = world.write(lambda uow: hub.tokens.create(uow, alice, name="narrow", namespace="acme"))
    holder = hub.resolver.resolve(Via.TOKEN, narrow.secret)
    assert holder is not None
    assert world.write(lambda uow: hub.tokens.create(uow, holder, name="narrower")).view.namespace == "acme"
