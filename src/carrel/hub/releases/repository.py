"""SQL of releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, exists, or_, select, update

from carrel.database.statements import insert_new
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.models import user
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import file, release
from carrel.hub.packages.views import FileView, PackageView, ReleaseView


def _releases(*, drafts: bool) -> Select[Any]:
    query = (
        select(release, namespace.c.name.label("published_by"))
        .join(user, user.c.id == release.c.created_by, isouter=True)
        .join(namespace, namespace.c.id == user.c.namespace_id, isouter=True)
    )
    return query if drafts else query.where(release.c.state == "published")


# Statements of the upload path are built once: building them takes longer than running them.
_BY_VERSION = (release.c.package_id == bindparam("package_id"), release.c.version == bindparam("version"))
_WITH_DRAFTS = _releases(drafts=True).where(*_BY_VERSION)
_PUBLISHED = _releases(drafts=False).where(*_BY_VERSION)
_UPDATE = update(release).where(release.c.id == bindparam("key"))
_BY_ID = _releases(drafts=True).where(release.c.id == bindparam("release_id"))


def to_view(row: Row[Any], package: PackageView, files: Sequence[FileView]) -> ReleaseView:
    """Return the view of a row of this module's queries."""
    return ReleaseView(
        row.id,
        package.namespace,
        package.name,
        row.version,
        row.state,
        row.message,
        row.summary,
        row.description,
        row.created_at,
        row.published_at,
        row.published_by or "",
        tuple(files),
    )


def newest(
    uow: UnitOfWork, package_id: int, *, drafts: bool, limit: int, before: int | None, sees: ColumnElement[bool] | None = None
) -> list[Row[Any]]:
    """Return releases of a package, newest first, made before the release with id *before*.

    *sees* is the condition of :func:`carrel.hub.packages.visibility.visible_files`.
    """
    query = _releases(drafts=drafts).where(release.c.package_id == package_id)
    if before is not None:
        query = query.where(release.c.id < before)
    if sees is not None:
        query = query.where(_with_visible_files(sees))
    return list(uow.connection.execute(query.order_by(release.c.id.desc()).limit(limit)))


def _with_visible_files(sees: ColumnElement[bool]) -> ColumnElement[bool]:
    # A draft that has no files yet is nobody's secret from those who see drafts.
    files = select(file.c.id).where(file.c.release_id == release.c.id)
    return or_(exists(files.where(sees)), and_(release.c.state == "draft", ~exists(files)))


def find(uow: UnitOfWork, package_id: int, version: str, *, drafts: bool, sees: ColumnElement[bool] | None = None) -> Row[Any] | None:
    """Return a release by version; *sees* as in :func:`newest`."""
    statement = _WITH_DRAFTS if drafts else _PUBLISHED
    if sees is not None:
        statement = statement.where(_with_visible_files(sees))
    return uow.connection.execute(statement, {"package_id": package_id, "version": version}).one_or_none()


def by_id(uow: UnitOfWork, release_id: int) -> Row[Any]:
    """Return a release that exists."""
    return uow.connection.execute(_BY_ID, {"release_id": release_id}).one()


def newest_published(uow: UnitOfWork, package_id: int) -> Row[Any] | None:
    """Return the release that was published last."""
    query = _releases(drafts=False).where(release.c.package_id == package_id)
    return uow.connection.execute(query.order_by(release.c.published_at.desc(), release.c.id.desc()).limit(1)).one_or_none()


def versions(uow: UnitOfWork, package_id: int, *, drafts: bool) -> list[str]:
    """Return the versions of a package, in no order."""
    query = select(release.c.version).where(release.c.package_id == package_id)
    return list(uow.connection.execute(query if drafts else query.where(release.c.state == "published")).scalars())


def chosen_versions(uow: UnitOfWork, package_id: int) -> list[str]:
    """Return the published versions that have a file which is not yanked, in no order."""
    query = (
        select(release.c.version)
        .join(file, file.c.release_id == release.c.id)
        .where(release.c.package_id == package_id, release.c.state == "published", file.c.yanked_at.is_(None))
        .distinct()
    )
    return list(uow.connection.execute(query).scalars())


def insert_release(uow: UnitOfWork, values: dict[str, Any]) -> Row[Any] | None:
    """Add a release and return the columns of its table; None when the version exists."""
    statement = insert_new(uow.connection.dialect.name, release, "package_id", "version", returning=tuple(release.c.keys()))
    return uow.connection.execute(statement, values).one_or_none()


def update_release(uow: UnitOfWork, release_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of a release."""
    uow.connection.execute(_UPDATE, {**values, "key": release_id})


def delete_release(uow: UnitOfWork, release_id: int) -> None:
    """Remove a release with its files."""
    uow.connection.execute(delete(release).where(release.c.id == release_id))
