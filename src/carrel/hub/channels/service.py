"""The channels of a hub process: everything that their handlers share."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

from carrel.core.clock import now
from carrel.database.engine import Database
from carrel.hub.channels.collections.service import CollectionChannels
from carrel.hub.channels.conda.repository import CondaChannelRepository
from carrel.hub.channels.conda.service import CondaChannels
from carrel.hub.channels.cran.indexes import CranIndexes
from carrel.hub.channels.pypi.indexes import PypiIndexes
from carrel.hub.channels.repository import find_namespace_id, sweep_changes
from carrel.hub.channels.versions import channel_versions

_SECONDS = 5.0
_KEPT = timedelta(days=7)
_MAX_NAMES = 10_000


class NamespaceIds:
    """Ids of namespaces by name, remembered for a few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def peek(self, name: str) -> int | None:
        """Return the id if it is remembered; touches no database."""
        found = self._known.get(name)
        return found[0] if found is not None and found[1] > time.monotonic() else None

    def find(self, name: str) -> int | None:
        """Return the id, None when there is no such namespace."""
        with self._database.read() as unit:
            found = find_namespace_id(unit.connection, name)
        if found is not None:
            with self._lock:
                if len(self._known) > _MAX_NAMES:
                    self._known.clear()
                self._known[name] = (found, time.monotonic() + _SECONDS)
        return found


class Channels:
    """Indexes of all protocols, with the versions that keep them current.

    Parameters
    ----------
    database : Database
    folder : Path
        Where whole indexes are kept; everything in it can be made again.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.namespaces = NamespaceIds(database)
        self.versions = channel_versions(database)
        self.conda = CondaChannels(database, folder / "conda")
        self.pypi = PypiIndexes(database)
        self.cran = CranIndexes(database)
        self.collections = CollectionChannels(database, folder / "collections")

    def sweep(self) -> int:
        """Remove shards and records of changes that nobody needs any more; return how many rows.

        Clients hold an index for a while and fetch its shards later, so those are kept for a week after the last index
        that named them.
        """
        before = now() - _KEPT
        with self._database.write() as unit:
            return CondaChannelRepository(unit.connection).sweep_content(before) + sweep_changes(unit.connection, before)

    def close(self) -> None:
        """Release what is held."""
        self.versions.close()
