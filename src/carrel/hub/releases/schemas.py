"""JSON of releases."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from carrel.core.access import Visibility
from carrel.core.kinds import Kind
from carrel.hub.files.schemas import File
from carrel.hub.packages.views import ReleaseView
from carrel.hub.releases.service import NewRelease
from carrel.hub.urls import Urls

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Release(BaseModel):
    """A release and its files; ``url`` is its page; ``yanked`` when all its files are."""

    namespace: str
    package: str
    version: str
    state: Literal["draft", "published"]
    message: str
    summary: str
    description: str
    created_at: datetime
    published_at: datetime | None
    published_by: str
    url: str
    yanked: bool
    files: list[File]

    @classmethod
    def of(cls, view: ReleaseView, urls: Urls) -> Release:
        """Return the JSON of *view*."""
        return cls(
            namespace=view.namespace,
            package=view.package,
            version=view.version,
            state="draft" if view.state == "draft" else "published",
            message=view.message,
            summary=view.summary,
            description=view.description,
            created_at=view.created_at,
            published_at=view.published_at,
            published_by=view.published_by,
            url=urls.page(view.namespace, view.package, view.version),
            yanked=view.yanked,
            files=[File.of(item, urls) for item in view.files],
        )


class ReleaseList(BaseModel):
    """Releases, newest first; give ``next_cursor`` as ``cursor`` to get the rest."""

    items: list[Release]
    next_cursor: str | None


class ReleaseQuery(BaseModel):
    """Which releases to list."""

    limit: int = Field(100, ge=1, le=200)
    cursor: str | None = Field(None, max_length=100)


class ReleaseRequest(BaseModel):
    """A release to start. Without ``version`` it gets the next whole number."""

    version: str | None = Field(None, max_length=128)
    visibility: Visibility | None = None
    summary: str | None = Field(None, max_length=2000)
    message: str = Field("", max_length=10_000)
    kind: Kind | None = None
    if_changed: dict[str, Sha256] | None = Field(None, description="Answer the latest release if its files are exactly these")

    def to_new(self) -> NewRelease:
        """Return what the service takes."""
        return NewRelease(self.version, self.visibility.value if self.visibility else None, self.summary, self.message, self.if_changed)


class ReleaseChanges(BaseModel):
    """What to change of a release; what is absent stays."""

    message: str | None = Field(None, max_length=10_000)
    summary: str | None = Field(None, max_length=2000)
    description: str | None = Field(None, max_length=100_000)


class Publication(BaseModel):
    """How to publish a draft; without ``labels`` its files keep theirs."""

    labels: list[str] | None = Field(None, max_length=20)
