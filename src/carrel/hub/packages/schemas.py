"""JSON of packages."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from carrel.core.access import Visibility
from carrel.core.kinds import Kind
from carrel.hub.packages.views import PackageView
from carrel.hub.urls import Urls


class Package(BaseModel):
    """A package; ``url`` is its page."""

    namespace: str
    name: str
    display_name: str
    kinds: list[Kind]
    summary: str
    visibility: Visibility
    latest_version: str | None
    description: str
    license: str
    home_page: str
    created_at: datetime
    updated_at: datetime
    url: str

    @classmethod
    def of(cls, view: PackageView, urls: Urls) -> Package:
        """Return the JSON of *view*."""
        return cls(
            namespace=view.namespace,
            name=view.name,
            display_name=view.display_name,
            kinds=[Kind(kind) for kind in view.kinds],
            summary=view.summary,
            visibility=Visibility(view.visibility),
            latest_version=view.latest_version,
            description=view.description,
            license=view.license,
            home_page=view.home_page,
            created_at=view.created_at,
            updated_at=view.updated_at,
            url=urls.page(view.namespace, view.name),
        )


class PackageList(BaseModel):
    """Packages by name; give ``next_cursor`` as ``cursor`` to get the rest."""

    items: list[Package]
    next_cursor: str | None


class PackageQuery(BaseModel):
    """Which packages to list."""

    kind: Kind | None = None
    label: str | None = Field(None, max_length=128)
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=400)


class PackageChanges(BaseModel):
    """What to change of a package; what is absent stays."""

    display_name: str | None = Field(None, max_length=200)
    summary: str | None = Field(None, max_length=2000)
    description: str | None = Field(None, max_length=100_000)
    license: str | None = Field(None, max_length=500)
    home_page: str | None = Field(None, max_length=2000, pattern=r"^(https?://\S*)?$")
    visibility: Visibility | None = None
