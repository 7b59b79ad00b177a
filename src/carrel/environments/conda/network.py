"""The HTTP client of a worker: the library's usual one, with our headers (worker side)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from rattler.networking import (
    AddHeadersMiddleware,
    AuthenticationMiddleware,
    Client,
    GCSMiddleware,
    OciMiddleware,
    RetryMiddleware,
    S3Middleware,
)


def make_client(headers: Mapping[str, Mapping[str, str]]) -> Client:
    """Return a client that sends *headers* by URL prefix.

    The library tells the call-back host and path but neither scheme nor port, so two servers on one host name are told
    apart by their paths alone.
    """

    def choose(host: str, path: str) -> dict[str, str] | None:
        best: tuple[int, dict[str, str]] | None = None
        for prefix, values in headers.items():
            wanted = urlsplit(prefix)
            start = wanted.path.rstrip("/")
            matches = wanted.hostname == host.lower() and (path == start or path.startswith(start + "/"))
            if matches and (best is None or len(start) > best[0]):
                best = (len(start), dict(values))
        return best[1] if best else None

    return Client(
        [
            RetryMiddleware(2),
            AddHeadersMiddleware(choose),
            AuthenticationMiddleware(),
            OciMiddleware(),
            GCSMiddleware(),
            S3Middleware(),
        ],
        user_agent="carrel",
    )
