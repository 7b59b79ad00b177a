"""SQL of uploads under way, and of what the lists of this API say beside what the services do."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from carrel.database.statements import one_of
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.anaconda.models import staged_upload
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import file, package, release
from carrel.hub.packages.repository import to_view
from carrel.hub.packages.views import PackageView
from carrel.hub.packages.visibility import listed_packages, visible_files


def insert_staged(uow: UnitOfWork, values: dict[str, Any]) -> None:
    """Add an announced upload."""
    uow.connection.execute(insert(staged_upload), values)


def staged(uow: UnitOfWork, upload_id: str, moment: datetime) -> Row[Any] | None:
    """Return an announced upload that has not expired, with ``namespace`` by name."""
    query = (
        select(staged_upload, namespace.c.name.label("namespace"))
        .join(namespace, namespace.c.id == staged_upload.c.namespace_id)
        .where(staged_upload.c.id == upload_id, staged_upload.c.expires_at > moment)
    )
    return uow.connection.execute(query).one_or_none()


def set_received(uow: UnitOfWork, upload_id: str, *, sha256: str, md5: str, size: int) -> bool:
    """Note the bytes of an upload that has none yet; False when it has, or is gone."""
    statement = update(staged_upload).where(staged_upload.c.id == upload_id, staged_upload.c.size.is_(None))
    return uow.connection.execute(statement.values(sha256=sha256, md5=md5, size=size)).rowcount == 1


def delete_staged(uow: UnitOfWork, upload_id: str) -> bool:
    """Forget an upload; False when it was forgotten already."""
    return uow.connection.execute(delete(staged_upload).where(staged_upload.c.id == upload_id)).rowcount == 1


def delete_expired(uow: UnitOfWork, moment: datetime) -> None:
    """Forget uploads that were never finished."""
    uow.connection.execute(delete(staged_upload).where(staged_upload.c.expires_at <= moment))


def changed_since(uow: UnitOfWork, principal: Principal, moment: datetime | None, limit: int) -> list[PackageView]:
    """Return packages of all namespaces that *principal* sees in lists and that changed after *moment*, the latest change first."""
    query = (
        select(package, namespace.c.name.label("namespace"))
        .join(namespace, namespace.c.id == package.c.namespace_id)
        .where(listed_packages(principal))
        .order_by(package.c.updated_at.desc(), package.c.id)
        .limit(limit)
    )
    if moment is not None:
        query = query.where(package.c.updated_at > moment)
    return [to_view(row) for row in uow.connection.execute(query)]


def subdirs_of(uow: UnitOfWork, principal: Principal, package_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the subdirs of the published conda files of some packages, those that *principal* sees."""
    under = visible_files(principal)
    query = (
        select(file.c.package_id, file.c.subdir)
        .join(release, release.c.id == file.c.release_id)
        .where(
            one_of(file.c.package_id, package_ids),
            file.c.kind == "conda",
            release.c.state == "published",
            *(() if under is None else (under,)),
        )
        .distinct()
        .order_by(file.c.package_id, file.c.subdir)
    )
    found: dict[int, list[str]] = {}
    for row in uow.connection.execute(query):
        found.setdefault(row.package_id, []).append(row.subdir)
    return found
