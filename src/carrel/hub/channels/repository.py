"""Versions of channels: what every cache of an index is keyed by, in every process."""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from carrel.hub.channels.models import channel_change, channel_version
from carrel.hub.namespaces.models import namespace

# In the order in which listeners take the locks.
PROTOCOLS = ("conda", "pypi", "cran")


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What happened to a channel since a version.

    Attributes
    ----------
    version : int
        The version that these changes lead to.
    package_ids : frozenset of int, or None
        Packages touched; None when the record of changes does not reach back far enough and all must be read again.
    """

    version: int
    package_ids: frozenset[int] | None


@functools.cache
def upsert(dialect: str, table: Table, *update: str) -> Any:
    """Return the ``INSERT`` that replaces the columns *update* of a row whose primary key exists, or leaves it alone without any.

    Statements are made once: building them costs more than the database needs to run them.
    """
    statement: Any = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    keys = [column.name for column in table.primary_key.columns]
    if not update:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_={name: statement.excluded[name] for name in update})


@functools.cache
def _advance(dialect: str) -> Any:
    statement: Any = sqlite.insert(channel_version) if dialect == "sqlite" else postgresql.insert(channel_version)
    return statement.on_conflict_do_update(
        index_elements=["namespace_id", "protocol"], set_={"version": channel_version.c.version + 1}
    ).returning(channel_version.c.version)


_CURRENT = select(channel_version.c.version).where(
    channel_version.c.namespace_id == bindparam("namespace_id"), channel_version.c.protocol == bindparam("protocol")
)
_CHANGES = select(channel_change.c.version, channel_change.c.package_id).where(
    channel_change.c.namespace_id == bindparam("namespace_id"),
    channel_change.c.protocol == bindparam("protocol"),
    channel_change.c.version > bindparam("since"),
)
_RECORD = insert(channel_change)


class ChannelVersionRepository:
    """Reads and advances the versions of channels.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    protocol : str
        ``conda`` or ``pypi``: each counts by itself.
    """

    def __init__(self, connection: Connection, protocol: str) -> None:
        self._connection = connection
        self._protocol = protocol

    def current(self, namespace_id: int) -> int:
        """Return the version of a namespace's channels, 0 when nothing was ever published there."""
        return self._connection.scalar(_CURRENT, {"namespace_id": namespace_id, "protocol": self._protocol}) or 0

    def advance(self, namespace_id: int) -> int:
        """Count one more version and return it.

        The row stays locked until the transaction ends. Whoever maintains an index calls this *before* reading what it
        indexes: two uploads to one package then see each other's files, and versions are committed in their order.
        """
        values = {"namespace_id": namespace_id, "protocol": self._protocol, "version": 1}
        return int(self._connection.execute(_advance(self._connection.dialect.name), values).scalar_one())

    def record(self, namespace_id: int, version: int, package_ids: Collection[int], at: datetime) -> None:
        """Note which packages changed at *version*."""
        if package_ids:
            self._connection.execute(
                _RECORD,
                [
                    {
                        "namespace_id": namespace_id,
                        "protocol": self._protocol,
                        "version": version,
                        "package_id": package_id,
                        "changed_at": at,
                    }
                    for package_id in sorted(package_ids)
                ],
            )

    def changes_since(self, namespace_id: int, version: int) -> ChangeSet:
        """Return what changed after *version*."""
        current = self.current(namespace_id)
        if version >= current:
            return ChangeSet(current, frozenset())
        since = {"namespace_id": namespace_id, "protocol": self._protocol, "since": version}
        rows = self._connection.execute(_CHANGES, since).all()
        # Every version has at least one row, so a missing one means that the record was swept.
        if len({row.version for row in rows}) != current - version:
            return ChangeSet(current, None)
        return ChangeSet(current, frozenset(row.package_id for row in rows))


def advance_all(connection: Connection, namespace_id: int) -> None:
    """Count one more version of all channels of a namespace, without a record of packages: every index is read anew.

    For what is no matter of packages: a label renamed or removed, its relations to other channels.
    """
    for protocol in PROTOCOLS:
        ChannelVersionRepository(connection, protocol).advance(namespace_id)


def find_namespace_id(connection: Connection, name: str) -> int | None:
    """Return the id of a namespace, None when there is none."""
    return connection.scalar(select(namespace.c.id).where(namespace.c.name == name))


def sweep_changes(connection: Connection, before: datetime) -> int:
    """Forget changes older than *before*; return how many. Processes that lag further behind read everything again."""
    # Versions are swept whole and from the oldest, or a reader could take a hole for the full story.
    horizon = (
        select(channel_change.c.namespace_id, channel_change.c.protocol, func.max(channel_change.c.version).label("version"))
        .where(channel_change.c.changed_at < before)
        .group_by(channel_change.c.namespace_id, channel_change.c.protocol)
    )
    removed = 0
    for row in connection.execute(horizon).all():
        result = connection.execute(
            delete(channel_change).where(
                channel_change.c.namespace_id == row.namespace_id,
                channel_change.c.protocol == row.protocol,
                channel_change.c.version <= row.version,
            )
        )
        removed += result.rowcount
    return removed
