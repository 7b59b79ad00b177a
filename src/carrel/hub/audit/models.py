"""Table of the audit trail."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from carrel.database.schema import metadata
from carrel.database.types import BigKey, Json, UtcDateTime

# No foreign keys: a record outlives what it tells of.
audit_event = Table(
    "audit_event",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),  # user name, empty for the system
    Column("token_prefix", String(16), nullable=False, server_default=""),
    Column("namespace_id", BigKey),
    Column("action", String(64), nullable=False),  # "file.upload", "release.publish" …
    Column("subject", String(700), nullable=False),
    Column("detail", Json, nullable=False),
)
Index("ix_audit_event_namespace_id", audit_event.c.namespace_id, audit_event.c.id)
