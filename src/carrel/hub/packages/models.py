"""Tables of packages: package, release, file, blob and what hangs on a file."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from carrel.database.schema import metadata
from carrel.database.types import BigKey, Json, UtcDateTime

package = Table(
    "package",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("namespace_id", BigKey, ForeignKey("namespace.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("name_key", String(128), nullable=False),  # lowercase: conda tells python-abi from python_abi
    Column("canonical_name", String(128), nullable=False),  # PEP 503, what PyPI clients ask for
    Column("display_name", String(200), nullable=False, server_default=""),  # empty: the name
    Column("kinds", Json, nullable=False),  # sorted list of the kinds of its published files
    Column("summary", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("license", String(500), nullable=False, server_default=""),
    Column("home_page", String(2000), nullable=False, server_default=""),
    Column("visibility", String(16), nullable=False),
    Column("latest_version", String(128)),  # null until a release is published
    Column("status", String(16), nullable=False, server_default="active"),  # PEP 792: active, archived, quarantined, deprecated
    Column("status_reason", String(500), nullable=False, server_default=""),
    Column("tracks", Json),  # PEP 708: project URLs on other indexes
    Column("alternate_locations", Json),  # PEP 708
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("namespace_id", "name_key"),
)
Index("ix_package_canonical_name", package.c.namespace_id, package.c.canonical_name)

release = Table(
    "release",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), nullable=False),
    Column("version", String(128), nullable=False),
    Column("state", String(16), nullable=False),  # draft, published
    Column("message", Text, nullable=False, server_default=""),
    # What the files of this release say; the package shows that of its latest release.
    Column("summary", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("license", String(500), nullable=False, server_default=""),
    Column("home_page", String(2000), nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", BigKey, ForeignKey("user_account.id", ondelete="SET NULL")),
    Column("published_at", UtcDateTime),
    Column("visibility", String(16)),  # what the package becomes when this draft is published; null: stays
    UniqueConstraint("package_id", "version"),
)

# Bytes in the blob store. Rows are written by uploads and removed only by the sweep.
blob = Table(
    "blob",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("md5", String(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

file = Table(
    "file",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("release_id", BigKey, ForeignKey("release.id", ondelete="CASCADE"), nullable=False),
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), nullable=False),
    Column("namespace_id", BigKey, ForeignKey("namespace.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("subdir", String(32), nullable=False, server_default=""),  # conda's, or the platform of an R binary
    # ``conda/<subdir>/<filename>``, ``r/<subdir>/<filename>``, ``pypi/<filename>`` or ``<kind>/<package>/<version>/<filename>``:
    # the scope in which a name is taken.
    Column("unique_key", String(700), nullable=False),
    Column("sha256", String(64), ForeignKey("blob.sha256"), nullable=False),
    Column("attributes", Json, nullable=False),
    Column("import_names", Json, nullable=False),  # sorted list of top-level modules
    Column("search_text", Text, nullable=False, server_default=""),  # bounded; never selected by lists
    Column("uploaded_at", UtcDateTime, nullable=False),  # also CEP 47's indexed_timestamp
    Column("uploaded_by", BigKey, ForeignKey("user_account.id", ondelete="SET NULL")),
    Column("downloads", BigInteger, nullable=False, server_default="0"),
    Column("yanked_at", UtcDateTime),  # PEP 592
    Column("yanked_reason", String(1000), nullable=False, server_default=""),
    UniqueConstraint("namespace_id", "unique_key"),
)
Index("ix_file_release_id", file.c.release_id)
Index("ix_file_package_id", file.c.package_id, file.c.kind, file.c.subdir)
Index("ix_file_sha256", file.c.sha256)

# Small files that clients ask for beside a file (PyPI: ".metadata"), kept as blobs.
companion = Table(
    "companion",
    metadata,
    Column("file_id", BigKey, ForeignKey("file.id", ondelete="CASCADE"), primary_key=True),
    Column("suffix", String(32), primary_key=True),
    Column("sha256", String(64), ForeignKey("blob.sha256"), nullable=False),
)

property_ = Table(
    "property",
    metadata,
    Column("file_id", BigKey, ForeignKey("file.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", String(1000), nullable=False),
)
Index("ix_property_name_value", property_.c.name, property_.c.value)

import_name = Table(
    "import_name",
    metadata,
    Column("package_id", BigKey, ForeignKey("package.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(200), primary_key=True),
)
Index("ix_import_name_name", import_name.c.name)

# A name removed from a namespace stays taken by its bytes: a file name is never republished with other bytes.
retired_file = Table(
    "retired_file",
    metadata,
    Column("namespace_id", BigKey, ForeignKey("namespace.id"), primary_key=True),
    Column("unique_key", String(700), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("retired_at", UtcDateTime, nullable=False),
)
