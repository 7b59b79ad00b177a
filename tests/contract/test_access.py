"""One rule in four forms: as SQL for lists, as SQL by name, in Python for known rows, and as the audience of an index."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import event, insert, select

from carrel.core.access import Permission, Role, Visibility
from carrel.core.clock import now
from carrel.core.kinds import Kind
from carrel.core.scopes import ALL_SCOPES
from carrel.core.tokens import mint
from carrel.database.engine import Database
from carrel.hub.accounts import repository as accounts
from carrel.hub.accounts.principal import ANONYMOUS, Limits, Principal, Via
from carrel.hub.accounts.resolver import CredentialResolver
from carrel.hub.channels.audience import Audience, audience_for
from carrel.hub.collections.models import collection, collection_item
from carrel.hub.groups.models import collaborator, group, group_member, group_package
from carrel.hub.packages.models import package
from carrel.hub.packages.visibility import listed_packages, may_reach, reachable_packages
from carrel.hub.tokens.models import token
from carrel.testing.rows import Rows


class World:
    """Two namespaces with a package of each visibility, published and not, under main or dev."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as unit:
            rows = Rows(unit.connection)
            self.owner, _ = rows.user("olga")
            self.member, _ = rows.user("mia")
            self.zoe, self.own_space = rows.user("zoe")
            self.team = rows.namespace("team", kind="organization")
            self.other = rows.namespace("other", kind="organization")
            rows.member(self.team, self.owner, Role.OWNER)
            rows.member(self.team, self.member, Role.MEMBER)
            self.packages: dict[str, int] = {}
            for space, visibility, published in itertools.product((self.team, self.other), Visibility, (True, False)):
                name = f"{visibility}-{'p' if published else 'd'}"
                key = rows.package(space, name, visibility=visibility.value, latest_version="1.0" if published else None)
                self.packages[f"{space}/{name}"] = key
                label = "dev" if visibility in (Visibility.PRIVATE, Visibility.PUBLIC) else "main"
                rows.file(space, key, Kind.FILE, "d.csv", version="1.0", attributes={}, labels=(label,))
            run = unit.connection.execute
            for number, permission in enumerate(("read", "admin")):
                key = run(
                    insert(group).values(namespace_id=self.team, name=permission, permission=permission, created_at=now())
                ).inserted_primary_key[0]
                run(insert(group_member).values(group_id=key, user_id=self.zoe))
                names = ("private-p", "organization-p", "public-d")[: 3 - number]
                run(insert(group_package), [{"group_id": key, "package_id": self.packages[f"{self.team}/{name}"]} for name in names])
            held = self.packages[f"{self.other}/private-p"]
            run(insert(collaborator).values(package_id=held, user_id=self.zoe, permission="write", created_at=now()))
            self.collection = run(
                insert(collection).values(namespace_id=self.other, name="course", visibility="public", created_at=now(), updated_at=now())
            ).inserted_primary_key[0]
            items = [self.packages[f"{self.team}/private-p"], self.packages[f"{self.other}/public-p"]]
            run(
                insert(collection_item),
                [{"collection_id": self.collection, "package_id": key, "position": 0, "added_at": now()} for key in items],
            )
            self.items = frozenset(items)

    def callers(self) -> Iterator[Principal]:
        yield ANONYMOUS
        with self.database.read() as unit:
            for user_id, name in ((self.owner, "olga"), (self.member, "mia"), (self.zoe, "zoe")):
                given = accounts.rights(unit, user_id)
                full = Principal(user_id, name, ALL_SCOPES, given.memberships, grants=given.grants, granted=given.granted)
                yield full
                within = given.within(self.team)
                yield replace(full, memberships=within.memberships, grants=within.grants, granted=within.granted, namespace_limit=self.team)
                yield replace(full, limits=Limits(packages=frozenset({"private-p", "public-d", "no-such"})))
                yield replace(full, limits=Limits(packages=frozenset()))
                yield replace(full, limits=Limits(collection=self.collection, items=self.items))
                yield replace(full, limits=Limits(labels=frozenset({"dev"})))


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_all_forms_of_the_rule_agree(world: World) -> None:
    seen: set[frozenset[int]] = set()
    with world.database.read() as unit:
        rows = unit.connection.execute(select(package)).all()
        for principal in world.callers():
            run = unit.connection.scalars
            listed = frozenset(run(select(package.c.id).where(listed_packages(principal))))
            reachable = frozenset(run(select(package.c.id).where(reachable_packages(principal))))
            seen.add(reachable)
            assert listed <= reachable
            dev = principal.limits.labels is not None
            by_row = {row.id for row in rows if may_reach(principal, row) and (not dev or row.visibility in ("private", "public"))}
            assert by_row == reachable, principal
            for space in (world.team, world.other):
                audience = audience_for(principal, space)
                there = [row for row in rows if row.namespace_id == space]
                by_audience = {row.id for row in there if audience.sees(row.id, row.name_key, row.visibility)}
                query = select(package.c.id).where(package.c.namespace_id == space, audience.condition())
                assert by_audience == set(run(query))
                assert Audience.from_json(audience.to_json()) == audience
                # Indexes list published files only; a label is the channel's.
                published = {row.id for row in there if row.latest_version is not None}
                under = {row.id for row in there if audience.shows("dev" if row.visibility in ("private", "public") else "main")}
                assert by_audience & published & under == listed & published
                if not principal.limits and not principal.granted_in(space):
                    assert any(audience is common for common in (Audience.EVERYONE, Audience.MEMBER, Audience.OWNER))
    assert len(seen) > 10


def test_the_highest_permission_counts_and_collections_only_read(world: World) -> None:
    with world.database.read() as unit:
        given = accounts.rights(unit, world.zoe)
        rows = {row.id: row for row in unit.connection.execute(select(package))}
    zoe = Principal(world.zoe, "zoe", ALL_SCOPES, given.memberships, grants=given.grants, granted=given.granted)
    team = {name.partition("/")[2]: key for name, key in world.packages.items() if name.startswith(f"{world.team}/")}
    assert zoe.permission_on(rows[team["private-p"]]) is Permission.ADMIN
    assert zoe.permission_on(rows[team["public-d"]]) is Permission.READ
    assert zoe.permission_on(rows[team["unlisted-p"]]) is Permission.READ
    assert zoe.permission_on(rows[team["unlisted-d"]]) is None
    assert zoe.permission_on(rows[world.packages[f"{world.other}/private-p"]]) is Permission.WRITE
    reading = replace(zoe, limits=Limits(collection=world.collection, items=world.items))
    assert reading.permission_on(rows[team["private-p"]]) is Permission.READ
    assert reading.permission_on(rows[team["organization-p"]]) is None


def test_a_principal_costs_two_statements_whatever_it_was_given(world: World) -> None:
    secrets = {}
    with world.database.write() as unit:
        for user_id in (world.owner, world.zoe):
            minted = mint()
            values = {"user_id": user_id, "name": "x", "prefix": minted.prefix, "sha256": minted.sha256, "scopes": ["all"]}
            unit.connection.execute(insert(token).values(**values, created_at=now()))
            secrets[user_id] = minted.secret
    statements: list[str] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    resolver = CredentialResolver(world.database, 5.0, lambda _: None)
    for user_id, secret in secrets.items():
        statements.clear()
        found = resolver.resolve(Via.TOKEN, secret)
        assert found is not None
        assert found.user_id == user_id
        assert len([text for text in statements if text.startswith("SELECT")]) == 2, statements
        statements.clear()
        assert resolver.cached(Via.TOKEN, secret) is found
        assert statements == []


def test_whoever_was_given_very_many_packages_is_served_too(world: World) -> None:
    many = dict.fromkeys(range(1, 50000), Permission.READ)
    principal = Principal(99, "robot", ALL_SCOPES, {}, grants=many, granted={world.team: frozenset(many)})
    with world.database.read() as unit:
        everything = set(unit.connection.scalars(select(package.c.id)))
        assert set(unit.connection.scalars(select(package.c.id).where(listed_packages(principal)))) == everything
        condition = audience_for(principal, world.team).of_items(frozenset(many)).condition()
        assert set(unit.connection.scalars(select(package.c.id).where(condition))) == everything
