"""SQL of tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, insert, select, update

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.collections.models import collection
from carrel.hub.namespaces.models import namespace
from carrel.hub.tokens.models import token

_BATCH = 500
_collection_namespace = namespace.alias("collection_namespace")


def _tokens() -> Select[Any]:
    return (
        select(
            token.c.id,
            token.c.user_id,
            token.c.name,
            token.c.prefix,
            token.c.scopes,
            token.c.created_at,
            token.c.expires_at,
            token.c.last_used_at,
            namespace.c.name.label("namespace"),
            token.c.namespace_id,
            token.c.package_limit,
            token.c.label_limit,
            token.c.collection_id,
            collection.c.name.label("collection"),
            _collection_namespace.c.name.label("collection_namespace"),
            token.c.hostname,
            token.c.remote_addr,
            token.c.rotated_at,
            token.c.flagged_at,
            token.c.flag_reason,
        )
        .join(namespace, namespace.c.id == token.c.namespace_id, isouter=True)
        .join(collection, collection.c.id == token.c.collection_id, isouter=True)
        .join(_collection_namespace, _collection_namespace.c.id == collection.c.namespace_id, isouter=True)
    )


def insert_token(uow: UnitOfWork, values: dict[str, Any]) -> int:
    """Add a token and return the id."""
    return int(uow.connection.execute(insert(token).values(**values).returning(token.c.id)).scalar_one())


def tokens_of(uow: UnitOfWork, user_id: int, moment: datetime) -> list[Row[Any]]:
    """Return a user's tokens that are valid, newest first, with ``namespace`` and ``collection`` by name."""
    query = _tokens().where(token.c.user_id == user_id, _valid(moment)).order_by(token.c.id.desc())
    return list(uow.connection.execute(query))


def by_id(uow: UnitOfWork, token_id: int) -> Row[Any]:
    """Return a token that exists."""
    return uow.connection.execute(_tokens().where(token.c.id == token_id)).one()


def update_token(uow: UnitOfWork, token_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of a token."""
    uow.connection.execute(update(token).where(token.c.id == token_id).values(**values))


def keep(uow: UnitOfWork, token_id: int, moment: datetime) -> Row[Any] | None:
    """Return ``expires_at`` of a token that is valid; it is neither removed nor changed before the unit, which writes, ends."""
    query = select(token.c.expires_at).where(token.c.id == token_id, _valid(moment))
    return uow.connection.execute(query.with_for_update(read=True)).one_or_none()


def set_rotated(uow: UnitOfWork, token_id: int, moment: datetime, expires_at: datetime) -> bool:
    """Note that a token was replaced; False when it was before, or is gone."""
    statement = update(token).where(token.c.id == token_id, token.c.rotated_at.is_(None)).values(rotated_at=moment, expires_at=expires_at)
    return uow.connection.execute(statement).rowcount == 1


def delete_token(uow: UnitOfWork, user_id: int, token_id: int) -> str | None:
    """Remove a token of a user; return its name, None when there is none."""
    statement = delete(token).where(token.c.id == token_id, token.c.user_id == user_id).returning(token.c.name)
    return uow.connection.execute(statement).scalar_one_or_none()


def set_last_used(uow: UnitOfWork, times: Mapping[int, datetime]) -> None:
    """Note when tokens were last used."""
    statement = update(token).where(token.c.id == bindparam("key")).values(last_used_at=bindparam("moment"))
    uow.connection.execute(statement, [{"key": key, "moment": moment} for key, moment in sorted(times.items())])


def live_among(uow: UnitOfWork, digests: Collection[str], moment: datetime) -> dict[str, int]:
    """Return the ids of the valid tokens among those with these SHA-256, by digest."""
    found: dict[str, int] = {}
    wanted = sorted(digests)
    for start in range(0, len(wanted), _BATCH):
        query = select(token.c.sha256, token.c.id).where(token.c.sha256.in_(wanted[start : start + _BATCH]), _valid(moment))
        found.update({row.sha256: row.id for row in uow.connection.execute(query)})
    return found


def flag(uow: UnitOfWork, token_ids: Collection[int], moment: datetime, reason: str) -> None:
    """Note why tokens should be replaced; the first reason stays."""
    statement = update(token).where(token.c.id.in_(sorted(token_ids)), token.c.flagged_at.is_(None))
    uow.connection.execute(statement.values(flagged_at=moment, flag_reason=reason[:500]))


def _valid(moment: datetime) -> Any:
    return token.c.expires_at.is_(None) | (token.c.expires_at > moment)
