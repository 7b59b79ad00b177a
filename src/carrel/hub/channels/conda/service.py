"""conda channels as their handlers see them."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from carrel.database.engine import Database
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.assembly import (
    PROCESS_THRESHOLD_BYTES,
    AssemblyRequest,
    WholeIndex,
    assemble,
    assemble_in_process,
    path_of,
    size_of,
)
from carrel.hub.channels.conda.documents import DocumentRequest, WrittenDocument, make
from carrel.hub.channels.conda.indexes import ChannelRef, CondaIndexes, ShardIndex
from carrel.hub.channels.conda.repository import CondaChannelRepository

_KEPT_SECONDS = 3600.0
_KEPT_FILES = 4  # of each channel and audience
_MAX_CHANNELS = 10_000
_MAX_DOCUMENTS = 2_000


class CondaChannels:
    """Shard indexes in memory, whole indexes in files.

    Parameters
    ----------
    database : Database
    folder : Path
        Where whole indexes are kept.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._written: dict[tuple[ChannelRef, Audience], list[str]] = {}
        self._documents: dict[tuple[DocumentRequest, int], WrittenDocument] = {}
        self._lock = threading.Lock()
        self.indexes = CondaIndexes(database)

    def peek_whole(self, index: ShardIndex) -> WholeIndex | None:
        """Return the whole index that lists what *index* lists, if it is written."""
        path = path_of(self._folder, index.content_key)
        return WholeIndex(index.content_key, str(path)) if path.exists() else None

    def whole(self, channel: ChannelRef, audience: Audience) -> WholeIndex:
        """Return the whole index of the present moment, which is written if it is missing."""
        with self._database.read() as unit:
            label_id = CondaChannelRepository(unit.connection).label_id(channel.namespace_id, channel.label)
        request = AssemblyRequest(label_id, channel.subdir, audience, str(self._folder))
        run = assemble_in_process if size_of(self._database, request) > PROCESS_THRESHOLD_BYTES else assemble
        result = run(self._database, request)
        self._sweep((channel, audience), result)
        return result

    def peek_document(self, request: DocumentRequest, version: int) -> WrittenDocument | None:
        """Return the document if it was made at *version* of the namespace's channels."""
        return self._documents.get((request, version))

    def document(self, request: DocumentRequest, version: int) -> WrittenDocument:
        """Return the document of the present moment, *version* or later, which is made anew."""
        result = make(self._database, self._folder, request)
        with self._lock:
            while len(self._documents) >= _MAX_DOCUMENTS:
                del self._documents[next(iter(self._documents))]
            self._documents[request, version] = result
        self._remove_old(result.path)
        return result

    def clear(self) -> None:
        """Remove all written indexes."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _sweep(self, key: tuple[ChannelRef, Audience], newest: WholeIndex) -> None:
        # Readers that have a file open keep it; one that is asked for again is written again.
        with self._lock:
            former = [path for path in self._written.pop(key, []) if path != newest.path]
            self._written[key] = [*former, newest.path][-_KEPT_FILES:]
            for path in former[: 1 - _KEPT_FILES]:
                Path(path).unlink(missing_ok=True)
            if len(self._written) > _MAX_CHANNELS:
                self._written.clear()
        self._remove_old(newest.path)

    def _remove_old(self, newest: str) -> None:
        limit = time.time() - _KEPT_SECONDS
        for found in self._folder.iterdir():
            try:
                if str(found) != newest and found.stat().st_mtime < limit:
                    found.unlink()
            except FileNotFoundError:
                continue
