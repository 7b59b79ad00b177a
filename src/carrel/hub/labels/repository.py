"""SQL of labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from carrel.database.statements import insert_new
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.files import repository as files
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import file, package, release
from carrel.hub.packages.visibility import listed_packages, visible_files

_BY_NAMES = select(label.c.id, label.c.name, label.c.locked).where(
    label.c.namespace_id == bindparam("namespace_id"), label.c.name.in_(bindparam("names", expanding=True))
)
# A label that is about to be put on a file is not removed meanwhile.
_KEPT = _BY_NAMES.order_by(label.c.id).with_for_update(read=True, key_share=True)
_BY_NAME = select(label).where(label.c.namespace_id == bindparam("namespace_id"), label.c.name == bindparam("name"))
_LABELS_OF_FILE = select(file_label.c.label_id).where(file_label.c.file_id == bindparam("file_id"))


def by_names(uow: UnitOfWork, namespace_id: int, names: Collection[str]) -> list[Row[Any]]:
    """Return ``id, name, locked`` of those labels that exist."""
    return list(uow.connection.execute(_BY_NAMES, {"namespace_id": namespace_id, "names": list(names)}))


def keep(uow: UnitOfWork, namespace_id: int, names: Collection[str]) -> list[Row[Any]]:
    """Return :func:`by_names`; none of them is removed before the unit, which writes, ends."""
    return list(uow.connection.execute(_KEPT, {"namespace_id": namespace_id, "names": list(names)}))


def by_name(uow: UnitOfWork, namespace_id: int, name: str) -> Row[Any] | None:
    """Return a label."""
    return uow.connection.execute(_BY_NAME, {"namespace_id": namespace_id, "name": name}).one_or_none()


def lock(uow: UnitOfWork, label_id: int) -> None:
    """Let no other transaction put the label on a file before the unit ends."""
    uow.connection.execute(select(label.c.id).where(label.c.id == label_id).with_for_update())


def insert_labels(uow: UnitOfWork, namespace_id: int, names: Collection[str], moment: datetime) -> None:
    """Add labels that do not exist yet."""
    maker = sqlite.insert if uow.connection.dialect.name == "sqlite" else postgresql.insert
    rows = [{"namespace_id": namespace_id, "name": name, "created_at": moment} for name in sorted(names)]
    uow.connection.execute(maker(label).on_conflict_do_nothing(index_elements=["namespace_id", "name"]), rows)


def insert_label(uow: UnitOfWork, values: Mapping[str, Any]) -> bool:
    """Add a label; False when there is one of that name."""
    statement = insert_new(uow.connection.dialect.name, label, "namespace_id", "name", returning="id")
    return uow.connection.execute(statement, values).scalar_one_or_none() is not None


def update_label(uow: UnitOfWork, label_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of a label."""
    uow.connection.execute(update(label).where(label.c.id == label_id).values(**values))


def delete_label(uow: UnitOfWork, label_id: int) -> None:
    """Remove a label; files that bear it lose it."""
    uow.connection.execute(delete(label).where(label.c.id == label_id))


def label_ids_of(uow: UnitOfWork, file_id: int) -> set[int]:
    """Return the labels of a file."""
    return set(uow.connection.execute(_LABELS_OF_FILE, {"file_id": file_id}).scalars())


def add(uow: UnitOfWork, file_id: int, label_ids: Collection[int]) -> None:
    """Put labels on a file."""
    if label_ids:
        statement = insert_new(uow.connection.dialect.name, file_label, "file_id", "label_id")
        uow.connection.execute(statement, [{"file_id": file_id, "label_id": label_id} for label_id in sorted(label_ids)])


def remove(uow: UnitOfWork, file_id: int, label_ids: Collection[int]) -> None:
    """Take labels off a file."""
    if label_ids:
        uow.connection.execute(delete(file_label).where(file_label.c.file_id == file_id, file_label.c.label_id.in_(label_ids)))


def locked_names(uow: UnitOfWork, label_ids: Collection[int]) -> list[str]:
    """Return the names of those labels that are locked."""
    return list(uow.connection.execute(select(label.c.name).where(label.c.id.in_(label_ids), label.c.locked)).scalars())


def listed_files(principal: Principal) -> ColumnElement[bool]:
    """Return the condition on ``package`` and ``file`` for what *principal* sees in lists."""
    return and_(listed_packages(principal), *_within(principal))


def _within(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    under = visible_files(principal)
    return () if under is None else (under,)


def counted(
    uow: UnitOfWork,
    namespace_id: int,
    sees: ColumnElement[bool],
    *,
    empty: bool,
    only: Collection[str] | None = None,
    kind: str | None = None,
) -> list[Row[Any]]:
    """Return the labels of a namespace, by name, and how many published files each has that fulfil *sees*.

    Parameters
    ----------
    sees : ColumnElement
        Condition on ``package`` and ``file``.
    empty : bool
        Whether labels without such files are listed, too.
    only : collection of str, optional
        Names of labels: no others.
    kind : str, optional
        Files of one kind are counted.
    """
    conditions = [file.c.namespace_id == namespace_id, release.c.state == "published", sees]
    if kind is not None:
        conditions.append(file.c.kind == kind)
    counts = (
        select(file_label.c.label_id, func.count().label("files"))
        .join(file, file.c.id == file_label.c.file_id)
        .join(release, release.c.id == file.c.release_id)
        .join(package, package.c.id == file.c.package_id)
        .where(*conditions)
        .group_by(file_label.c.label_id)
    )
    if only is not None:
        counts = counts.join(label, label.c.id == file_label.c.label_id).where(label.c.name.in_(sorted(only)))
    seen = counts.subquery()
    query = (
        select(label, func.coalesce(seen.c.files, 0).label("files"))
        .join(seen, seen.c.label_id == label.c.id, isouter=empty)
        .where(label.c.namespace_id == namespace_id)
        .order_by(label.c.name)
    )
    return list(uow.connection.execute(query if only is None else query.where(label.c.name.in_(sorted(only)))))


def unlabelled(uow: UnitOfWork, namespace_id: int, sees: ColumnElement[bool]) -> int:
    """Return how many published files that fulfil *sees* have no label."""
    query = (
        select(func.count())
        .select_from(file)
        .join(release, release.c.id == file.c.release_id)
        .join(package, package.c.id == file.c.package_id)
        .where(file.c.namespace_id == namespace_id, release.c.state == "published", sees, without_label())
    )
    return int(uow.connection.execute(query).scalar_one())


def without_label() -> ColumnElement[bool]:
    """Return the condition that a file has no label."""
    return ~exists(select(file_label.c.file_id).where(file_label.c.file_id == file.c.id))


def under_label(label_id: int) -> ColumnElement[bool]:
    """Return the condition that a file has a label."""
    return exists(select(file_label.c.file_id).where(file_label.c.file_id == file.c.id, file_label.c.label_id == label_id))


def page(
    uow: UnitOfWork,
    principal: Principal,
    namespace_id: int,
    *conditions: ColumnElement[bool],
    after: tuple[str, int] | None,
    limit: int,
) -> list[Row[Any]]:
    """Return published files of a namespace that fulfil *conditions* and that *principal* sees in lists, by package.

    Parameters
    ----------
    after : tuple of str and int, optional
        Name key of the package and id of the last file of the page before.
    """
    query = files.select_files().where(
        file.c.namespace_id == namespace_id, release.c.state == "published", *conditions, listed_files(principal)
    )
    if after is not None:
        key, file_id = after
        query = query.where(or_(package.c.name_key > key, and_(package.c.name_key == key, file.c.id > file_id)))
    return list(uow.connection.execute(query.order_by(package.c.name_key, file.c.id).limit(limit)))
