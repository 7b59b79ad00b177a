"""Blobs in an object store (S3 and compatible, GCS, Azure) through obstore."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store, from_url

from carrel.core.digests import is_sha256
from carrel.core.errors import CarrelError, NotFound, Unavailable
from carrel.storage.base import CHUNK_BYTES, BlobWriter, StoredBlob
from carrel.storage.spool import SpoolFile, sweep_spool

# A person waits for the answer: better an error that says so than three minutes of silence.
_CLIENT = {"connect_timeout": "5s", "timeout": "60s"}
_RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}


def open_object_store(url: str, temporary: Path) -> ObjectBlobStore:
    """Open the store at *url*: ``s3://bucket/prefix?endpoint=http://…&region=…`` or what obstore understands.

    Query parameters are passed to obstore as options; credentials are best left to the environment (``AWS_ACCESS_KEY_ID`` …).
    """
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    client: dict[str, Any] = dict(_CLIENT)
    prefix = parts.path.strip("/")
    if parts.scheme == "s3":
        endpoint = options.get("endpoint", "")
        if endpoint:
            options.setdefault("virtual_hosted_style_request", False)
            options.setdefault("region", "us-east-1")
        client["allow_http"] = endpoint.startswith("http:")
        return ObjectBlobStore(S3Store(parts.netloc, client_options=client, retry_config=_RETRIES, **options), prefix, temporary)
    store = from_url(f"{parts.scheme}://{parts.netloc}", client_options=client, retry_config=_RETRIES, **options)
    return ObjectBlobStore(store, prefix, temporary)


class ObjectBlobStore:
    """Objects ``<prefix>/blobs/ab/abcd…``.

    Uploads are received in a local temporary file, because metadata is read from the bytes before anything is kept, and
    are sent when they are accepted (in parts when large). An upload that is cut leaves no object; the parts of a cut
    transfer are removed by the bucket's lifecycle rule for incomplete uploads.

    Parameters
    ----------
    store
        An obstore store.
    prefix : str
    temporary : Path
        Folder for uploads under way.
    """

    def __init__(self, store: Any, prefix: str, temporary: Path) -> None:
        self._store = store
        self._prefix = f"{prefix}/blobs" if prefix else "blobs"
        self._temporary = temporary
        temporary.mkdir(parents=True, exist_ok=True)

    def _key(self, sha256: str) -> str:
        if not is_sha256(sha256):
            raise ValueError("not a SHA-256 digest")
        return f"{self._prefix}/{sha256[:2]}/{sha256}"

    def open_writer(self) -> BlobWriter:
        """Start a new blob."""
        return _ObjectWriter(self, SpoolFile(self._temporary))

    def send(self, path: Path, sha256: str) -> None:
        """Store the bytes of a file."""
        with _translated(sha256):
            obstore.put(self._store, self._key(sha256), path, chunk_size=8 * 1024 * 1024)

    def exists(self, sha256: str) -> bool:
        """Whether the blob is there."""
        try:
            self.size(sha256)
        except NotFound:
            return False
        return True

    def size(self, sha256: str) -> int:
        """Return the number of bytes of the blob."""
        with _translated(sha256):
            return int(obstore.head(self._store, self._key(sha256))["size"])

    def read(self, sha256: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from *start* up to *stop*."""
        if stop is not None and stop <= start:
            return
        with _translated(sha256):
            try:
                result, skip = obstore.get(self._store, self._key(sha256), options=_range(start, stop)), 0
            except BaseError as error:
                if not _ignores_ranges(error):
                    raise
                result, skip = obstore.get(self._store, self._key(sha256)), start
            cut = _Cut(skip, None if stop is None else stop - start)
            for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                if piece := cut.take(bytes(chunk)):
                    yield piece
                if cut.done:
                    return

    async def stream(self, sha256: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield the same as :meth:`read` without blocking the event loop."""
        if stop is not None and stop <= start:
            return
        with _translated(sha256):
            try:
                result, skip = await obstore.get_async(self._store, self._key(sha256), options=_range(start, stop)), 0
            except BaseError as error:
                if not _ignores_ranges(error):
                    raise
                result, skip = await obstore.get_async(self._store, self._key(sha256)), start
            cut = _Cut(skip, None if stop is None else stop - start)
            async for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                if piece := cut.take(bytes(chunk)):
                    yield piece
                if cut.done:
                    return

    def delete(self, sha256: str) -> None:
        """Remove the blob."""
        try:
            with _translated(sha256):
                obstore.delete(self._store, self._key(sha256))
        except NotFound:
            return

    def list(self) -> Iterator[StoredBlob]:
        """Yield all blobs."""
        with _translated(""):
            for page in obstore.list(self._store, prefix=self._prefix + "/"):
                for item in page:
                    name = str(item["path"]).rsplit("/", 1)[-1]
                    if is_sha256(name):
                        yield StoredBlob(name, int(item["size"]), item["last_modified"])

    def local_path(self, sha256: str) -> Path | None:
        """Return None: the bytes are elsewhere."""
        return None

    def presigned_url(self, sha256: str, *, filename: str, seconds: int = 300) -> str | None:
        """Return a presigned address, None when the store cannot sign."""
        try:
            return str(obstore.sign(self._store, "GET", self._key(sha256), timedelta(seconds=seconds)))
        except (ValueError, TypeError, NotImplementedError, BaseError):
            return None

    def free_bytes(self) -> int | None:
        """Return None: buckets have no end."""
        return None

    def sweep_temporary(self, older_than: float) -> int:
        """Remove what dead writers left on this machine."""
        return sweep_spool(self._temporary, older_than)

    def check(self) -> None:
        """Raise when the store does not answer."""
        self.exists("0" * 64)


class _Cut:
    """Takes ``length`` bytes after the first ``skip`` of a stream of chunks."""

    def __init__(self, skip: int, length: int | None) -> None:
        self._skip = skip
        self._left = length

    def take(self, chunk: bytes) -> bytes:
        piece = chunk[self._skip :]
        self._skip = max(0, self._skip - len(chunk))
        if self._left is not None:
            piece = piece[: self._left]
            self._left -= len(piece)
        return piece

    @property
    def done(self) -> bool:
        return self._left == 0


def _range(start: int, stop: int | None) -> dict[str, Any]:
    if stop is not None:
        return {"range": (start, stop)}
    return {"range": {"offset": start}} if start else {}


def _ignores_ranges(error: BaseError) -> bool:
    # Some servers answer 200 with everything; obstore refuses that ("NotPartial").
    return "partial" in str(error).lower()


@contextmanager
def _translated(sha256: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, obstore.exceptions.NotFoundError) as error:
        raise NotFound(f"The bytes {sha256[:12]}… are not in the store.", code="blob_missing") from error
    except CarrelError:
        raise
    except BaseError as error:
        raise Unavailable("The object store does not answer as it should. Try again later.", code="store_unavailable") from error


class _ObjectWriter:
    def __init__(self, store: ObjectBlobStore, spool: SpoolFile) -> None:
        self._store = store
        self._spool = spool

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._spool.write(data)

    def reader(self) -> BinaryIO:
        return self._spool.reader()

    def commit(self, sha256: str) -> None:
        if not self._store.exists(sha256):
            self._store.send(self._spool.path, sha256)
        self._spool.discard()

    def abort(self) -> None:
        self._spool.discard()
