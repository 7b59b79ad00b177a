"""What the hub answers, as frozen values. Times are RFC 3339 text, sizes are bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the hub says of itself."""

    name: str
    version: str
    features: tuple[str, ...] = ()
    max_upload_bytes: int = 0
    registration: str = "closed"


@dataclass(frozen=True, slots=True)
class Namespace:
    """A user's or an organization's place on the hub. ``role`` is the caller's."""

    name: str
    kind: str = "user"
    role: str | None = None
    display_name: str = ""
    description: str = ""
    default_visibility: str = ""
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """The signed-in person and the namespaces they belong to."""

    name: str
    display_name: str = ""
    namespaces: tuple[Namespace, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """A token; ``token``, the secret, is present only in the answer that created it."""

    id: str
    name: str = ""
    token: str = field(default="", repr=False)
    prefix: str = ""
    scopes: tuple[str, ...] = ()
    expires_at: str | None = None
    namespace: str | None = None
    packages: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    collection: str | None = None
    created_at: str = ""
    last_used_at: str | None = None
    rotated_at: str | None = None
    flagged_at: str | None = None
    flag_reason: str = ""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A pending device sign-in (RFC 8628). ``expires_in`` and ``interval`` are seconds."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int = 600
    interval: int = 5


@dataclass(frozen=True, slots=True)
class File:
    """One file of a release. Read its bytes from ``download_url``."""

    filename: str
    kind: str
    sha256: str
    size: int
    download_url: str
    subdir: str = ""
    md5: str = ""
    labels: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    uploaded_at: str = ""
    uploaded_by: str | None = None
    downloads: int = 0
    yanked: bool = False
    yanked_reason: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a package with its files. ``unchanged``: the hub had exactly these files already."""

    namespace: str
    package: str
    version: str
    state: str = "published"
    message: str = ""
    created_at: str = ""
    published_at: str | None = None
    published_by: str | None = None
    url: str = ""
    files: tuple[File, ...] = ()
    yanked: bool = False
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Package:
    """A package: everything under one name in a namespace."""

    namespace: str
    name: str
    display_name: str = ""
    kinds: tuple[str, ...] = ()
    summary: str = ""
    visibility: str = ""
    latest_version: str | None = None
    description: str = ""
    license: str = ""
    home_page: str = ""
    created_at: str = ""
    updated_at: str = ""
    url: str = ""
    status: str = ""
    status_reason: str = ""


@dataclass(frozen=True, slots=True)
class SearchItem:
    """A package that matched a search."""

    namespace: str
    name: str
    kinds: tuple[str, ...] = ()
    summary: str = ""
    latest_version: str | None = None
    visibility: str = ""
    updated_at: str = ""
    import_names: tuple[str, ...] = ()
    url: str = ""
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchResults:
    """A page of matches, best first."""

    items: tuple[SearchItem, ...] = ()
    next_cursor: str | None = None
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class ImportProvider:
    """A package on the hub that provides a module."""

    namespace: str
    name: str
    kind: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class ImportMatch:
    """A module name and the packages that provide it."""

    import_name: str
    packages: tuple[ImportProvider, ...] = ()
