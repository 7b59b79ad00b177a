"""How a process learns that a channel has changed, whichever process changed it."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from typing import Protocol

from carrel.database.engine import SQLITE_BUSY_TIMEOUT_MS, Database
from carrel.hub.channels.repository import ChannelVersionRepository

_RECENT_SECONDS = 1.0
_MAX_KNOWN = 10_000


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

    def recent(self, namespace_id: int, protocol: str) -> int | None:
        """Return a version that was committed at most a second ago, None when the database must be asked; never waits."""
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

    def recent(self, namespace_id: int, protocol: str) -> int | None:
        """Return the committed version."""
        return self.current(namespace_id, protocol)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()


class QueriedChannelVersions:
    """Versions read from the database each time: any database, any number of processes."""

    cheap = False

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[int, str], tuple[float, int]] = {}

    def current(self, namespace_id: int, protocol: str) -> int:
        """Return the committed version."""
        asked_at = time.monotonic()
        with self._database.read() as unit:
            version = ChannelVersionRepository(unit.connection, protocol).current(namespace_id)
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        self._known[namespace_id, protocol] = (asked_at, version)
        return version

    def recent(self, namespace_id: int, protocol: str) -> int | None:
        """Return what was read within the last second."""
        asked_at, version = self._known.get((namespace_id, protocol), (-math.inf, 0))
        return version if time.monotonic() - asked_at < _RECENT_SECONDS else None

    def close(self) -> None:
        """Nothing is held."""


def channel_versions(database: Database) -> ChannelVersions:
    """Return the implementation that suits *database*."""
    if database.is_sqlite:
        return SqliteChannelVersions(str(database.url.database))
    return QueriedChannelVersions(database)
