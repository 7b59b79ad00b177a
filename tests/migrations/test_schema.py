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
from carrel.hub.schema import metadata

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


def test_the_migration_makes_the_same_search_tables_as_the_code(empty: Database, tmp_path: Path) -> None:
    ensure_current(empty)
    if not empty.is_sqlite:
        with empty.engine.connect() as connection:
            assert inspect(connection).has_table("search_vector")
        return
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    metadata.create_all(other.engine)
    query = "SELECT name, type, sql FROM sqlite_master WHERE name LIKE 'search\\_%' ESCAPE '\\' ORDER BY name"
    made = []
    for database in (empty, other):
        with database.engine.connect() as connection:
            rows = connection.exec_driver_sql(query).all()
            made.append([(row.name, row.type, " ".join((row.sql or "").split())) for row in rows if row.name != "search_document"])
    other.dispose()
    assert made[0] == made[1] != []


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
