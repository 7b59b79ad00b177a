"""R repositories over HTTP: what ``available.packages()``, ``install.packages()`` and uploads with curl speak to."""

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
from carrel.core.kinds import Kind
from carrel.core.scopes import Scope
from carrel.formats import Hints
from carrel.formats.cran.metadata import identify
from carrel.formats.cran.platforms import is_subdir
from carrel.hub.channels.cran.indexes import Form, Index, TreeRef
from carrel.hub.channels.cran.maintenance import PROTOCOL
from carrel.hub.channels.cran.schemas import BinaryQuery, SourceQuery
from carrel.hub.channels.files import cran_address, find_cran
from carrel.hub.channels.flights import SingleFlight
from carrel.hub.channels.handlers import ChannelHandler
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.receiving import FileReceivingHandler
from carrel.hub.files.schemas import File
from carrel.hub.files.service import UploadRequest
from carrel.hub.packages.views import FileView
from carrel.hub.web.endpoint import Reply, declaration_of, endpoint

_TEXT = "text/plain; charset=utf-8"
_GZIP = "application/gzip"
TYPES = {Form.TEXT: _TEXT, Form.GZIP: _GZIP, Form.RDS: "application/octet-stream", Form.ARCHIVE: "application/octet-stream"}
_ERRORS = (NotFound, Forbidden, BadRequest, InvalidFile, MetadataMismatch, FileExists, TooLarge, InsufficientStorage)
_flights: SingleFlight[Index | None] = SingleFlight()


def subdir_of(place: str, rversion: str) -> str:
    """Return the platform that the words of an address name.

    Raises
    ------
    NotFound
        There is no such platform.
    """
    if not place:
        return ""
    subdir = f"{place}/{rversion}"
    if not is_subdir(subdir):
        raise NotFound("There is no such binary tree: R asks for bin/windows/contrib/4.2 or bin/macosx/big-sur-arm64/contrib/4.2.")
    return subdir


class CranHandler(ChannelHandler):
    """Answers with indexes of a tree."""

    async def answer(self, namespace: str, label: str, subdir: str, form: Form) -> None:
        """Write an index."""
        namespace_id = await self.namespace_id(namespace)
        ref, audience = TreeRef(namespace_id, label, subdir), self.audience(namespace_id)
        version = await self.current_version(namespace_id, PROTOCOL)
        indexes = self.channels.cran
        found = indexes.peek(ref, audience, form, version)
        if found is None:
            key = (id(indexes), ref, audience, form, version)
            found = await _flights.run(key, lambda: self.hub.pool.compute(lambda: indexes.index(ref, audience, form)))
        if found is None:
            raise NotFound(f"There is no label {label[:80]!r} here.")
        if not self.fresh(found.etag):
            self.send(found.data, TYPES[form])


class PackagesHandler(CranHandler):
    """``PACKAGES``, ``PACKAGES.gz``, ``PACKAGES.rds`` of the sources or of a binary tree."""

    @endpoint(summary="Index of an R repository", scope=Scope.CRAN_DOWNLOAD, anonymous=True, media_type="text/plain")
    async def get(self, namespace: str, extension: str, label: str = "main", place: str = "", rversion: str = "") -> None:
        """Of each package the highest version. Binary trees that hold nothing are empty, not absent."""
        await self.answer(namespace, label, subdir_of(place, rversion), Form(f"PACKAGES{extension}"))


class ArchiveHandler(CranHandler):
    """``src/contrib/Meta/archive.rds``."""

    @endpoint(summary="Older versions in an R repository", scope=Scope.CRAN_DOWNLOAD, anonymous=True, media_type="application/octet-stream")
    async def get(self, namespace: str, label: str = "main") -> None:
        """Return the list that ``remotes::install_version()`` and others look older versions up in."""
        await self.answer(namespace, label, "", Form.ARCHIVE)


class RPackageHandler(ChannelHandler):
    """A source package or a binary; sources are also in ``Archive/<package>/``."""

    @endpoint(summary="Download an R package", scope=Scope.CRAN_DOWNLOAD, anonymous=True, media_type=_GZIP)
    async def get(
        self, namespace: str, filename: str, label: str = "main", place: str = "", rversion: str = "", package: str | None = None
    ) -> None:
        """Return the bytes: every version, whether it is the highest or not."""
        subdir = subdir_of(place, rversion)
        if package is not None and filename.partition("_")[0] != package:
            raise NotFound(f"There is no file {filename[:255]!r} here.")
        address = cran_address(namespace, subdir, filename)
        item = await self.locate(address, lambda uow: find_cran(uow, namespace, subdir, filename), filename)
        await self.send_file(item, "application/zip" if filename.endswith(".zip") else _GZIP)


class CranUploadHandler(FileReceivingHandler):
    """Receives a package that does not say its file name."""

    upload: UploadRequest

    async def check_request(self) -> None:
        """Refuse before the body: unknown namespace, no right, too large, no room, no such platform."""
        declaration = declaration_of(type(self), "put")
        if declaration is None:
            return
        query = cast(SourceQuery, self.read_input(declaration)["query"])
        subdir = query.subdir if isinstance(query, BinaryQuery) else None
        if subdir is not None and not is_subdir(subdir):
            raise BadRequest(
                "The query parameter 'platform' is 'windows', 'macosx', 'macosx/big-sur-arm64' or 'linux/<name>'.",
                code="invalid_platform",
                field="platform",
            )
        label = self.path_kwargs.get("label")
        self.upload = UploadRequest(
            self.path_kwargs["namespace"],
            "",
            subdir=subdir or "",
            kind=Kind.R.value,
            labels=(label,) if label else tuple(query.label),
            size=self.announced_size,
            sha256=self.announced_sha256,
        )
        await self.check_upload(self.upload)
        self.receive_into(self.start_file().feed, self.hub.settings.max_upload_bytes)

    async def take(self) -> Reply | None:
        """Enter the file under the name that R looks for it by."""

        def keep(incoming: IncomingFile) -> tuple[FileView, bool]:
            upload, hub = self.upload, self.hub
            subdir = upload.subdir or ""
            found = incoming.look(lambda source: identify(source, subdir))
            stored = incoming.finish(found.filename, Kind.R.value, Hints(subdir=subdir or None), size=upload.size, sha256=upload.sha256)
            return hub.pool.write_now(lambda uow: hub.files.register(uow, self.principal, upload, stored))

        kept = await self.finish_file(keep)
        return None if kept is None else Reply(File.of(kept[0], self.urls), 201 if kept[1] else 200)


@stream_request_body
class SourceUploadHandler(CranUploadHandler):
    """``/cran/<namespace>/src``."""

    @endpoint(summary="Upload an R source package", scope=Scope.CRAN_UPLOAD, query=SourceQuery, response=File, status=201, errors=_ERRORS)
    async def put(self, namespace: str, query: SourceQuery, label: str = "main") -> Reply | None:
        """The raw bytes are the body (``curl --upload-file``). The same bytes again answer 200, other ones 409."""
        return await self.take()


@stream_request_body
class BinaryUploadHandler(CranUploadHandler):
    """``/cran/<namespace>/bin``."""

    @endpoint(summary="Upload an R binary package", scope=Scope.CRAN_UPLOAD, query=BinaryQuery, response=File, status=201, errors=_ERRORS)
    async def put(self, namespace: str, query: BinaryQuery, label: str = "main") -> Reply | None:
        """As for sources; ``platform`` and ``rversion`` are checked against what the binary says it was built for."""
        return await self.take()
