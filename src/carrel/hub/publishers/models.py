"""Tables of trusted publishers."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from carrel.database.schema import metadata
from carrel.database.types import BigKey, Json, UtcDateTime

# Tokens minted for a publisher act as the user who registered it, limited to the namespace and the package.
trusted_publisher = Table(
    "trusted_publisher",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id", ondelete="CASCADE"), nullable=False),
    Column("package", String(128)),  # name, which need not exist yet; null: any package of the namespace
    Column("issuer", String(500), nullable=False),
    Column("claims", Json, nullable=False),  # claim -> value that the identity must bear
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", BigKey, ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False),
    Column("last_used_at", UtcDateTime),
)
Index("ix_trusted_publisher_namespace_id", trusted_publisher.c.namespace_id)
Index("ix_trusted_publisher_issuer", trusted_publisher.c.issuer)

# Identities that a token was minted for, until they expire by themselves: each is good for one token.
used_identity = Table(
    "used_identity",
    metadata,
    Column("sha256", String(64), primary_key=True),  # of the issuer and the identity's own id
    Column("expires_at", UtcDateTime, nullable=False),
)
Index("ix_used_identity_expires_at", used_identity.c.expires_at)
