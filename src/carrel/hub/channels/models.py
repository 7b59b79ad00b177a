"""Tables of the maintained indexes.

The unit is the shard: all records of one package in one (namespace, label, subdir). A package has one visibility, so the
index of a viewer is the set of shards of the packages they may see.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from carrel.database.schema import metadata
from carrel.database.types import BigKey, Json, UtcDateTime

shard = Table(
    "shard",
    metadata,
    Column("label_id", BigKey, ForeignKey("label.id", ondelete="CASCADE"), primary_key=True),
    Column("subdir", String(32), primary_key=True),
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("sha256", String(64), nullable=False),  # of the compressed shard, a row of shard_content
    Column("updated_at", UtcDateTime, nullable=False),
    # Short columns first: to read past the long ones costs as much as to read them.
    Column("revision", Json),  # CEP 48: [number of records, oldest, newest] under "v3"; null: none
    Column("json_removed", LargeBinary),  # members of "removed"; null: none
    Column("json_v3_conda", LargeBinary),  # members of "v3": {"conda"}
    Column("json_v3_tar_bz2", LargeBinary),
    Column("json_conda", LargeBinary, nullable=False),  # members of "packages.conda", without the braces
    Column("json_tar_bz2", LargeBinary, nullable=False),  # members of "packages"
)
Index("ix_shard_package_id", shard.c.package_id)
# The order in which a whole channel index is written.
Index("ix_shard_channel", shard.c.label_id, shard.c.subdir, shard.c.name)

# Immutable and content-addressed; kept for a week after the last index that named it, for clients that hold that index.
shard_content = Table(
    "shard_content",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_shard_content_created_at", shard_content.c.created_at)

# Which package a shard content belongs to, so that fetching it by digest is authorised by that package.
shard_owner = Table(
    "shard_owner",
    metadata,
    Column("sha256", String(64), ForeignKey("shard_content.sha256", ondelete="CASCADE"), primary_key=True),
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True),
)

# Counts every change of a channel's contents or audience: the key of all caches, shared by all processes.
channel_version = Table(
    "channel_version",
    metadata,
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), primary_key=True),
    Column("protocol", String(16), primary_key=True),  # conda, pypi
    Column("version", BigInteger, nullable=False),
)

# What changed at each version, so that a process catches up with the changed names only.
channel_change = Table(
    "channel_change",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("protocol", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("package_id", BigKey, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
Index("ix_channel_change_version", channel_change.c.namespace_id, channel_change.c.protocol, channel_change.c.version)
Index("ix_channel_change_changed_at", channel_change.c.changed_at)

# Names that an index once listed and lists no more (CEP 36 "removed").
removed_record = Table(
    "removed_record",
    metadata,
    Column("label_id", BigKey, ForeignKey("label.id", ondelete="CASCADE"), primary_key=True),
    Column("subdir", String(32), primary_key=True),
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True),
    Column("filename", String(255), primary_key=True),
    Column("removed_at", UtcDateTime, nullable=False),
)
Index("ix_removed_record_package_id", removed_record.c.package_id)

# Changes to records that owners make without new files; for all labels of a namespace.
hotfix = Table(
    "hotfix",
    metadata,
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), primary_key=True),
    Column("subdir", String(32), primary_key=True),
    Column("instructions", Json, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# CEP 6
notice = Table(
    "notice",
    metadata,
    Column("id", String(36), primary_key=True),  # UUID
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("status", String(16), nullable=False),  # draft, published, archived, deleted
    Column("level", String(16), nullable=False),  # info, warning, critical
    Column("message", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
)
Index("ix_notice_namespace_id", notice.c.namespace_id, notice.c.status)
