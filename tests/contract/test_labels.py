"""Labels, changes of many at once, copies between namespaces: on both databases, without HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from carrel.core.access import Role
from carrel.core.errors import BadRequest, Conflict, Forbidden, InvalidName, NotFound, PreconditionFailed
from carrel.core.kinds import Kind
from carrel.database.engine import Database
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts import repository as accounts
from carrel.hub.accounts.principal import ANONYMOUS, Limits, Principal, Via
from carrel.hub.accounts.resolver import load_principal
from carrel.hub.app import build_hub
from carrel.hub.audit.models import audit_event
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.assembly import pieces
from carrel.hub.channels.conda.indexes import ChannelRef
from carrel.hub.context import Hub
from carrel.hub.labels.models import label_change, label_change_item
from carrel.hub.labels.views import Action, ChangeRequest, ChangeView, FileSelection
from carrel.hub.packages import repository as packages
from carrel.hub.packages.changes import PackageChange, Reason
from carrel.hub.packages.copying import CopyRequest, CopyView, Existing, Outcome
from carrel.hub.packages.models import companion, file, property_
from carrel.hub.settings import HubSettings
from carrel.storage import open_store
from carrel.testing.rows import Rows, conda_record


class World:
    """Alice owns the organization acme, Bob is a member, Carol is neither."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        for name in ("alice", "bob", "carol"):
            self.write(lambda uow, name=name: hub.accounts.create_user(uow, name, None))
        self.write(lambda uow: hub.namespaces.create_organization(uow, self.principal("alice"), "acme", "Acme", ""))
        self.write(lambda uow: hub.namespaces.set_member(uow, self.principal("alice"), "acme", "bob", Role.MEMBER))
        self.acme = self.namespace_id("acme")
        self.changes: list[PackageChange] = []
        hub.label_changes._upkeep._listeners = (*hub.label_changes._upkeep._listeners, self)

    def files_changed(self, uow: UnitOfWork, changes: Any) -> None:
        self.changes.extend(changes)

    def namespace_id(self, name: str) -> int:
        return int(self.read(lambda uow: self.hub.namespaces.get(uow, ANONYMOUS, name).id))

    def principal(self, name: str, **changes: Any) -> Principal:
        if not name:
            return ANONYMOUS
        with self.hub.database.read() as uow:
            row = accounts.user_by_name(uow, name)
            assert row is not None
            return replace(load_principal(uow, row.id, name, Via.SESSION), **changes)

    def write(self, work: Callable[[UnitOfWork], Any]) -> Any:
        with self.hub.database.write() as uow:
            return work(uow)

    def read(self, work: Callable[[UnitOfWork], Any]) -> Any:
        with self.hub.database.read() as uow:
            return work(uow)

    def conda(
        self, *names: str, versions: int = 1, labels: tuple[str, ...] = ("main",), visibility: str = "public", ns: str = "acme"
    ) -> None:
        def work(uow: UnitOfWork) -> None:
            rows = Rows(uow.connection)
            namespace_id = self.namespace_id(ns)
            changes = []
            for name in names:
                package_id = rows.package(namespace_id, name, visibility=visibility, kinds=[Kind.CONDA], latest_version=f"{versions}.0")
                for number in range(1, versions + 1):
                    rows.conda_file(namespace_id, package_id, conda_record(name, f"{number}.0"), labels=labels)
                changes.append(PackageChange(namespace_id, package_id, frozenset({Kind.CONDA}), Reason.FILES))
            self.hub.label_changes._upkeep.notify_all(uow, changes)

        self.write(work)

    def wheel(self, name: str, labels: tuple[str, ...] = ("main",), visibility: str = "public") -> None:
        def work(uow: UnitOfWork) -> None:
            rows = Rows(uow.connection)
            package_id = rows.package(self.acme, name, visibility=visibility, kinds=[Kind.PYPI])
            rows.pypi_file(self.acme, package_id, f"{name.replace('-', '_')}-1.0-py3-none-any.whl", labels=labels)

        self.write(work)

    def change(self, who: str | Principal, action: str, source: str | None = None, target: str | None = None, **options: Any) -> ChangeView:
        dry_run, if_plan = options.pop("dry_run", False), options.pop("if_plan", None)
        request = ChangeRequest(Action(action), source, target, FileSelection(**options), if_plan)
        principal = self.principal(who) if isinstance(who, str) else who
        result: ChangeView = self.write(lambda uow: self.hub.label_changes.apply(uow, principal, "acme", request, dry_run=dry_run))
        return result

    def undo(self, who: str, change_id: int | None) -> ChangeView:
        assert change_id is not None
        result: ChangeView = self.write(lambda uow: self.hub.label_changes.undo(uow, self.principal(who), "acme", change_id))
        return result

    def copy(self, who: str, package: str, to: str, *, dry_run: bool = False, **options: Any) -> CopyView:
        request = CopyRequest("acme", package, to, **options)
        result: CopyView = self.write(lambda uow: self.hub.copies.copy(uow, self.principal(who), request, dry_run=dry_run))
        return result

    def labels(self, who: str | Principal = "alice", namespace: str = "acme") -> dict[str, int]:
        principal = self.principal(who) if isinstance(who, str) else who
        return {item.name: item.files for item in self.read(lambda uow: self.hub.labels.list(uow, principal, namespace))}

    def under(self, label: str, who: str = "alice", namespace: str = "acme") -> list[str]:
        page = self.read(lambda uow: self.hub.labels.files(uow, self.principal(who), namespace, label, limit=200))
        return [f"{item.package}-{item.version}" for item in page.items]

    def channel(self, label: str, namespace: str = "acme") -> int:
        """How many files the conda channel of a label lists for its owner; -1 when it is absent."""
        channel = ChannelRef(self.namespace_id(namespace), label, "noarch")
        if self.hub.channels.conda.indexes.index(channel, Audience.OWNER) is None:
            return -1
        _, parts = pieces(Path(self.hub.channels.conda.whole(channel, Audience.OWNER).path), decompressed=True)
        return len(json.loads(b"".join(parts))["packages.conda"])

    def rows(self) -> tuple[int, int, int]:
        tables = (label_change, label_change_item, audit_event)
        counted: tuple[int, int, int] = self.read(
            lambda uow: tuple(uow.connection.scalar(select(func.count()).select_from(table)) for table in tables)
        )
        return counted


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    settings = HubSettings(data_dir=tmp_path)
    return World(build_hub(settings, database, open_store(tmp_path / "files", tmp_path / "spool")))


# Promotion


def test_dry_run_shows_what_is_done_then(world: World) -> None:
    world.conda("numbers", "letters", versions=2, labels=("dev",))
    world.conda("old", labels=("dev", "main"))
    before = world.labels(), world.rows()
    shown = world.change("bob", "move", "dev", "main", dry_run=True)
    assert (world.labels(), world.rows()) == before
    assert (shown.id, shown.count, shown.unchanged) == (None, 5, 0)
    assert world.channel("dev") == 5
    done = world.change("bob", "move", "dev", "main", if_plan=shown.plan)
    assert done.files == shown.files
    assert done.plan == shown.plan
    assert {(item.package, item.version, item.before, item.after) for item in done.files} == {
        ("letters", "1.0", ("dev",), ("main",)),
        ("letters", "2.0", ("dev",), ("main",)),
        ("numbers", "1.0", ("dev",), ("main",)),
        ("numbers", "2.0", ("dev",), ("main",)),
        ("old", "1.0", ("dev", "main"), ("main",)),
    }
    assert world.labels() == {"dev": 0, "main": 5}
    assert (world.channel("dev"), world.channel("main")) == (0, 5)
    assert world.rows()[0] == 1
    with pytest.raises(PreconditionFailed):
        world.change("bob", "copy", "main", "dev", if_plan=shown.plan)
    again = world.change("bob", "move", "dev", "main")
    assert (again.id, again.count) == (None, 0)
    assert world.rows()[0] == 1
    event = world.read(lambda uow: uow.connection.execute(select(audit_event).order_by(audit_event.c.id.desc()).limit(1)).one())
    assert (event.actor, event.action, event.subject) == ("bob", "label.move", "acme/main")
    assert event.detail == {"change": done.id, "from": "dev", "to": "main", "count": 5}


SELECTIONS: list[tuple[dict[str, Any], set[str]]] = [
    ({"packages": ("num*",)}, {"numbers-1.0", "numbers-2.0", "num_py-1.0"}),
    ({"packages": ("num_*",)}, {"num_py-1.0"}),
    ({"packages": ("NUMBERS",), "version": "2.0"}, {"numbers-2.0"}),
    ({"packages": ("numbers", "letters")}, {"numbers-1.0", "numbers-2.0", "letters-1.0"}),
    ({"version": "1.?"}, {"numbers-1.0", "letters-1.0", "num_py-1.0", "Some.Lib-1.0"}),
    ({"filename": "noarch/letters-1.0-0.conda"}, {"letters-1.0"}),
    ({"filename": "*.conda", "version": "2.*"}, {"numbers-2.0"}),
    ({"kind": "pypi"}, {"Some.Lib-1.0"}),
    ({"packages": ("some_lib",)}, {"Some.Lib-1.0"}),
]


def test_selections(world: World) -> None:
    world.conda("numbers", versions=2, labels=("dev",))
    world.conda("letters", "num_py", labels=("dev",))
    world.wheel("Some.Lib", labels=("dev",))
    world.conda("elsewhere", labels=("other",))
    for number, (selection, expected) in enumerate(SELECTIONS):
        label = f"next/stage{number}"
        done = world.change("alice", "copy", "dev", label, **selection)
        assert {f"{item.package}-{item.version}" for item in done.files} == expected, selection
        assert set(world.under(label)) == expected
        assert done.created_labels == (label,)
        with pytest.raises(NotFound, match="nowhere"):
            world.change(
                "alice", "copy", "dev", "main", **{**selection, "packages": (*selection.get("packages", ()), "nowhere*")}, dry_run=True
            )


def test_undo_leaves_alone_what_changed_since(world: World) -> None:
    world.conda("kept", "touched", "gone", "restored", labels=("dev",))
    done = world.change("bob", "move", "dev", "main")
    world.change("alice", "add", None, "later", packages=("kept",))  # another label is no obstacle
    world.change("alice", "remove", "main", None, packages=("touched",))
    world.change("alice", "add", None, "dev", packages=("restored",))
    world.write(lambda uow: world.hub.packages.delete(uow, world.principal("alice"), "acme", "gone"))
    undone = world.undo("bob", done.id)
    assert [(item.package, item.before, item.after) for item in undone.files] == [("kept", ("later", "main"), ("dev", "later"))]
    assert [item.package for item in undone.left_alone] == ["restored", "touched"]
    assert undone.gone == 1
    assert world.labels() == {"dev": 2, "later": 1, "main": 1, "nolabel": 1}
    assert (world.channel("dev"), world.channel("main")) == (2, 1)
    with pytest.raises(Conflict, match="already"):
        world.undo("bob", done.id)
    redone = world.undo("bob", undone.id)
    assert [(item.package, item.after) for item in redone.files] == [("kept", ("later", "main"))]
    listed = world.read(lambda uow: world.hub.label_changes.page(uow, world.principal("bob"), "acme")).items
    assert [item.action for item in listed] == ["undo", "undo", "add", "remove", "add", "move"]
    assert listed[-1].undone_at is not None
    shown = world.read(lambda uow: world.hub.label_changes.get(uow, world.principal("bob"), "acme", done.id))
    assert {(item.package, item.before, item.after) for item in shown.files} == {
        (name, ("dev",), ("main",)) for name in ("kept", "touched", "restored")
    }


def test_nolabel(world: World) -> None:
    world.conda("loose", labels=())
    world.conda("tied")
    assert world.labels() == {"main": 1, "nolabel": 1}
    assert world.labels("") == {"main": 1, "nolabel": 1}
    assert world.under("nolabel", "") == ["loose-1.0"]
    assert world.channel("main") == 1
    assert world.change("bob", "move", "main", "nolabel").count == 1
    assert world.change("bob", "move", "nolabel", "dev", packages=("tied",)).count == 1
    assert world.labels() == {"dev": 1, "main": 0, "nolabel": 1}
    assert world.channel("nolabel") == -1
    for action, source, target in (("remove", "nolabel", None), ("copy", "main", "nolabel"), ("rename", "dev", "nolabel")):
        with pytest.raises(BadRequest):
            world.change("alice", action, source, target)
    with pytest.raises(InvalidName):
        world.write(lambda uow: world.hub.labels.create(uow, world.principal("alice"), "acme", "nolabel"))


CONTRADICTIONS: list[tuple[str, str | None, str | None, dict[str, Any]]] = [
    ("copy", None, "main", {}),
    ("copy", "dev", None, {}),
    ("add", "dev", "main", {}),
    ("remove", "dev", "main", {}),
    ("copy", "dev", "dev", {}),
    ("rename", "dev", "x", {"packages": ("a",)}),
    ("copy", "dev", "linux-64", {}),
    ("undo", "dev", "x", {}),
]


def test_requests_that_contradict_themselves(world: World) -> None:
    world.conda("a", labels=("dev",))
    for action, source, target, options in CONTRADICTIONS:
        with pytest.raises(BadRequest):
            world.change("alice", action, source, target, **options)
    assert world.rows()[:2] == (0, 0)


# Labels themselves


def test_a_label_from_beginning_to_end(world: World) -> None:
    hub, alice, bob = world.hub, world.principal("alice"), world.principal("bob")
    world.conda("a", "b", labels=("dev",))
    view, made = world.write(lambda uow: hub.labels.create(uow, bob, "acme", "team/next"))
    assert (view.name, view.files, made) == ("team/next", 0, True)
    assert world.write(lambda uow: hub.labels.create(uow, bob, "acme", "team/next"))[1] is False
    assert world.channel("team/next") == 0
    assert "team/next" not in world.labels("")
    with pytest.raises(Forbidden):
        world.write(lambda uow: hub.labels.update(uow, bob, "acme", "team/next", locked=True))
    assert world.write(lambda uow: hub.labels.update(uow, alice, "acme", "team/next", locked=True)).locked
    for action, source, target in (("copy", "dev", "team/next"), ("add", None, "team/next")):
        with pytest.raises(Forbidden, match="locked"):
            world.change("bob", action, source, target)
    promoted = world.change("alice", "copy", "dev", "team/next")
    with pytest.raises(Forbidden, match="locked"):
        world.change("bob", "remove", "team/next", None)
    with pytest.raises(Forbidden, match="locked"):
        world.undo("bob", promoted.id)
    with pytest.raises(Conflict, match="locked"):
        world.change("alice", "rename", "team/next", "team/now")
    world.write(lambda uow: hub.labels.update(uow, alice, "acme", "team/next", locked=False))
    with pytest.raises(Forbidden):
        world.change("bob", "rename", "team/next", "team/now")
    with pytest.raises(Conflict, match="already"):
        world.change("alice", "rename", "team/next", "dev")
    assert world.change("alice", "rename", "team/next", "team/now", dry_run=True).count == 2
    assert world.channel("team/next") == 2
    renamed = world.change("alice", "rename", "team/next", "team/now")
    assert (renamed.count, world.channel("team/next"), world.channel("team/now")) == (2, -1, 2)
    world.undo("alice", renamed.id)
    assert (world.channel("team/next"), world.channel("team/now")) == (2, -1)
    for action, target in (("delete", None), ("rename", "other")):
        with pytest.raises(Conflict, match="main"):
            world.change("alice", action, "main", target)
    assert world.change("alice", "delete", "dev", dry_run=True).count == 2
    assert world.labels()["dev"] == 2
    deleted = world.change("alice", "delete", "dev")
    assert "dev" not in world.labels()
    assert (deleted.count, world.channel("dev")) == (2, -1)
    undone = world.undo("alice", deleted.id)
    assert (undone.count, undone.created_labels, world.channel("dev")) == (2, ("dev",), 2)


def test_relations_are_paths_upwards(world: World) -> None:
    alice = world.principal("alice")
    world.conda("a", labels=("dev",))

    def relate(**relations: str) -> dict[str, str]:
        return dict(world.write(lambda uow: world.hub.labels.update(uow, alice, "acme", "dev", relations=relations)).relations)

    for value in ("https://example.org/x", "/conda/acme", "conda-forge", "..", "../a/../b", "../\n", "../" + "x" * 400, "./../x"):
        with pytest.raises(BadRequest):
            relate(base=value)
    with pytest.raises(BadRequest):
        relate(other="../x")
    version = world.hub.channels.versions.current(world.acme, "conda")
    given = {"overrides": "../..", "base": "../../../conda-forge"}
    assert relate(**given) == given
    assert world.hub.channels.versions.current(world.acme, "conda") > version
    assert relate() == {}


# Who sees and does what


def test_labels_of_invisible_packages_are_absent(world: World) -> None:
    world.conda("open", labels=("main",))
    world.conda("secret", labels=("acquisition-of-umbrella", "main"), visibility="private")
    world.conda("inside", labels=("team",), visibility="organization")
    assert world.labels("") == world.labels("carol") == {"main": 1}
    assert world.labels("bob") == {"acquisition-of-umbrella": 0, "main": 1, "team": 1}
    assert world.labels("alice") == {"acquisition-of-umbrella": 1, "main": 2, "team": 1}
    for name in ("acquisition-of-umbrella", "team", "nowhere"):
        with pytest.raises(NotFound):
            world.read(lambda uow, name=name: world.hub.labels.get(uow, ANONYMOUS, "acme", name))
        with pytest.raises(NotFound):
            world.under(name, "carol")
    for audience, names in ((Audience.EVERYONE, {"main"}), (Audience.MEMBER, {"main", "team"})):
        found = world.read(lambda uow, audience=audience: world.hub.labels.channel(uow, world.acme, audience, Kind.CONDA))
        assert {item.name for item in found} == names
    assert world.read(lambda uow: world.hub.labels.channel(uow, world.acme, Audience.EVERYONE, Kind.PYPI)) == ()


def test_who_may_change(world: World) -> None:
    world.conda("open", labels=("dev",))
    world.conda("secret", labels=("dev",), visibility="private")
    for who in ("", "carol"):
        with pytest.raises(Exception, match=r"Sign in|not a member"):
            world.change(who, "copy", "dev", "main")
    done = world.change("bob", "copy", "dev", "main")
    assert [item.package for item in done.files] == ["open"]
    secret = world.change("alice", "copy", "dev", "main", packages=("secret",))
    assert [item.package for item in secret.files] == ["secret"]
    assert [item.id for item in world.read(lambda uow: world.hub.label_changes.page(uow, world.principal("bob"), "acme")).items] == [
        done.id
    ]
    assert "secret" not in world.read(lambda uow: world.hub.label_changes.page(uow, world.principal("bob"), "acme")).items[0].summary
    with pytest.raises(NotFound):
        world.undo("bob", secret.id)
    both = world.change("alice", "copy", "dev", "stable")
    with pytest.raises((Forbidden, NotFound)):
        world.undo("bob", both.id)
    assert world.labels()["stable"] == 2


def test_tokens_narrowed_to_labels(world: World) -> None:
    world.conda("a", labels=("dev",))
    world.conda("b", labels=("main",))
    narrow = world.principal("alice", limits=Limits(labels=frozenset({"dev", "next"})))
    assert world.labels(narrow) == {"dev": 1}
    with pytest.raises(Forbidden):
        world.change(narrow, "copy", "dev", "main")
    with pytest.raises(Forbidden):
        world.change(narrow, "delete", "dev")
    assert [item.package for item in world.change(narrow, "add", None, "next").files] == ["a"]
    moved = world.change(narrow, "remove", "dev", None)
    assert [(item.package, item.after) for item in moved.files] == [("a", ("next",))]


# Size


@pytest.mark.parametrize(("packages", "versions", "seconds"), [(10, 100, 2), (1000, 1, 4)])
def test_a_thousand_files_at_once(world: World, packages: int, versions: int, seconds: float) -> None:
    world.conda(*(f"p{number:04}" for number in range(packages)), versions=versions, labels=("dev",))
    database = world.hub.database
    if not database.is_sqlite:
        world.write(lambda uow: uow.connection.exec_driver_sql("ANALYZE"))  # as autovacuum does before long
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    started = time.monotonic()
    done = world.change("bob", "move", "dev", "main")
    middle = time.monotonic()
    count = len(statements)
    assert done.count == 1000
    assert (world.channel("main"), world.channel("dev")) == (1000, 0)
    again = time.monotonic()
    undone = world.undo("bob", done.id)
    ended = time.monotonic()
    assert undone.count == 1000
    assert (world.channel("main"), world.channel("dev")) == (0, 1000)
    print(f"\n{database.url.get_backend_name()}, {packages} packages: {middle - started:.2f} s, {ended - again:.2f} s, {count} statements")
    assert min(middle - started, ended - again) < seconds
    # They grow with batches of packages, not with files.
    assert count < 80


def test_uploads_promotions_and_removals_at_once(world: World) -> None:
    """Nobody waits for each other in a circle, and no label is removed under a file that is to get it."""
    names = [f"p{number}" for number in range(4)]
    world.conda(*names, labels=("dev", "main", "passing"))
    ids = {name: world.read(lambda uow, name=name: packages.find_any(uow, world.acme, name)).id for name in names}
    failures: list[BaseException] = []

    def upload(number: int) -> None:
        name = names[number % len(names)]
        with world.hub.database.write() as uow:
            packages.lock(uow, ids[name])
            record = conda_record(name, f"{number}.{threading.get_ident()}")
            added = Rows(uow.connection).conda_file(world.acme, ids[name], record, labels=())
            world.hub.labels.add(uow, Role.MEMBER, world.acme, added.id, ("dev", "passing"), new=True)
            world.hub.label_changes._upkeep.notify(uow, world.acme, ids[name], ("conda",), Reason.FILES)

    def promote(number: int) -> None:
        world.change("bob", *(("move", "dev", "main") if number % 2 else ("copy", "main", "dev")))

    def remove(number: int) -> None:
        deleted = world.change("alice", "delete", "passing")
        world.undo("alice", deleted.id)

    def run(work: Callable[[int], None]) -> None:
        for number in range(10):
            try:
                work(number)
            except (NotFound, Conflict):
                pass  # the label was removed, or made again, by another
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in (upload, upload, promote, promote, remove)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    under = [name for label in ("dev", "main") for name in world.under(label)]
    assert len(set(under)) == 4 + 20
    assert world.channel("dev") + world.channel("main") == len(under)


# Copies


def test_copy_to_another_namespace(world: World) -> None:
    world.conda("numbers", versions=2, labels=("dev", "main"))
    shown = world.copy("carol", "numbers", "carol", dry_run=True)
    assert world.labels("carol", "carol") == {}
    made = world.copy("carol", "numbers", "carol")
    assert made == shown
    assert (made.made_package, made.visibility, made.labels) == (True, "public", ("dev", "main"))
    assert {(item.version, item.outcome) for item in made.files} == {("1.0", Outcome.NEW), ("2.0", Outcome.NEW)}
    assert world.labels("carol", "carol") == {"dev": 2, "main": 2}
    assert (world.channel("dev", "carol"), world.channel("main", "carol")) == (2, 2)
    package = world.read(lambda uow: world.hub.packages.get(uow, ANONYMOUS, "carol", "numbers"))
    assert (package.latest_version, package.kinds) == ("2.0", ("conda",))
    release = world.read(lambda uow: world.hub.releases.get(uow, ANONYMOUS, "carol", "numbers", "1.0"))
    original = world.read(lambda uow: world.hub.releases.get(uow, ANONYMOUS, "acme", "numbers", "1.0"))
    assert release.files[0].sha256 == original.files[0].sha256
    assert release.files[0].attributes == original.files[0].attributes
    assert release.files[0].uploaded_by == "carol"
    assert release.files[0].uploaded_at > original.files[0].uploaded_at


def test_what_belongs_to_a_file_is_copied(world: World) -> None:
    world.wheel("Some.Lib")
    with world.hub.database.write() as uow:
        (found,) = uow.connection.execute(select(file.c.id)).scalars()
        uow.connection.execute(property_.insert().values(file_id=found, name="abi", value="none"))
    world.copy("carol", "some_lib", "carol", to_label="dev", version="1.*")
    with world.hub.database.read() as uow:
        suffixes = uow.connection.execute(select(companion.c.suffix, companion.c.sha256)).all()
        assert len(suffixes) == 2
        assert suffixes[0] == suffixes[1]
        assert uow.connection.scalar(select(func.count()).select_from(property_)) == 2
    assert world.labels("carol", "carol") == {"dev": 1}


def test_copies_and_what_is_there_already(world: World) -> None:
    world.conda("numbers", versions=3, labels=("main",))
    world.copy("carol", "numbers", "carol", version="1.0")

    def other_bytes(uow: UnitOfWork) -> None:
        rows = Rows(uow.connection)
        carol = world.namespace_id("carol")
        package_id = int(uow.connection.scalar(select(file.c.package_id).where(file.c.namespace_id == carol)))
        rows.conda_file(carol, package_id, conda_record("numbers", "2.0"), content=b"other")

    world.write(other_bytes)
    with pytest.raises(Conflict) as caught:
        world.copy("carol", "numbers", "carol")
    assert [(item["version"], item["reason"]) for item in caught.value.fields["files"]] == [("1.0", "exists"), ("2.0", "other_bytes")]
    with pytest.raises(Conflict) as caught:
        world.copy("carol", "numbers", "carol", existing=Existing.REPLACE)
    assert [item["version"] for item in caught.value.fields["files"]] == ["2.0"]
    replaced = world.copy("carol", "numbers", "carol", existing=Existing.REPLACE, version="1.0", to_label="dev")
    assert [item.outcome for item in replaced.files] == [Outcome.REPLACED]
    assert world.under("dev", "carol", "carol") == ["numbers-1.0"]
    skipped = world.copy("carol", "numbers", "carol", existing=Existing.SKIP, to_label="late")
    assert [item.outcome for item in skipped.files] == [Outcome.SKIPPED, Outcome.SKIPPED, Outcome.NEW]
    assert world.under("late", "carol", "carol") == ["numbers-3.0"]
    assert not skipped.made_package
    with pytest.raises(Conflict):
        world.copy("carol", "numbers", "carol", version="3.0")
    world.write(lambda uow: world.hub.releases.delete(uow, world.principal("carol"), "carol", "numbers", "3.0"))
    assert [item.outcome for item in world.copy("carol", "numbers", "carol", version="3.0").files] == [Outcome.NEW]


def test_private_stays_private(world: World) -> None:
    world.conda("secret", visibility="private")
    world.conda("inside", visibility="organization")
    with pytest.raises(NotFound):
        world.copy("bob", "secret", "bob")
    assert world.copy("alice", "secret", "alice").visibility == "private"
    assert world.copy("bob", "inside", "bob").visibility == "private"
    assert "main" not in world.labels("", "alice")
    world.conda("mixed", visibility="private", versions=2)
    world.conda("mixed", ns="alice")
    with pytest.raises(Conflict, match="more people"):
        world.copy("alice", "mixed", "alice", version="2.0")
    assert world.copy("alice", "mixed", "alice", version="2.0", visibility="public").visibility == "public"


def test_who_may_copy(world: World) -> None:
    world.conda("numbers")
    with pytest.raises(Forbidden):
        world.copy("carol", "numbers", "bob")
    with pytest.raises(NotFound):
        world.copy("carol", "numbers", "carol", version="9.9")
    with pytest.raises(NotFound):
        world.copy("carol", "numbers", "carol", from_label="dev")
    world.write(lambda uow: world.hub.labels.create(uow, world.principal("alice"), "alice", "stable", locked=True))
    world.write(lambda uow: world.hub.labels.create(uow, world.principal("alice"), "acme", "stable", locked=True))
    world.copy("alice", "numbers", "alice", to_label="stable")
    with pytest.raises(Forbidden, match="locked"):
        world.copy("bob", "numbers", "acme", to_label="stable")
    assert world.copy("bob", "numbers", "acme", to_label="dev").labels == ("dev",)
    assert world.labels() == {"dev": 1, "main": 1, "stable": 0}
