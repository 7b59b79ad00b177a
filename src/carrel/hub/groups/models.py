"""Tables of groups and collaborators."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, UniqueConstraint

from carrel.database.schema import metadata
from carrel.database.types import BigKey, UtcDateTime

# A group gives all its members one permission on all its packages.
group = Table(
    "user_group",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("permission", String(16), nullable=False),  # read, write, admin
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("namespace_id", "name"),
)

group_member = Table(
    "group_member",
    metadata,
    Column("group_id", BigKey, ForeignKey("user_group.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigKey, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
)
Index("ix_group_member_user_id", group_member.c.user_id)

group_package = Table(
    "group_package",
    metadata,
    Column("group_id", BigKey, ForeignKey("user_group.id", ondelete="CASCADE"), primary_key=True),
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True),
)
Index("ix_group_package_package_id", group_package.c.package_id)

# A user, of the namespace or not, who was given one package.
collaborator = Table(
    "collaborator",
    metadata,
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigKey, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    Column("permission", String(16), nullable=False),  # read, write, admin
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_collaborator_user_id", collaborator.c.user_id)
