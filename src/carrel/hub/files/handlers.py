"""Endpoints of files: upload, download, labels."""

from __future__ import annotations

from typing import cast

from tornado.web import stream_request_body

from carrel.core.errors import (
    BadRequest,
    FileExists,
    Forbidden,
    InsufficientStorage,
    InvalidFile,
    MetadataMismatch,
    NotFound,
    TooLarge,
)
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats import Hints
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.lookup import Located
from carrel.hub.files.receiving import FileReceivingHandler
from carrel.hub.files.schemas import File, FileLabels, SubdirQuery, UploadQuery
from carrel.hub.files.service import UploadRequest
from carrel.hub.packages.views import FileView
from carrel.hub.packages.visibility import is_shared
from carrel.hub.web.endpoint import Reply, declaration_of, endpoint
from carrel.hub.web.handler import ApiHandler
from carrel.hub.web.streaming import send_blob


def split_filename(text: str) -> tuple[str, str | None]:
    """Return base name and subdir of ``linux-64/name`` or ``name``."""
    subdir, slash, name = text.rpartition("/")
    return (name, subdir) if slash else (text, None)


@stream_request_body
class UploadHandler(FileReceivingHandler):
    """``/namespaces/{namespace}/files/{filename}``."""

    upload: UploadRequest

    async def check_request(self) -> None:
        """Refuse before the body: unknown namespace, no right, too large, no room, name taken."""
        declaration = declaration_of(type(self), "put")
        if declaration is None:
            return
        query = cast(UploadQuery, self.read_input(declaration)["query"])
        filename, subdir = split_filename(self.path_kwargs["filename"])
        self.upload = UploadRequest(
            namespace=self.path_kwargs["namespace"],
            filename=filename,
            subdir=subdir,
            package=query.package,
            version=query.version,
            kind=query.kind,
            labels=tuple(query.label),
            visibility=query.visibility,
            summary=query.summary,
            size=self.announced_size,
            sha256=self.announced_sha256,
        )
        await self.check_upload(self.upload)
        self.receive_into(self.start_file().feed, self.hub.settings.max_upload_bytes)

    @endpoint(
        summary="Upload a file",
        scope=Scope.PACKAGE_WRITE,
        query=UploadQuery,
        response=File,
        status=201,
        errors=(NotFound, Forbidden, BadRequest, InvalidFile, MetadataMismatch, FileExists, TooLarge, InsufficientStorage),
    )
    async def put(self, namespace: str, filename: str, query: UploadQuery) -> Reply | None:
        """The raw bytes are the body. Package, version and platform are read from the bytes where the kind says them.

        Into a draft release it stays a draft; otherwise the release is made or extended, and visible, at once. The same bytes
        again answer 200; other bytes under a taken name 409 ``file_exists``.
        """

        def keep(incoming: IncomingFile) -> tuple[FileView, bool]:
            request, hub = self.upload, self.hub
            hints = Hints(request.package, request.version, request.subdir)
            stored = incoming.finish(request.filename, request.kind, hints, size=request.size, sha256=request.sha256)
            return hub.pool.write_now(lambda uow: hub.files.register(uow, self.principal, request, stored))

        kept = await self.finish_file(keep)
        return None if kept is None else Reply(File.of(kept[0], self.urls), 201 if kept[1] else 200)


class FileHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases/{version}/files/{filename}``."""

    @endpoint(
        summary="Get a file's description",
        scope=Scope.PACKAGE_READ,
        anonymous=True,
        query=SubdirQuery,
        response=File,
        errors=(NotFound,),
    )
    def get(self, uow: UnitOfWork, namespace: str, package: str, version: str, filename: str, query: SubdirQuery) -> File:
        """Digests, labels and what its bytes say. conda files may be written ``linux-64%2Fname``."""
        name, subdir = split_filename(filename)
        view = self.hub.files.get(uow, self.principal, namespace, package, version, name, query.subdir or subdir)
        return File.of(view, self.urls)

    @endpoint(
        summary="Remove a file",
        scope=Scope.PACKAGE_DELETE,
        query=SubdirQuery,
        status=204,
        writes=True,
        errors=(NotFound, Forbidden),
    )
    def delete(self, uow: UnitOfWork, namespace: str, package: str, version: str, filename: str, query: SubdirQuery) -> None:
        """Its name stays taken by its bytes once it was published."""
        name, subdir = split_filename(filename)
        self.hub.files.delete(uow, self.principal, namespace, package, version, name, query.subdir or subdir)


class FileLabelsHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases/{version}/files/{filename}/labels``."""

    @endpoint(
        summary="Set the labels of a file",
        scope=Scope.PACKAGE_WRITE,
        request=FileLabels,
        query=SubdirQuery,
        response=File,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest),
    )
    def put(self, uow: UnitOfWork, namespace: str, package: str, version: str, filename: str, body: FileLabels, query: SubdirQuery) -> File:
        """All labels of the file; those that are not named are taken off."""
        name, subdir = split_filename(filename)
        view = self.hub.files.set_labels(uow, self.principal, namespace, package, version, name, query.subdir or subdir, body.labels)
        return File.of(view, self.urls)


class ContentHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases/{version}/files/{filename}/content``."""

    @endpoint(
        summary="Download a file",
        scope=Scope.PACKAGE_READ,
        anonymous=True,
        query=SubdirQuery,
        media_type="application/octet-stream",
        errors=(NotFound,),
    )
    async def get(self, namespace: str, package: str, version: str, filename: str, query: SubdirQuery) -> None:
        """The bytes: ``ETag`` is ``"sha256:…"``, one ``Range`` is answered, ``If-None-Match`` answers 304."""
        name, subdir = split_filename(filename)
        address = (namespace, package, version, name, query.subdir or subdir)
        lookup = self.hub.lookup
        found = lookup.cached(address)
        if found is None:
            generation = lookup.generation
            found = await self.hub.pool.read(lambda uow: lookup.find(uow, address))
            lookup.remember(address, found, generation)
        item: Located = self.hub.files.allowed(self.principal, found, name)
        counted = await send_blob(
            self,
            item.sha256,
            item.size,
            filename=item.filename,
            shared=is_shared(item.visibility) and item.published and self.hub.settings.allow_anonymous,
            lasting=version != "latest",
        )
        if counted:
            self.hub.usage.downloaded(item.id)
