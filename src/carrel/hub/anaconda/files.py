"""Rows 27–31 and 33: files, and the beginning and the end of an upload."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pydantic import BaseModel, Field

from carrel.core.digests import is_sha256
from carrel.core.errors import BadRequest, FileExists, Forbidden, InvalidFile, MetadataMismatch, NotFound
from carrel.core.kinds import Kind
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda import views
from carrel.hub.anaconda.handlers import READ, UPLOAD, AnacondaHandler, answer
from carrel.hub.anaconda.kinds import kind_of, promoted
from carrel.hub.anaconda.service import Announced, Place
from carrel.hub.files.handlers import split_filename
from carrel.hub.packages.views import FileView
from carrel.hub.packages.visibility import is_shared
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.streaming import send_blob

_SCOPES = {
    Kind.CONDA: (Scope.PACKAGE_WRITE, Scope.CONDA_UPLOAD),
    Kind.PYPI: (Scope.PACKAGE_WRITE, Scope.PYPI_UPLOAD),
    Kind.R: (Scope.PACKAGE_WRITE, Scope.CRAN_UPLOAD),
}


class Stage(BaseModel):
    """A file that will be sent. What it says of itself is read from its bytes, so ``attrs`` and ``dependencies`` are not looked at."""

    distribution_type: str | None = None
    channels: list[str] | None = Field(None, max_length=20)
    sha256: str | None = Field(None, max_length=100)


class Commit(BaseModel):
    """An upload that has its bytes."""

    dist_id: str = Field(max_length=64)


class FileHandler(AnacondaHandler):
    """``/dist/{login}/{package}/{version}/{basename}``."""

    @endpoint(summary="Describe a file", anonymous=True, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, login: str, package: str, version: str, basename: str) -> Reply:
        """``basename`` of a conda package is ``linux-64/name``."""
        self.require_scope(READ)
        name, subdir = split_filename(basename)
        return answer(views.distribution(self.hub.files.get(uow, self.principal, login, package, version, name, subdir), self.urls))

    @endpoint(summary="Remove a file", scope=Scope.PACKAGE_DELETE, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, login: str, package: str, version: str, basename: str) -> Reply:
        """Its name stays taken by its bytes."""
        return answer(self.remove(uow, login, package, version, basename))

    def remove(self, uow: UnitOfWork, login: str, package: str, version: str, basename: str) -> dict[str, Any]:
        """Remove a file and return what it was."""
        name, subdir = split_filename(basename)
        view = self.hub.files.get(uow, self.principal, login, package, version, name, subdir)
        # Clients that replace a file remove it first: the package must not come back with another visibility.
        self.hub.files.delete(uow, self.principal, login, package, version, name, view.subdir, keep_package=True)
        return views.distribution(view, self.urls)


class FileByIdHandler(FileHandler):
    """``/dist/{login}/{package}/{version}/-/{id}``."""

    @endpoint(summary="Describe a file by its id", anonymous=True, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, login: str, package: str, version: str, id: str) -> Reply:
        """``id`` is the member ``_id`` of its description."""
        self.require_scope(READ)
        return answer(views.distribution(self._find(uow, login, package, version, id), self.urls))

    @endpoint(summary="Remove a file by its id", scope=Scope.PACKAGE_DELETE, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, login: str, package: str, version: str, id: str) -> Reply:
        """``id`` is the member ``_id`` of its description."""
        return answer(self.remove(uow, login, package, version, views.basename_of(self._find(uow, login, package, version, id))))

    def _find(self, uow: UnitOfWork, login: str, package: str, version: str, id: str) -> FileView:
        release = self.hub.releases.get(uow, self.principal, login, package, version)
        found = next((item for item in release.files if str(item.id) == id), None)
        if found is None:
            raise NotFound(f"There is no file {id[:40]!r} here.")
        return found


class DownloadHandler(AnacondaHandler):
    """``/download/{login}/{package}/{version}/{basename}``."""

    @endpoint(
        summary="Download a file", scope=Scope.PACKAGE_READ, anonymous=True, media_type="application/octet-stream", errors=(NotFound,)
    )
    async def get(self, login: str, package: str, version: str, basename: str) -> None:
        """The bytes. ``ETag`` in the request, with the MD5 that the client has, answers 304, as on anaconda.org."""
        name, subdir = split_filename(basename)

        def find(uow: UnitOfWork) -> tuple[FileView, bool]:
            found = self.hub.files.get(uow, self.principal, login, package, version, name, subdir)
            visibility = self.hub.packages.get(uow, self.principal, login, package).visibility
            state = self.hub.releases.get(uow, self.principal, login, package, version).state
            return found, is_shared(visibility) and state == "published" and self.hub.settings.allow_anonymous

        view, shared = await self.hub.pool.read(find)
        if self.request.headers.get("ETag", "").strip('"').lower() == view.md5:
            self.set_status(304)
            self.set_header("Etag", f'"sha256:{view.sha256}"')
            return
        sent = await send_blob(self, view.sha256, view.size, filename=view.filename, shared=shared, lasting=False)
        if sent:
            self.hub.usage.downloaded(view.id)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Redirect with the one status that clients of this API follow."""
        super().redirect(url, status=302)


class StageHandler(AnacondaHandler):
    """``/stage/{login}/{package}/{version}/{basename}``."""

    @endpoint(summary="Announce a file", request=Stage, writes=True, errors=(NotFound, Forbidden, BadRequest, FileExists))
    def post(self, uow: UnitOfWork, login: str, package: str, version: str, basename: str, body: Stage) -> Reply:
        """Return where its bytes go, and the form that must come with them. 409 when it exists."""
        place = Place(login, package, version, basename)
        kind = promoted(kind_of(body.distribution_type or "file"), place.filename)
        self.require_scope(_SCOPES.get(kind, (Scope.PACKAGE_WRITE,)))
        labels = tuple(dict.fromkeys(body.channels or ["main"]))
        staged, secret = self.hub.anaconda.stage(uow, self.principal, place, Announced(kind, labels, _sha256(body.sha256)))
        return answer(
            {
                "post_url": self.urls.page("api", "upload", staged.id),
                "form_data": {"key": f"{login}/{package}/{version}/{basename}", "secret": secret},
                "dist_id": staged.id,
                "basename": basename,
            }
        )


class CommitHandler(AnacondaHandler):
    """``/commit/{login}/{package}/{version}/{basename}``."""

    @endpoint(
        summary="Enter a file whose bytes were sent",
        request=Commit,
        errors=(NotFound, Forbidden, BadRequest, InvalidFile, MetadataMismatch, FileExists),
    )
    async def post(self, login: str, package: str, version: str, basename: str, body: Commit) -> Reply:
        """Its metadata is read from its bytes; the release is published with its first file."""
        self.require_scope(UPLOAD)
        hub, place = self.hub, Place(login, package, version, basename)

        def enter() -> FileView:
            staged = hub.pool.read_now(lambda uow: hub.anaconda.claim(uow, self.principal, place, body.dist_id))
            stored = hub.anaconda.read(staged)
            return hub.pool.write_now(lambda uow: hub.anaconda.commit(uow, self.principal, staged, stored))

        view = await hub.pool.receive(enter)
        return answer({**views.distribution(view, self.urls), "url": self.urls.page(view.namespace, view.package)})


def _sha256(text: str | None) -> str | None:
    """Return an announced digest in hexadecimal; some say it in base64."""
    if not text:
        return None
    if is_sha256(text.lower()):
        return text.lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise BadRequest("sha256 is 64 hexadecimal digits.", code="invalid_digest", field="sha256")
    return raw.hex()
