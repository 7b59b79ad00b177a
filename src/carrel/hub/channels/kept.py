"""What one process keeps in memory of the channels of namespaces: bounded, and current by the version of each namespace.

A reader names the committed version; what is kept at an older one catches up with the packages changed since.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection

from carrel.database.engine import Database
from carrel.hub.channels.repository import ChannelVersionRepository

_ITEM_BYTES = 1000  # what the smallest item takes, about: names asked for by chance must not fill the memory


class NamespaceRef(Protocol):
    """Names something of a namespace; can be hashed."""

    @property
    def namespace_id(self) -> int:
        """Id of the namespace."""


Ref = TypeVar("Ref", bound=NamespaceRef)
Item = TypeVar("Item")


@dataclass(slots=True)
class _Namespace(Generic[Ref, Item]):
    version: int = -1
    items: dict[Ref, Item] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class KeptIndexes(Generic[Ref, Item]):
    """Indexes of all namespaces, as far as they were asked for. Methods may be called from any thread.

    Parameters
    ----------
    database : Database
    protocol : str
        Whose versions count.
    limit : int
        Bytes kept, about.
    update : callable
        Called with a connection, the items of a namespace and the ids of the packages that changed: changes or removes the
        items that tell of them. Other threads may remove items meanwhile.
    """

    def __init__(
        self, database: Database, protocol: str, limit: int, update: Callable[[Connection, dict[Ref, Item], Set[int]], None]
    ) -> None:
        self._database = database
        self._protocol = protocol
        self._limit = limit
        self._update = update
        self._namespaces: dict[int, _Namespace[Ref, Item]] = {}
        self._recent: OrderedDict[Ref, int] = OrderedDict()  # bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def peek(self, ref: Ref, version: int) -> Item | None:
        """Return the item if it is in memory at *version* or later; touches no database."""
        namespace = self._namespaces.get(ref.namespace_id)
        if namespace is None or namespace.version < version:
            return None
        return namespace.items.get(ref)

    @contextmanager
    def current(self, namespace_id: int) -> Iterator[tuple[Connection, dict[Ref, Item]]]:
        """Give the items of a namespace at the committed version, and the connection that read it, to one thread at a time.

        Whoever adds an item, or makes one larger, says so with :meth:`keep` afterwards.
        """
        with self._lock:
            namespace = self._namespaces.setdefault(namespace_id, _Namespace())
        with namespace.lock, self._database.read() as unit:
            self._catch_up(namespace, namespace_id, unit.connection)
            yield unit.connection, namespace.items

    def keep(self, ref: Ref, size: int) -> None:
        """Note that an item of *size* bytes was used; what was not for longest makes room."""
        size += _ITEM_BYTES
        with self._lock:
            self._bytes += size - self._recent.pop(ref, 0)
            self._recent[ref] = size
            while self._bytes > self._limit and len(self._recent) > 1:
                dropped, dropped_size = self._recent.popitem(last=False)
                self._bytes -= dropped_size
                namespace = self._namespaces.get(dropped.namespace_id)
                if namespace is not None:
                    namespace.items.pop(dropped, None)

    def _catch_up(self, namespace: _Namespace[Ref, Item], namespace_id: int, connection: Connection) -> None:
        versions = ChannelVersionRepository(connection, self._protocol)
        changes = versions.changes_since(namespace_id, namespace.version) if namespace.version >= 0 else None
        if changes is None or changes.package_ids is None:
            namespace.items.clear()
            namespace.version = versions.current(namespace_id)
            return
        if changes.package_ids:
            self._update(connection, namespace.items, changes.package_ids)
        namespace.version = changes.version
