"""JSON of collections."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from carrel.core.access import Visibility
from carrel.hub.collections.service import CollectionItem, CollectionView
from carrel.hub.packages.schemas import Package
from carrel.hub.urls import Urls


class Collection(BaseModel):
    """A collection; ``count`` is the number of its items that the caller sees, ``url`` its page.

    ``conda_channel``, ``python_index`` and ``r_repository`` are addresses that install what it holds.
    """

    namespace: str
    name: str
    title: str
    description: str
    visibility: Visibility
    count: int
    created_at: datetime
    updated_at: datetime
    url: str
    conda_channel: str
    python_index: str
    r_repository: str

    @classmethod
    def of(cls, view: CollectionView, urls: Urls) -> Collection:
        """Return the JSON of *view*, without its items."""
        return cls(
            namespace=view.namespace,
            name=view.name,
            title=view.title,
            description=view.description,
            visibility=Visibility(view.visibility),
            count=view.count,
            created_at=view.created_at,
            updated_at=view.updated_at,
            url=urls.page(view.namespace, "-", "collections", view.name),
            conda_channel=urls.page("conda", view.namespace, "collection", view.name),
            python_index=urls.page("pypi", view.namespace, "collection", view.name, "simple", ""),
            r_repository=urls.page("cran", view.namespace, "collection", view.name),
        )


class Item(BaseModel):
    """A package, notebook or environment in a collection."""

    package: Package
    note: str
    added_at: datetime

    @classmethod
    def of_item(cls, item: CollectionItem, urls: Urls) -> Item:
        """Return the JSON of *item*."""
        return cls(package=Package.of(item.package, urls), note=item.note, added_at=item.added_at)


class CollectionWithItems(Collection):
    """A collection with the items that the caller sees, in their order."""

    items: list[Item]

    @classmethod
    def of(cls, view: CollectionView, urls: Urls) -> CollectionWithItems:
        """Return the JSON of *view*."""
        return cls(**Collection.of(view, urls).model_dump(), items=[Item.of_item(item, urls) for item in view.items])


class CollectionList(BaseModel):
    """Collections of a namespace, by name."""

    items: list[Collection]


class NewCollection(BaseModel):
    """A collection to create."""

    name: str = Field(max_length=64)
    title: str = Field("", max_length=200)
    description: str = Field("", max_length=20_000)
    visibility: Visibility | None = Field(None, description="Absent: as new packages of the namespace")


class CollectionChanges(BaseModel):
    """What to change of a collection; what is absent stays."""

    title: str | None = Field(None, max_length=200)
    description: str | None = Field(None, max_length=20_000)
    visibility: Visibility | None = None
    order: list[str] | None = Field(None, max_length=1000, description="`namespace/package` of the items that come first, in order")


class ItemChanges(BaseModel):
    """What is said of an item; absent: stays as it is."""

    note: str | None = Field(None, max_length=2000)
