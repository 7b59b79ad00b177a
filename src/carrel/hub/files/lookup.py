"""Where the bytes behind a download address are, remembered for a few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.files import repository
from carrel.hub.packages.changes import PackageChange

_MAX_ENTRIES = 20_000
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Located:
    """A file as downloads need it: what authorises it, and its bytes."""

    id: int
    namespace_id: int
    visibility: str
    published: bool
    package_published: bool
    kind: str
    filename: str
    sha256: str
    size: int


Address = tuple[str, str, str, str, str | None]


class FileLookup:
    """Finds files by address (namespace, package, version, filename, subdir).

    The visibility travels with the entry and is checked for every caller, so entries are shared by all callers. Changes
    made by this process are seen at once, those of others within :data:`SECONDS`.
    """

    def __init__(self) -> None:
        self._entries: dict[Address, tuple[tuple[Located, ...], float]] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def cached(self, address: Address) -> tuple[Located, ...] | None:
        """Return what is remembered of *address*; touches no database."""
        entry = self._entries.get(address)
        return entry[0] if entry is not None and entry[1] >= time.monotonic() else None

    def find(self, uow: UnitOfWork, address: Address) -> tuple[Located, ...]:
        """Look *address* up; what is not there is not remembered."""
        found = tuple(
            Located(
                row.id,
                row.namespace_id,
                row.visibility,
                row.state == "published",
                row.latest_version is not None,
                row.kind,
                row.filename,
                row.sha256,
                row.size,
            )
            for row in repository.by_names(uow, *address)
        )
        return found

    @property
    def generation(self) -> int:
        """Counts the changes: read before the unit of a lookup begins, given to :meth:`remember` after it."""
        return self._generation

    def remember(self, address: Address, found: tuple[Located, ...], generation: int) -> None:
        """Keep the result of a lookup unless something changed since *generation*."""
        with self._lock:
            if found and generation == self._generation:
                while len(self._entries) >= _MAX_ENTRIES:
                    self._entries.pop(next(iter(self._entries)))
                self._entries[address] = (found, time.monotonic() + SECONDS)

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._generation += 1
            self._entries.clear()

    def files_changed(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
        """Forget after the commit (listener of package changes)."""
        uow.after_commit(self.forget)
