"""Packages of the hub's namespaces, through the hub's own search."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from carrel.client.hub import HubClient
from carrel.client.models import File, SearchItem
from carrel.extension.search.compatibility import Offer, conda_reason, is_prerelease, pypi_reason

_KEEP_SECONDS = 120.0
INSTALLABLE_KINDS = ("conda", "pypi")


class HubPackages:
    """Looks into the hub. Answers are kept per client, since what is visible depends on who asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[tuple[int, str, str], tuple[float, str, tuple[tuple[str, str, File], ...]]] = {}

    def search(self, client: HubClient, query: str, namespace: str | None, limit: int, timeout: float) -> tuple[SearchItem, ...]:
        """Return matching packages that can be installed."""
        found = client.search(query, kinds=INSTALLABLE_KINDS, namespace=namespace, limit=min(limit, 50), timeout=timeout)
        return tuple(item for item in found.items if set(item.kinds) & set(INSTALLABLE_KINDS))

    def offers(
        self, client: HubClient, namespace: str, name: str, platform: str, python_version: str, timeout: float, updated_at: str = ""
    ) -> list[Offer]:
        """Return every version of a package, conda and PyPI files as one offer each."""
        key = (id(client), namespace, name)
        with self._lock:
            known = self._files.get(key)
        if known is None or time.monotonic() - known[0] > _KEEP_SECONDS or known[1] != updated_at:
            files = tuple(
                (release.version, release.published_at or release.created_at, file)
                for release in client.releases(namespace, name, timeout=timeout)
                if release.state == "published"
                for file in release.files
                if file.kind in INSTALLABLE_KINDS and (not file.labels or "main" in file.labels)
            )
            known = (time.monotonic(), updated_at, files)
            with self._lock:
                if len(self._files) > 500:
                    self._files.clear()
                self._files[key] = known
        return [_offer(version, published, file, platform, python_version) for version, published, file in known[2]]


def _offer(version: str, published_at: str, file: File, platform: str, python_version: str) -> Offer:
    attributes = file.attributes
    if file.kind == "conda":
        index = attributes.get("index")
        record: Mapping[str, Any] = index if isinstance(index, Mapping) else attributes
        reason = conda_reason({"subdir": file.subdir or record.get("subdir"), "depends": record.get("depends")}, platform, python_version)
        depends, build = _texts(record.get("depends")), str(record.get("build") or "")
    else:
        filename = file.filename.rpartition("/")[2]
        reason = pypi_reason(filename, str(attributes.get("requires_python") or "") or None, python_version)
        depends, build = _texts(attributes.get("requires_dist")), ""
    return Offer(version, build, published_at or None, file.size or None, reason, is_prerelease(version), depends, file.kind)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)) else ()
