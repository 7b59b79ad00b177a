"""SQL of patch instructions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.channels.models import hotfix
from carrel.hub.channels.repository import upsert


def find(uow: UnitOfWork, namespace_id: int, subdir: str) -> dict[str, Any] | None:
    """Return the instructions of a subdir, None when there are none."""
    query = select(hotfix.c.instructions).where(hotfix.c.namespace_id == namespace_id, hotfix.c.subdir == subdir)
    return uow.connection.scalar(query)


def put(uow: UnitOfWork, namespace_id: int, subdir: str, instructions: dict[str, Any], at: datetime) -> None:
    """Write the instructions of a subdir in place of the former ones."""
    values = {"namespace_id": namespace_id, "subdir": subdir, "instructions": instructions, "updated_at": at}
    uow.connection.execute(upsert(uow.connection.dialect.name, hotfix, "instructions", "updated_at"), values)


def remove(uow: UnitOfWork, namespace_id: int, subdir: str) -> None:
    """Remove the instructions of a subdir."""
    uow.connection.execute(delete(hotfix).where(hotfix.c.namespace_id == namespace_id, hotfix.c.subdir == subdir))
