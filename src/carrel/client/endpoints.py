"""What the parts of the client share: addresses of the API, and lists page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from carrel.client.decoding import decode

if TYPE_CHECKING:
    from carrel.client.transport import Transport

API = "api/v1"
T = TypeVar("T")


def path(*parts: str) -> str:
    """Return the path of the API's resource *parts*, each of which may hold any character."""
    return "/".join([API, *(quote(part, safe="") for part in parts)])


def given(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the *members* that are not None: what is absent stays as it is on the hub."""
    return {name: value for name, value in members.items() if value is not None}


class Endpoints:
    """Requests about one noun of the API.

    Parameters
    ----------
    http : Transport
    """

    def __init__(self, http: Transport) -> None:
        self._http = http

    def _get(self, cls: type[T], address: str, **options: Any) -> T:
        return decode(cls, self._http.json("GET", address, **options))

    def _send(self, cls: type[T], method: str, address: str, body: Mapping[str, Any] | None = None, **options: Any) -> T:
        return decode(cls, self._http.json(method, address, json=None if body is None else dict(body), **options))

    def _do(self, method: str, address: str, body: Mapping[str, Any] | None = None, **options: Any) -> None:
        self._http.request(method, address, json=None if body is None else dict(body), **options).close()

    def _pages(self, cls: type[T], address: str, params: Iterable[tuple[str, str]] = (), **options: Any) -> Iterator[T]:
        cursor: str | None = None
        while True:
            asked = [*params, *([("cursor", cursor)] if cursor else [])]
            page = self._http.json("GET", address, params=asked, **options) or {}
            for item in page.get("items", []):
                yield decode(cls, item)
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _items(self, cls: type[T], address: str, params: Iterable[tuple[str, str]] = (), **options: Any) -> tuple[T, ...]:
        return tuple(self._pages(cls, address, params, **options))
