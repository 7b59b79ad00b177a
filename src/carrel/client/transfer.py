"""Bytes to and from the hub: streamed, counted, cancellable, verified."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

import requests

from carrel.client.transport import Transport
from carrel.core.digests import Hasher, digest
from carrel.core.errors import Cancelled, DigestMismatch, InsufficientStorage, TooLarge, UpstreamError
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress

CHUNK = 1024 * 1024
_REPORT_BYTES = 256 * 1024
_DOWNLOAD_ATTEMPTS = 3


def sha256_of(source: BinaryIO, cancel: CancelSignal) -> tuple[str, int]:
    """Return the SHA-256 and the size of *source*, a seekable file."""
    hasher = Hasher()
    source.seek(0)
    while chunk := source.read(CHUNK):
        if cancel.is_set():
            raise Cancelled("Cancelled. Nothing was uploaded.")
        hasher.update(chunk)
    return hasher.digests().sha256, hasher.size


class ReportingReader(io.RawIOBase):
    """A request body that reports how much was sent and stops when asked to.

    ``__len__`` makes requests send ``Content-Length``, so the body is streamed without chunked encoding.
    """

    def __init__(self, source: BinaryIO, size: int, on_progress: OnProgress, cancel: CancelSignal) -> None:
        self._source = source
        self._size = size
        self._done = 0
        self._reported = 0
        self._on_progress = on_progress
        self._cancel = cancel

    def __len__(self) -> int:
        return self._size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the body."""
        return self._source.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as retries do, and count from there."""
        position = self._source.seek(offset, whence)
        self._done = self._reported = position
        return position

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the body."""
        if self._cancel.is_set():
            raise Cancelled("Cancelled. The upload was given up.")
        chunk = self._source.read(size)
        self._done += len(chunk)
        if self._done - self._reported >= _REPORT_BYTES or (self._done == self._size and self._reported < self._done):
            self._reported = self._done
            self._on_progress(Progress("upload", self._done, self._size, "bytes"))
        return chunk


def download(
    transport: Transport,
    url: str,
    target: Path,
    *,
    sha256: str,
    size: int,
    on_progress: OnProgress,
    cancel: CancelSignal | None = None,
) -> Path:
    """Fetch *url* into *target*; the file appears complete and verified or not at all.

    A broken connection is resumed where it broke, at most twice.

    Raises
    ------
    carrel.core.errors.DigestMismatch
        The bytes are not those with the announced digest.
    """
    cancel = cancel or NeverCancelled()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}-", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            found = _fetch(transport, url, file, target.name, size, on_progress, cancel)
            file.flush()
            os.fsync(file.fileno())
        if found != sha256:
            raise DigestMismatch(
                f"{target.name} arrived with other bytes than the hub announced. It was thrown away; download it again, and tell the "
                "owner of the hub if this repeats.",
                filename=target.name,
                expected=sha256,
                found=found,
            )
        # mkstemp makes files private; what was downloaded gets the permissions any new file of this person has.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        if error.errno == 28:
            raise InsufficientStorage(f"There is no room for {target.name} in {target.parent}.", needed=size) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _fetch(transport: Transport, url: str, file: BinaryIO, filename: str, size: int, on_progress: OnProgress, cancel: CancelSignal) -> str:
    hasher = Hasher()
    for attempt in range(1, _DOWNLOAD_ATTEMPTS + 1):
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if hasher.size:
            headers["Range"] = f"bytes={hasher.size}-"
        try:
            with transport.request("GET", url, headers=headers, stream=True, cancel=cancel) as response:
                if hasher.size and response.status_code != 206:  # the server does not resume: start again
                    file.seek(0)
                    file.truncate()
                    hasher = Hasher()
                for chunk in response.iter_content(CHUNK):
                    if cancel.is_set():
                        raise Cancelled("Cancelled. Nothing was kept of the download.")
                    file.write(chunk)
                    hasher.update(chunk)
                    on_progress(Progress("download", hasher.size, size, "bytes"))
            if hasher.size >= size:
                return hasher.digests().sha256
        except requests.RequestException as error:
            if attempt == _DOWNLOAD_ATTEMPTS:
                raise UpstreamError(f"The connection broke while {filename} was downloaded. Try again.") from error
    return hasher.digests().sha256


def read(transport: Transport, url: str, filename: str, *, sha256: str, limit: int, cancel: CancelSignal | None = None) -> bytes:
    """Return the verified bytes at *url*.

    Raises
    ------
    carrel.core.errors.DigestMismatch
        The bytes are not those with the announced digest.
    carrel.core.errors.TooLarge
        There are more than *limit* bytes.
    """
    cancel = cancel or NeverCancelled()
    body = bytearray()
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    with transport.request("GET", url, headers=headers, stream=True, cancel=cancel) as response:
        try:
            for chunk in response.iter_content(CHUNK):
                if cancel.is_set():
                    raise Cancelled("Cancelled.")
                body += chunk
                if len(body) > limit:
                    raise TooLarge(f"{filename} is larger than {limit} bytes and was not read.", limit=limit)
        except requests.RequestException as error:
            raise UpstreamError(f"The connection broke while {filename} was downloaded. Try again.") from error
    found = digest(bytes(body)).sha256
    if found != sha256:
        raise DigestMismatch(
            f"{filename} arrived with other bytes than the hub announced. Download it again; tell the hub's owner if this repeats.",
            filename=filename,
            expected=sha256,
            found=found,
        )
    return bytes(body)
