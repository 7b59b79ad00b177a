"""Tables of namespaces and who belongs to them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from carrel.database.schema import metadata
from carrel.database.types import BigKey, UtcDateTime

namespace = Table(
    "namespace",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # user, organization
    Column("display_name", String(200), nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("default_visibility", String(16), nullable=False, server_default="private"),
    Column("created_at", UtcDateTime, nullable=False),
)

# A user has an ``owner`` row in their own namespace, so one join answers for users and organizations.
membership = Table(
    "membership",
    metadata,
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigKey, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(16), nullable=False),  # owner, member
    Column("created_at", UtcDateTime, nullable=False),
)

Index("ix_membership_user_id", membership.c.user_id)
