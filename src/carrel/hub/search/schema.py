"""What finds words, by database. The migration makes the same with the statements of its own time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event

from carrel.hub.search.models import search_document

SQLITE_STATEMENTS = (
    # ``facets`` holds who may see a document and of which kinds it is, so that the words' postings are intersected with
    # the caller's own instead of being read to the end.
    """CREATE VIRTUAL TABLE search_text USING fts5(
        names, imports, summary, body, facets, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3')""",
    "CREATE VIRTUAL TABLE search_name USING fts5(name, tokenize = 'trigram')",
    # Rows of a removed package go with it, by the foreign key's cascade.
    """CREATE TRIGGER search_document_removed AFTER DELETE ON search_document BEGIN
        DELETE FROM search_text WHERE rowid = old.package_id;
        DELETE FROM search_name WHERE rowid = old.package_id;
    END""",
)

POSTGRESQL_STATEMENTS = (
    """CREATE TABLE search_vector (
        package_id bigint PRIMARY KEY REFERENCES search_document (package_id) ON DELETE CASCADE,
        name text NOT NULL,
        words tsvector NOT NULL,
        facets text[] NOT NULL,
        names tsvector GENERATED ALWAYS AS (ts_filter(words, '{a}')) STORED,
        imports tsvector GENERATED ALWAYS AS (ts_filter(words, '{b}')) STORED,
        summaries tsvector GENERATED ALWAYS AS (ts_filter(words, '{a,b,c}')) STORED)""",
    # An index holds no weights: asked for words of one weight, it yields all documents with the words, and each is read.
    "CREATE INDEX ix_search_vector_words ON search_vector USING gin (names, imports, summaries, words, facets)",
)

# Substring search works without the extension too, by reading all names.
TRIGRAM_STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX ix_search_vector_name ON search_vector USING gin (name gin_trgm_ops)",
)

_SQLITE_REMOVED = ("DROP TABLE IF EXISTS search_text", "DROP TABLE IF EXISTS search_name")
_POSTGRESQL_REMOVED = ("DROP TABLE IF EXISTS search_vector",)


def create_search_schema(connection: Connection) -> None:
    """Make what :mod:`carrel.hub.search.models` cannot say; the common tables exist."""
    if connection.dialect.name == "sqlite":
        for statement in SQLITE_STATEMENTS:
            connection.exec_driver_sql(statement)
        return
    for statement in POSTGRESQL_STATEMENTS:
        connection.exec_driver_sql(statement)
    available = connection.exec_driver_sql("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'").first()
    allowed = connection.exec_driver_sql(
        "SELECT has_database_privilege(current_database(), 'CREATE') OR EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm')"
    ).scalar()
    if available and allowed:
        for statement in TRIGRAM_STATEMENTS:
            connection.exec_driver_sql(statement)


def drop_search_schema(connection: Connection) -> None:
    """Undo :func:`create_search_schema`."""
    for statement in _SQLITE_REMOVED if connection.dialect.name == "sqlite" else _POSTGRESQL_REMOVED:
        connection.exec_driver_sql(statement)


@event.listens_for(search_document, "after_create")
def _after_create(_table: Any, connection: Connection, **_options: Any) -> None:
    create_search_schema(connection)


@event.listens_for(search_document, "before_drop")
def _before_drop(_table: Any, connection: Connection, **_options: Any) -> None:
    drop_search_schema(connection)
