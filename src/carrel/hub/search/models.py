"""Tables of search.

``search_document`` is common to both databases. What finds words is made by the dialect: FTS5 tables on SQLite, a
``tsvector`` column of ``search_vector`` on PostgreSQL (see :mod:`carrel.hub.search.schema`).
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from carrel.database.schema import metadata
from carrel.database.types import BigKey

search_document = Table(
    "search_document",
    metadata,
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True),
    Column("name_key", String(128), nullable=False),
    Column("digest", String(64), nullable=False),  # of what was indexed: a release that says nothing new costs no rewrite
)
# Prefixes by range on SQLite (binary collation), by LIKE on PostgreSQL.
Index("ix_search_document_name_key", search_document.c.name_key, postgresql_ops={"name_key": "varchar_pattern_ops"})
