"""JSON of files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from carrel.core.access import Visibility
from carrel.core.kinds import Kind
from carrel.hub.packages.views import FileView
from carrel.hub.urls import Urls


class File(BaseModel):
    """A file; ``size`` in bytes, ``download_url`` is where its bytes are. A yanked one is there, but not to be chosen (PEP 592)."""

    filename: str
    kind: Kind
    subdir: str
    size: int
    sha256: str
    md5: str
    labels: list[str]
    attributes: dict[str, Any]
    uploaded_at: datetime
    uploaded_by: str
    download_url: str
    downloads: int
    yanked: bool
    yanked_reason: str

    @classmethod
    def of(cls, view: FileView, urls: Urls) -> File:
        """Return the JSON of *view*."""
        return cls(
            filename=view.filename,
            kind=Kind(view.kind),
            subdir=view.subdir,
            size=view.size,
            sha256=view.sha256,
            md5=view.md5,
            labels=list(view.labels),
            attributes=dict(view.attributes),
            uploaded_at=view.uploaded_at,
            uploaded_by=view.uploaded_by,
            download_url=urls.file_content(view.namespace, view.package, view.version, view.filename, view.subdir),
            downloads=view.downloads,
            yanked=view.yanked_at is not None,
            yanked_reason=view.yanked_reason,
        )


class UploadQuery(BaseModel):
    """What an uploader says beside the bytes; everything is checked against them."""

    package: str | None = Field(None, max_length=128)
    version: str | None = Field(None, max_length=128)
    kind: Kind | None = None
    label: list[str] = Field(default=["main"], max_length=20)
    visibility: Visibility | None = None
    summary: str | None = Field(None, max_length=2000)


class SubdirQuery(BaseModel):
    """Which one, where a release has a file of that name for several platforms."""

    subdir: str | None = Field(None, max_length=32)


class Yank(BaseModel):
    """Why something is not to be chosen any more."""

    reason: str = Field("", max_length=1000)


class FileLabels(BaseModel):
    """Labels of a file, all of them."""

    labels: list[str] = Field(max_length=20)
