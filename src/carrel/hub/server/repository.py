"""SQL of health checks."""

from __future__ import annotations

from sqlalchemy import literal, select

from carrel.database.unit_of_work import UnitOfWork


def ping(uow: UnitOfWork) -> None:
    """Ask the database anything."""
    uow.connection.execute(select(literal(1))).scalar_one()
