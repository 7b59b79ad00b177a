"""An HTTP server for a channel folder, with the faults that tests need."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """One answered request."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]


@dataclass(slots=True)
class Faults:
    """What goes wrong on purpose. Keys are file names (the last part of the path).

    Attributes
    ----------
    cut_after : dict of str to int
        Bytes after which the connection is closed, though the whole length was announced.
    tampered : dict of str to bytes
        Other bytes than the file's.
    status : dict of str to int
        Status that is answered instead of the file.
    delay : float
        Seconds of sleep before each 64 KiB of every body.
    """

    cut_after: dict[str, int] = field(default_factory=dict)
    tampered: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    delay: float = 0.0


class ChannelServer(ThreadingHTTPServer):
    """A threading server on a free port of the loopback.

    Parameters
    ----------
    root : Path
        Folder to serve.
    token : str, optional
        Needed as ``Authorization: Bearer``, ``token``, as the password of Basic, or in the path as ``/t/<token>/``.
    headers : Mapping of str to str, optional
        Request headers that must be present with these values.

    Attributes
    ----------
    faults : Faults
        May be changed while the server runs.
    requests : list of Request
        Log, oldest first.
    """

    # The default backlog of 5 makes installers, which open dozens of connections at once, wait for seconds.
    request_queue_size = 256
    daemon_threads = True

    def __init__(self, root: Path, *, token: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.token = token
        self.required_headers = dict(headers or {})
        self.faults = Faults()
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        """Address of the channel, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def requested(self, name: str) -> int:
        """Return how often the body of the file *name* was asked for."""
        return sum(r.method == "GET" and r.path.split("?")[0].endswith(f"/{name}") for r in self.requests)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""


@contextmanager
def serve(root: Path, *, token: str | None = None, headers: Mapping[str, str] | None = None) -> Iterator[ChannelServer]:
    """Serve the folder *root* while the block runs; see :class:`ChannelServer`."""
    server = ChannelServer(root, token=token, headers=headers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChannelServer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the log in memory only."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        status = int(code) if isinstance(code, int) else 0
        self.server.requests.append(Request(self.command, self.path, status, dict(self.headers.items())))

    def _answer(self) -> None:
        path, authorised = self._authorise(urllib.parse.unquote(urllib.parse.urlsplit(self.path).path))
        faults, name = self.server.faults, path.rsplit("/", 1)[-1]
        if not authorised:
            self._refuse(HTTPStatus.UNAUTHORIZED)
            return
        if name in faults.status:
            self._refuse(HTTPStatus(faults.status[name]))
            return
        file = self.server.root / path.lstrip("/")
        if ".." in path.split("/") or not file.is_file():
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        data = faults.tampered.get(name) or file.read_bytes()
        etag = f'"sha256:{hashlib.sha256(data).hexdigest()}"'
        if self.headers.get("If-None-Match") == etag:
            # Clients reject a 304 whose validators differ from those of the 200 before it.
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("ETag", etag)
            self.end_headers()
            return
        start, stop = self._range(len(data))
        if start >= stop and data:
            self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            return
        partial = "Range" in self.headers
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Type", "application/json" if name.endswith(".json") else "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", etag)
        self.end_headers()
        if self.command == "GET":
            self._send(data[start:stop], faults.cut_after.get(name))

    def _send(self, data: bytes, cut_after: int | None) -> None:
        for offset in range(0, len(data), _CHUNK):
            time.sleep(self.server.faults.delay)
            chunk = data[offset : offset + _CHUNK]
            if cut_after is not None and offset + len(chunk) > cut_after:
                self.wfile.write(chunk[: max(0, cut_after - offset)])
                self.close_connection = True
                return
            self.wfile.write(chunk)

    def _refuse(self, status: HTTPStatus) -> None:
        body = b"" if self.command == "HEAD" else f"{status.phrase}\n".encode()
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="channel"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _authorise(self, path: str) -> tuple[str, bool]:
        """Return the path without a token, and whether the request carries what is needed."""
        given = set()
        if path.startswith("/t/"):
            _, _, token, path = path.split("/", 3) if path.count("/") > 2 else (*path.split("/"), "")
            given.add(token)
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            value = base64.b64decode(value).decode(errors="replace").partition(":")[2]
        given.add(value)
        headers_match = all(self.headers.get(key) == wanted for key, wanted in self.server.required_headers.items())
        return path, headers_match and (self.server.token is None or self.server.token in given)

    def _range(self, size: int) -> tuple[int, int]:
        """Return the half-open interval of a single ``Range``, or all."""
        unit, _, interval = self.headers.get("Range", "").partition("=")
        first, dash, last = interval.partition("-")
        if unit != "bytes" or not dash or "," in interval:
            return 0, size
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last) + 1) if last else size
