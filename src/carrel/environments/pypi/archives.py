"""What indexes do not tell of their archives and servers do: sizes, and what a package requires (PEP 658)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.parser import HeaderParser
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


def complete(packages: Sequence[LockedPypi], sources: Sources, cancel: CancelSignal, *, metadata: bool = True) -> tuple[LockedPypi, ...]:
    """Return *packages* with sizes, and with *metadata* requirements, where their servers tell them. What cannot be learned stays open."""
    without_metadata: set[str] = set()

    def ask(session: requests.Session, package: LockedPypi) -> LockedPypi:
        if cancel.is_set():
            return package
        if not package.size:
            package = replace(package, size=_size(session, package.url, sources))
        host = urlsplit(package.url).netloc
        if metadata and not package.requires_dist and package.filename.endswith(".whl") and host not in without_metadata:
            requires = _requires(session, package.url, sources)
            if requires is None:
                without_metadata.add(host)
            else:
                package = replace(package, requires_dist=requires)
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


def _requires(session: requests.Session, url: str, sources: Sources) -> tuple[str, ...] | None:
    try:
        with session.get(f"{url}.metadata", headers=_headers(url, sources), timeout=_SECONDS) as response:
            if not response.ok or len(response.content) > _METADATA_BYTES:
                return None
            message = HeaderParser().parsestr(response.content.decode("utf-8", "replace"))
    except requests.RequestException:
        return None
    return tuple(message.get_all("Requires-Dist") or ()) if message.get("Name") else None


def _headers(url: str, sources: Sources) -> dict[str, str]:
    headers = dict(headers_for(url, sources.headers))
    if "Authorization" not in headers:
        for index in sources.indexes:
            same = urlsplit(index).hostname == urlsplit(url).hostname and urlsplit(index).port == urlsplit(url).port
            if same and (signed_in := user_and_password(index, {})):
                headers["Authorization"] = "Basic " + b64encode(":".join(signed_in).encode()).decode()
    return {"Accept-Encoding": "identity", **headers}
