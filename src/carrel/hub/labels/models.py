"""Tables of labels."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint, false

from carrel.database.schema import metadata
from carrel.database.types import BigKey, Json, UtcDateTime

label = Table(
    "label",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("locked", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("relations", Json),  # CEP 42: {"base"?: …, "overrides"?: …}, relative paths; null: none
    UniqueConstraint("namespace_id", "name"),
)

file_label = Table(
    "file_label",
    metadata,
    Column("file_id", BigKey, ForeignKey("file.id", ondelete="CASCADE"), primary_key=True),
    Column("label_id", BigKey, ForeignKey("label.id", ondelete="CASCADE"), primary_key=True),
)
Index("ix_file_label_label_id", file_label.c.label_id)

# One copy, move or removal of labels, for one file or thousands: what it changed, so that it can be undone.
label_change = Table(
    "label_change",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(32), nullable=False),  # copy, move, add, remove, rename, delete, undo
    Column("source", String(128)),  # the label that files were under; of "undo" and "add": null
    Column("target", String(128)),  # the label that they got
    Column("summary", String(500), nullable=False),
    Column("count", Integer, nullable=False),  # of files changed
    Column("undone_at", UtcDateTime),
)
Index("ix_label_change_namespace_id", label_change.c.namespace_id, label_change.c.id)

# The file may be gone by the time of an undo, so nothing refers to it.
label_change_item = Table(
    "label_change_item",
    metadata,
    Column("change_id", BigKey, ForeignKey("label_change.id", ondelete="CASCADE"), primary_key=True),
    Column("file_id", BigKey, primary_key=True),
    Column("label", String(128), primary_key=True),
    Column("added", Boolean, nullable=False),  # false: taken off
)
