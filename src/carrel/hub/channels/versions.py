"""How a process learns that a channel has changed, whichever process changed it."""

from __future__ import annotations

import sqlite3
import threading
from typing import Protocol

from carrel.database.engine import SQLITE_BUSY_TIMEOUT_MS, Database
from carrel.hub.channels.repository import ChannelVersionRepository


class ChannelVersions(Protocol):
    """Says which version a namespace's channels are at.

    Attributes
    ----------
    cheap : bool
        Whether :meth:`current` may be called on the event loop (microseconds, never waits).
    """

    cheap: bool

    def current(self, namespace_id: int, protocol: str) -> int:
        """Return the committed version; an answered upload is always included."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class SqliteChannelVersions:
    """Versions on SQLite: ``PRAGMA data_version`` tells in microseconds whether anyone has committed since.

    Parameters
    ----------
    path : str
        The database file.
    """

    cheap = True

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=SQLITE_BUSY_TIMEOUT_MS / 1000)
        self._connection.execute("PRAGMA query_only=ON")
        self._lock = threading.Lock()
        self._known: dict[tuple[int, str], int] = {}
        self._data_version = -1

    def current(self, namespace_id: int, protocol: str) -> int:
        """Return the committed version."""
        key = (namespace_id, protocol)
        with self._lock:
            (data_version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if data_version != self._data_version:
                self._data_version = data_version
                self._known.clear()
            version = self._known.get(key)
            if version is None:
                row = self._connection.execute("SELECT version FROM channel_version WHERE namespace_id=? AND protocol=?", key).fetchone()
                version = self._known[key] = row[0] if row else 0
            return version

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()


class QueriedChannelVersions:
    """Versions read from the database each time: any database, any number of processes."""

    cheap = False

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, namespace_id: int, protocol: str) -> int:
        """Return the committed version."""
        with self._database.read() as unit:
            return ChannelVersionRepository(unit.connection, protocol).current(namespace_id)

    def close(self) -> None:
        """Nothing is held."""


def channel_versions(database: Database) -> ChannelVersions:
    """Return the implementation that suits *database*."""
    if database.is_sqlite:
        return SqliteChannelVersions(str(database.url.database))
    return QueriedChannelVersions(database)
