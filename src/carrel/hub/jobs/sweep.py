"""Removing bytes that nothing refers to."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from datetime import timedelta

from carrel.core.clock import now
from carrel.database.engine import Database
from carrel.hub.files import repository
from carrel.storage import BlobStore

_log = logging.getLogger(__name__)
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed."""

    blobs: int
    temporary: int


class BlobSweep:
    """The only place that removes blobs, and only those unreferenced for longer than the grace period.

    A blob is removed while its row is locked: an upload of the same bytes waits for that lock, sees that they are gone,
    and stores them again.

    Parameters
    ----------
    database : Database
    blobs : BlobStore
    grace_seconds : float
        Age that unreferenced bytes reach.
    temp_seconds : float
        Age that temporary files of dead uploads reach.
    """

    def __init__(self, database: Database, blobs: BlobStore, grace_seconds: float, temp_seconds: float) -> None:
        self._database = database
        self._blobs = blobs
        self._grace = timedelta(seconds=grace_seconds)
        self._temp_seconds = temp_seconds

    def temporary(self) -> int:
        """Remove the temporary files of dead uploads; return how many."""
        return self._blobs.sweep_temporary(self._temp_seconds)

    def run(self) -> Swept:
        """Sweep once."""
        temporary = self.temporary()
        self._adopt_unknown()
        removed = 0
        while True:
            with self._database.write() as uow:
                doomed = repository.unreferenced(uow, now() - self._grace, _BATCH)
                for sha256 in doomed:
                    self._blobs.delete(sha256)
            removed += len(doomed)
            if len(doomed) < _BATCH:
                break
        if removed or temporary:
            _log.info("swept %d blobs and %d temporary files", removed, temporary)
        return Swept(removed, temporary)

    def _adopt_unknown(self) -> None:
        """Give rows to bytes without one (a crash between bytes and row), so that they are removed under the same lock."""
        before = now() - self._grace
        old = (item for item in self._blobs.list() if item.modified_at < before)
        while batch := list(itertools.islice(old, _BATCH)):
            by_digest = {item.sha256: item for item in batch}
            with self._database.read() as uow:
                unknown = repository.unknown_blobs(uow, by_digest.keys())
            if unknown:
                rows = [
                    {"sha256": digest, "md5": "", "size": by_digest[digest].size, "created_at": by_digest[digest].modified_at}
                    for digest in sorted(unknown)
                ]
                with self._database.write() as uow:
                    repository.adopt_blobs(uow, rows)
