"""Packages, releases and files as one caller sees them: plain values with names in place of ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PackageView:
    """A package.

    Attributes
    ----------
    status : str
        PEP 792: ``active``, ``archived``, ``quarantined``, ``deprecated``.
    tracks, alternate_locations : tuple of str
        PEP 708: addresses of the project on other indexes.
    """

    id: int
    namespace_id: int
    namespace: str
    name: str
    display_name: str
    kinds: tuple[str, ...]
    summary: str
    description: str
    license: str
    home_page: str
    visibility: str
    latest_version: str | None
    created_at: datetime
    updated_at: datetime
    status: str = "active"
    status_reason: str = ""
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileView:
    """A file; sizes in bytes. A yanked one (PEP 592) stays downloadable, but no client chooses it by itself."""

    id: int
    release_id: int
    namespace: str
    package: str
    version: str
    filename: str
    kind: str
    subdir: str
    size: int
    sha256: str
    md5: str
    labels: tuple[str, ...]
    attributes: Mapping[str, Any]
    uploaded_at: datetime
    uploaded_by: str
    downloads: int
    yanked_at: datetime | None = None
    yanked_reason: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release and its files, by name."""

    id: int
    namespace: str
    package: str
    version: str
    state: str
    message: str
    summary: str
    description: str
    created_at: datetime
    published_at: datetime | None
    published_by: str
    files: tuple[FileView, ...]

    @property
    def yanked(self) -> bool:
        """Whether all its files are yanked."""
        return bool(self.files) and all(item.yanked_at is not None for item in self.files)


@dataclass(frozen=True, slots=True)
class Page:
    """Some items and where the rest begins (None: there is no rest)."""

    items: tuple[PackageView, ...]
    next_cursor: str | None
