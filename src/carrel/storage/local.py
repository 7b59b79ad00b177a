"""Blobs in a folder."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from carrel.core.digests import is_sha256
from carrel.core.errors import NotFound, Unavailable
from carrel.storage.base import CHUNK_BYTES, BlobWriter, StoredBlob
from carrel.storage.spool import SpoolFile, sweep_spool


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable (a no-op where folders cannot be opened)."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):  # Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class LocalBlobStore:
    """A folder: ``blobs/ab/abcd…`` and ``uploads/`` on the same file system.

    A blob appears under its name by one rename, after its bytes are on the disk; the name is on the disk before
    ``commit`` returns. So a crash at any moment leaves whole blobs and, at worst, a temporary file.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs"
        self._uploads = root / "uploads"
        if not self._blobs.is_dir():
            self._blobs.mkdir(parents=True, exist_ok=True)
            # All folders of blobs at once: made one by one, each would cost its first upload one more fsync.
            for number in range(256):
                (self._blobs / f"{number:02x}").mkdir(exist_ok=True)
            sync_folder(self._blobs)
        self._uploads.mkdir(exist_ok=True)

    def open_writer(self) -> BlobWriter:
        """Start a new blob."""
        return _LocalWriter(self, SpoolFile(self._uploads))

    def path_of(self, sha256: str) -> Path:
        """Return where a blob is or would be."""
        if not is_sha256(sha256):
            raise ValueError("not a SHA-256 digest")
        return self._blobs / sha256[:2] / sha256

    def exists(self, sha256: str) -> bool:
        """Whether the blob is there."""
        return self.path_of(sha256).is_file()

    def size(self, sha256: str) -> int:
        """Return the number of bytes of the blob."""
        try:
            return self.path_of(sha256).stat().st_size
        except FileNotFoundError as error:
            raise _missing(sha256) from error

    def _open(self, sha256: str, start: int) -> BinaryIO:
        try:
            file = self.path_of(sha256).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise _missing(sha256) from error
        file.seek(start)
        return file

    def read(self, sha256: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from *start* up to *stop*."""
        with self._open(sha256, start) as file:
            remaining = (1 << 62) if stop is None else stop - start
            while remaining > 0 and (chunk := file.read(min(CHUNK_BYTES, remaining))):
                remaining -= len(chunk)
                yield chunk

    async def stream(self, sha256: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield the same as :meth:`read`, reading in threads."""
        loop = asyncio.get_running_loop()
        file = await loop.run_in_executor(None, self._open, sha256, start)
        try:
            remaining = (1 << 62) if stop is None else stop - start
            while remaining > 0:
                chunk = await loop.run_in_executor(None, file.read, min(CHUNK_BYTES, remaining))
                if not chunk:
                    return
                remaining -= len(chunk)
                yield chunk
        finally:
            file.close()

    def delete(self, sha256: str) -> None:
        """Remove the blob."""
        self.path_of(sha256).unlink(missing_ok=True)

    def list(self) -> Iterator[StoredBlob]:
        """Yield all blobs."""
        for folder in self._blobs.iterdir():
            for entry in os.scandir(folder):
                if is_sha256(entry.name):
                    try:
                        status = entry.stat()
                    except FileNotFoundError:
                        continue
                    yield StoredBlob(entry.name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def local_path(self, sha256: str) -> Path | None:
        """Return the file of the blob."""
        path = self.path_of(sha256)
        return path if path.is_file() else None

    def presigned_url(self, sha256: str, *, filename: str, seconds: int = 300) -> str | None:
        """Return None: a folder has no address."""
        return None

    def free_bytes(self) -> int | None:
        """Return the room left on the file system."""
        return shutil.disk_usage(self.root).free

    def sweep_temporary(self, older_than: float) -> int:
        """Remove what dead writers left."""
        return sweep_spool(self._uploads, older_than)

    def check(self) -> None:
        """Raise when the folder cannot be written."""
        if not os.access(self._uploads, os.W_OK):
            raise Unavailable("The folder of the blob store cannot be written.")

    def adopt(self, spool: SpoolFile, sha256: str) -> None:
        """Give a finished temporary file its name."""
        spool.sync()
        spool.close()
        target = self.path_of(sha256)
        try:
            os.utime(target)  # the sweep counts its grace period from here
            spool.path.unlink()
        except FileNotFoundError:  # it was not there, or a sweep took it at this moment
            if not target.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
                sync_folder(self._blobs)
            spool.path.replace(target)
        sync_folder(target.parent)


def _missing(sha256: str) -> NotFound:
    return NotFound(f"The bytes {sha256[:12]}… are not in the store.", code="blob_missing")


class _LocalWriter:
    def __init__(self, store: LocalBlobStore, spool: SpoolFile) -> None:
        self._store = store
        self._spool = spool
        self._done = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._spool.write(data)

    def reader(self) -> BinaryIO:
        return self._spool.reader()

    def commit(self, sha256: str) -> None:
        self._store.adopt(self._spool, sha256)
        self._done = True

    def abort(self) -> None:
        if not self._done:
            self._spool.discard()
            self._done = True
