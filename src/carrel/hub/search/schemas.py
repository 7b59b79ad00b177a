"""JSON of search."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from carrel.core.kinds import Kind
from carrel.hub.search.service import MAX_LIMIT


class SearchQuery(BaseModel):
    """What to search for."""

    q: Annotated[str, Field(max_length=1000, description="What a person typed; the last word may be unfinished")] = ""
    kind: Annotated[list[Kind], Field(description="Only packages that hold files of these kinds")] = []
    namespace: Annotated[str | None, Field(max_length=64, description="Only packages of this namespace")] = None
    platform: Annotated[
        str | None, Field(max_length=32, description="Only packages with conda files for it, such as linux-64, or for all platforms")
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 20
    cursor: Annotated[str | None, Field(max_length=100, description="From the page before")] = None


class SearchItem(BaseModel):
    """A package that matched."""

    namespace: str
    name: str
    kinds: list[str]
    summary: str
    latest_version: str | None
    visibility: str
    updated_at: str
    import_names: list[str]
    url: str
    score: float


class SearchResults(BaseModel):
    """Matches, best first."""

    items: list[SearchItem]
    next_cursor: str | None
    took_ms: float


class ImportsQuery(BaseModel):
    """Which modules to look up."""

    name: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50, description="Top-level module")] = []


class ImportProvider(BaseModel):
    """A package that provides a module."""

    namespace: str
    name: str
    kind: str
    version: str | None


class ImportMatch(BaseModel):
    """A module and the packages that provide it."""

    import_name: str
    packages: list[ImportProvider]


class Imports(BaseModel):
    """One item for each module asked for."""

    items: list[ImportMatch]
