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
    # Limits beside the namespace; null: none.
    Column("package_limit", Json),  # sorted list of lowercase package names, which need not exist yet
    Column("label_limit", Json),  # sorted list of label names
    Column("collection_id", BigKey, ForeignKey("collection.id", ondelete="CASCADE")),
    Column("hostname", String(255), nullable=False, server_default=""),  # of the machine it was made for, as its maker says
    Column("remote_addr", String(64), nullable=False, server_default=""),
    Column("rotated_at", UtcDateTime),  # replaced by a newer one; valid until it expires
    Column("flagged_at", UtcDateTime),  # found in an upload
    Column("flag_reason", String(500), nullable=False, server_default=""),
)

Index("ix_token_user_id", token.c.user_id)
