"""Table of uploads under way: what was announced, and the digest of the bytes once they are there."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table

from carrel.database.schema import metadata
from carrel.database.types import BigKey, Json, UtcDateTime

staged_upload = Table(
    "staged_upload",
    metadata,
    Column("id", String(32), primary_key=True),  # random: the address that takes the bytes holds it
    Column("secret_sha256", String(64), nullable=False),  # of what the form with the bytes must hold
    Column("user_id", BigKey, ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("package", String(128), nullable=False),
    Column("version", String(128), nullable=False),
    Column("basename", String(300), nullable=False),  # conda: with its subdir
    Column("kind", String(16), nullable=False),  # as announced; the bytes may tell more
    Column("labels", Json, nullable=False),
    Column("announced_sha256", String(64)),
    # Null until the bytes are in the blob store.
    Column("sha256", String(64)),
    Column("md5", String(32)),
    Column("size", BigInteger),
    Column("expires_at", UtcDateTime, nullable=False),
)
Index("ix_staged_upload_expires_at", staged_upload.c.expires_at)
