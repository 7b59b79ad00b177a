"""Table of tokens. The secret itself is never stored."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from carrel.database.schema import metadata
from carrel.database.types import BigKey, Json, UtcDateTime

token = Table(
    "token",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("user_id", BigKey, ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("scopes", Json, nullable=False),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE")),  # narrowed to this namespace
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)

Index("ix_token_user_id", token.c.user_id)
