"""What indexes do not tell of their archives and servers do: sizes, and what a package requires.

The latter is asked for as PEP 658 has it; of servers that do not answer that, the few bytes of the wheel that tell are read.
"""

from __future__ import annotations

import io
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.parser import HeaderParser
from typing import Any
from urllib.parse import urlsplit

import requests

from carrel.core.errors import Cancelled
from carrel.core.progress import CancelSignal
from carrel.environments.credentials import headers_for, strip_url, user_and_password
from carrel.environments.models import Sources
from carrel.formats.environment.lock import LockedPypi

_SECONDS = 15
_PARALLEL = 8
_METADATA_BYTES = 2_000_000
_READ_BYTES = 65_536


def complete(packages: Sequence[LockedPypi], sources: Sources, cancel: CancelSignal, *, metadata: bool = True) -> tuple[LockedPypi, ...]:
    """Return *packages* with sizes, and with *metadata* requirements, where their servers tell them. What cannot be learned stays open."""

    def ask(session: requests.Session, package: LockedPypi) -> LockedPypi:
        if cancel.is_set():
            return package
        if not package.size:
            package = replace(package, size=_size(session, package.url, sources))
        if metadata and not package.requires_dist and package.filename.endswith(".whl"):
            package = replace(package, requires_dist=_requires(session, package, sources))
        return package

    if not any(not package.size or metadata for package in packages):
        return tuple(packages)
    with requests.Session() as session, ThreadPoolExecutor(_PARALLEL) as pool:
        found = tuple(pool.map(lambda package: ask(session, package), packages))
    if cancel.is_set():
        raise Cancelled("The work was cancelled.")
    return found


def index_of(url: str, indexes: Sequence[str]) -> str:
    """Return which of *indexes* has the file at *url*, as far as addresses tell; empty when they do not."""
    if len(indexes) == 1:
        return strip_url(indexes[0])
    plain = {strip_url(index): urlsplit(index) for index in indexes}
    beside = [index for index in plain if url.startswith(index.rstrip("/").removesuffix("simple"))]
    if beside:
        return max(beside, key=len)
    same_server = [index for index, parts in plain.items() if parts.hostname == urlsplit(url).hostname and parts.port == urlsplit(url).port]
    return same_server[0] if len(same_server) == 1 else ""


def _size(session: requests.Session, url: str, sources: Sources) -> int:
    try:
        with session.head(url, headers=_headers(url, sources), timeout=_SECONDS, allow_redirects=True) as response:
            length = response.headers.get("Content-Length", "") if response.ok and "Content-Encoding" not in response.headers else ""
    except requests.RequestException:
        return 0
    return int(length) if length.isdigit() else 0


def _requires(session: requests.Session, package: LockedPypi, sources: Sources) -> tuple[str, ...]:
    headers = _headers(package.url, sources)
    try:
        with session.get(f"{package.url}.metadata", headers=headers, timeout=_SECONDS) as response:
            text = response.content[:_METADATA_BYTES] if response.ok else b""
        text = text or _metadata_in(_RemoteFile(session, package.url, headers, package.size))
    except (requests.RequestException, OSError, zipfile.BadZipFile, ValueError):
        return ()
    return tuple(HeaderParser().parsestr(text.decode("utf-8", "replace")).get_all("Requires-Dist") or ())


def _metadata_in(file: _RemoteFile) -> bytes:
    with zipfile.ZipFile(io.BufferedReader(file, _READ_BYTES)) as archive:
        name = next((name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA")), None)
        if name is None or archive.getinfo(name).file_size > _METADATA_BYTES:
            return b""
        return archive.read(name)


class _RemoteFile(io.RawIOBase):
    """A file on a server that answers requests for ranges; others raise OSError."""

    def __init__(self, session: requests.Session, url: str, headers: Mapping[str, str], size: int) -> None:
        if not size:
            raise OSError("size unknown")
        self._session, self._url, self._headers, self._size, self._position = session, url, headers, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        headers = {**self._headers, "Range": f"bytes={self._position}-{end - 1}"}
        with self._session.get(self._url, headers=headers, timeout=_SECONDS, stream=True) as response:
            if response.status_code != 206:
                raise OSError("no ranges")
            data = response.content
        if len(data) != end - self._position:
            raise OSError("another range")
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _headers(url: str, sources: Sources) -> dict[str, str]:
    headers = dict(headers_for(url, sources.headers))
    if "Authorization" not in headers:
        for index in sources.indexes:
            same = urlsplit(index).hostname == urlsplit(url).hostname and urlsplit(index).port == urlsplit(url).port
            if same and (signed_in := user_and_password(index, {})):
                headers["Authorization"] = "Basic " + b64encode(":".join(signed_in).encode()).decode()
    return {"Accept-Encoding": "identity", **headers}
