"""Row 32: the bytes of an announced upload, in the form that an object store would take."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from xml.sax.saxutils import escape

from tornado.web import stream_request_body

from carrel.core.digests import Digests, digest
from carrel.core.errors import BadRequest, CarrelError, Forbidden, InsufficientStorage, NotFound, TooLarge
from carrel.hub.anaconda.service import Staged
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.receiving import FileReceivingHandler
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.errors import problem_of
from carrel.hub.web.forms import FORM_BYTES, FileForm
from carrel.hub.web.multipart import boundary_of

_XML = "application/xml"
_EMPTY = digest(b"")
# The codes that clients know from object stores.
_CODES = {
    "digest_mismatch": "InvalidDigest",
    "incomplete_upload": "IncompleteBody",
    "invalid_body": "MalformedPOSTRequest",
}
_CODES_BY_STATUS = {401: "AccessDenied", 403: "AccessDenied", 404: "NoSuchUpload", 413: "EntityTooLarge", 503: "SlowDown"}


class _SecretForm(FileForm):
    """A form whose file is taken only after the secret of its upload."""

    def __init__(self, boundary: bytes, consume: Callable[[bytes], None], staged: Staged) -> None:
        super().__init__(boundary, consume)
        self._staged = staged

    def check_file(self) -> None:
        if not self._staged.accepts(self.fields.get("secret", "")):
            raise Forbidden("The form does not hold the secret of this upload before the file.", code="invalid_secret")


@stream_request_body
class BytesHandler(FileReceivingHandler):
    """``/upload/{upload}``: needs no token; the form holds a secret that is good for this upload only."""

    error_media_type = _XML
    form: _SecretForm
    staged: Staged

    async def check_request(self) -> None:
        """Refuse before the body what nobody announced, and what does not fit."""
        boundary = boundary_of(self.request.headers.get("Content-Type", ""))
        self.hub.files.check_size(self.announced_size)
        upload = self.path_kwargs["upload"]
        self.staged = await self.hub.pool.read(lambda uow: self.hub.anaconda.awaited(uow, upload))
        self.form = _SecretForm(boundary, self.start_file().feed, self.staged)
        self.receive_into(self.form.feed, self.hub.settings.max_upload_bytes + FORM_BYTES)

    @endpoint(
        summary="Send the bytes of an announced file",
        anonymous=True,
        status=201,
        media_type=_XML,
        errors=(NotFound, Forbidden, BadRequest, TooLarge, InsufficientStorage),
    )
    async def post(self, upload: str) -> Reply | None:
        """A form: all items of ``form_data``, ``Content-Length``, ``Content-MD5``, then ``file``."""

        def keep(incoming: IncomingFile) -> Digests:
            form, hub = self.form, self.hub
            form.finish()
            if form.size:
                size, md5 = _size(form.fields.get("Content-Length")), _md5(form.fields.get("Content-MD5"))
                digests = incoming.keep(self.staged.place.filename, size=size, sha256=self.staged.announced.sha256, md5=md5)
            else:
                digests = _EMPTY  # said to the person when the upload is committed: here nobody would see it
            hub.pool.write_now(lambda uow: hub.anaconda.received(uow, upload, digests))
            return digests

        digests = await self.finish_file(keep)
        if digests is None:
            return None
        body = f"<PostResponse><Key>{escape(self.staged.place.basename)}</Key><ETag>&quot;{digests.md5}&quot;</ETag></PostResponse>"
        return Reply(body.encode(), 201, {"Content-Type": _XML})

    def error_body(self, error: BaseException | None, status: int) -> bytes:
        """Return the failure in the form of an object store: clients look for ``Code``."""
        problem = problem_of(error, status)
        named = error.code if isinstance(error, CarrelError) else ""
        code = _CODES.get(named) or _CODES_BY_STATUS.get(status) or ("InvalidRequest" if status < 500 else "InternalError")
        text = f"<Error><Code>{code}</Code><Message>{escape(problem['detail'])}</Message></Error>"
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()


def _size(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest("Content-Length is a number of bytes.", code="invalid_body", field="Content-Length")
    return int(text)


def _md5(text: str | None) -> str | None:
    """Return the hexadecimal form of a ``Content-MD5``."""
    if not text:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 16:
        raise BadRequest("Content-MD5 is not a digest in base64.", code="digest_mismatch", field="Content-MD5")
    return raw.hex()
