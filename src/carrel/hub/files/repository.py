"""SQL of files, blobs, companions and properties."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, exists, func, insert, literal, or_, select, update

from carrel.database.statements import insert_new, insert_or_update
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.models import user
from carrel.hub.labels.models import file_label, label
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import blob, companion, file, package, property_, release
from carrel.hub.packages.views import FileView

_uploader = namespace.alias("uploader")


def select_files() -> Select[Any]:
    """Return the query that :func:`to_view` reads, over ``file``, ``release``, ``package``, ``namespace`` and ``blob``."""
    return (
        select(
            file.c.id,
            file.c.release_id,
            file.c.package_id,
            file.c.namespace_id,
            namespace.c.name.label("namespace"),
            package.c.name.label("package"),
            package.c.name_key,
            package.c.visibility,
            package.c.latest_version,
            package.c.status.label("package_status"),
            release.c.version,
            release.c.state,
            file.c.filename,
            file.c.kind,
            file.c.subdir,
            file.c.unique_key,
            blob.c.size,
            file.c.sha256,
            blob.c.md5,
            file.c.attributes,
            file.c.uploaded_at,
            _uploader.c.name.label("uploaded_by"),
            file.c.downloads,
            file.c.yanked_at,
            file.c.yanked_reason,
        )
        .join(release, release.c.id == file.c.release_id)
        .join(package, package.c.id == file.c.package_id)
        .join(namespace, namespace.c.id == file.c.namespace_id)
        .join(blob, blob.c.sha256 == file.c.sha256)
        .join(user, user.c.id == file.c.uploaded_by, isouter=True)
        .join(_uploader, _uploader.c.id == user.c.namespace_id, isouter=True)
    )


# Statements of the upload path are built once: building them takes longer than running them.
_BY_ID = select_files().where(file.c.id == bindparam("file_id"))
_BY_KEY = select_files().where(file.c.namespace_id == bindparam("namespace_id"), file.c.unique_key == bindparam("unique_key"))
# One value in place of one more query: downloads look at labels only for tokens that are narrowed to some.
LABEL_NAMES = (
    select(func.aggregate_strings(label.c.name, "\n"))
    .select_from(file_label)
    .join(label, label.c.id == file_label.c.label_id)
    .where(file_label.c.file_id == file.c.id)
    .scalar_subquery()
    .label("label_names")
)
_LOCATED_BY_KEY = _BY_KEY.add_columns(LABEL_NAMES)
_ADD_COMPANION = insert(companion)
_ADD_PROPERTY = insert(property_)
_LABELS = (
    select(file_label.c.file_id, label.c.name)
    .join(label, label.c.id == file_label.c.label_id)
    .where(file_label.c.file_id.in_(bindparam("file_ids", expanding=True)))
    .order_by(label.c.name)
)


def to_view(row: Row[Any], labels: Mapping[int, tuple[str, ...]]) -> FileView:
    """Return the view of a row of this module's queries."""
    return FileView(
        row.id,
        row.release_id,
        row.namespace,
        row.package,
        row.version,
        row.filename,
        row.kind,
        row.subdir,
        row.size,
        row.sha256,
        row.md5,
        labels.get(row.id, ()),
        row.attributes,
        row.uploaded_at,
        row.uploaded_by or "",
        row.downloads,
        row.yanked_at,
        row.yanked_reason,
    )


def views_of_releases(uow: UnitOfWork, release_ids: Collection[int], sees: ColumnElement[bool] | None = None) -> dict[int, list[FileView]]:
    """Return the files of some releases by release id, by subdir and name.

    *sees* is the condition of :func:`carrel.hub.packages.visibility.visible_files`.
    """
    found: dict[int, list[FileView]] = {release_id: [] for release_id in release_ids}
    if release_ids:
        query = select_files().where(file.c.release_id.in_(release_ids)).order_by(file.c.subdir, file.c.filename)
        rows = list(uow.connection.execute(query if sees is None else query.where(sees)))
        labels = labels_of(uow, [row.id for row in rows])
        for row in rows:
            found[row.release_id].append(to_view(row, labels))
    return found


def view(uow: UnitOfWork, file_id: int) -> FileView:
    """Return one file."""
    row = uow.connection.execute(_BY_ID, {"file_id": file_id}).one()
    return to_view(row, labels_of(uow, [file_id]))


def labels_of(uow: UnitOfWork, file_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return label names by file id."""
    if not file_ids:
        return {}
    found: dict[int, tuple[str, ...]] = {}
    for row in uow.connection.execute(_LABELS, {"file_ids": list(file_ids)}):
        found[row.file_id] = (*found.get(row.file_id, ()), row.name)
    return found


def in_release(
    uow: UnitOfWork, release_id: int, filename: str, subdir: str | None, sees: ColumnElement[bool] | None = None
) -> list[Row[Any]]:
    """Return the files of a release with that name: several when it exists in several subdirs and *subdir* is None.

    *sees* is the condition of :func:`carrel.hub.packages.visibility.visible_files`.
    """
    query = select_files().where(file.c.release_id == release_id, file.c.filename == filename)
    if subdir is not None:
        query = query.where(file.c.subdir == subdir)
    if sees is not None:
        query = query.where(sees)
    return list(uow.connection.execute(query.limit(2)))


def by_names(uow: UnitOfWork, namespace_name: str, package_name: str, version: str, filename: str, subdir: str | None) -> list[Row[Any]]:
    """Return files by the names in their address, whoever asks, with ``label_names``: ``Located.is_open_to`` decides on each row."""
    query = select_files().add_columns(LABEL_NAMES)
    query = query.where(namespace.c.name == namespace_name, package.c.name_key == package_name.lower(), file.c.filename == filename)
    query = query.where(release.c.version == (package.c.latest_version if version == "latest" else version))
    if subdir is not None:
        query = query.where(file.c.subdir == subdir)
    return list(uow.connection.execute(query.limit(2)))


def by_key(uow: UnitOfWork, namespace_id: int, unique_key: str) -> Row[Any] | None:
    """Return the file that holds a name in a namespace."""
    return uow.connection.execute(_BY_KEY, {"namespace_id": namespace_id, "unique_key": unique_key}).one_or_none()


def located_by_key(uow: UnitOfWork, namespace_id: int, unique_key: str) -> Row[Any] | None:
    """Return :func:`by_key` with ``label_names``, for downloads."""
    return uow.connection.execute(_LOCATED_BY_KEY, {"namespace_id": namespace_id, "unique_key": unique_key}).one_or_none()


def digests_of_release(uow: UnitOfWork, release_id: int) -> dict[str, str]:
    """Return SHA-256 by file name."""
    query = select(file.c.filename, file.c.sha256).where(file.c.release_id == release_id)
    return {row.filename: row.sha256 for row in uow.connection.execute(query)}


def keys_of(uow: UnitOfWork, *, release_id: int | None = None, package_id: int | None = None) -> dict[str, str]:
    """Return SHA-256 by unique key of the published files of a release or a package."""
    query = select(file.c.unique_key, file.c.sha256).join(release, release.c.id == file.c.release_id).where(release.c.state == "published")
    query = query.where(file.c.release_id == release_id) if release_id is not None else query.where(file.c.package_id == package_id)
    return {row.unique_key: row.sha256 for row in uow.connection.execute(query)}


def kinds_of_release(uow: UnitOfWork, release_id: int) -> set[str]:
    """Return the kinds of a release's files."""
    return set(uow.connection.execute(select(file.c.kind).where(file.c.release_id == release_id).distinct()).scalars())


def insert_file(uow: UnitOfWork, values: dict[str, Any]) -> int | None:
    """Add a file and return the id; None when its name was taken meanwhile."""
    statement = insert_new(uow.connection.dialect.name, file, "namespace_id", "unique_key", returning="id")
    return uow.connection.execute(statement, values).scalar_one_or_none()


def delete_file(uow: UnitOfWork, file_id: int) -> None:
    """Remove a file's row and what hangs on it; the blob stays until the sweep."""
    uow.connection.execute(delete(file).where(file.c.id == file_id))


def upsert_blobs(uow: UnitOfWork, rows: Iterable[dict[str, Any]]) -> None:
    """Add blob rows; the grace period of those that exist begins again, and no sweep takes them before the unit ends."""
    statement = insert_or_update(uow.connection.dialect.name, blob, "sha256", "created_at", "md5")
    # One order for everybody: two uploads of the same files cannot wait for each other.
    uow.connection.execute(statement, sorted(rows, key=lambda row: str(row["sha256"])))


def insert_companions(uow: UnitOfWork, file_id: int, digests: Mapping[str, str]) -> None:
    """Add the small files beside a file, SHA-256 by suffix."""
    if digests:
        uow.connection.execute(_ADD_COMPANION, [{"file_id": file_id, "suffix": key, "sha256": value} for key, value in digests.items()])


def insert_properties(uow: UnitOfWork, file_id: int, properties: Mapping[str, str]) -> None:
    """Add the values that queries need."""
    rows = [{"file_id": file_id, "name": name[:64], "value": value[:1000]} for name, value in properties.items()]
    if rows:
        uow.connection.execute(_ADD_PROPERTY, rows)


def set_yanked(uow: UnitOfWork, release_id: int, file_id: int | None, moment: datetime | None, reason: str) -> set[str]:
    """Yank the files of a release, or one of them; take it back with *moment* None. Return the kinds of those that changed.

    A file that is yanked already keeps the time and gets the new reason.
    """
    those = file.c.release_id == release_id if file_id is None else file.c.id == file_id
    if moment is None:
        statement = update(file).where(those, file.c.yanked_at.is_not(None)).values(yanked_at=None, yanked_reason="")
    else:
        differs = or_(file.c.yanked_at.is_(None), file.c.yanked_reason != reason)
        kept = func.coalesce(file.c.yanked_at, literal(moment, file.c.yanked_at.type))
        statement = update(file).where(those, differs).values(yanked_at=kept, yanked_reason=reason)
    return set(uow.connection.execute(statement.returning(file.c.kind)).scalars())


def add_downloads(uow: UnitOfWork, counts: Mapping[int, int]) -> None:
    """Add to download counters."""
    statement = update(file).where(file.c.id == bindparam("key")).values(downloads=file.c.downloads + bindparam("count"))
    uow.connection.execute(statement, [{"key": key, "count": count} for key, count in sorted(counts.items())])


def unreferenced(uow: UnitOfWork, before: datetime, limit: int) -> list[str]:
    """Remove and return blob rows that nothing refers to since *before*; they stay locked until the unit ends."""
    used = or_(
        exists(select(file.c.id).where(file.c.sha256 == blob.c.sha256)),
        exists(select(companion.c.file_id).where(companion.c.sha256 == blob.c.sha256)),
    )
    candidates = list(uow.connection.execute(select(blob.c.sha256).where(blob.c.created_at < before, ~used).limit(limit)).scalars())
    if not candidates:
        return []
    statement = delete(blob).where(blob.c.sha256.in_(candidates), blob.c.created_at < before, ~used)
    return list(uow.connection.execute(statement.returning(blob.c.sha256)).scalars())


def unknown_blobs(uow: UnitOfWork, sha256s: Collection[str]) -> set[str]:
    """Return those of *sha256s* that have no row."""
    known = set(uow.connection.execute(select(blob.c.sha256).where(blob.c.sha256.in_(sha256s))).scalars())
    return set(sha256s) - known


def adopt_blobs(uow: UnitOfWork, rows: Iterable[dict[str, Any]]) -> None:
    """Add rows for bytes that were found without one, so that the next sweep may take them under a lock."""
    uow.connection.execute(insert_new(uow.connection.dialect.name, blob), list(rows))
