"""What was looked up a few seconds ago, shared by all callers of a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Generic, TypeVar

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.packages.changes import PackageChange

Key = TypeVar("Key")
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """Rows by key. Changes made by this process are seen at once, those of others when the entry ends.

    What an entry says is checked against every caller, so entries hold what decides who may see them.

    Parameters
    ----------
    seconds : float
        For which an entry is kept.
    most : int
        Entries; the oldest goes first.
    """

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._entries: dict[Key, tuple[tuple[Value, ...], float]] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def cached(self, key: Key) -> tuple[Value, ...] | None:
        """Return what is remembered; touches no database."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None and entry[1] >= time.monotonic() else None

    @property
    def generation(self) -> int:
        """Counts the changes: read before the unit of a lookup begins, given to :meth:`remember` after it."""
        return self._generation

    def remember(self, key: Key, found: tuple[Value, ...], generation: int) -> None:
        """Keep the result of a lookup unless something changed since *generation*; nothing found is not kept."""
        with self._lock:
            if found and generation == self._generation:
                while len(self._entries) >= self._most:
                    self._entries.pop(next(iter(self._entries)))
                self._entries[key] = (found, time.monotonic() + self._seconds)

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._generation += 1
            self._entries.clear()

    def files_changed(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
        """Forget after the commit (listener of package changes)."""
        uow.after_commit(self.forget)
