"""Where notebooks are, by content digest, remembered for a few seconds: what decides who may see a rendered one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.notebooks import repository
from carrel.hub.packages.changes import PackageChange
from carrel.hub.packages.visibility import may_reach

_MAX_ENTRIES = 10_000
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """One file with the bytes of a notebook: what says who may see it."""

    namespace_id: int
    visibility: str
    package_published: bool
    published: bool
    size: int

    def is_open_to(self, principal: Principal) -> bool:
        """Whether *principal* may see the file; those of drafts are for members of the namespace."""
        reachable = may_reach(principal, self.namespace_id, self.visibility, published=self.package_published)
        return reachable and (self.published or principal.role_in(self.namespace_id) is not None)


class NotebookPlaces:
    """Finds notebooks by digest. Changes made by this process are seen at once, those of others some seconds later."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tuple[Place, ...], float]] = {}
        self._generation = 0
        self._lock = threading.Lock()

    @property
    def generation(self) -> int:
        """Counts the changes: read before the unit of a lookup begins, given to :meth:`remember` after it."""
        return self._generation

    def cached(self, sha256: str) -> tuple[Place, ...] | None:
        """Return what is remembered; touches no database."""
        entry = self._entries.get(sha256)
        return entry[0] if entry is not None and entry[1] >= time.monotonic() else None

    def find(self, uow: UnitOfWork, sha256: str) -> tuple[Place, ...]:
        """Look up where the notebook is."""
        return tuple(
            Place(row.namespace_id, row.visibility, row.latest_version is not None, row.state == "published", row.size)
            for row in repository.places(uow, sha256)
        )

    def remember(self, sha256: str, found: tuple[Place, ...], generation: int) -> None:
        """Keep the result of a lookup unless something changed since *generation*; nothing found is not kept."""
        with self._lock:
            if found and generation == self._generation:
                while len(self._entries) >= _MAX_ENTRIES:
                    self._entries.pop(next(iter(self._entries)))
                self._entries[sha256] = (found, time.monotonic() + _SECONDS)

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._generation += 1
            self._entries.clear()

    def files_changed(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
        """Forget after the commit (listener of package changes)."""
        uow.after_commit(self.forget)
