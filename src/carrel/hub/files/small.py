"""Small blobs in memory."""

from __future__ import annotations

import collections


class SmallBlobs:
    """The most recently used small blobs, in memory: immutable, so never stale.

    Parameters
    ----------
    capacity : int
        Bytes in all.
    """

    def __init__(self, capacity: int = 32 * 1024 * 1024) -> None:
        self._capacity = capacity
        self._size = 0
        self._blobs: collections.OrderedDict[str, bytes] = collections.OrderedDict()

    def get(self, sha256: str) -> bytes | None:
        """Return a blob that is remembered. On the event loop only."""
        data = self._blobs.get(sha256)
        if data is not None:
            self._blobs.move_to_end(sha256)
        return data

    def put(self, sha256: str, data: bytes) -> None:
        """Remember a blob. On the event loop only."""
        if sha256 not in self._blobs:
            self._blobs[sha256] = data
            self._size += len(data)
            while self._size > self._capacity:
                self._size -= len(self._blobs.popitem(last=False)[1])
