"""Endpoints of releases."""

from __future__ import annotations

from carrel.core.errors import BadRequest, Conflict, Forbidden, InvalidName, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.files.handlers import split_filename
from carrel.hub.files.schemas import File, SubdirQuery, Yank
from carrel.hub.releases.schemas import Publication, Release, ReleaseChanges, ReleaseList, ReleaseQuery, ReleaseRequest
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.handler import ApiHandler


class ReleasesHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases``."""

    @endpoint(
        summary="List releases",
        scope=Scope.PACKAGE_READ,
        anonymous=True,
        query=ReleaseQuery,
        response=ReleaseList,
        errors=(NotFound, BadRequest),
    )
    def get(self, uow: UnitOfWork, namespace: str, package: str, query: ReleaseQuery) -> ReleaseList:
        """Newest first; drafts are shown to members only."""
        page = self.hub.releases.page(uow, self.principal, namespace, package, limit=query.limit, cursor=query.cursor)
        return ReleaseList(items=[Release.of(view, self.urls) for view in page.items], next_cursor=page.next_cursor)

    @endpoint(
        summary="Start a release",
        scope=Scope.PACKAGE_WRITE,
        request=ReleaseRequest,
        response=Release,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, Conflict, InvalidName),
    )
    def post(self, uow: UnitOfWork, namespace: str, package: str, body: ReleaseRequest) -> Reply:
        """Opens a draft, which only members see until it is published.

        With ``if_changed`` and a latest release that holds exactly these files, nothing is made: the answer is 200, that
        release and the header ``Carrel-Unchanged: true``.
        """
        view, made = self.hub.releases.start(uow, self.principal, namespace, package, body.to_new())
        release = Release.of(view, self.urls)
        return Reply(release, 201) if made else Reply(release, 200, {"Carrel-Unchanged": "true"})


class ReleaseHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases/{version}``."""

    @endpoint(summary="Get a release", scope=Scope.PACKAGE_READ, anonymous=True, response=Release, errors=(NotFound,))
    def get(self, uow: UnitOfWork, namespace: str, package: str, version: str) -> Release:
        """``latest`` stands for the latest published version."""
        return Release.of(self.hub.releases.get(uow, self.principal, namespace, package, version), self.urls)

    @endpoint(
        summary="Change what is said of a release",
        scope=Scope.PACKAGE_WRITE,
        request=ReleaseChanges,
        response=Release,
        writes=True,
        errors=(NotFound, Forbidden),
    )
    def patch(self, uow: UnitOfWork, namespace: str, package: str, version: str, body: ReleaseChanges) -> Release:
        """Its files stay as they are. The package shows the summary and description of its latest release."""
        changes = body.model_dump(exclude_none=True)
        return Release.of(self.hub.editing.update(uow, self.principal, namespace, package, version, changes), self.urls)

    @endpoint(summary="Remove a release", scope=Scope.PACKAGE_DELETE, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, namespace: str, package: str, version: str) -> None:
        """Owners remove any release, members their own. Published file names stay taken by their bytes."""
        self.hub.releases.delete(uow, self.principal, namespace, package, version)


class YankHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases/{version}/yank``."""

    @endpoint(
        summary="Yank a release",
        scope=Scope.PACKAGE_WRITE,
        request=Yank,
        response=Release,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def put(self, uow: UnitOfWork, namespace: str, package: str, version: str, body: Yank) -> Release:
        """All its files (PEP 592): they stay downloadable, and no installer chooses them by itself."""
        view = self.hub.editing.yank(uow, self.principal, namespace, package, version, reason=body.reason)
        return Release.of(view, self.urls)

    @endpoint(
        summary="Take back the yank of a release",
        scope=Scope.PACKAGE_WRITE,
        response=Release,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def delete(self, uow: UnitOfWork, namespace: str, package: str, version: str) -> Release:
        """Of all its files."""
        return Release.of(self.hub.editing.yank(uow, self.principal, namespace, package, version, yanked=False), self.urls)


class FileYankHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases/{version}/files/{filename}/yank``."""

    @endpoint(
        summary="Yank a file",
        scope=Scope.PACKAGE_WRITE,
        request=Yank,
        query=SubdirQuery,
        response=File,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def put(self, uow: UnitOfWork, namespace: str, package: str, version: str, filename: str, body: Yank, query: SubdirQuery) -> File:
        """It stays downloadable, and no installer chooses it by itself."""
        name, subdir = split_filename(filename)
        address = (namespace, package, version, name, query.subdir or subdir)
        return File.of(self.hub.editing.yank_file(uow, self.principal, *address, reason=body.reason), self.urls)

    @endpoint(
        summary="Take back the yank of a file",
        scope=Scope.PACKAGE_WRITE,
        query=SubdirQuery,
        response=File,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def delete(self, uow: UnitOfWork, namespace: str, package: str, version: str, filename: str, query: SubdirQuery) -> File:
        """It may be chosen again."""
        name, subdir = split_filename(filename)
        address = (namespace, package, version, name, query.subdir or subdir)
        return File.of(self.hub.editing.yank_file(uow, self.principal, *address, yanked=False), self.urls)


class PublishHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases/{version}/publish``."""

    @endpoint(
        summary="Publish a draft",
        scope=Scope.PACKAGE_WRITE,
        request=Publication,
        response=Release,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def post(self, uow: UnitOfWork, namespace: str, package: str, version: str, body: Publication) -> Release:
        """All files become visible together. Asking twice changes nothing."""
        return Release.of(self.hub.releases.publish(uow, self.principal, namespace, package, version, body.labels), self.urls)
