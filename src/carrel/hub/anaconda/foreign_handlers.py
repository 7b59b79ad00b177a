"""Upload endpoints of other servers, for the clients that speak to these: quetz, Artifactory, prefix."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel
from tornado.web import stream_request_body

from carrel.core.digests import is_sha256
from carrel.core.errors import (
    BadRequest,
    Conflict,
    FileExists,
    Forbidden,
    InsufficientStorage,
    InvalidFile,
    MetadataMismatch,
    NotFound,
    TooLarge,
    Unprocessable,
)
from carrel.core.kinds import Kind
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats import Hints
from carrel.formats.parsing import load_json
from carrel.hub.anaconda.handlers import error_document
from carrel.hub.attestations.service import Prepared
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.receiving import FileReceivingHandler
from carrel.hub.files.schemas import File
from carrel.hub.files.service import UploadRequest
from carrel.hub.packages.views import FileView
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.forms import FORM_BYTES, FileForm
from carrel.hub.web.multipart import boundary_of

_ERRORS = (NotFound, Forbidden, BadRequest, InvalidFile, MetadataMismatch, FileExists, TooLarge, InsufficientStorage)


class CondaUploadHandler(FileReceivingHandler):
    """Receives one conda package."""

    error_media_type = "application/json"
    upload: UploadRequest

    def error_body(self, error: BaseException | None, status: int) -> bytes:
        """Return the failure with its message first: these clients print the body."""
        return error_document(error, status)

    async def receive_whole_body(self, upload: UploadRequest) -> None:
        """Refuse what can be refused before a body that is the file, and say where its bytes go."""
        self.upload = upload
        await self.check_upload(upload)
        self.receive_into(self.start_file().feed, self.hub.settings.max_upload_bytes)

    async def finish_whole_body(self) -> Reply | None:
        """Take the rest of a body that is the file, and answer."""
        kept = await self.finish_file(lambda incoming: self.store(incoming, self.upload))
        return None if kept is None else Reply(File.of(kept[0], self.urls), HTTPStatus.CREATED)

    def store(self, incoming: IncomingFile, upload: UploadRequest, attestations: Prepared | None = None) -> tuple[FileView, bool]:
        """Enter the received bytes; return the file and whether it is new. Runs in the pool."""
        stored = incoming.finish(upload.filename, upload.kind, Hints(), size=upload.size, sha256=upload.sha256)
        hub, bases = self.hub, (self.urls.base,)

        def register(uow: UnitOfWork) -> tuple[FileView, bool]:
            view, made = hub.files.register(uow, self.principal, upload, stored)
            if attestations is not None and made:
                place = (upload.namespace, view.package, view.version, view.filename, view.subdir)
                hub.attestations.put(uow, self.principal, *place, attestations, bases)
            return view, made

        return hub.pool.write_now(register)


class QuetzQuery(BaseModel):
    """What stands beside the file; *force* is not obeyed: a name is never given to other bytes."""

    force: bool = False
    sha256: str | None = None


@stream_request_body
class QuetzHandler(CondaUploadHandler):
    """``/api/channels/{channel}/upload/{filename}``."""

    async def check_request(self) -> None:
        """Refuse before the body."""
        sha256 = self.get_query_argument("sha256", "").lower() or None
        _require_sha256(sha256)
        kwargs = self.path_kwargs
        upload = UploadRequest(kwargs["channel"], kwargs["filename"], kind=Kind.CONDA.value, size=self.announced_size, sha256=sha256)
        await self.receive_whole_body(upload)

    @endpoint(summary="Upload a conda package as to quetz", scope=Scope.CONDA_UPLOAD, query=QuetzQuery, status=201, errors=_ERRORS)
    async def post(self, channel: str, filename: str, query: QuetzQuery) -> Reply | None:
        """The body is the file; the token stands in ``X-API-Key``."""
        return await self.finish_whole_body()


@stream_request_body
class ArtifactoryHandler(CondaUploadHandler):
    """``/artifactory/{channel}/{subdir}/{filename}``."""

    async def check_request(self) -> None:
        """Refuse before the body."""
        sha256 = self.request.headers.get("X-Checksum-Sha256", "").lower() or None
        _require_sha256(sha256)
        kwargs = self.path_kwargs
        labels = (kwargs.get("label") or "main",)
        upload = UploadRequest(
            kwargs["channel"],
            kwargs["filename"],
            kwargs["subdir"],
            kind=Kind.CONDA.value,
            labels=labels,
            size=self.announced_size,
            sha256=sha256,
        )
        await self.receive_whole_body(upload)

    @endpoint(summary="Upload a conda package as to Artifactory", scope=Scope.CONDA_UPLOAD, status=201, errors=_ERRORS)
    async def put(self, channel: str, subdir: str, filename: str, label: str = "main") -> Reply | None:
        """The body is the file; the token is sent as Bearer, or as the password of Basic."""
        return await self.finish_whole_body()


class PrefixQuery(BaseModel):
    """*force* is not obeyed: a name is never given to other bytes."""

    force: bool = False


@stream_request_body
class PrefixHandler(CondaUploadHandler):
    """``/api/v1/upload/{channel}``."""

    form: FileForm

    async def check_request(self) -> None:
        """Refuse before the body: who, how large, which form."""
        boundary = boundary_of(self.request.headers.get("Content-Type", ""))
        await self.check_upload(UploadRequest(self.path_kwargs["channel"], "", kind=Kind.CONDA.value))
        self.form = FileForm(boundary, self.start_file().feed)
        self.receive_into(self.form.feed, self.hub.settings.max_upload_bytes + FORM_BYTES)

    @endpoint(
        summary="Upload a conda package as to a prefix server",
        scope=Scope.CONDA_UPLOAD,
        query=PrefixQuery,
        status=201,
        errors=(*_ERRORS, Unprocessable),
    )
    async def post(self, channel: str, query: PrefixQuery) -> Reply | None:
        """A form with the part ``file`` (headers ``X-File-Name`` and ``X-File-SHA256``) and perhaps ``attestation``, a Sigstore bundle.

        409 when the file exists, 422 when it or the attestation is refused.
        """

        def keep(incoming: IncomingFile) -> tuple[FileView, bool]:
            self.form.finish()
            return self._enter(incoming, channel, self.form)

        try:
            kept = await self.finish_file(keep)
        except (InvalidFile, MetadataMismatch) as error:
            raise Unprocessable(error.detail, code=error.code, **error.fields) from error
        if kept is None:
            return None
        view, made = kept
        if not made:
            raise FileExists(f"{view.filename} exists already.", filename=view.filename)
        return Reply(File.of(view, self.urls), HTTPStatus.CREATED)

    def _enter(self, incoming: IncomingFile, channel: str, form: FileForm) -> tuple[FileView, bool]:
        headers = form.file.headers if form.file is not None else {}
        filename = headers.get("x-file-name") or (form.file.filename if form.file is not None else None) or ""
        sha256 = headers.get("x-file-sha256", "").lower() or None
        _require_sha256(sha256)
        upload = UploadRequest(channel, filename.rpartition("/")[2], kind=Kind.CONDA.value, sha256=sha256)
        return self.store(incoming, upload, self._attestations(form.fields.get("attestation")))

    def _attestations(self, text: str | None) -> Prepared | None:
        if not text:
            return None
        documents = load_json(text.encode(), "The part 'attestation'", any_text=True)
        try:
            return self.hub.attestations.prepare(documents if isinstance(documents, list) else [documents])
        except Conflict as error:  # 409 would mean that the file exists
            raise Unprocessable(error.detail, code=error.code) from error


def _require_sha256(text: str | None) -> None:
    if text is not None and not is_sha256(text):
        raise BadRequest("The SHA-256 is 64 hexadecimal digits.", code="invalid_digest", field="sha256")
