"""The upload endpoint of the simple index: what twine, uv, poetry, flit and hatch post."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

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
from carrel.core.scopes import Scope
from carrel.core.tokens import redact
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats import Hints
from carrel.formats.pypi import provenance
from carrel.hub.attestations.signers import Signer
from carrel.hub.channels.pypi.handlers import RootHandler
from carrel.hub.channels.pypi.uploads.attested import attested, require_publishers
from carrel.hub.channels.pypi.uploads.forms import DistributionForm
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.receiving import FileReceivingHandler
from carrel.hub.files.service import UploadRequest
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.forms import FORM_BYTES
from carrel.hub.web.multipart import boundary_of


@stream_request_body
class LegacyUploadHandler(FileReceivingHandler):
    """``/pypi/<namespace>/legacy/``: the upload endpoint of twine, uv, poetry and flit."""

    form: DistributionForm
    _told: str | None = None

    async def check_request(self) -> None:
        """Refuse before the body: unknown namespace, no right, too large, no room."""
        boundary = boundary_of(self.request.headers.get("Content-Type", ""))
        labels = (self.path_kwargs.get("label") or "main",)
        await self.check_upload(UploadRequest(self.path_kwargs["namespace"], "", kind=Kind.PYPI.value, labels=labels))
        self.form = DistributionForm(boundary, self.start_file().feed)
        self.receive_into(self.form.feed, self.hub.settings.max_upload_bytes + FORM_BYTES)

    @endpoint(
        summary="Upload a Python distribution",
        scope=Scope.PYPI_UPLOAD,
        media_type="text/plain",
        errors=(NotFound, Forbidden, BadRequest, InvalidFile, MetadataMismatch, TooLarge, InsufficientStorage),
    )
    async def post(self, namespace: str, label: str = "main") -> Reply | None:
        """The form that twine posts. The same file again answers 200; other bytes under a taken name 400."""

        def keep(incoming: IncomingFile) -> bool:
            form, hub = self.form, self.hub
            form.finish()
            request = UploadRequest(
                namespace,
                form.filename,
                package=form.fields.get("name"),
                version=form.version,
                kind=Kind.PYPI.value,
                labels=(label,),
                sha256=form.fields.get("sha256_digest", "").lower() or None,
            )
            md5 = form.fields.get("md5_digest", "").lower() or None
            stored = incoming.finish(form.filename, request.kind, Hints(), size=None, sha256=request.sha256, md5=md5)
            signers: tuple[Signer, ...] = ()
            if text := form.fields.get(provenance.FIELD, "").strip():
                stored, signers = attested(hub, stored, text)

            def enter(uow: UnitOfWork) -> bool:
                if hub.trust.is_configured:
                    require_publishers(uow, namespace, stored.metadata.package, signers)
                return hub.files.register(uow, self.principal, request, stored)[1]

            return hub.pool.write_now(enter)

        try:
            made = await self.finish_file(keep)
        except FileExists as error:
            # The words and the status that clients know an existing file by.
            raise BadRequest(f"File already exists: {error.detail}", code=error.code, **error.fields) from error
        if made is None:
            return None
        return Reply(b"Uploaded.\n" if made else b"The same file exists already.\n", 200, {"Content-Type": "text/plain; charset=utf-8"})

    async def _refuse(self, error: CarrelError | HTTPError) -> None:
        # Clients ask for other credentials at 401 and say that the token is wrong at 403.
        if self.request.method == "POST" and isinstance(error, Unauthenticated) and "Authorization" in self.request.headers:
            error = Forbidden(error.detail, code=error.code)
        self._told = _reason_of(error)
        await super()._refuse(error)

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Say the reason of a refusal in the status line too: twine shows nothing else."""
        super().set_status(status_code, reason or self._told)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the problem document, with its reason in the status line."""
        self._told = _reason_of(kwargs["exc_info"][1] if "exc_info" in kwargs else None)
        self.set_status(status_code)
        super().write_error(status_code, **kwargs)


def _reason_of(error: BaseException | None) -> str | None:
    if not isinstance(error, CarrelError) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    return "".join(character if " " <= character <= "~" else "?" for character in redact(error.detail))[:200]


@stream_request_body
class RootOrUploadHandler(LegacyUploadHandler, RootHandler):
    """``simple/``: all projects, and an upload endpoint for those who give the address of the index for both."""

    async def check_request(self) -> None:
        """Refuse an upload before the body."""
        if self.request.method == "POST":
            await super().check_request()
