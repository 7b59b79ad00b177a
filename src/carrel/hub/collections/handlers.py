"""Endpoints of collections."""

from __future__ import annotations

from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.collections.schemas import (
    Collection,
    CollectionChanges,
    CollectionList,
    CollectionWithItems,
    Item,
    ItemChanges,
    NewCollection,
)
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.handler import ApiHandler


class CollectionsHandler(ApiHandler):
    """``/namespaces/{namespace}/collections``."""

    @endpoint(
        summary="List collections of a namespace", scope=Scope.PACKAGE_READ, anonymous=True, response=CollectionList, errors=(NotFound,)
    )
    def get(self, uow: UnitOfWork, namespace: str) -> CollectionList:
        """Public ones, and those that the caller is a member for."""
        return CollectionList(items=[Collection.of(view, self.urls) for view in self.hub.collections.list(uow, self.principal, namespace)])

    @endpoint(
        summary="Create a collection",
        scope=Scope.PACKAGE_WRITE,
        request=NewCollection,
        response=CollectionWithItems,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest, Conflict),
    )
    def post(self, uow: UnitOfWork, namespace: str, body: NewCollection) -> CollectionWithItems:
        """Members of the namespace."""
        view = self.hub.collections.create(
            uow,
            self.principal,
            namespace,
            body.name,
            title=body.title,
            description=body.description,
            visibility=None if body.visibility is None else body.visibility.value,
        )
        return CollectionWithItems.of(view, self.urls)


class CollectionHandler(ApiHandler):
    """``/namespaces/{namespace}/collections/{collection}``."""

    @endpoint(summary="Get a collection", scope=Scope.PACKAGE_READ, anonymous=True, response=CollectionWithItems, errors=(NotFound,))
    def get(self, uow: UnitOfWork, namespace: str, collection: str) -> CollectionWithItems:
        """With the items that the caller sees anyway, in their order."""
        return CollectionWithItems.of(self.hub.collections.get(uow, self.principal, namespace, collection), self.urls)

    @endpoint(
        summary="Change a collection",
        scope=Scope.PACKAGE_WRITE,
        request=CollectionChanges,
        response=CollectionWithItems,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest),
    )
    def patch(self, uow: UnitOfWork, namespace: str, collection: str, body: CollectionChanges) -> CollectionWithItems:
        """Members change texts and order, owners also the visibility."""
        view = self.hub.collections.update(
            uow,
            self.principal,
            namespace,
            collection,
            title=body.title,
            description=body.description,
            visibility=None if body.visibility is None else body.visibility.value,
            order=body.order,
        )
        return CollectionWithItems.of(view, self.urls)

    @endpoint(summary="Remove a collection", scope=Scope.PACKAGE_DELETE, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, namespace: str, collection: str) -> None:
        """Owners only. The packages stay; tokens that are narrowed to it are revoked."""
        self.hub.collections.delete(uow, self.principal, namespace, collection)


class CollectionItemHandler(ApiHandler):
    """``/namespaces/{namespace}/collections/{collection}/items/{package_namespace}/{package}``."""

    @endpoint(
        summary="Put a package into a collection",
        scope=Scope.PACKAGE_WRITE,
        request=ItemChanges,
        response=Item,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def put(self, uow: UnitOfWork, namespace: str, collection: str, package_namespace: str, package: str, body: ItemChanges) -> Reply:
        """201 when it is new there, 200 when only its note may have changed. Gives nobody access to the package."""
        item, added = self.hub.collections.put_item(uow, self.principal, namespace, collection, package_namespace, package, body.note)
        return Reply(Item.of_item(item, self.urls), 201 if added else 200)

    @endpoint(
        summary="Take a package out of a collection", scope=Scope.PACKAGE_WRITE, status=204, writes=True, errors=(NotFound, Forbidden)
    )
    def delete(self, uow: UnitOfWork, namespace: str, collection: str, package_namespace: str, package: str) -> None:
        """The package itself stays."""
        self.hub.collections.remove_item(uow, self.principal, namespace, collection, package_namespace, package)
