"""Bodies that do not fit into memory: receiving with flow control, sending with ranges."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, stream_request_body

from carrel.core.errors import CarrelError, TooLarge
from carrel.core.units import format_bytes
from carrel.hub.web.endpoint import declaration_of
from carrel.hub.web.errors import status_of
from carrel.hub.web.handler import ApiHandler, HubHandler
from carrel.hub.web.sendfile import FileRegion, send_region, takes_files

# Handed to a thread at once: large enough that the hop costs nothing, small enough that memory stays flat.
BATCH_BYTES = 1024 * 1024
# Read and dropped after a refusal, so that a client in the middle of sending gets to see the answer.
_DRAIN_BYTES = 64 * 1024 * 1024
_DRAIN_SECONDS = 5.0
_SMALL_BYTES = 64 * 1024
_MOST_DIGITS = 19  # of a size; with more it is too large whatever the limit
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")
IMMUTABLE = "max-age=31536000, immutable"
_EXPECT_CONTINUE = "100-continue"


class ReceivingHandler(ApiHandler):
    """Receives a large body in batches. Subclasses carry Tornado's ``@stream_request_body``.

    ``prepare()`` refuses before the body is read (subclasses say what in :meth:`check_request`); what arrives is given to
    the consumer set by :meth:`receive_into`, in the pool, one batch at a time, while the next one arrives.
    """

    _consume: Callable[[bytes], None] | None = None
    _refused = False
    _last = False  # whether no other request is taken on this connection
    _dropped = 0
    _waiting_since: float | None = None  # for the client, in the time of the event loop; None: it is not waited for
    _watching: asyncio.TimerHandle | None = None

    def initialize(self, **arguments: object) -> None:
        """Start with nothing received."""
        super().initialize(**arguments)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._batch: asyncio.Future[None] | None = None

    @property
    def announced_size(self) -> int | None:
        """The body's announced length in bytes, None when it comes in chunks."""
        told = {text.strip() for text in self.request.headers.get("Content-Length", "").split(",")}
        text = told.pop()
        if told or not (text.isascii() and text.isdigit()):
            return None  # there is none, or Tornado refuses it
        return int(text.lstrip("0")[:_MOST_DIGITS] or "0")

    @property
    def _coming_bytes(self) -> int:
        """How much may still come of the body."""
        in_chunks = "Transfer-Encoding" in self.request.headers
        return self.announced_size or (_DRAIN_BYTES if in_chunks else 0)

    def receive_into(self, consume: Callable[[bytes], None], limit: int) -> None:
        """Give the body to *consume*; it may have up to *limit* bytes."""
        self._consume = consume
        # Of a body in chunks the consumer counts the bytes: Tornado would cut the connection without an answer.
        self.request.connection.set_max_body_size(limit if self.announced_size is not None else 1 << 62)  # type: ignore[union-attr]

    async def prepare(self) -> None:
        """Authenticate, authorise, and refuse without reading the body."""
        # The body as a whole takes the time that it takes; what ends it is a client that sends nothing.
        self.request.connection.set_body_timeout(None)  # type: ignore[union-attr]
        self.request._body_future.add_done_callback(self._stop_watching)
        try:
            await self.admit()
        except (CarrelError, HTTPError) as error:
            # Not told to go on, the client sends no body; one that did not wait for the answer sends some, which is dropped.
            self._last = self.request.headers.pop("Expect", "") == _EXPECT_CONTINUE
            await self._refuse(error)
        self._waiting_since = asyncio.get_running_loop().time()
        self._watch()

    async def admit(self) -> None:
        """Raise unless the body may come."""
        if declaration_of(type(self), self.request.method or "") is None:
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED)
        await super().prepare()

    async def _refuse(self, error: CarrelError | HTTPError) -> None:
        """Answer at once, and forget what came."""
        self._refused = True
        self._consume = None
        self._pending.clear()
        self.release()
        status = status_of(error)
        body = self.error_body(error, status)
        self.set_status(status)
        self.error_headers(error)
        self.set_header("Content-Type", self.error_media_type)
        self.set_header("Content-Length", str(len(body)))
        # A connection that ends without a word breaks the next request of a client that keeps it.
        self._last = self._last or self._coming_bytes > BATCH_BYTES
        if self._last:
            self.set_header("Connection", "close")
            asyncio.get_running_loop().call_later(_DRAIN_SECONDS, self._close)
        self.write(body)
        with contextlib.suppress(StreamClosedError):  # who went away finds out without it
            await self.flush()
        self.request.connection.set_max_body_size(1 << 62)  # type: ignore[union-attr]
        setattr(self, (self.request.method or "").lower(), self._finish_refusal)

    async def _finish_refusal(self, *_args: str, **_path: str) -> None:
        if self._finished:
            return
        if self._last:
            self._close()  # or what the client has sent after the body would be taken for a request
        self.finish()

    def _close(self) -> None:
        if not self._finished:
            stream = getattr(self.request.connection, "stream", None)
            if stream is not None:
                stream.close()

    def _watch(self) -> None:
        """Close the connection of a client that sends nothing more of the body."""
        loop = asyncio.get_running_loop()
        allowed = self.hub.settings.idle_seconds
        waited = 0.0 if self._waiting_since is None else loop.time() - self._waiting_since
        if waited >= allowed:
            self._close()
        else:
            self._watching = loop.call_later(allowed - waited, self._watch)

    def _stop_watching(self, _body: asyncio.Future[None]) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def data_received(self, chunk: bytes) -> None:
        """Collect a batch; wait when the previous one is still being taken in."""
        self._waiting_since = None  # it is the hub that takes its time now
        if self._refused or self._consume is None:
            self._dropped += len(chunk)
            if self._dropped > _DRAIN_BYTES:
                self._close()
        else:
            self._pending.append(chunk)
            self._pending_bytes += len(chunk)
            if self._pending_bytes >= BATCH_BYTES:
                await self._hand_over()
        self._waiting_since = asyncio.get_running_loop().time()

    async def _hand_over(self) -> None:
        batch, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        await self._wait_for_batch()
        consume = self._consume
        if consume is not None and batch:
            self._batch = asyncio.ensure_future(self.hub.pool.compute(lambda: consume(batch)))

    async def _wait_for_batch(self) -> None:
        batch, self._batch = self._batch, None
        if batch is None:
            return
        try:
            await batch
        except CarrelError as error:
            await self._refuse(error)
        except Exception as error:
            # Tornado would end the connection without an answer.
            self.log_exception(type(error), error, error.__traceback__)
            await self._refuse(HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR))

    async def rest(self) -> bytes:
        """Return what was not handed to the consumer yet, after it took in all before."""
        await self._wait_for_batch()
        batch, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        return batch

    def release(self) -> None:
        """Free what was received so far: the body was refused, the client went away in the middle, or an error ended the request.

        May come more than once.
        """

    def on_connection_close(self) -> None:
        """Release what a client that went away had sent."""
        super().on_connection_close()
        self._pending.clear()
        if self._batch is None:
            self.release()
        else:
            self._batch.add_done_callback(self._release_after)
        if self._refused and not self._finished:
            self._log()  # the client did not wait for the end of the request, but was answered

    def _release_after(self, batch: asyncio.Future[None]) -> None:
        if not batch.cancelled():
            batch.exception()  # nobody is left to be told
        self.release()


@stream_request_body
class OversizeHandler(ReceivingHandler):
    """Answers in place of a handler that holds its body in memory when more is announced than that may be."""

    async def admit(self) -> None:
        """Refuse."""
        limit = self.application.settings["max_body_bytes"]
        raise TooLarge(f"The body of this request may have at most {format_bytes(limit)}.", limit=limit)


@stream_request_body
class UnknownAddressHandler(ReceivingHandler):
    """Answers for addresses that no route matches, without reading what is sent there."""

    async def admit(self) -> None:
        """Answer 404 to every verb."""
        raise HTTPError(HTTPStatus.NOT_FOUND)


def disposition(filename: str) -> str:
    """Return ``Content-Disposition: attachment`` for any file name (RFC 6266)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename)
    text = f'attachment; filename="{plain}"'
    return text if plain == filename else f"{text}; filename*=UTF-8''{quote(filename, safe='')}"


def etag_matches(header: str, etag: str) -> bool:
    """Whether an ``If-None-Match`` header names *etag* (strong comparison is not needed for GET)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Return ``(start, stop)`` of a single byte range, None when the header is to be ignored.

    Raises
    ------
    ValueError
        The range lies outside.
    """
    match = _RANGE.match(header.strip())
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        if int(last) == 0 or size == 0:
            raise ValueError("outside")
        return max(0, size - int(last)), size
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise ValueError("outside")
    return start, stop


async def send_blob(
    handler: HubHandler,
    sha256: str,
    size: int,
    *,
    filename: str,
    content_type: str = "application/octet-stream",
    shared: bool,
    lasting: bool = True,
) -> bool:
    """Answer with the bytes of a blob: ETag, 304, HEAD, one range, the shortest way the store has.

    Parameters
    ----------
    filename : str
        For the browser's download.
    shared : bool
        Whether everybody may see it (``Cache-Control: public``) or the answer depends on the caller.
    lasting : bool
        Whether this address means these bytes for ever.

    Returns
    -------
    bool
        Whether the beginning of the bytes was sent (what counts as a download).
    """
    etag = f'"sha256:{sha256}"'
    handler.set_header("Etag", etag)
    handler.set_header("Accept-Ranges", "bytes")
    audience = "public" if shared else "private"
    handler.set_header("Cache-Control", f"{audience}, {IMMUTABLE if lasting else 'no-cache'}")
    if shared:
        handler.clear_header("Conda-Token-Warning")  # for one caller only
    else:
        handler.set_header("Vary", "Authorization, Cookie")
    request = handler.request
    if (known := request.headers.get("If-None-Match")) and etag_matches(known, etag):
        handler.set_status(HTTPStatus.NOT_MODIFIED)
        handler.clear_header("Content-Type")
        return False
    handler.set_header("Content-Type", content_type)
    handler.set_header("Content-Disposition", disposition(filename))
    handler.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
    start, stop = 0, size
    wanted = request.headers.get("Range")
    if wanted and request.headers.get("If-Range") in (None, etag):
        try:
            found = parse_range(wanted, size)
        except ValueError:
            handler.set_status(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            handler.set_header("Content-Range", f"bytes */{size}")
            handler.clear_header("Content-Disposition")
            return False
        if found is not None:
            start, stop = found
            handler.set_status(HTTPStatus.PARTIAL_CONTENT)
            handler.set_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
    if request.method == "HEAD":
        handler.set_header("Content-Length", str(stop - start))
        return False
    settings = handler.hub.settings
    if settings.accel_prefix and handler.hub.blobs.local_path(sha256) is not None:
        handler.set_status(HTTPStatus.OK)
        handler.clear_header("Content-Range")
        handler.set_header("X-Accel-Redirect", f"{settings.accel_prefix.rstrip('/')}/{sha256[:2]}/{sha256}")
        return start == 0
    if settings.presigned_downloads and (url := handler.hub.blobs.presigned_url(sha256, filename=filename)):
        handler.set_header("Cache-Control", "no-store")
        handler.clear_header("Content-Range")
        handler.redirect(url, status=HTTPStatus.TEMPORARY_REDIRECT)
        return start == 0
    handler.set_header("Content-Length", str(stop - start))
    if size <= _SMALL_BYTES:
        await _send_small(handler, sha256, start, stop)
    else:
        await _send_large(handler, sha256, start, stop)
    return start == 0


async def _send_small(handler: HubHandler, sha256: str, start: int, stop: int) -> None:
    kept = handler.hub.small_blobs.get(sha256)
    if kept is None:
        kept = await handler.hub.pool.compute(lambda: b"".join(handler.hub.blobs.read(sha256)))
        handler.hub.small_blobs.put(sha256, kept)
    handler.write(kept[start:stop])


async def _send_large(handler: HubHandler, sha256: str, start: int, stop: int) -> None:
    path = handler.hub.blobs.local_path(sha256)
    connection = handler.request.connection
    try:
        if path is not None and connection is not None and takes_files(connection):
            with path.open("rb", buffering=0) as file:
                await handler.flush()
                await send_region(connection, FileRegion(file.fileno(), start, stop))
            return
        async for chunk in handler.hub.blobs.stream(sha256, start, stop):
            handler.write(chunk)
            await handler.flush()
    except StreamClosedError:
        return
