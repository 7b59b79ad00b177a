"""Tables of labels."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, UniqueConstraint, false

from carrel.database.schema import metadata
from carrel.database.types import BigKey, UtcDateTime

label = Table(
    "label",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("locked", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("namespace_id", "name"),
)

file_label = Table(
    "file_label",
    metadata,
    Column("file_id", BigKey, ForeignKey("file.id", ondelete="CASCADE"), primary_key=True),
    Column("label_id", BigKey, ForeignKey("label.id", ondelete="CASCADE"), primary_key=True),
)
Index("ix_file_label_label_id", file_label.c.label_id)
