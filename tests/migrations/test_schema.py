"""The migrations make what the tables say, on both databases, and an old database is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from carrel.database.engine import Database
from carrel.database.migrations import SchemaError, configuration, ensure_current, expected_revisions, upgrade
from carrel.hub.accounts.principal import ANONYMOUS
from carrel.hub.schema import metadata
from carrel.hub.search.models import search_document
from carrel.hub.search.service import SearchService
from carrel.testing.rows import Rows

# Made by statements of their own (see carrel.hub.search.schema), not by the tables' description.
_SEARCH = ("search_text", "search_name", "search_vector")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    else:
        database = Database(request.getfixturevalue("postgresql").url)
    yield database
    database.dispose()


def _included(_object: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    return not (kind in ("table", "index") and name is not None and name.removeprefix("ix_").startswith(_SEARCH))


def test_an_empty_database_gets_exactly_the_tables(empty: Database) -> None:
    ensure_current(empty)
    options = {"compare_type": True, "compare_server_default": False, "include_object": _included}
    with empty.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    assert differences == []


def test_the_migrations_make_the_same_search_tables_as_the_code(empty: Database, tmp_path: Path) -> None:
    ensure_current(empty)
    made = [_search_tables(empty)]
    if empty.is_sqlite:
        empty = Database(f"sqlite:///{tmp_path / 'other.db'}")
        metadata.create_all(empty.engine)
        made.append(_search_tables(empty))
        empty.dispose()
    else:
        with empty.engine.begin() as connection:
            metadata.tables["search_document"].drop(connection)
            metadata.tables["search_document"].create(connection)
        made.append(_search_tables(empty))
    assert made[0] == made[1] != []


def _search_tables(database: Database) -> list[tuple[str, ...]]:
    """Return what the database says of the tables that find words."""
    if database.is_sqlite:
        query = (
            "SELECT name, type, sql FROM sqlite_master WHERE name LIKE 'search\\_%' ESCAPE '\\' AND name <> 'search_document' ORDER BY name"
        )
        with database.engine.connect() as connection:
            return [(row.name, row.type, " ".join((row.sql or "").split())) for row in connection.exec_driver_sql(query)]
    with database.engine.connect() as connection:
        columns = connection.exec_driver_sql(
            "SELECT column_name, udt_name, is_nullable, generation_expression FROM information_schema.columns"
            " WHERE table_name = 'search_vector' ORDER BY ordinal_position"
        ).all()
        indexes = connection.exec_driver_sql(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'search_vector' ORDER BY 1"
        ).all()
        return [tuple(map(str, row)) for row in (*columns, *indexes)]


def test_what_an_older_hub_indexed_is_found(postgresql: Any) -> None:
    database = Database(postgresql.url)
    upgrade(database)
    with database.engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        rows = Rows(connection)
        for name, words in {"flippers": "flipper:1A", "ocean": "flipper:1B", "birds": "flipper:1C", "penguins": "flipper:1"}.items():
            key = rows.package(rows.namespace(f"of-{name}"), name)
            document = search_document.insert().values(package_id=key, name_key=name, digest="")
            connection.execute(document)
            connection.exec_driver_sql(
                "INSERT INTO search_vector (package_id, name, words, facets) VALUES (%s, %s, CAST(%s AS tsvector), '{vpublic}')",
                (key, name, words),
            )
        connection.commit()
    upgrade(database)
    with database.read() as unit:
        found = SearchService().search(unit, ANONYMOUS, "flipper").matches
    assert [(match.package.name, match.score) for match in found] == [("flippers", 0.9), ("ocean", 0.6), ("birds", 0.4), ("penguins", 0.2)]
    database.dispose()


def test_a_current_database_is_left_alone(empty: Database) -> None:
    ensure_current(empty)
    ensure_current(empty)
    upgrade(empty)


def test_an_old_database_is_refused_with_the_command_that_helps(empty: Database) -> None:
    metadata.create_all(empty.engine)
    with pytest.raises(SchemaError, match="carrel hub upgrade"):
        ensure_current(empty)


def test_a_newer_database_is_refused(empty: Database) -> None:
    ensure_current(empty)
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from the future'")
    with pytest.raises(SchemaError, match="newer"):
        ensure_current(empty)


def test_every_revision_can_be_undone(empty: Database) -> None:
    upgrade(empty)
    with empty.engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
        left = set(inspect(connection).get_table_names()) - {"alembic_version"}
    assert left == set()
    upgrade(empty)


def test_the_revisions_are_those_that_alembic_reads() -> None:
    assert expected_revisions() == set(ScriptDirectory.from_config(configuration()).get_heads())
