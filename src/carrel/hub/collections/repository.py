"""SQL of collections: who may see what is part of every query that answers a caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, func, insert, or_, select, update

from carrel.core.access import Visibility
from carrel.database.statements import insert_new
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.collections.models import collection, collection_item
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import package
from carrel.hub.packages.visibility import listed_packages

_FOR_MEMBERS = (Visibility.ORGANIZATION.value, Visibility.UNLISTED.value, Visibility.PUBLIC.value)


def visible_collections(principal: Principal, *, listed: bool) -> ColumnElement[bool]:
    """Return the condition for collections: *listed* ones, or all that may be reached by name.

    The rule is that of packages; a token that is narrowed to a collection sees that one.
    """
    for_everyone = (Visibility.PUBLIC.value,) if listed else (Visibility.PUBLIC.value, Visibility.UNLISTED.value)
    alternatives: list[ColumnElement[bool]] = [collection.c.visibility.in_(for_everyone)]
    if principal.owned:
        alternatives.append(collection.c.namespace_id.in_(principal.owned))
    if principal.joined:
        alternatives.append(and_(collection.c.namespace_id.in_(principal.joined), collection.c.visibility.in_(_FOR_MEMBERS)))
    seen = or_(*alternatives)
    limit = principal.limits.collection
    return seen if limit is None else and_(seen, collection.c.id == limit)


def _collections(principal: Principal) -> Select[Any]:
    # Only what the caller may see is counted.
    count = (
        select(func.count())
        .select_from(collection_item)
        .join(package, package.c.id == collection_item.c.package_id)
        .where(collection_item.c.collection_id == collection.c.id, listed_packages(principal))
        .scalar_subquery()
    )
    return select(
        collection, namespace.c.name.label("namespace"), namespace.c.kind.label("namespace_kind"), count.label("item_count")
    ).join(namespace, namespace.c.id == collection.c.namespace_id)


def find(uow: UnitOfWork, principal: Principal, namespace_name: str, name: str) -> Row[Any] | None:
    """Return a collection that *principal* may reach, with ``namespace``, ``namespace_kind`` and ``item_count``."""
    query = _collections(principal).where(
        namespace.c.name == namespace_name, collection.c.name == name, visible_collections(principal, listed=False)
    )
    return uow.connection.execute(query).one_or_none()


def of_namespace(uow: UnitOfWork, principal: Principal, namespace_id: int) -> list[Row[Any]]:
    """Return the collections of a namespace that *principal* sees in lists, by name."""
    query = _collections(principal).where(collection.c.namespace_id == namespace_id, visible_collections(principal, listed=True))
    return list(uow.connection.execute(query.order_by(collection.c.name)))


def holding(uow: UnitOfWork, principal: Principal, package_id: int, limit: int) -> list[Row[Any]]:
    """Return collections that hold a package, those that *principal* sees in lists."""
    query = (
        _collections(principal)
        .join(collection_item, collection_item.c.collection_id == collection.c.id)
        .where(collection_item.c.package_id == package_id, visible_collections(principal, listed=True))
    )
    return list(uow.connection.execute(query.order_by(namespace.c.name, collection.c.name).limit(limit)))


def items(uow: UnitOfWork, principal: Principal, collection_id: int) -> list[Row[Any]]:
    """Return the packages of a collection that *principal* sees in lists, in their order.

    Rows are those of :func:`carrel.hub.packages.repository.to_view`, with ``note``, ``position`` and ``added_at``.
    """
    query = (
        select(
            package,
            namespace.c.name.label("namespace"),
            collection_item.c.note,
            collection_item.c.position,
            collection_item.c.added_at,
        )
        .join(collection_item, collection_item.c.package_id == package.c.id)
        .join(namespace, namespace.c.id == package.c.namespace_id)
        .where(collection_item.c.collection_id == collection_id, listed_packages(principal))
        .order_by(collection_item.c.position, collection_item.c.package_id)
    )
    return list(uow.connection.execute(query))


def package_ids(uow: UnitOfWork, collection_id: int) -> list[int]:
    """Return the packages of a collection, whoever asks, in their order."""
    query = select(collection_item.c.package_id).where(collection_item.c.collection_id == collection_id)
    return list(uow.connection.execute(query.order_by(collection_item.c.position, collection_item.c.package_id)).scalars())


def count_of_namespace(uow: UnitOfWork, namespace_id: int) -> int:
    """Return how many collections a namespace has, whoever sees them."""
    return int(
        uow.connection.execute(select(func.count()).select_from(collection).where(collection.c.namespace_id == namespace_id)).scalar_one()
    )


def insert_collection(uow: UnitOfWork, values: dict[str, Any]) -> int | None:
    """Add a collection and return the id; None when the name is taken."""
    return uow.connection.execute(insert_new(uow.connection.dialect.name, collection, returning="id"), values).scalar_one_or_none()


def update_collection(uow: UnitOfWork, collection_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of a collection."""
    uow.connection.execute(update(collection).where(collection.c.id == collection_id).values(**values))


def delete_collection(uow: UnitOfWork, collection_id: int) -> None:
    """Remove a collection; its packages stay, tokens that are narrowed to it go."""
    uow.connection.execute(delete(collection).where(collection.c.id == collection_id))


def lock(uow: UnitOfWork, collection_id: int) -> None:
    """Let no other transaction change the collection's items before the unit ends."""
    uow.connection.execute(select(collection.c.id).where(collection.c.id == collection_id).with_for_update())


def put_item(uow: UnitOfWork, collection_id: int, package_id: int, position: int, note: str, moment: datetime) -> None:
    """Add a package at the end."""
    values = {"collection_id": collection_id, "package_id": package_id, "position": position, "note": note, "added_at": moment}
    uow.connection.execute(insert(collection_item).values(**values))


def update_note(uow: UnitOfWork, collection_id: int, package_id: int, note: str) -> None:
    """Change what is said of a package."""
    uow.connection.execute(
        update(collection_item)
        .where(collection_item.c.collection_id == collection_id, collection_item.c.package_id == package_id)
        .values(note=note)
    )


def delete_items(uow: UnitOfWork, collection_id: int, ids: Collection[int]) -> int:
    """Take packages out; return how many were in."""
    statement = delete(collection_item).where(collection_item.c.collection_id == collection_id, collection_item.c.package_id.in_(ids))
    return int(uow.connection.execute(statement).rowcount)


def set_order(uow: UnitOfWork, collection_id: int, ids: Sequence[int]) -> None:
    """Number the packages of a collection anew."""
    if ids:
        statement = (
            update(collection_item)
            .where(collection_item.c.collection_id == bindparam("of"), collection_item.c.package_id == bindparam("what"))
            .values(position=bindparam("place"))
        )
        uow.connection.execute(statement, [{"of": collection_id, "what": key, "place": place} for place, key in enumerate(ids)])
