"""What was decided from something remembered is looked at again before it lasts."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from service_world import World

from carrel.core.clock import now
from carrel.core.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable
from carrel.database.engine import Database
from carrel.hub.accounts.principal import Principal, Via
from carrel.hub.app import build_hub
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda import assembly, documents
from carrel.hub.channels.conda.documents import Document, DocumentRequest
from carrel.hub.collections import repository as collections
from carrel.hub.context import Hub
from carrel.hub.labels.views import Action, ChangeRequest, FileSelection
from carrel.hub.packages.copying import CopyRequest
from carrel.hub.settings import HubSettings
from carrel.hub.tokens import repository as tokens
from carrel.hub.tokens.service import NewToken
from carrel.storage import open_store


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    settings = HubSettings(data_dir=tmp_path)
    hub: Hub = build_hub(settings, database, open_store(tmp_path / "files", tmp_path / "spool"))
    return World(hub)


def bearer(world: World, new: NewToken) -> Principal:
    """Return who sends a token."""
    found = world.hub.resolver.resolve(Via.TOKEN, new.secret)
    assert found is not None
    return found


def test_a_token_that_another_process_revoked_makes_no_others(world: World) -> None:
    alice, service = world.principal("alice"), world.hub.tokens
    new = world.write(lambda uow: service.create(uow, alice, name="stolen"))
    remembered = bearer(world, new)
    world.write(lambda uow: tokens.delete_token(uow, alice.user_id or 0, new.view.id))  # as elsewhere: nothing is forgotten here
    with pytest.raises(Unauthenticated):
        world.write(lambda uow: service.create(uow, remembered, name="heir"))


def test_a_token_that_another_process_replaced_makes_none_that_live_longer(world: World) -> None:
    alice, service = world.principal("alice"), world.hub.tokens
    new = world.write(lambda uow: service.create(uow, alice, name="old"))
    remembered = bearer(world, new)
    assert remembered.expires_at is None
    world.write(lambda uow: tokens.update_token(uow, new.view.id, {"expires_at": now() + timedelta(seconds=60)}))
    with pytest.raises(Forbidden) as refused:
        world.write(lambda uow: service.create(uow, remembered, name="heir"))
    assert refused.value.code == "expiry_exceeded"


def test_of_two_that_replace_a_token_at_once_one_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, service = world.principal("alice"), world.hub.tokens
    new = world.write(lambda uow: service.create(uow, alice, name="old"))
    both = threading.Barrier(2)
    found = service._mine

    def meet(*given: Any) -> Any:
        row = found(*given)
        if not world.hub.database.is_sqlite:  # there the second waits for the first from the beginning
            both.wait(10)
        return row

    monkeypatch.setattr(service, "_mine", meet)
    outcomes: list[str] = []

    def rotate() -> None:
        try:
            world.write(lambda uow: service.rotate(uow, alice, new.view.id, 60))
            outcomes.append("replaced")
        except Conflict as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["replaced", "rotated_before"]


def test_a_copy_into_a_package_that_was_opened_meanwhile_discloses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.upload("alice", "acme", "data.csv", b"a,b\n1,2\n", package="numbers", version="1", visibility="private")
    ensure = world.hub.packages.ensure

    def beaten(uow: Any, principal: Any, namespace: Any, name: str, kind: str = "", visibility: str | None = None) -> Any:
        ensure(uow, principal, namespace, name, kind, "public")  # by somebody else, at the same moment
        return ensure(uow, principal, namespace, name, kind, visibility)

    monkeypatch.setattr(world.hub.packages, "ensure", beaten)
    alice = world.principal("alice")
    with pytest.raises(Conflict) as refused:
        world.write(lambda uow: world.hub.copies.copy(uow, alice, CopyRequest("acme", "numbers", "alice")))
    assert refused.value.code == "would_disclose"


def test_an_undo_names_no_package_that_the_caller_does_not_see(world: World) -> None:
    for package, visibility in (("shown", "public"), ("secret", "private")):
        world.upload("alice", "acme", "data.csv", b"a,b\n1,2\n", package=package, version="1", visibility=visibility)
    alice, bob, service = world.principal("alice"), world.principal("bob"), world.hub.label_changes
    request = ChangeRequest(Action.ADD, None, "all", FileSelection(("shown", "secret")))
    change = world.write(lambda uow: service.apply(uow, alice, "acme", request))
    with pytest.raises((Forbidden, NotFound)) as refused:
        world.write(lambda uow: service.undo(uow, bob, "acme", change.id))
    assert "secret" not in str(refused.value)
    assert "secret" not in str(refused.value.fields)


def test_a_removed_token_is_not_replaced(world: World) -> None:
    alice, service = world.principal("alice"), world.hub.tokens
    new = world.write(lambda uow: service.create(uow, alice, name="old"))
    remembered = replace(bearer(world, new))
    world.write(lambda uow: service.revoke(uow, alice, new.view.id))
    with pytest.raises(NotFound):
        world.write(lambda uow: service.rotate(uow, remembered, new.view.id, 60))


def test_an_undo_does_not_repeat_what_its_owner_chose(world: World) -> None:
    for package, visibility in (("shown", "public"), ("secret", "private")):
        world.upload("alice", "acme", "data.csv", b"a,b\n1,2\n", package=package, version="1", visibility=visibility)
    alice, bob, service = world.principal("alice"), world.principal("bob"), world.hub.label_changes
    world.write(lambda uow: service.apply(uow, alice, "acme", ChangeRequest(Action.ADD, None, "all", FileSelection(("secret",)))))
    request = ChangeRequest(Action.ADD, None, "all", FileSelection(("shown", "secret")))
    change = world.write(lambda uow: service.apply(uow, alice, "acme", request))
    undone = world.write(lambda uow: service.undo(uow, bob, "acme", change.id))
    assert [item.package for item in undone.files] == ["shown"]
    assert "secret" not in repr(undone)


def test_what_another_request_removed_meanwhile_is_no_failure_of_the_hub(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.upload("alice", "acme", "data.csv", b"a,b\n1,2\n", package="numbers", version="1")
    alice, service = world.principal("alice"), world.hub.collections
    world.write(lambda uow: service.create(uow, alice, "acme", "mine"))
    monkeypatch.setattr(collections, "lock", collections.delete_collection)  # by another request, between looking and locking
    with pytest.raises(Unavailable):
        asyncio.run(world.hub.pool.write(lambda uow: service.put_item(uow, alice, "acme", "mine", "acme", "numbers")))


def test_an_index_that_cannot_be_made_tells_nothing_of_the_machine(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failed = subprocess.CompletedProcess((), 1, b"", b"connection to server at db.internal failed")
    monkeypatch.setattr(subprocess, "run", lambda *_given, **_options: failed)
    database = world.hub.database
    with pytest.raises(Unavailable) as document:
        documents._make_in_process(database, tmp_path, DocumentRequest(Document.CURRENT, 1, "main", "noarch", Audience.EVERYONE))
    with pytest.raises(Unavailable) as index:
        assembly.assemble_in_process(database, assembly.AssemblyRequest(None, "noarch", Audience.EVERYONE, str(tmp_path)))
    for refused in (document, index):
        assert "db.internal" not in refused.value.detail
    assert caplog.text.count("db.internal") == 2
