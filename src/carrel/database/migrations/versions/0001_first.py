"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON_VALUE = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

SQLITE_SEARCH = (
    """CREATE VIRTUAL TABLE search_text USING fts5(
        names, imports, summary, body, facets, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3')""",
    """CREATE VIRTUAL TABLE search_name USING fts5(name, tokenize = 'trigram')""",
    """CREATE TRIGGER search_document_removed AFTER DELETE ON search_document BEGIN
        DELETE FROM search_text WHERE rowid = old.package_id;
        DELETE FROM search_name WHERE rowid = old.package_id;
    END""",
)

POSTGRESQL_SEARCH = (
    """CREATE TABLE search_vector (
        package_id bigint PRIMARY KEY REFERENCES search_document (package_id) ON DELETE CASCADE,
        name text NOT NULL,
        words tsvector NOT NULL,
        facets text[] NOT NULL)""",
    """CREATE INDEX ix_search_vector_words ON search_vector USING gin (words)""",
    """CREATE INDEX ix_search_vector_facets ON search_vector USING gin (facets)""",
)

POSTGRESQL_TRIGRAMS = (
    """CREATE EXTENSION IF NOT EXISTS pg_trgm""",
    """CREATE INDEX ix_search_vector_name ON search_vector USING gin (name gin_trgm_ops)""",
)


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "audit_event",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("token_prefix", sa.String(16), nullable=False, server_default=""),
        sa.Column("namespace_id", BIG_KEY),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(700), nullable=False),
        sa.Column("detail", JSON_VALUE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_event"),
    )
    op.create_index("ix_audit_event_namespace_id", "audit_event", ["namespace_id", "id"])
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("md5", sa.String(32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_blob"),
    )
    op.create_table(
        "job",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", JSON_VALUE, nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("locked_until", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_run_at", "job", ["run_at"])
    op.create_table(
        "namespace",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("display_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("description", sa.Text(), nullable=False, server_default=""),
        sa.Column("default_visibility", sa.String(16), nullable=False, server_default="private"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_namespace"),
        sa.UniqueConstraint("name", name="uq_namespace_name"),
    )
    op.create_table(
        "shard_content",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_shard_content"),
    )
    op.create_index("ix_shard_content_created_at", "shard_content", ["created_at"])
    op.create_table(
        "channel_change",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("protocol", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_channel_change_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_channel_change"),
    )
    op.create_index("ix_channel_change_changed_at", "channel_change", ["changed_at"])
    op.create_index("ix_channel_change_version", "channel_change", ["namespace_id", "protocol", "version"])
    op.create_table(
        "channel_version",
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("protocol", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_channel_version_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("namespace_id", "protocol", name="pk_channel_version"),
    )
    op.create_table(
        "label",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_label_namespace_id_namespace", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_label"),
        sa.UniqueConstraint("namespace_id", "name", name="uq_label_namespace_id_name"),
    )
    op.create_table(
        "package",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("name_key", sa.String(128), nullable=False),
        sa.Column("canonical_name", sa.String(128), nullable=False),
        sa.Column("display_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("kinds", JSON_VALUE, nullable=False),
        sa.Column("summary", sa.Text(), nullable=False, server_default=""),
        sa.Column("description", sa.Text(), nullable=False, server_default=""),
        sa.Column("license", sa.String(500), nullable=False, server_default=""),
        sa.Column("home_page", sa.String(2000), nullable=False, server_default=""),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("latest_version", sa.String(128)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_package_namespace_id_namespace"),
        sa.PrimaryKeyConstraint("id", name="pk_package"),
        sa.UniqueConstraint("namespace_id", "name_key", name="uq_package_namespace_id_name_key"),
    )
    op.create_index("ix_package_canonical_name", "package", ["namespace_id", "canonical_name"])
    op.create_table(
        "retired_file",
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("unique_key", sa.String(700), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_retired_file_namespace_id_namespace"),
        sa.PrimaryKeyConstraint("namespace_id", "unique_key", name="pk_retired_file"),
    )
    op.create_table(
        "user_account",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("email", sa.String(320), nullable=False, server_default=""),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_user_account_namespace_id_namespace"),
        sa.PrimaryKeyConstraint("id", name="pk_user_account"),
        sa.UniqueConstraint("namespace_id", name="uq_user_account_namespace_id"),
    )
    op.create_table(
        "browser_session",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("user_id", BIG_KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_browser_session_user_id_user_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_browser_session"),
        sa.UniqueConstraint("sha256", name="uq_browser_session_sha256"),
    )
    op.create_index("ix_browser_session_user_id", "browser_session", ["user_id"])
    op.create_table(
        "device_grant",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("device_code_sha256", sa.String(64), nullable=False),
        sa.Column("user_code", sa.String(16), nullable=False),
        sa.Column("client_name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("user_id", BIG_KEY),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("last_polled_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_device_grant_user_id_user_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_device_grant"),
        sa.UniqueConstraint("device_code_sha256", name="uq_device_grant_device_code_sha256"),
        sa.UniqueConstraint("user_code", name="uq_device_grant_user_code"),
    )
    op.create_table(
        "import_name",
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_import_name_package_id_package", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("package_id", "name", name="pk_import_name"),
    )
    op.create_index("ix_import_name_name", "import_name", ["name"])
    op.create_table(
        "membership",
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("user_id", BIG_KEY, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_membership_namespace_id_namespace", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_membership_user_id_user_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("namespace_id", "user_id", name="pk_membership"),
    )
    op.create_index("ix_membership_user_id", "membership", ["user_id"])
    op.create_table(
        "release",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False, server_default=""),
        sa.Column("summary", sa.Text(), nullable=False, server_default=""),
        sa.Column("description", sa.Text(), nullable=False, server_default=""),
        sa.Column("license", sa.String(500), nullable=False, server_default=""),
        sa.Column("home_page", sa.String(2000), nullable=False, server_default=""),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", BIG_KEY),
        sa.Column("published_at", sa.BigInteger()),
        sa.Column("visibility", sa.String(16)),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name="fk_release_created_by_user_account", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_release_package_id_package", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
        sa.UniqueConstraint("package_id", "version", name="uq_release_package_id_version"),
    )
    op.create_table(
        "search_document",
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("name_key", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_search_document_package_id_package", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("package_id", name="pk_search_document"),
    )
    op.create_index("ix_search_document_name_key", "search_document", ["name_key"], postgresql_ops={"name_key": "varchar_pattern_ops"})
    op.create_table(
        "shard",
        sa.Column("label_id", BIG_KEY, nullable=False),
        sa.Column("subdir", sa.String(32), nullable=False),
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("json_conda", sa.LargeBinary(), nullable=False),
        sa.Column("json_tar_bz2", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_shard_label_id_label", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_shard_package_id_package", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("label_id", "subdir", "package_id", name="pk_shard"),
    )
    op.create_index("ix_shard_channel", "shard", ["label_id", "subdir", "name"])
    op.create_index("ix_shard_package_id", "shard", ["package_id"])
    op.create_table(
        "shard_owner",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_shard_owner_package_id_package", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sha256"], ["shard_content.sha256"], name="fk_shard_owner_sha256_shard_content", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sha256", "package_id", name="pk_shard_owner"),
    )
    op.create_table(
        "token",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("user_id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("scopes", JSON_VALUE, nullable=False),
        sa.Column("namespace_id", BIG_KEY),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_token_namespace_id_namespace", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_token_user_id_user_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("sha256", name="uq_token_sha256"),
    )
    op.create_index("ix_token_user_id", "token", ["user_id"])
    op.create_table(
        "file",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("release_id", BIG_KEY, nullable=False),
        sa.Column("package_id", BIG_KEY, nullable=False),
        sa.Column("namespace_id", BIG_KEY, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("subdir", sa.String(32), nullable=False, server_default=""),
        sa.Column("unique_key", sa.String(700), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("attributes", JSON_VALUE, nullable=False),
        sa.Column("import_names", JSON_VALUE, nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False, server_default=""),
        sa.Column("uploaded_at", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_by", BIG_KEY),
        sa.Column("downloads", sa.BigInteger(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespace.id"], name="fk_file_namespace_id_namespace"),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name="fk_file_package_id_package", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_file_release_id_release", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name="fk_file_sha256_blob"),
        sa.ForeignKeyConstraint(["uploaded_by"], ["user_account.id"], name="fk_file_uploaded_by_user_account", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_file"),
        sa.UniqueConstraint("namespace_id", "unique_key", name="uq_file_namespace_id_unique_key"),
    )
    op.create_index("ix_file_package_id", "file", ["package_id", "kind", "subdir"])
    op.create_index("ix_file_release_id", "file", ["release_id"])
    op.create_index("ix_file_sha256", "file", ["sha256"])
    op.create_table(
        "companion",
        sa.Column("file_id", BIG_KEY, nullable=False),
        sa.Column("suffix", sa.String(32), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name="fk_companion_file_id_file", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name="fk_companion_sha256_blob"),
        sa.PrimaryKeyConstraint("file_id", "suffix", name="pk_companion"),
    )
    op.create_table(
        "file_label",
        sa.Column("file_id", BIG_KEY, nullable=False),
        sa.Column("label_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name="fk_file_label_file_id_file", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_file_label_label_id_label", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("file_id", "label_id", name="pk_file_label"),
    )
    op.create_index("ix_file_label_label_id", "file_label", ["label_id"])
    op.create_table(
        "property",
        sa.Column("file_id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.String(1000), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name="fk_property_file_id_file", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("file_id", "name", name="pk_property"),
    )
    op.create_index("ix_property_name_value", "property", ["name", "value"])
    _create_search(op.get_bind())


def _create_search(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        for statement in SQLITE_SEARCH:
            connection.exec_driver_sql(statement)
        return
    for statement in POSTGRESQL_SEARCH:
        connection.exec_driver_sql(statement)
    # Trigrams need an extension that the database's owner may or may not add; search works without, by reading all names.
    available = connection.exec_driver_sql("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'").first()
    allowed = connection.exec_driver_sql(
        "SELECT has_database_privilege(current_database(), 'CREATE') OR EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm')"
    ).scalar()
    if available and allowed:
        for statement in POSTGRESQL_TRIGRAMS:
            connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Remove all tables."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_text")
        op.execute("DROP TABLE search_name")
    else:
        op.execute("DROP TABLE search_vector")
    for name in TABLES:
        op.drop_table(name)


TABLES = (
    "property",
    "file_label",
    "companion",
    "file",
    "token",
    "shard_owner",
    "shard",
    "search_document",
    "release",
    "membership",
    "import_name",
    "device_grant",
    "browser_session",
    "user_account",
    "retired_file",
    "package",
    "label",
    "channel_version",
    "channel_change",
    "shard_content",
    "namespace",
    "job",
    "blob",
    "audit_event",
)
