"""Groups, collaborators, collections, trusted publishers, narrowed tokens, label changes, and what channels say beside packages."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON_VALUE = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_SHARD_COLUMNS = (
    "label_id",
    "subdir",
    "package_id",
    "name",
    "sha256",
    "updated_at",
    "revision",
    "json_removed",
    "json_v3_conda",
    "json_v3_tar_bz2",
    "json_conda",
    "json_tar_bz2",
)


def upgrade() -> None:
    """Add tables and columns."""
    op.create_table(
        "hotfix",
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("subdir", sa.String(32), nullable=False),
        sa.Column("instructions", JSON_VALUE, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_hotfix_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("namespace_id", "subdir", name="pk_hotfix"),
    )
    op.create_table(
        "label_change",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("source", sa.String(128)),
        sa.Column("target", sa.String(128)),
        sa.Column("summary", sa.String(500), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("undone_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_label_change_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_label_change"),
    )
    op.create_index("ix_label_change_namespace_id", "label_change", ["namespace_id", "id"])
    op.create_table(
        "notice",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_notice_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_notice"),
    )
    op.create_index("ix_notice_namespace_id", "notice", ["namespace_id", "status"])
    op.create_table(
        "user_group",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("permission", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_user_group_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_user_group"),
        sa.UniqueConstraint("namespace_id", "name", name="uq_user_group_namespace_id_name"),
    )
    op.create_table(
        "collaborator",
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("user_id", BIG_KEY, nullable=False),
        sa.Column("permission", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_collaborator_package_id_package", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_collaborator_user_id_user_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("package_id", "user_id", name="pk_collaborator"),
    )
    op.create_index("ix_collaborator_user_id", "collaborator", ["user_id"])
    op.create_table(
        "collection",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", BIG_KEY),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name="fk_collection_created_by_user_account", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_collection_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_collection"),
        sa.UniqueConstraint("namespace_id", "name", name="uq_collection_namespace_id_name"),
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", BIG_KEY, nullable=False),
        sa.Column("user_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["user_group.id"], name="fk_group_member_group_id_user_group", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_group_member_user_id_user_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="pk_group_member"),
    )
    op.create_index("ix_group_member_user_id", "group_member", ["user_id"])
    op.create_table(
        "group_package",
        sa.Column("group_id", BIG_KEY, nullable=False),
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["user_group.id"], name="fk_group_package_group_id_user_group", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_group_package_package_id_package", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "package_id", name="pk_group_package"),
    )
    op.create_index("ix_group_package_package_id", "group_package", ["package_id"])
    op.create_table(
        "label_change_item",
        sa.Column("change_id", BIG_KEY, nullable=False),
        sa.Column("file_id", BIG_KEY, nullable=False),
        sa.Column("label", sa.String(128), nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["label_change.id"], name="fk_label_change_item_change_id_label_change", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("change_id", "file_id", "label", name="pk_label_change_item"),
    )
    op.create_table(
        "removed_record",
        sa.Column("label_id", BIG_KEY, nullable=False),
        sa.Column("subdir", sa.String(32), nullable=False),
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_removed_record_label_id_label", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_removed_record_package_id_package", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("label_id", "subdir", "package_id", "filename", name="pk_removed_record"),
    )
    op.create_index("ix_removed_record_package_id", "removed_record", ["package_id"])
    op.create_table(
        "trusted_publisher",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("package", sa.String(128)),
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("claims", JSON_VALUE, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", BIG_KEY, nullable=False),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["created_by"], ["user_account.id"], name="fk_trusted_publisher_created_by_user_account", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_trusted_publisher_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_trusted_publisher"),
    )
    op.create_index("ix_trusted_publisher_issuer", "trusted_publisher", ["issuer"])
    op.create_index("ix_trusted_publisher_namespace_id", "trusted_publisher", ["namespace_id"])
    op.create_table(
        "used_identity",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_used_identity"),
    )
    op.create_index("ix_used_identity_expires_at", "used_identity", ["expires_at"])
    op.create_table(
        "collection_item",
        sa.Column("collection_id", BIG_KEY, nullable=False),
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_collection_item_collection_id_collection", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_collection_item_package_id_package", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("collection_id", "package_id", name="pk_collection_item"),
    )
    op.create_index("ix_collection_item_package_id", "collection_item", ["package_id"])
    op.add_column("file", sa.Column("yanked_at", sa.BigInteger()))
    op.add_column("file", sa.Column("yanked_reason", sa.String(1000), server_default="", nullable=False))
    op.add_column("label", sa.Column("relations", JSON_VALUE))
    op.add_column("package", sa.Column("status", sa.String(16), server_default="active", nullable=False))
    op.add_column("package", sa.Column("status_reason", sa.String(500), server_default="", nullable=False))
    op.add_column("package", sa.Column("tracks", JSON_VALUE))
    op.add_column("package", sa.Column("alternate_locations", JSON_VALUE))
    op.add_column("token", sa.Column("package_limit", JSON_VALUE))
    op.add_column("token", sa.Column("label_limit", JSON_VALUE))
    op.add_column("token", sa.Column("hostname", sa.String(255), server_default="", nullable=False))
    op.add_column("token", sa.Column("remote_addr", sa.String(64), server_default="", nullable=False))
    op.add_column("token", sa.Column("rotated_at", sa.BigInteger()))
    op.add_column("token", sa.Column("flagged_at", sa.BigInteger()))
    op.add_column("token", sa.Column("flag_reason", sa.String(500), server_default="", nullable=False))
    # On SQLite the short columns move before the long ones, which are read past otherwise.
    anew: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("shard", recreate=anew, partial_reordering=[_SHARD_COLUMNS]) as batch:
        batch.add_column(sa.Column("revision", JSON_VALUE))
        batch.add_column(sa.Column("json_removed", sa.LargeBinary()))
        batch.add_column(sa.Column("json_v3_conda", sa.LargeBinary()))
        batch.add_column(sa.Column("json_v3_tar_bz2", sa.LargeBinary()))
    # SQLite adds no constraint to a table that exists: there the table is written anew.
    with op.batch_alter_table("token") as batch:
        batch.add_column(sa.Column("collection_id", BIG_KEY))
        batch.create_foreign_key("fk_token_collection_id_collection", "collection", ["collection_id"], ["id"], ondelete="CASCADE")
    op.create_table(
        "staged_upload",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("user_id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("package", sa.String(128), nullable=False),
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("basename", sa.String(300), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("labels", JSON_VALUE, nullable=False),
        sa.Column("announced_sha256", sa.String(64)),
        sa.Column("sha256", sa.String(64)),
        sa.Column("md5", sa.String(32)),
        sa.Column("size", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_staged_upload_user_id_user_account", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_staged_upload_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_staged_upload"),
    )
    op.create_index("ix_staged_upload_expires_at", "staged_upload", ["expires_at"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_staged_upload_expires_at", table_name="staged_upload")
    op.drop_table("staged_upload")
    with op.batch_alter_table("token") as batch:
        batch.drop_constraint("fk_token_collection_id_collection", type_="foreignkey")
        batch.drop_column("collection_id")
    for name in ("json_v3_tar_bz2", "json_v3_conda", "json_removed", "revision"):
        op.drop_column("shard", name)
    op.drop_column("token", "flag_reason")
    op.drop_column("token", "flagged_at")
    op.drop_column("token", "rotated_at")
    op.drop_column("token", "remote_addr")
    op.drop_column("token", "hostname")
    op.drop_column("token", "label_limit")
    op.drop_column("token", "package_limit")
    op.drop_column("package", "alternate_locations")
    op.drop_column("package", "tracks")
    op.drop_column("package", "status_reason")
    op.drop_column("package", "status")
    op.drop_column("label", "relations")
    op.drop_column("file", "yanked_reason")
    op.drop_column("file", "yanked_at")
    op.drop_index("ix_collection_item_package_id", table_name="collection_item")
    op.drop_table("collection_item")
    op.drop_index("ix_used_identity_expires_at", table_name="used_identity")
    op.drop_table("used_identity")
    op.drop_index("ix_trusted_publisher_namespace_id", table_name="trusted_publisher")
    op.drop_index("ix_trusted_publisher_issuer", table_name="trusted_publisher")
    op.drop_table("trusted_publisher")
    op.drop_index("ix_removed_record_package_id", table_name="removed_record")
    op.drop_table("removed_record")
    op.drop_table("label_change_item")
    op.drop_index("ix_group_package_package_id", table_name="group_package")
    op.drop_table("group_package")
    op.drop_index("ix_group_member_user_id", table_name="group_member")
    op.drop_table("group_member")
    op.drop_table("collection")
    op.drop_index("ix_collaborator_user_id", table_name="collaborator")
    op.drop_table("collaborator")
    op.drop_table("user_group")
    op.drop_index("ix_notice_namespace_id", table_name="notice")
    op.drop_table("notice")
    op.drop_index("ix_label_change_namespace_id", table_name="label_change")
    op.drop_table("label_change")
    op.drop_table("hotfix")
