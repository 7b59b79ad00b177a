"""SQL of trusted publishers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, update

from carrel.core.access import Role
from carrel.database.statements import insert_new
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.models import user
from carrel.hub.namespaces.models import membership, namespace
from carrel.hub.packages.models import package
from carrel.hub.publishers.models import trusted_publisher, used_identity
from carrel.hub.tokens.models import token

_creator = namespace.alias("creator")


def _publishers() -> Select[Any]:
    return (
        select(trusted_publisher, namespace.c.name.label("namespace"), _creator.c.name.label("creator"))
        .join(namespace, namespace.c.id == trusted_publisher.c.namespace_id)
        .join(user, user.c.id == trusted_publisher.c.created_by)
        .join(_creator, _creator.c.id == user.c.namespace_id)
    )


def insert_publisher(uow: UnitOfWork, values: dict[str, Any]) -> Row[Any]:
    """Add a publisher and return it."""
    publisher_id = uow.connection.execute(insert(trusted_publisher).values(**values).returning(trusted_publisher.c.id)).scalar_one()
    return uow.connection.execute(_publishers().where(trusted_publisher.c.id == publisher_id)).one()


def of_namespace(uow: UnitOfWork, namespace_id: int) -> list[Row[Any]]:
    """Return the publishers of a namespace, oldest first."""
    query = _publishers().where(trusted_publisher.c.namespace_id == namespace_id).order_by(trusted_publisher.c.id)
    return list(uow.connection.execute(query))


def of_issuer(uow: UnitOfWork, issuer: str) -> list[Row[Any]]:
    """Return the publishers whose identities an issuer vouches for, oldest first: those whose maker still owns the namespace."""
    query = (
        _publishers()
        .join(
            membership,
            (membership.c.namespace_id == trusted_publisher.c.namespace_id)
            & (membership.c.user_id == trusted_publisher.c.created_by)
            & (membership.c.role == Role.OWNER.value),
        )
        .where(trusted_publisher.c.issuer == issuer)
        .order_by(trusted_publisher.c.id)
    )
    return list(uow.connection.execute(query))


def count(uow: UnitOfWork, namespace_id: int) -> int:
    """Return how many publishers a namespace has."""
    query = select(func.count()).select_from(trusted_publisher).where(trusted_publisher.c.namespace_id == namespace_id)
    return int(uow.connection.execute(query).scalar_one())


def delete_publisher(uow: UnitOfWork, namespace_id: int, publisher_id: int) -> Row[Any] | None:
    """Remove a publisher; return what it was, None when there is none."""
    row = uow.connection.execute(
        _publishers().where(trusted_publisher.c.id == publisher_id, trusted_publisher.c.namespace_id == namespace_id)
    ).one_or_none()
    if row is not None:
        uow.connection.execute(delete(trusted_publisher).where(trusted_publisher.c.id == publisher_id))
    return row


def set_used(uow: UnitOfWork, publisher_ids: list[int], moment: datetime) -> None:
    """Note that publishers were used."""
    uow.connection.execute(update(trusted_publisher).where(trusted_publisher.c.id.in_(publisher_ids)).values(last_used_at=moment))


def use_identity(uow: UnitOfWork, sha256: str, expires_at: datetime) -> bool:
    """Note that an identity was used; False when it was before."""
    statement = insert_new(uow.connection.dialect.name, used_identity, "sha256", returning="sha256")
    return uow.connection.execute(statement, {"sha256": sha256, "expires_at": expires_at}).scalar_one_or_none() is not None


def forget(uow: UnitOfWork, moment: datetime, name_prefix: str) -> None:
    """Remove what expired: identities, and tokens whose name begins with *name_prefix* a day later."""
    uow.connection.execute(delete(used_identity).where(used_identity.c.expires_at < moment))
    old = moment - timedelta(days=1)
    uow.connection.execute(delete(token).where(token.c.expires_at < old, token.c.name.startswith(name_prefix, autoescape=True)))


def delete_token(uow: UnitOfWork, sha256: str, name_prefix: str) -> bool:
    """Remove the token of a hash, when its name begins with *name_prefix*; return whether there was one."""
    statement = delete(token).where(token.c.sha256 == sha256, token.c.name.startswith(name_prefix, autoescape=True))
    return uow.connection.execute(statement).rowcount > 0


def names_of_project(uow: UnitOfWork, namespace_id: int, canonical_name: str) -> set[str]:
    """Return the lowercase names of the packages that Python clients take for one project."""
    query = select(package.c.name_key).where(package.c.namespace_id == namespace_id, package.c.canonical_name == canonical_name)
    return set(uow.connection.scalars(query))
