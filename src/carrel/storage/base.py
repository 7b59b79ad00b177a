"""The protocol of blob stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob as the store lists it."""

    sha256: str
    size: int
    modified_at: datetime


class BlobWriter(Protocol):
    """Receives the bytes of one blob. Nothing is visible in the store before :meth:`commit` returns."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append *data*."""
        ...

    def reader(self) -> BinaryIO:
        """Open what was written so far for reading, seekable, at position 0. The caller closes it before the writer ends."""
        ...

    def commit(self, sha256: str) -> None:
        """Make the bytes durable under *sha256*, which the caller computed; a blob that exists already is kept."""
        ...

    def abort(self) -> None:
        """Discard everything; allowed at any time, also after :meth:`commit` (does nothing then)."""
        ...


class BlobStore(Protocol):
    """Immutable blobs by SHA-256. All methods but :meth:`stream` are synchronous and safe to call from any thread.

    Methods that read raise :class:`carrel.core.errors.NotFound` for a blob that is not there and
    :class:`carrel.core.errors.Unavailable` when the store cannot be reached.
    """

    def open_writer(self) -> BlobWriter:
        """Start a new blob."""
        ...

    def exists(self, sha256: str) -> bool:
        """Whether the blob is there."""
        ...

    def size(self, sha256: str) -> int:
        """Return the number of bytes of the blob."""
        ...

    def read(self, sha256: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from *start* up to *stop* (exclusive; None: the end)."""
        ...

    def stream(self, sha256: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield the same as :meth:`read` without blocking the event loop."""
        ...

    def delete(self, sha256: str) -> None:
        """Remove the blob; nothing happens when it is not there."""
        ...

    def list(self) -> Iterator[StoredBlob]:
        """Yield all blobs, in no order."""
        ...

    def local_path(self, sha256: str) -> Path | None:
        """Return the file that holds exactly the blob's bytes, None when there is none on this machine."""
        ...

    def presigned_url(self, sha256: str, *, filename: str, seconds: int = 300) -> str | None:
        """Return an address from which anyone can fetch the blob for a while, None when the store has none."""
        ...

    def free_bytes(self) -> int | None:
        """Return the room left, None when there is no known limit."""
        ...

    def sweep_temporary(self, older_than: float) -> int:
        """Remove what dead writers left *older_than* seconds ago; return how many."""
        ...

    def check(self) -> None:
        """Raise :class:`carrel.core.errors.Unavailable` when the store cannot be used."""
        ...
