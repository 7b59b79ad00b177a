"""Tables of accounts: users, browser sessions, device sign-ins."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from carrel.database.schema import metadata
from carrel.database.types import BigKey, UtcDateTime

# A user's name is the name of their namespace.
user = Table(
    "user_account",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id"), nullable=False, unique=True),
    Column("email", String(320), nullable=False, server_default=""),
    Column("password_hash", String(255)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

session = Table(
    "browser_session",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("user_id", BigKey, ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# RFC 8628. No token is kept here: it is minted when the device asks after the approval.
device_grant = Table(
    "device_grant",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("device_code_sha256", String(64), nullable=False, unique=True),
    Column("user_code", String(16), nullable=False, unique=True),
    Column("client_name", String(200), nullable=False),
    Column("state", String(16), nullable=False),  # pending, approved, denied, used
    Column("user_id", BigKey, ForeignKey("user_account.id", ondelete="CASCADE")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("last_polled_at", UtcDateTime),
)

Index("ix_browser_session_user_id", session.c.user_id)
