"""Endpoints of packages."""

from __future__ import annotations

from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.packages.copy_schemas import Copy, NewCopy
from carrel.hub.packages.schemas import Package, PackageChanges, PackageList, PackageQuery
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.handler import ApiHandler


class PackagesHandler(ApiHandler):
    """``/namespaces/{namespace}/packages``."""

    @endpoint(
        summary="List packages of a namespace",
        scope=Scope.PACKAGE_READ,
        anonymous=True,
        query=PackageQuery,
        response=PackageList,
        errors=(NotFound, BadRequest),
    )
    def get(self, uow: UnitOfWork, namespace: str, query: PackageQuery) -> PackageList:
        """Public ones, and those that the caller is a member for."""
        page = self.hub.packages.page(
            uow, self.principal, namespace, kind=query.kind, label=query.label, limit=query.limit, cursor=query.cursor
        )
        return PackageList(items=[Package.of(view, self.urls) for view in page.items], next_cursor=page.next_cursor)


class PackageHandler(ApiHandler):
    """``/packages/{namespace}/{package}``."""

    @endpoint(summary="Get a package", scope=Scope.PACKAGE_READ, anonymous=True, response=Package, errors=(NotFound,))
    def get(self, uow: UnitOfWork, namespace: str, package: str) -> Package:
        """404 for packages that the caller may not see."""
        return Package.of(self.hub.packages.get(uow, self.principal, namespace, package), self.urls)

    @endpoint(
        summary="Change a package",
        scope=Scope.PACKAGE_WRITE,
        request=PackageChanges,
        response=Package,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest),
    )
    def patch(self, uow: UnitOfWork, namespace: str, package: str, body: PackageChanges) -> Package:
        """Texts with the permission ``write``; visibility, status and other indexes with ``admin``."""
        changes = body.model_dump(exclude_none=True, mode="json")
        return Package.of(self.hub.packages.update(uow, self.principal, namespace, package, changes), self.urls)

    @endpoint(summary="Remove a package", scope=Scope.PACKAGE_DELETE, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, namespace: str, package: str) -> None:
        """Owners only. File names that were published stay taken by their bytes."""
        self.hub.packages.delete(uow, self.principal, namespace, package)


class CopyHandler(ApiHandler):
    """``/packages/{namespace}/{package}/copy``."""

    @endpoint(
        summary="Copy a package to another namespace",
        scope=Scope.PACKAGE_WRITE,
        request=NewCopy,
        response=Copy,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest, Conflict),
    )
    def post(self, uow: UnitOfWork, namespace: str, package: str, body: NewCopy) -> Reply:
        """Who reads here and writes there copies published files, all or none; the bytes are shared. ``dry_run`` answers 200."""
        view = self.hub.copies.copy(uow, self.principal, body.to_request(namespace, package), dry_run=body.dry_run)
        return Reply(Copy.of(view), 200 if body.dry_run else 201)
