"""SQL of labels."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import file, package, release
from carrel.hub.packages.visibility import listed_packages

_BY_NAMES = select(label.c.id, label.c.name, label.c.locked).where(
    label.c.namespace_id == bindparam("namespace_id"), label.c.name.in_(bindparam("names", expanding=True))
)
_ADD = insert(file_label)
_LABELS_OF_FILE = select(file_label.c.label_id).where(file_label.c.file_id == bindparam("file_id"))


def by_names(uow: UnitOfWork, namespace_id: int, names: Collection[str]) -> list[Row[Any]]:
    """Return ``id, name, locked`` of those labels that exist."""
    return list(uow.connection.execute(_BY_NAMES, {"namespace_id": namespace_id, "names": list(names)}))


def insert_labels(uow: UnitOfWork, namespace_id: int, names: Collection[str], moment: datetime) -> None:
    """Add labels that do not exist yet."""
    maker = sqlite.insert if uow.connection.dialect.name == "sqlite" else postgresql.insert
    rows = [{"namespace_id": namespace_id, "name": name, "created_at": moment} for name in sorted(names)]
    uow.connection.execute(maker(label).on_conflict_do_nothing(index_elements=["namespace_id", "name"]), rows)


def label_ids_of(uow: UnitOfWork, file_id: int) -> set[int]:
    """Return the labels of a file."""
    return set(uow.connection.execute(_LABELS_OF_FILE, {"file_id": file_id}).scalars())


def add(uow: UnitOfWork, file_id: int, label_ids: Collection[int]) -> None:
    """Put labels on a file that does not have them."""
    if label_ids:
        uow.connection.execute(_ADD, [{"file_id": file_id, "label_id": label_id} for label_id in sorted(label_ids)])


def remove(uow: UnitOfWork, file_id: int, label_ids: Collection[int]) -> None:
    """Take labels off a file."""
    if label_ids:
        uow.connection.execute(delete(file_label).where(file_label.c.file_id == file_id, file_label.c.label_id.in_(label_ids)))


def counted(uow: UnitOfWork, principal: Principal, namespace_id: int) -> list[Row[Any]]:
    """Return ``name, locked, files`` of a namespace's labels, counting the published files that *principal* sees in lists."""
    seen = (
        select(file_label.c.label_id, func.count().label("files"))
        .join(file, file.c.id == file_label.c.file_id)
        .join(release, release.c.id == file.c.release_id)
        .join(package, package.c.id == file.c.package_id)
        .where(file.c.namespace_id == namespace_id, release.c.state == "published", listed_packages(principal))
        .group_by(file_label.c.label_id)
        .subquery()
    )
    query = (
        select(label.c.name, label.c.locked, func.coalesce(seen.c.files, 0).label("files"))
        .join(seen, seen.c.label_id == label.c.id, isouter=principal.role_in(namespace_id) is not None)
        .where(label.c.namespace_id == namespace_id)
        .order_by(label.c.name)
    )
    return list(uow.connection.execute(query))


def locked_names(uow: UnitOfWork, label_ids: Collection[int]) -> list[str]:
    """Return the names of those labels that are locked."""
    return list(uow.connection.execute(select(label.c.name).where(label.c.id.in_(label_ids), label.c.locked)).scalars())
