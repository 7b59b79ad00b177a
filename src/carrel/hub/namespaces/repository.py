"""SQL of namespaces and memberships."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from carrel.core.access import Role
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.models import user
from carrel.hub.namespaces.models import membership, namespace

_BY_NAME = select(namespace).where(namespace.c.name == bindparam("name"))


def by_name(uow: UnitOfWork, name: str) -> Row[Any] | None:
    """Return a namespace."""
    return uow.connection.execute(_BY_NAME, {"name": name}).one_or_none()


def by_id(uow: UnitOfWork, namespace_id: int) -> Row[Any] | None:
    """Return a namespace."""
    return uow.connection.execute(select(namespace).where(namespace.c.id == namespace_id)).one_or_none()


def insert_namespace(uow: UnitOfWork, values: dict[str, Any]) -> int:
    """Add a namespace and return the id."""
    return int(uow.connection.execute(insert(namespace).values(**values).returning(namespace.c.id)).scalar_one())


def update_namespace(uow: UnitOfWork, namespace_id: int, values: dict[str, Any]) -> None:
    """Change columns of a namespace."""
    uow.connection.execute(update(namespace).where(namespace.c.id == namespace_id).values(**values))


def insert_membership(uow: UnitOfWork, namespace_id: int, user_id: int, role: Role, created_at: datetime) -> None:
    """Add a member."""
    uow.connection.execute(insert(membership).values(namespace_id=namespace_id, user_id=user_id, role=role.value, created_at=created_at))


def update_membership(uow: UnitOfWork, namespace_id: int, user_id: int, role: Role) -> bool:
    """Change a member's role; False when the user is no member."""
    statement = update(membership).where(membership.c.namespace_id == namespace_id, membership.c.user_id == user_id)
    return uow.connection.execute(statement.values(role=role.value)).rowcount == 1


def delete_membership(uow: UnitOfWork, namespace_id: int, user_id: int) -> bool:
    """Remove a member; False when the user is no member."""
    statement = delete(membership).where(membership.c.namespace_id == namespace_id, membership.c.user_id == user_id)
    return uow.connection.execute(statement).rowcount == 1


def members(uow: UnitOfWork, namespace_id: int) -> list[Row[Any]]:
    """Return ``user_id, name, display_name, role`` of the members, by name."""
    query = (
        select(user.c.id.label("user_id"), namespace.c.name, namespace.c.display_name, membership.c.role)
        .join(user, user.c.id == membership.c.user_id)
        .join(namespace, namespace.c.id == user.c.namespace_id)
        .where(membership.c.namespace_id == namespace_id)
        .order_by(namespace.c.name)
    )
    return list(uow.connection.execute(query))


def lock_owners(uow: UnitOfWork, namespace_id: int) -> int:
    """Return the number of owners; they cannot change until the unit ends."""
    uow.connection.execute(select(namespace.c.id).where(namespace.c.id == namespace_id).with_for_update())
    query = (
        select(func.count()).select_from(membership).where(membership.c.namespace_id == namespace_id, membership.c.role == Role.OWNER.value)
    )
    return int(uow.connection.execute(query).scalar_one())
