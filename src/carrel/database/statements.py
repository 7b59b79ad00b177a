"""Statements that are built once: building one takes longer than the database needs to run it."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite


@functools.cache
def insert_new(dialect: str, table: Table, *conflict: str, returning: str | tuple[str, ...] | None = None) -> Any:
    """Return the ``INSERT`` that leaves a row alone that is there already; values are given when it is executed.

    Parameters
    ----------
    dialect : str
        ``sqlite`` or ``postgresql``.
    table : Table
    *conflict : str
        Columns of the constraint that may be broken; none means any.
    returning : str or tuple of str, optional
        Columns of the new row to return.
    """
    statement: Any = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    statement = statement.on_conflict_do_nothing(index_elements=list(conflict) or None)
    if returning is None:
        return statement
    return statement.returning(*(table.c[name] for name in ((returning,) if isinstance(returning, str) else returning)))


@functools.cache
def insert_or_update(dialect: str, table: Table, key: str, *columns: str) -> Any:
    """Return the ``INSERT`` that replaces *columns* of the row that has the same *key*."""
    statement: Any = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return statement.on_conflict_do_update(index_elements=[key], set_={name: statement.excluded[name] for name in columns})


def one_of(column: ColumnElement[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Return the condition that *column* is one of *ids*, however many: they are written into the statement.

    Databases take some 32 thousand parameters.
    """
    return column.in_(bindparam("ids", sorted(ids), unique=True, expanding=True, literal_execute=True))
