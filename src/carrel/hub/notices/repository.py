"""SQL of notices."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.channels.models import notice


def find(uow: UnitOfWork, namespace_id: int, notice_id: str) -> Row[Any] | None:
    """Return a notice of a namespace."""
    return uow.connection.execute(select(notice).where(notice.c.namespace_id == namespace_id, notice.c.id == notice_id)).one_or_none()


def page(uow: UnitOfWork, namespace_id: int, statuses: Collection[str], offset: int, limit: int) -> tuple[list[Row[Any]], int]:
    """Return notices with any of *statuses*, newest first, and how many there are."""
    wanted = (notice.c.namespace_id == namespace_id, notice.c.status.in_(sorted(statuses)))
    total = uow.connection.scalar(select(func.count()).select_from(notice).where(*wanted)) or 0
    query = select(notice).where(*wanted).order_by(notice.c.created_at.desc(), notice.c.id).offset(offset).limit(limit)
    return list(uow.connection.execute(query)), total


def shown(uow: UnitOfWork, namespace_id: int, moment: datetime) -> list[Row[Any]]:
    """Return the published notices of a namespace that are not over at *moment*, oldest first."""
    query = (
        select(notice)
        .where(
            notice.c.namespace_id == namespace_id,
            notice.c.status == "published",
            (notice.c.expires_at > moment) | (notice.c.expires_at.is_(None)),
        )
        .order_by(notice.c.created_at, notice.c.id)
    )
    return list(uow.connection.execute(query))


def add(uow: UnitOfWork, values: dict[str, Any]) -> None:
    """Add a notice."""
    uow.connection.execute(insert(notice).values(**values))


def change(uow: UnitOfWork, notice_id: str, values: dict[str, Any]) -> None:
    """Change columns of a notice."""
    uow.connection.execute(update(notice).where(notice.c.id == notice_id).values(**values))
