"""SQL of groups and collaborators."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, select, update

from carrel.database.statements import insert_new
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.models import user
from carrel.hub.groups.models import collaborator, group, group_member, group_package
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import package


def _groups() -> Select[Any]:
    members = select(func.count()).where(group_member.c.group_id == group.c.id).scalar_subquery()
    return select(group, members.label("members"))


def groups(uow: UnitOfWork, namespace_id: int) -> list[Row[Any]]:
    """Return the groups of an organization with the number of their ``members``, by name."""
    return list(uow.connection.execute(_groups().where(group.c.namespace_id == namespace_id).order_by(group.c.name)))


def by_name(uow: UnitOfWork, namespace_id: int, name: str) -> Row[Any] | None:
    """Return a group."""
    return uow.connection.execute(_groups().where(group.c.namespace_id == namespace_id, group.c.name == name)).one_or_none()


def insert_group(uow: UnitOfWork, values: Mapping[str, Any]) -> int | None:
    """Add a group and return the id; None when the name is taken."""
    statement = insert_new(uow.connection.dialect.name, group, "namespace_id", "name", returning="id")
    return uow.connection.execute(statement, dict(values)).scalar_one_or_none()


def update_group(uow: UnitOfWork, group_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of a group."""
    uow.connection.execute(update(group).where(group.c.id == group_id).values(**values))


def delete_group(uow: UnitOfWork, group_id: int) -> None:
    """Remove a group."""
    uow.connection.execute(delete(group).where(group.c.id == group_id))


def members(uow: UnitOfWork, group_id: int) -> list[Row[Any]]:
    """Return ``name, display_name`` of the members of a group, by name."""
    query = (
        select(namespace.c.name, namespace.c.display_name)
        .join(user, user.c.namespace_id == namespace.c.id)
        .join(group_member, group_member.c.user_id == user.c.id)
        .where(group_member.c.group_id == group_id)
        .order_by(namespace.c.name)
    )
    return list(uow.connection.execute(query))


def insert_member(uow: UnitOfWork, group_id: int, user_id: int) -> None:
    """Take a user into a group, who may be in it."""
    statement = insert_new(uow.connection.dialect.name, group_member, "group_id", "user_id")
    uow.connection.execute(statement, {"group_id": group_id, "user_id": user_id})


def delete_member(uow: UnitOfWork, group_id: int, user_id: int) -> bool:
    """Take a user out of a group; False when they were not in it."""
    statement = delete(group_member).where(group_member.c.group_id == group_id, group_member.c.user_id == user_id)
    return uow.connection.execute(statement).rowcount == 1


def packages(uow: UnitOfWork, group_id: int, sees: ColumnElement[bool]) -> list[Row[Any]]:
    """Return ``namespace, name, summary`` of those packages of a group that *sees* is true of, by name."""
    query = (
        select(namespace.c.name.label("namespace"), package.c.name, package.c.summary)
        .join(package, package.c.namespace_id == namespace.c.id)
        .join(group_package, group_package.c.package_id == package.c.id)
        .where(group_package.c.group_id == group_id, sees)
        .order_by(package.c.name_key)
    )
    return list(uow.connection.execute(query))


def insert_package(uow: UnitOfWork, group_id: int, package_id: int) -> None:
    """Take a package into a group, which may be in it."""
    statement = insert_new(uow.connection.dialect.name, group_package, "group_id", "package_id")
    uow.connection.execute(statement, {"group_id": group_id, "package_id": package_id})


def delete_package(uow: UnitOfWork, group_id: int, package_id: int) -> bool:
    """Take a package out of a group; False when it was not in it."""
    statement = delete(group_package).where(group_package.c.group_id == group_id, group_package.c.package_id == package_id)
    return uow.connection.execute(statement).rowcount == 1


def collaborators(uow: UnitOfWork, package_id: int) -> list[Row[Any]]:
    """Return ``name, display_name, permission`` of those who were given a package, by name."""
    query = (
        select(namespace.c.name, namespace.c.display_name, collaborator.c.permission)
        .join(user, user.c.namespace_id == namespace.c.id)
        .join(collaborator, collaborator.c.user_id == user.c.id)
        .where(collaborator.c.package_id == package_id)
        .order_by(namespace.c.name)
    )
    return list(uow.connection.execute(query))


def put_collaborator(uow: UnitOfWork, package_id: int, user_id: int, permission: str, moment: datetime) -> None:
    """Give a package to a user, or another permission on it."""
    key = (collaborator.c.package_id == package_id, collaborator.c.user_id == user_id)
    statement = insert_new(uow.connection.dialect.name, collaborator, "package_id", "user_id")
    values = {"package_id": package_id, "user_id": user_id, "permission": permission, "created_at": moment}
    uow.connection.execute(statement, values)
    uow.connection.execute(update(collaborator).where(*key).values(permission=permission))


def delete_collaborator(uow: UnitOfWork, package_id: int, user_id: int) -> bool:
    """Take a package back from a user; False when they were not given it."""
    statement = delete(collaborator).where(collaborator.c.package_id == package_id, collaborator.c.user_id == user_id)
    return uow.connection.execute(statement).rowcount == 1
