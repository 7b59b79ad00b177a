"""Search on both databases: ranking, rights, staying current."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest
from sqlalchemy import delete, event, insert, update

from carrel.core.access import Permission, Role, Visibility
from carrel.core.errors import BadRequest
from carrel.core.kinds import Kind
from carrel.core.scopes import Scope
from carrel.database.engine import Database
from carrel.hub.accounts.principal import ANONYMOUS, Limits, Principal
from carrel.hub.packages.changes import PackageChange, Reason
from carrel.hub.packages.models import import_name, package
from carrel.hub.search.facets import PUBLIC
from carrel.hub.search.index import Query, Tier
from carrel.hub.search.maintenance import SearchListener, rebuild
from carrel.hub.search.repository import search_index
from carrel.hub.search.service import SearchService
from carrel.testing.rows import Rows


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.packages: dict[str, int] = {}
        with database.write() as unit:
            rows = Rows(unit.connection)
            self.alice, self.alice_space = rows.user("alice")
            self.bob, self.bob_space = rows.user("bob")
            self.team = rows.namespace("team", kind="organization")
            rows.member(self.team, self.alice, Role.OWNER)
            rows.member(self.team, self.bob, Role.MEMBER)

    def principal(self, user: str) -> Principal:
        if user == "alice":
            return Principal(self.alice, "alice", frozenset({Scope.PACKAGE_READ}), {self.alice_space: Role.OWNER, self.team: Role.OWNER})
        return Principal(self.bob, "bob", frozenset({Scope.PACKAGE_READ}), {self.bob_space: Role.OWNER, self.team: Role.MEMBER})

    def add(
        self,
        name: str,
        summary: str = "",
        *,
        imports: tuple[str, ...] = (),
        text: str = "",
        space: int | None = None,
        kind: Kind = Kind.CONDA,
        **columns: object,
    ) -> int:
        space = space or self.alice_space
        with self.database.write() as unit:
            rows = Rows(unit.connection)
            key = rows.package(space, name, kinds=[kind], summary=summary, **{"description": "", **columns})
            for module in imports:
                unit.connection.execute(insert(import_name).values(package_id=key, name=module))
            if text:
                rows.file(space, key, kind, f"{name}.ipynb", version="1.0", attributes={}, search_text=text)
            self.packages[name] = key
            self.tell(unit, name, space)
        return key

    def tell(self, unit, name: str, space: int | None = None) -> None:
        change = PackageChange(space or self.alice_space, self.packages[name], frozenset({Kind.CONDA}), Reason.PACKAGE)
        SearchListener().files_changed(unit, [change])

    def find(self, text: str, principal: Principal = ANONYMOUS, **options) -> list[str]:
        with self.database.read() as unit:
            page = SearchService().search(unit, principal, text, **options)
        return [match.package.name for match in page.matches]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_ranking(world: World) -> None:
    world.add("plotting-text", "", description="numpy is used inside")
    world.add("arrays", "tools around numpy")
    world.add("provider", imports=("numpyish",))
    world.add("snumpyx")
    world.add("my-numpy")
    world.add("numpydoc")
    world.add("numpy")
    assert world.find("numpy") == ["numpy", "numpydoc", "my-numpy", "snumpyx", "provider", "arrays", "plotting-text"]
    assert world.find("NumPy ", limit=2) == ["numpy", "numpydoc"]


def test_as_typed(world: World) -> None:
    world.add("scikit-learn", "machine learning in Python", imports=("sklearn",))
    world.add("opencv", "computer vision", imports=("cv2",))
    world.add("python_abi")
    for typed in (
        "s",
        "sc",
        "sci",
        "scikit",
        "scikit-",
        "scikit-l",
        "scikit learn",
        "scikitlearn",
        "cikit",
        "learn",
        "sklearn",
        "machine le",
    ):
        assert world.find(typed) == ["scikit-learn"], typed
    assert world.find("cv2") == ["opencv"]
    assert world.find("python-abi")[0] == "python_abi"
    for odd in ('"', "'", "-", "*", "a AND", "NEAR(", "%", "\\", "::", "x" * 5000, "né", "日本"):
        world.find(odd)
    assert world.find('"quoted"') == []


def test_texts_of_the_latest_release_are_found(world: World) -> None:
    world.add("penguins", kind=Kind.NOTEBOOK, text="bill_length flipper regression")
    assert world.find("flipper regr") == ["penguins"]
    assert world.find("bill_length") == ["penguins"]
    assert world.find("flipper", kinds=[Kind.NOTEBOOK]) == ["penguins"]
    assert world.find("flipper", kinds=[Kind.CONDA]) == []


def test_a_busy_machine_gives_the_same_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add("flippers")
    world.add("ocean", imports=("flipper",))
    world.add("birds", "of a flipper")
    for number in range(3):
        world.add(f"penguins-{number}", kind=Kind.NOTEBOOK, text="bill_length flipper regression")

    def answers() -> list[list[str]]:
        pages, cursor = [], None
        while cursor or not pages:
            with world.database.read() as unit:
                page = SearchService().search(unit, ANONYMOUS, "flipper", limit=2, cursor=cursor)
            pages.append([match.package.name for match in page.matches])
            cursor = page.next_cursor
        return [*pages, world.find("flipper regr"), world.find("bill_length"), world.find("flipper", kinds=[Kind.NOTEBOOK])]

    expected = answers()
    assert [name for page in expected[:3] for name in page] == ["ocean", "flippers", "birds", "penguins-2", "penguins-1", "penguins-0"]
    hours = itertools.count(0, 3600)
    for clock in ("perf_counter", "monotonic"):  # an hour passes between any two looks at them
        monkeypatch.setattr(time, clock, lambda: float(next(hours)))
    assert answers() == expected


def test_invisible_equals_absent(world: World) -> None:
    for visibility in Visibility:
        world.add(
            f"thing-{visibility.value}",
            "shared word",
            imports=(f"thing_{visibility.value}",),
            space=world.team,
            visibility=visibility.value,
        )
    world.add("thing-draft", "shared word", space=world.team, visibility="public", latest_version=None)
    expected = {
        None: {"thing-public"},
        "bob": {"thing-public", "thing-unlisted", "thing-organization"},
        "alice": {f"thing-{visibility.value}" for visibility in Visibility} | {"thing-draft"},
    }
    for user, names in expected.items():
        principal = world.principal(user) if user else ANONYMOUS
        found = set(world.find("thing", principal))
        assert found - {"thing-draft"} == names - {"thing-draft"}
        assert ("thing-draft" in found) is (user == "alice") or user == "bob"
        assert set(world.find("hing-", principal)) == found
        assert set(world.find("shared", principal)) == found
        assert set(world.find("", principal)) == found
        assert {name for name in found if world.find(name, principal)[:1] == [name]} == found
        assert world.find("thing", principal, namespace="alice") == []
        assert set(world.find("thing", principal, namespace="team")) == found
        with world.database.read() as unit:
            modules = [f"thing_{visibility.value}" for visibility in Visibility]
            providers = SearchService().imports(unit, principal, modules)
        assert {module for module, found in providers.items() if found} == {name.replace("-", "_") for name in names - {"thing-draft"}}
    assert world.find("thing", namespace="nobody") == []


def test_others_private_packages_do_not_crowd_out_mine(world: World) -> None:
    mine = world.add("common-mine", "common words", space=world.bob_space)
    for number in range(250):
        world.add(f"common-{number}", "common words", visibility="private")
    assert mine < max(world.packages.values())
    for typed in ("common", "common-mine", "ommon", "words", ""):
        assert world.find(typed) == ["common-mine"], typed


def test_it_follows_changes(world: World) -> None:
    key = world.add("a", "first words")
    assert world.find("first") == ["a"]
    with world.database.write() as unit:
        unit.connection.execute(update(package).where(package.c.id == key).values(summary="second words"))
        world.tell(unit, "a")
    assert world.find("first") == []
    assert world.find("second") == ["a"]
    with world.database.write() as unit:
        unit.connection.execute(update(package).where(package.c.id == key).values(visibility="private"))
        world.tell(unit, "a")
    assert world.find("second") == []
    assert world.find("second", world.principal("alice")) == ["a"]
    with world.database.write() as unit:
        unit.connection.execute(delete(package).where(package.c.id == key))
        world.tell(unit, "a")
    assert world.find("second", world.principal("alice")) == []
    key = world.add("b", "third")
    with world.database.write() as unit:
        unit.connection.execute(delete(package).where(package.c.id == key))
    assert world.find("third") == []


def test_a_failed_change_leaves_the_index_as_it_was(world: World) -> None:
    key = world.add("a", "kept")

    def fail() -> None:
        with world.database.write() as unit:
            unit.connection.execute(update(package).where(package.c.id == key).values(summary="lost"))
            world.tell(unit, "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert world.find("kept") == ["a"]
    assert world.find("lost") == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # FTS5 keeps its postings by column
def test_words_of_texts_cost_nothing_where_only_names_are_searched(world: World) -> None:
    for number in range(50):
        world.add(f"package-{number}", kind=Kind.NOTEBOOK, text="flipper")
    explained = Query("flipper", ("flipper",), (PUBLIC,))

    @event.listens_for(world.database.engine, "before_cursor_execute", retval=True)
    def explain(_connection, _cursor, statement, parameters, *_rest):
        if "tsquery" in statement:
            statement = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}"
        return statement, parameters

    for tier in (Tier.WORD, Tier.IMPORT, Tier.SUMMARY):
        with world.database.read() as unit:
            for scan in ("enable_seqscan", "enable_indexscan"):  # which few rows would be read by
                unit.connection.exec_driver_sql(f"SET LOCAL {scan} = off")
            plan = "\n".join(map(str, search_index(unit.connection).find(explained, tier, 10)))
        assert "Bitmap Index Scan" in plan
        assert "Removed" not in plan, plan


def test_rebuild(world: World) -> None:
    world.add("a", "word")
    with world.database.write() as unit:
        assert rebuild(unit) == 1
    assert world.find("word") == ["a"]


def test_pages(world: World) -> None:
    names = [f"pkg-{number:02}" for number in range(25)]
    for name in names:
        world.add(name)
    found, cursor = [], None
    while True:
        with world.database.read() as unit:
            page = SearchService().search(unit, ANONYMOUS, "pkg", limit=10, cursor=cursor)
        found += [match.package.name for match in page.matches]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == names
    for wrong in ("!", "bm90IGEgbnVtYmVy", "OTk5OTk5"):
        with pytest.raises(BadRequest), world.database.read() as unit:
            SearchService().search(unit, ANONYMOUS, "pkg", cursor=wrong)


@pytest.mark.parametrize("text", ["num\0py", "\0", "nu\tm", "\ufeffnumpy", '"\0"', "num*", "NEAR(", "%_\\", "a" * 1000])
def test_any_text_is_answered(world: World, text: str) -> None:
    world.add("numpy", "Arrays.")
    world.find(text)


def test_what_was_given_is_found_and_narrowed_tokens_find_nothing_else(world: World) -> None:
    given = world.add("hidden-treasure", "gold", visibility="private", space=world.team)
    world.add("hidden-trap", "gold", visibility="private", space=world.team)
    world.add("open-treasure", "gold", visibility="public", space=world.team)
    outsider = Principal(99, "zoe", frozenset({Scope.PACKAGE_READ}), {})
    holder = replace(outsider, grants={given: Permission.READ}, granted={world.team: frozenset({given})})
    narrowed = replace(world.principal("alice"), limits=Limits(packages=frozenset({"hidden-treasure"})))
    nothing = replace(world.principal("alice"), limits=Limits(packages=frozenset({"no-such"})))
    for text in ("treasure", "hidden", "gold", "easur", ""):
        hidden = ["hidden-treasure"]
        assert [name for name in world.find(text, holder) if name.startswith("hidden")] == hidden, text
        assert not [name for name in world.find(text, outsider) if name.startswith("hidden")]
        assert world.find(text, narrowed) == hidden
        assert world.find(text, nothing) == []
    assert world.find("gold", holder, kinds=[Kind.CONDA], namespace="team") == ["open-treasure", "hidden-treasure"]
    assert world.find("gold", holder, kinds=[Kind.NOTEBOOK]) == []
