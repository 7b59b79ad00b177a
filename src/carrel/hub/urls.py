"""Addresses of things, built in one place."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

API = "/api/v1"


def _part(text: str) -> str:
    return quote(text, safe="!+~")


@dataclass(frozen=True, slots=True)
class Urls:
    """Builds absolute addresses below *base* (``https://hub.example.org``, no slash at the end)."""

    base: str

    def page(self, *parts: str) -> str:
        """Return the page of a namespace, package or release."""
        return "/".join((self.base, *(_part(part) for part in parts)))

    def api(self, *parts: str) -> str:
        """Return an address of the REST API."""
        return "/".join((self.base + API, *(_part(part) for part in parts)))

    def file_content(self, namespace: str, package: str, version: str, filename: str, subdir: str = "") -> str:
        """Return the address of a file's bytes."""
        name = f"{subdir}/{filename}" if subdir else filename
        return self.api("packages", namespace, package, "releases", version, "files", name, "content")
