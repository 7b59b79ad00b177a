"""Collections: named sets of packages, notebooks and environments, of any namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from carrel.client.endpoints import Endpoints, given, path
from carrel.client.models import Package


@dataclass(frozen=True, slots=True)
class CollectionItem:
    """Something in a collection."""

    package: Package
    note: str = ""
    added_at: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection; ``count`` is the number of items that the caller sees, ``items`` are given for a single one."""

    namespace: str
    name: str
    title: str = ""
    description: str = ""
    visibility: str = ""
    count: int = 0
    created_at: str = ""
    updated_at: str = ""
    url: str = ""
    conda_channel: str = ""
    python_index: str = ""
    r_repository: str = ""
    items: tuple[CollectionItem, ...] = ()


class Collections(Endpoints):
    """``/namespaces/{namespace}/collections``."""

    def list(self, namespace: str) -> tuple[Collection, ...]:
        """Return the collections, by name."""
        return self._items(Collection, path("namespaces", namespace, "collections"))

    def get(self, namespace: str, name: str) -> Collection:
        """Return a collection with its items."""
        return self._get(Collection, path("namespaces", namespace, "collections", name))

    def create(self, namespace: str, name: str, *, title: str = "", description: str = "", visibility: str | None = None) -> Collection:
        """Create a collection."""
        body = {"name": name, "title": title, "description": description, **given({"visibility": visibility})}
        return self._send(Collection, "POST", path("namespaces", namespace, "collections"), body)

    def update(self, namespace: str, name: str, **changes: Any) -> Collection:
        """Change ``title``, ``description``, ``visibility`` or ``order``; None and what is absent stay."""
        return self._send(Collection, "PATCH", path("namespaces", namespace, "collections", name), given(changes))

    def delete(self, namespace: str, name: str) -> None:
        """Remove a collection; what it holds stays."""
        self._do("DELETE", path("namespaces", namespace, "collections", name))

    def add(self, namespace: str, name: str, item_namespace: str, package: str, note: str | None = None) -> None:
        """Put a package into the collection."""
        self._do("PUT", path("namespaces", namespace, "collections", name, "items", item_namespace, package), given({"note": note}))

    def remove(self, namespace: str, name: str, item_namespace: str, package: str) -> None:
        """Take a package out of the collection."""
        self._do("DELETE", path("namespaces", namespace, "collections", name, "items", item_namespace, package))
