"""The schema's history, and the ways to bring a database up to date."""

from __future__ import annotations

import ast
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect

from carrel.database.engine import Database

# Alembic is imported where a schema is changed: a hub whose database is current starts a third of a second sooner without it.
if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent
# Held while the schema is changed, so that two processes that start on one PostgreSQL database do it once.
_ADVISORY_LOCK = 0x63617272
_alembic = threading.Lock()
_IDENTIFIER = re.compile(r"^(revision|down_revision)\b[^=\n]*=\s*(.+)$", re.MULTILINE)


class SchemaError(RuntimeError):
    """The database was made by another version of the hub; the text says what to do."""


def configuration() -> Config:
    """Return Alembic's configuration, which needs no file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config


def expected_revisions() -> frozenset[str]:
    """Return the revisions that this version of the code needs."""
    known, followed = _revisions()
    return known - followed


def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    """Return the identifiers of all scripts, and those that another script follows, as the scripts say them."""
    known: set[str] = set()
    followed: set[str] = set()
    for path in (_FOLDER / "versions").glob("*.py"):
        for name, text in _IDENTIFIER.findall(path.read_text(encoding="utf-8")):
            value = ast.literal_eval(text)
            found = () if value is None else (value,) if isinstance(value, str) else value
            (known if name == "revision" else followed).update(found)
    return frozenset(known), frozenset(followed)


def upgrade(database: Database) -> None:
    """Bring the schema up to date, in one transaction; an empty database gets all tables."""
    from alembic import command

    with _alembic, database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
        connection.commit()
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def ensure_current(database: Database) -> None:
    """Make the tables of an empty database; leave a current one alone.

    Raises
    ------
    SchemaError
        The schema is older than the code (or newer).
    """
    with database.engine.connect() as connection:
        current = _current(connection)
        empty = not current and not inspect(connection).has_table("namespace")
    if empty:
        upgrade(database)
        return
    expected = expected_revisions()
    if current == expected:
        return
    if current - _revisions()[0]:
        raise SchemaError("The database was made by a newer version of the hub. Install that version, or restore a backup.")
    raise SchemaError("The database was made by an older version of the hub. Back it up, then run: carrel hub upgrade")


def _current(connection: Connection) -> frozenset[str]:
    if not inspect(connection).has_table("alembic_version"):
        return frozenset()
    return frozenset(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())
