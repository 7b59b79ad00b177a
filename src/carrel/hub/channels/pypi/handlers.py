"""The simple index over HTTP (PEP 503, 691, 700, 714)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from tornado.web import HTTPError, stream_request_body

from carrel.core.errors import (
    BadRequest,
    CarrelError,
    FileExists,
    Forbidden,
    InsufficientStorage,
    InvalidFile,
    MetadataMismatch,
    NotFound,
    TooLarge,
    Unauthenticated,
)
from carrel.core.kinds import Kind
from carrel.core.names import canonical_package
from carrel.core.scopes import Scope
from carrel.formats import Hints
from carrel.formats.pypi.index import HTML_TYPE
from carrel.hub.channels.files import find_pypi, pypi_address
from carrel.hub.channels.flights import SingleFlight
from carrel.hub.channels.handlers import ChannelHandler
from carrel.hub.channels.pypi.forms import FormReader
from carrel.hub.channels.pypi.indexes import PageRef, Pages
from carrel.hub.channels.pypi.maintenance import PROTOCOL
from carrel.hub.channels.pypi.negotiation import Form, negotiate
from carrel.hub.channels.pypi.repository import METADATA_SUFFIX
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.service import UploadRequest
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.multipart import boundary_of
from carrel.hub.web.streaming import ReceivingHandler

OCTETS = "application/octet-stream"
_FORM_BYTES = 8 * 1024 * 1024  # what a form may hold beside the file
_pages: SingleFlight[Pages | None] = SingleFlight()


class SimpleHandler(ChannelHandler):
    """Answers with a page in the form that the client asks for."""

    async def answer(self, namespace: str, label: str, project: str) -> Reply | None:
        """Write the page of *project*, or the list of all projects when it is empty."""
        self.add_vary("Accept")
        form = negotiate(self.request.headers.get("Accept", ""))
        if form is None:
            return Reply(f"This index speaks {', '.join(form.value for form in Form)}.\n".encode(), 406, {"Content-Type": "text/plain"})
        namespace_id = await self.namespace_id(namespace)
        ref = PageRef(namespace_id, label, project, self.audience(namespace_id))
        pages = await self._current(ref)
        if pages is None:
            raise NotFound(f"There is no project {project[:80]!r} here." if project else f"There is no label {label[:80]!r} here.")
        page = pages.json if form is Form.JSON else pages.html
        if not self.fresh(page.etag):
            self.send(page.data, "text/html; charset=utf-8" if form is Form.TEXT else form.value)
        return None

    async def _current(self, ref: PageRef) -> Pages | None:
        version = await self.current_version(ref.namespace_id, PROTOCOL)
        indexes = self.channels.pypi
        known = indexes.peek(ref, version)
        if known is None:
            known = await _pages.run((id(indexes), ref, version), lambda: self.hub.pool.compute(lambda: indexes.page(ref)))
        return known


class RootHandler(SimpleHandler):
    """``simple/``: all projects."""

    @endpoint(summary="All projects of a simple index", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=HTML_TYPE)
    async def get(self, namespace: str, label: str = "main") -> Reply | None:
        """Return the list of projects as HTML or JSON, by the ``Accept`` header."""
        return await self.answer(namespace, label, "")


class ProjectHandler(SimpleHandler):
    """``simple/<project>/``: the files of a project."""

    @endpoint(summary="Files of a project", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=HTML_TYPE)
    async def get(self, namespace: str, project: str, label: str = "main") -> Reply | None:
        """Return the files of a project as HTML or JSON; other spellings of its name are redirected to the normalised one."""
        normalised = canonical_package(project)
        if normalised != project:
            return _moved(f"../{quote(normalised, safe='')}/")
        return await self.answer(namespace, label, project)


class SlashHandler(ChannelHandler):
    """Addresses of pages without the slash at the end."""

    @endpoint(summary="Redirect to the address with a slash", scope=Scope.PYPI_DOWNLOAD, anonymous=True, status=301)
    async def get(self, namespace: str, last: str, label: str = "main") -> Reply | None:
        """Redirect. The address is relative: a token in the path is kept by the client, and is not repeated here."""
        # Quoted, or a name that begins with slashes would lead to another host.
        return _moved(f"{last if last == 'simple' else quote(canonical_package(last), safe='')}/")


class DistributionHandler(ChannelHandler):
    """``files/<sha256>/<filename>``: a distribution, or the metadata of a wheel (PEP 658)."""

    @endpoint(summary="Download a Python distribution", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=OCTETS)
    async def get(self, namespace: str, sha256: str, filename: str, label: str = "main") -> None:
        """Return the bytes; the address names them, so it never answers with others."""
        item = await self.locate(pypi_address(namespace, filename, ""), lambda uow: find_pypi(uow, namespace, filename), filename)
        if item.sha256 != sha256:
            raise NotFound(f"There is no file {filename[:255]!r} with these bytes here.")
        await self.send_file(item, OCTETS)


class MetadataHandler(ChannelHandler):
    """``files/<sha256>/<filename>.metadata``."""

    @endpoint(summary="Metadata of a wheel", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type="text/plain")
    async def get(self, namespace: str, sha256: str, filename: str, label: str = "main") -> None:
        """Return the ``METADATA`` file of a wheel (PEP 658)."""
        wheel = await self.locate(pypi_address(namespace, filename, ""), lambda uow: find_pypi(uow, namespace, filename), filename)
        if wheel.sha256 != sha256:
            raise NotFound(f"There is no file {filename[:255]!r} with these bytes here.")
        address = pypi_address(namespace, filename, METADATA_SUFFIX)
        item = await self.locate(address, lambda uow: find_pypi(uow, namespace, filename, METADATA_SUFFIX), filename)
        await self.send_file(item, "text/plain; charset=utf-8", count=False)


@stream_request_body
class LegacyUploadHandler(ReceivingHandler):
    """``/pypi/<namespace>/legacy/``: the upload endpoint of twine, uv, poetry and flit."""

    incoming: IncomingFile | None = None
    reader: FormReader

    async def check_request(self) -> None:
        """Refuse before the body: unknown namespace, no right, too large, no room."""
        boundary = boundary_of(self.request.headers.get("Content-Type", ""))
        self.hub.files.check_size(self.announced_size)
        request = UploadRequest(self.path_kwargs["namespace"], "", kind=Kind.PYPI.value, labels=(self.path_kwargs.get("label") or "main",))
        await self.hub.pool.read(lambda uow: self.hub.files.check_upload(uow, self.principal, request))
        limit = self.hub.settings.max_upload_bytes
        self.incoming = IncomingFile(self.hub.blobs, limit)
        self.reader = FormReader(boundary, self.incoming.feed)
        self.receive_into(self.reader.feed, limit + _FORM_BYTES)

    @endpoint(
        summary="Upload a Python distribution",
        scope=Scope.PYPI_UPLOAD,
        media_type="text/plain",
        errors=(NotFound, Forbidden, BadRequest, InvalidFile, MetadataMismatch, TooLarge, InsufficientStorage),
    )
    async def post(self, namespace: str, label: str = "main") -> Reply | None:
        """The form that twine posts. The same file again answers 200; other bytes under a taken name 400."""
        incoming, reader, hub = self.incoming, getattr(self, "reader", None), self.hub
        if incoming is None or reader is None:
            raise BadRequest("The upload was not prepared.")
        try:
            rest = await self.rest()
            if self._refused:
                await self._finish_refusal()
                return None

            def keep() -> bool:
                reader.feed(rest)
                form = reader.finish()
                request = UploadRequest(
                    namespace,
                    form.filename,
                    package=form.fields.get("name"),
                    version=form.version,
                    kind=Kind.PYPI.value,
                    labels=(label,),
                    sha256=form.fields.get("sha256_digest", "").lower() or None,
                )
                stored = incoming.finish(form.filename, request.kind, Hints(), size=None, sha256=request.sha256)
                _, made = hub.pool.write_now(lambda uow: hub.files.register(uow, self.principal, request, stored))
                return made

            made = await hub.pool.receive(keep)
        except FileExists as error:
            # The words and the status that clients know an existing file by.
            raise BadRequest(f"File already exists: {error.detail}", code=error.code, **error.fields) from error
        finally:
            self.release()
        return Reply(b"Uploaded.\n" if made else b"The same file exists already.\n", 200, {"Content-Type": "text/plain; charset=utf-8"})

    def release(self) -> None:
        """Discard an upload that did not become a file."""
        if self.incoming is not None:
            self.incoming.abort()

    async def _refuse(self, error: CarrelError | HTTPError) -> None:
        # Clients ask for other credentials at 401 and say that the token is wrong at 403.
        if isinstance(error, Unauthenticated) and "Authorization" in self.request.headers:
            error = Forbidden(error.detail, code=error.code)
        await super()._refuse(error)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say the reason in the status line too: twine shows nothing else."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if isinstance(error, CarrelError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.set_status(status_code, _reason(error.detail))
        super().write_error(status_code, **kwargs)


def _reason(detail: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in detail)[:200]


def _moved(location: str) -> Reply:
    return Reply(None, 301, {"Location": location, "Cache-Control": "public, max-age=86400"})
