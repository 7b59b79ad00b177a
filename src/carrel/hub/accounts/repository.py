"""SQL of accounts: users, sessions, credentials, device sign-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, insert, literal, select, union_all, update

from carrel.core.access import Permission, Role
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.models import device_grant, session, user
from carrel.hub.accounts.principal import Rights
from carrel.hub.collections.models import collection_item
from carrel.hub.groups.models import collaborator, group, group_member, group_package
from carrel.hub.namespaces.models import membership, namespace
from carrel.hub.packages.models import package
from carrel.hub.tokens.models import token


def user_by_name(uow: UnitOfWork, name: str) -> Row[Any] | None:
    """Return ``id, namespace_id, name, password_hash, email, disabled_at`` of a user."""
    query: Select[Any] = (
        select(user.c.id, user.c.namespace_id, namespace.c.name, user.c.password_hash, user.c.email, user.c.disabled_at)
        .join(namespace, namespace.c.id == user.c.namespace_id)
        .where(namespace.c.name == name)
    )
    return uow.connection.execute(query).one_or_none()


def user_by_id(uow: UnitOfWork, user_id: int) -> Row[Any] | None:
    """Return ``id, namespace_id, name, display_name`` of a user."""
    query: Select[Any] = (
        select(user.c.id, user.c.namespace_id, namespace.c.name, namespace.c.display_name)
        .join(namespace, namespace.c.id == user.c.namespace_id)
        .where(user.c.id == user_id)
    )
    return uow.connection.execute(query).one_or_none()


def any_user(uow: UnitOfWork) -> bool:
    """Whether the hub has a user."""
    return uow.connection.execute(select(user.c.id).limit(1)).first() is not None


def insert_user(uow: UnitOfWork, namespace_id: int, password_hash: str | None, email: str, created_at: datetime) -> int:
    """Add a user and return the id."""
    statement = insert(user).values(namespace_id=namespace_id, password_hash=password_hash, email=email, created_at=created_at)
    return int(uow.connection.execute(statement.returning(user.c.id)).scalar_one())


def set_password_hash(uow: UnitOfWork, user_id: int, password_hash: str) -> None:
    """Replace a user's password hash."""
    uow.connection.execute(update(user).where(user.c.id == user_id).values(password_hash=password_hash))


def memberships(uow: UnitOfWork, user_id: int) -> dict[int, Role]:
    """Return a user's roles by namespace id."""
    query = select(membership.c.namespace_id, membership.c.role).where(membership.c.user_id == user_id)
    return {row.namespace_id: Role(row.role) for row in uow.connection.execute(query)}


# One statement for roles and permissions: a caller who was given nothing costs no more than before.
_NO_PACKAGE = literal(0)
_RIGHTS = union_all(
    select(membership.c.namespace_id, _NO_PACKAGE.label("package_id"), membership.c.role.label("given")).where(
        membership.c.user_id == bindparam("user_id")
    ),
    select(package.c.namespace_id, package.c.id, group.c.permission)
    .select_from(group_member)
    .join(group, group.c.id == group_member.c.group_id)
    .join(group_package, group_package.c.group_id == group.c.id)
    .join(package, package.c.id == group_package.c.package_id)
    .where(group_member.c.user_id == bindparam("user_id")),
    select(package.c.namespace_id, package.c.id, collaborator.c.permission)
    .select_from(collaborator)
    .join(package, package.c.id == collaborator.c.package_id)
    .where(collaborator.c.user_id == bindparam("user_id")),
)


def rights(uow: UnitOfWork, user_id: int) -> Rights:
    """Return a user's roles, and the permissions that groups and collaborations give; the highest counts."""
    roles: dict[int, Role] = {}
    grants: dict[int, Permission] = {}
    granted: dict[int, set[int]] = {}
    for namespace_id, package_id, given in uow.connection.execute(_RIGHTS, {"user_id": user_id}):
        if not package_id:
            roles[namespace_id] = Role(given)
            continue
        permission = Permission(given)
        grants[package_id] = max(permission, grants.get(package_id, permission))
        granted.setdefault(namespace_id, set()).add(package_id)
    return Rights(roles, grants, {key: frozenset(packages) for key, packages in granted.items()})


def collection_packages(uow: UnitOfWork, collection_id: int) -> frozenset[int]:
    """Return the packages of a collection."""
    return frozenset(uow.connection.scalars(select(collection_item.c.package_id).where(collection_item.c.collection_id == collection_id)))


def user_namespaces(uow: UnitOfWork, user_id: int) -> list[Row[Any]]:
    """Return ``id, name, kind, display_name, role`` of the namespaces of a user, their own first."""
    query: Select[Any] = (
        select(namespace.c.id, namespace.c.name, namespace.c.kind, namespace.c.display_name, membership.c.role)
        .join(membership, membership.c.namespace_id == namespace.c.id)
        .where(membership.c.user_id == user_id)
        .order_by(namespace.c.kind.desc(), namespace.c.name)
    )
    return list(uow.connection.execute(query))


def token_user(uow: UnitOfWork, sha256: str, moment: datetime) -> Row[Any] | None:
    """Return the user and the rights of a valid token, None when it is unknown or expired."""
    query: Select[Any] = (
        select(
            user.c.id,
            namespace.c.name,
            token.c.id.label("token_id"),
            token.c.prefix,
            token.c.scopes,
            token.c.namespace_id,
            token.c.expires_at,
            token.c.package_limit,
            token.c.label_limit,
            token.c.collection_id,
        )
        .join(user, user.c.id == token.c.user_id)
        .join(namespace, namespace.c.id == user.c.namespace_id)
        .where(token.c.sha256 == sha256, user.c.disabled_at.is_(None), token.c.expires_at.is_(None) | (token.c.expires_at > moment))
    )
    return uow.connection.execute(query).one_or_none()


def session_user(uow: UnitOfWork, sha256: str, moment: datetime) -> Row[Any] | None:
    """Return ``id, name, expires_at`` of the user of a valid session."""
    query: Select[Any] = (
        select(user.c.id, namespace.c.name, session.c.expires_at)
        .join(user, user.c.id == session.c.user_id)
        .join(namespace, namespace.c.id == user.c.namespace_id)
        .where(session.c.sha256 == sha256, session.c.expires_at > moment, user.c.disabled_at.is_(None))
    )
    return uow.connection.execute(query).one_or_none()


def insert_session(uow: UnitOfWork, sha256: str, user_id: int, created_at: datetime, expires_at: datetime) -> None:
    """Add a browser session."""
    uow.connection.execute(insert(session).values(sha256=sha256, user_id=user_id, created_at=created_at, expires_at=expires_at))


def delete_session(uow: UnitOfWork, sha256: str) -> None:
    """Remove one session."""
    uow.connection.execute(delete(session).where(session.c.sha256 == sha256))


def delete_sessions_of(uow: UnitOfWork, user_id: int) -> None:
    """Remove all sessions of a user."""
    uow.connection.execute(delete(session).where(session.c.user_id == user_id))


def delete_expired(uow: UnitOfWork, moment: datetime) -> None:
    """Remove sessions and device sign-ins that are over."""
    uow.connection.execute(delete(session).where(session.c.expires_at <= moment))
    uow.connection.execute(delete(device_grant).where(device_grant.c.expires_at <= moment))


def insert_device_grant(uow: UnitOfWork, values: dict[str, Any]) -> None:
    """Add a device sign-in."""
    uow.connection.execute(insert(device_grant).values(**values))


def device_grant_by_code(uow: UnitOfWork, device_code_sha256: str) -> Row[Any] | None:
    """Return the sign-in a device asks after."""
    return uow.connection.execute(select(device_grant).where(device_grant.c.device_code_sha256 == device_code_sha256)).one_or_none()


def device_grant_by_user_code(uow: UnitOfWork, user_code: str) -> Row[Any] | None:
    """Return the sign-in a person is asked to approve."""
    return uow.connection.execute(select(device_grant).where(device_grant.c.user_code == user_code)).one_or_none()


def update_device_grant(uow: UnitOfWork, grant_id: int, **values: Any) -> None:
    """Change a device sign-in."""
    uow.connection.execute(update(device_grant).where(device_grant.c.id == grant_id).values(**values))


def claim_device_grant(uow: UnitOfWork, grant_id: int, expected: str, **values: Any) -> bool:
    """Change a device sign-in that is still in the *expected* state; False when another request was first."""
    statement = update(device_grant).where(device_grant.c.id == grant_id, device_grant.c.state == expected).values(**values)
    return uow.connection.execute(statement).rowcount == 1
