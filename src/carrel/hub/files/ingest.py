"""Receiving one file: hashed while it is stored, read before it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.core.clock import now
from carrel.core.digests import Digests, Hasher, digest
from carrel.core.errors import BadRequest, DigestMismatch, TooLarge
from carrel.formats import FileMetadata, Hints, read
from carrel.storage import BlobStore, BlobWriter


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file whose bytes, and those of its companions, are durable in the blob store.

    Attributes
    ----------
    metadata : FileMetadata
    digests : Digests
    companions : dict of str to Digests
        By suffix.
    existed : bool
        Whether some of the bytes were in the store before: a sweep may be about to take them.
    """

    metadata: FileMetadata
    digests: Digests
    companions: dict[str, Digests]
    existed: bool

    def blobs(self) -> dict[str, Digests]:
        """Return all digests by SHA-256."""
        return {item.sha256: item for item in (self.digests, *self.companions.values())}


class IncomingFile:
    """One upload under way. All methods run in the pool, one at a time.

    Parameters
    ----------
    blobs : BlobStore
    limit : int
        Largest size, in bytes.
    """

    def __init__(self, blobs: BlobStore, limit: int) -> None:
        self._blobs = blobs
        self._limit = limit
        self._writer: BlobWriter | None = None
        self._hasher = Hasher()
        self._closed = False

    def feed(self, data: bytes | bytearray) -> None:
        """Take in *data*.

        Raises
        ------
        TooLarge
        """
        if self._closed:
            return
        if self._hasher.size + len(data) > self._limit:
            raise TooLarge(f"Files may have at most {self._limit} bytes here.", limit=self._limit)
        if self._writer is None:
            self._writer = self._blobs.open_writer()
        self._writer.write(data)
        self._hasher.update(data)

    def finish(self, filename: str, kind: str | None, hints: Hints, *, size: int | None, sha256: str | None) -> StoredFile:
        """Check the bytes against what was announced, read their metadata, and make them durable.

        Raises
        ------
        BadRequest
            Nothing or too little was sent.
        DigestMismatch
        InvalidFile, MetadataMismatch, TooLarge
        """
        digests = self._hasher.digests()
        if self._writer is None:
            raise BadRequest("The body is empty: send the bytes of the file.", code="empty_file")
        if size is not None and digests.size != size:
            raise BadRequest(f"{digests.size} bytes arrived of {size} announced.", code="incomplete_upload")
        if sha256 is not None and digests.sha256 != sha256:
            raise DigestMismatch(
                "The bytes that arrived do not have the announced SHA-256. Send the file again.",
                filename=filename,
                expected=sha256,
                found=digests.sha256,
            )
        with self._writer.reader() as source:
            metadata = read(filename, source, kind, hints)
        existed = self._blobs.exists(digests.sha256)
        self._writer.commit(digests.sha256)
        self._closed = True
        companions: dict[str, Digests] = {}
        for suffix, data in metadata.companions.items():
            companions[suffix] = digest(data)
            existed |= store_bytes(self._blobs, data, companions[suffix].sha256)
        return StoredFile(metadata, digests, companions, existed)

    def abort(self) -> None:
        """Discard what arrived."""
        self._closed = True
        if self._writer is not None:
            self._writer.abort()


def store_bytes(blobs: BlobStore, data: bytes, sha256: str) -> bool:
    """Store a small blob; return whether it was there before."""
    existed = blobs.exists(sha256)
    writer = blobs.open_writer()
    try:
        writer.write(data)
        writer.commit(sha256)
    finally:
        writer.abort()
    return existed


def blob_rows(stored: StoredFile) -> list[dict[str, object]]:
    """Return the rows of the blob table for *stored*."""
    moment = now()
    return [{"sha256": item.sha256, "md5": item.md5, "size": item.size, "created_at": moment} for item in stored.blobs().values()]
