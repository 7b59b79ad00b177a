"""Tables of collections."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from carrel.database.schema import metadata
from carrel.database.types import BigKey, UtcDateTime

collection = Table(
    "collection",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("title", String(200), nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("visibility", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("created_by", BigKey, ForeignKey("user_account.id", ondelete="SET NULL")),
    UniqueConstraint("namespace_id", "name"),
)

# A package of any namespace; who looks at the collection sees those items that they may see anyway.
collection_item = Table(
    "collection_item",
    metadata,
    Column("collection_id", BigKey, ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True),
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("added_at", UtcDateTime, nullable=False),
)
Index("ix_collection_item_package_id", collection_item.c.package_id)
