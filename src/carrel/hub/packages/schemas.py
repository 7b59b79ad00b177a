"""JSON of packages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from carrel.core.access import Status, Visibility
from carrel.core.kinds import Kind
from carrel.hub.packages.views import PackageView
from carrel.hub.urls import Urls

Address = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2000)]


class Package(BaseModel):
    """A package; ``url`` is its page. ``status`` is that of PEP 792; ``tracks`` and ``alternate_locations`` are those of PEP 708."""

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
    status: Status
    status_reason: str
    tracks: list[str]
    alternate_locations: list[str]

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
            status=Status(view.status),
            status_reason=view.status_reason,
            tracks=list(view.tracks),
            alternate_locations=list(view.alternate_locations),
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
    status: Status | None = None
    status_reason: str | None = Field(None, max_length=500)
    tracks: list[Address] | None = Field(None, max_length=20, description="The project on other indexes that this one extends")
    alternate_locations: list[Address] | None = Field(None, max_length=20, description="The same project on other indexes")
