"""Receiving one file: hashed while it is stored, read before it is kept."""

from __future__ import annotations

import errno
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from carrel.core.digests import Digests, Hasher, digest
from carrel.core.errors import BadRequest, DigestMismatch, InsufficientStorage, TooLarge
from carrel.core.units import format_bytes
from carrel.formats import FileMetadata, Hints, read
from carrel.hub.files.leaks import LeakGuard, TokenScanner
from carrel.storage import BlobStore, BlobWriter

T = TypeVar("T")
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file whose bytes, and those of its companions, are durable in the blob store.

    Attributes
    ----------
    metadata : FileMetadata
    digests : Digests
    companions : dict of str to Digests
        By suffix.
    """

    metadata: FileMetadata
    digests: Digests
    companions: dict[str, Digests]

    def blobs(self) -> dict[str, Digests]:
        """Return all digests by SHA-256."""
        return {item.sha256: item for item in (self.digests, *self.companions.values())}


class IncomingFile:
    """One upload under way. :meth:`feed` and :meth:`finish` run in the pool, one at a time; :meth:`abort` may come at any time.

    Parameters
    ----------
    blobs : BlobStore
    limit : int
        Largest size, in bytes.
    leaks : LeakGuard
        Refuses tokens of this hub in it.
    """

    def __init__(self, blobs: BlobStore, limit: int, leaks: LeakGuard) -> None:
        self._blobs = blobs
        self._limit = limit
        self._leaks = leaks
        self._scanner = TokenScanner()
        self._writer: BlobWriter | None = None
        self._hasher = Hasher()
        self._closed = False
        self._aborted = False
        self._working = threading.Lock()

    def feed(self, data: bytes | bytearray) -> None:
        """Take in *data*.

        Raises
        ------
        TooLarge, InsufficientStorage
        """
        with self._work():
            if not self._closed:
                self._take(data)

    def _take(self, data: bytes | bytearray) -> None:
        if self._hasher.size + len(data) > self._limit:
            raise TooLarge(f"Files may have at most {format_bytes(self._limit)} here.", limit=self._limit)
        try:
            if self._writer is None:
                self._writer = self._blobs.open_writer()
            self._writer.write(data)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise InsufficientStorage("The hub's disk is full. Tell its administrator.") from error
        self._hasher.update(data)
        self._scanner.feed(data)

    def finish(
        self, filename: str, kind: str | None, hints: Hints, *, size: int | None, sha256: str | None, md5: str | None = None
    ) -> StoredFile:
        """Check the bytes against what was announced, read their metadata, and make them durable.

        Raises
        ------
        BadRequest
            Nothing or too little was sent.
            A token of this hub is in it (code ``token_in_upload``).
        DigestMismatch
        InvalidFile, MetadataMismatch, TooLarge
        """
        with self._work():
            digests, writer = self._arrived(filename, size, sha256, md5)
            with writer.reader() as source:
                # First: whatever else is wrong with the file, the token's owner has to know.
                self._leaks.check(self._scanner, source, filename)
                metadata = read(filename, source, kind, hints)
            writer.commit(digests.sha256)
            self._closed = True
            return StoredFile(metadata, digests, _store_companions(self._blobs, metadata))

    def look(self, read: Callable[[BinaryIO], T]) -> T:
        """Return what *read* finds in the bytes, before anything is decided about them.

        Raises
        ------
        BadRequest
            Nothing was sent.
        """
        with self._work():
            _, writer = self._arrived("")
            with writer.reader() as source:
                return read(source)

    def keep(self, filename: str, *, size: int | None, sha256: str | None, md5: str | None = None) -> Digests:
        """Check the bytes against what was announced and make them durable; :func:`read_kept` reads them later.

        Raises
        ------
        BadRequest, DigestMismatch
            Code ``token_in_upload``: a token of this hub is in it.
        """
        with self._work():
            digests, writer = self._arrived(filename, size, sha256, md5)
            with writer.reader() as source:
                self._leaks.check(self._scanner, source, filename)
            writer.commit(digests.sha256)
            self._closed = True
            return digests

    def _arrived(
        self, filename: str, size: int | None = None, sha256: str | None = None, md5: str | None = None
    ) -> tuple[Digests, BlobWriter]:
        digests = self._hasher.digests()
        if self._aborted:
            raise BadRequest("The upload was broken off. Send the file again.", code="incomplete_upload")
        if self._writer is None:
            raise BadRequest("The body is empty: send the bytes of the file.", code="empty_file")
        if size is not None and digests.size != size:
            raise BadRequest(f"{digests.size} bytes arrived of {size} announced.", code="incomplete_upload")
        for name, expected, found in (("SHA-256", sha256, digests.sha256), ("MD5", md5, digests.md5)):
            if expected is not None and expected != found:
                raise DigestMismatch(
                    f"The bytes that arrived do not have the announced {name}. Send the file again.",
                    filename=filename,
                    expected=expected,
                    found=found,
                )
        return digests, self._writer

    def abort(self) -> None:
        """Discard what arrived; never waits. What is being worked on in another thread is discarded when that ends."""
        self._closed = self._aborted = True
        self._discard()

    @contextmanager
    def _work(self) -> Iterator[None]:
        # Closing the temporary file under a thread that writes to it could let that thread write into another file.
        try:
            with self._working:
                yield
        finally:
            if self._aborted:
                self._discard()

    def _discard(self) -> None:
        if self._working.acquire(blocking=False):
            try:
                if self._writer is not None:
                    self._writer.abort()
            finally:
                self._working.release()


def read_kept(blobs: BlobStore, digests: Digests, filename: str, kind: str | None, hints: Hints) -> StoredFile:
    """Read the metadata of bytes that are in the store (see :meth:`IncomingFile.keep`); *kind* None: as they look.

    Raises
    ------
    BadRequest, InvalidFile, MetadataMismatch, TooLarge
    NotFound
        The bytes are gone.
    """
    with open_kept(blobs, digests.sha256) as source:
        metadata = read(filename, source, kind, hints)
    return StoredFile(metadata, digests, _store_companions(blobs, metadata))


@contextmanager
def open_kept(blobs: BlobStore, sha256: str) -> Iterator[BinaryIO]:
    """Open bytes of the store as a seekable file."""
    path = blobs.local_path(sha256)
    if path is not None:
        with path.open("rb") as source:
            yield source
        return
    with tempfile.TemporaryFile() as copy:
        for chunk in blobs.read(sha256):
            copy.write(chunk)
        copy.seek(0)
        yield copy


def _store_companions(blobs: BlobStore, metadata: FileMetadata) -> dict[str, Digests]:
    companions: dict[str, Digests] = {}
    for suffix, data in metadata.companions.items():
        companions[suffix] = digest(data)
        store_bytes(blobs, data, companions[suffix].sha256)
    return companions


def store_bytes(blobs: BlobStore, data: bytes, sha256: str) -> None:
    """Store a small blob."""
    writer = blobs.open_writer()
    try:
        writer.write(data)
        writer.commit(sha256)
    finally:
        writer.abort()
