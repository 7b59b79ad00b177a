"""What owners say beside the packages of their conda channel: notices, and changes to records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from carrel.client.endpoints import Endpoints, given, path


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice (CEP 6); ``status`` is draft, published, archived or deleted, ``level`` info, warning or critical."""

    id: str
    status: str = ""
    level: str = ""
    message: str = ""
    created_at: str = ""
    updated_at: str = ""
    expires_at: str | None = None


class Notices(Endpoints):
    """``/namespaces/{namespace}/notices``."""

    def list(self, namespace: str) -> Iterator[Notice]:
        """Yield the notices."""
        return self._pages(Notice, path("namespaces", namespace, "notices"))

    def create(self, namespace: str, message: str, *, level: str = "info", expires_at: str | None = None) -> Notice:
        """Write a notice, which nobody sees until it is published."""
        body = {"message": message, "level": level, **given({"expires_at": expires_at})}
        return self._send(Notice, "POST", path("namespaces", namespace, "notices"), body)

    def update(self, namespace: str, notice: str, **changes: Any) -> Notice:
        """Change ``message``, ``level`` or ``expires_at``; None and what is absent stay."""
        return self._send(Notice, "PATCH", path("namespaces", namespace, "notices", notice), given(changes))

    def publish(self, namespace: str, notice: str) -> Notice:
        """Show a notice to everybody who uses the channel."""
        return self._send(Notice, "POST", path("namespaces", namespace, "notices", notice, "publish"))

    def archive(self, namespace: str, notice: str) -> Notice:
        """Show a notice no more."""
        return self._send(Notice, "POST", path("namespaces", namespace, "notices", notice, "archive"))

    def delete(self, namespace: str, notice: str) -> None:
        """Remove a notice."""
        self._do("DELETE", path("namespaces", namespace, "notices", notice))


class Hotfixes(Endpoints):
    """``/namespaces/{namespace}/hotfixes/{subdir}``: patch instructions."""

    def get(self, namespace: str, subdir: str) -> dict[str, Any]:
        """Return the patch instructions of a platform."""
        return dict(self._http.json("GET", path("namespaces", namespace, "hotfixes", subdir)) or {})

    def put(self, namespace: str, subdir: str, instructions: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the patch instructions of a platform; return what the hub answers."""
        return dict(self._http.json("PUT", path("namespaces", namespace, "hotfixes", subdir), json=dict(instructions)) or {})

    def delete(self, namespace: str, subdir: str) -> None:
        """Go back to the records as the packages say them."""
        self._do("DELETE", path("namespaces", namespace, "hotfixes", subdir))
