"""SQL of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.namespaces.models import namespace
from carrel.hub.tokens.models import token


def insert_token(uow: UnitOfWork, values: dict[str, Any]) -> int:
    """Add a token and return the id."""
    return int(uow.connection.execute(insert(token).values(**values).returning(token.c.id)).scalar_one())


def tokens_of(uow: UnitOfWork, user_id: int, moment: datetime) -> list[Row[Any]]:
    """Return a user's tokens that are valid, newest first, with ``namespace`` by name."""
    query = (
        select(
            token.c.id,
            token.c.name,
            token.c.prefix,
            token.c.scopes,
            token.c.created_at,
            token.c.expires_at,
            token.c.last_used_at,
            namespace.c.name.label("namespace"),
            token.c.namespace_id,
        )
        .join(namespace, namespace.c.id == token.c.namespace_id, isouter=True)
        .where(token.c.user_id == user_id, token.c.expires_at.is_(None) | (token.c.expires_at > moment))
        .order_by(token.c.id.desc())
    )
    return list(uow.connection.execute(query))


def delete_token(uow: UnitOfWork, user_id: int, token_id: int) -> str | None:
    """Remove a token of a user; return its name, None when there is none."""
    statement = delete(token).where(token.c.id == token_id, token.c.user_id == user_id).returning(token.c.name)
    return uow.connection.execute(statement).scalar_one_or_none()


def set_last_used(uow: UnitOfWork, times: Mapping[int, datetime]) -> None:
    """Note when tokens were last used."""
    statement = update(token).where(token.c.id == bindparam("key")).values(last_used_at=bindparam("moment"))
    uow.connection.execute(statement, [{"key": key, "moment": moment} for key, moment in sorted(times.items())])
