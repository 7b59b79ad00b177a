"""Files to sockets without a copy in between (``sendfile``), with Tornado's server and its connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection
from tornado.iostream import IOStream, StreamClosedError

PIECE_BYTES = 4 * 1024 * 1024
# A client that takes nothing is looked at so often: whether its connection was closed here meanwhile.
_STALL_SECONDS = 1.0


class FileRegion:
    """Part of an open file, in place of the bytes it holds, for :meth:`FileStream.write`.

    Attributes
    ----------
    sending : asyncio.Task or None
        Ends when the bytes are with the system, with StreamClosedError when they will never be. It is what to wait for: the
        future of Tornado's connection is forgotten when the client goes away.
    """

    def __init__(self, descriptor: int, start: int, stop: int) -> None:
        self.descriptor = descriptor
        self.start = start
        self.stop = stop
        self.sending: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return self.stop - self.start


class FileStream(IOStream):
    """A connection that sends regions of files, too."""

    def write(self, data: Any) -> asyncio.Future[None]:
        """Send bytes, or a :class:`FileRegion`; return a future that is done when they are with the system."""
        if not isinstance(data, FileRegion):
            return super().write(data)
        data.sending = asyncio.ensure_future(self._send(data))
        return data.sending

    async def _send(self, region: FileRegion) -> None:
        await super().write(b"")  # what was written before is gone then
        loop = asyncio.get_running_loop()
        # A descriptor of its own: the connection may be closed, and the number given to another one, while a thread sends.
        target = os.dup(self.socket.fileno())
        try:
            offset = region.start
            while offset < region.stop:
                if self.closed():
                    raise StreamClosedError
                asked = min(PIECE_BYTES, region.stop - offset)
                try:
                    sent = await loop.run_in_executor(None, os.sendfile, target, region.descriptor, offset, asked)
                except BlockingIOError:
                    sent = 0
                else:
                    if sent == 0:
                        raise EOFError("the file is shorter than it was")
                offset += sent
                if sent < asked:
                    await _writable(loop, target)
        except StreamClosedError:
            raise
        except (OSError, EOFError) as error:
            self.close(exc_info=error)
            raise StreamClosedError(real_error=error) from error
        finally:
            os.close(target)


class FileServer(HTTPServer):
    """An HTTP server whose plain connections are :class:`FileStream`."""

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection."""
        if type(stream) is IOStream and hasattr(os, "sendfile"):
            stream = FileStream(stream.socket, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size)
        super().handle_stream(stream, address)


def takes_files(connection: HTTPConnection | None) -> bool:
    """Whether :func:`send_region` works with *connection*."""
    return isinstance(getattr(connection, "stream", None), FileStream)


async def send_region(connection: HTTPConnection, region: FileRegion) -> None:
    """Send part of a file as (part of) the body whose headers are written.

    Raises
    ------
    StreamClosedError
        The client went away.
    """
    connection.write(region)  # type: ignore[arg-type]
    if region.sending is None:
        raise StreamClosedError
    await region.sending


async def _writable(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    ready = asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ready.wait(), _STALL_SECONDS)
    finally:
        loop.remove_writer(descriptor)
