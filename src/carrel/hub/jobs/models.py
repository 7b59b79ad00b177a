"""Table of work that follows a commit."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from carrel.database.schema import metadata
from carrel.database.types import BigKey, Json, UtcDateTime

job = Table(
    "job",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("payload", Json, nullable=False),
    Column("run_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("locked_until", UtcDateTime),
    Column("last_error", Text),
)
Index("ix_job_run_at", job.c.run_at)
