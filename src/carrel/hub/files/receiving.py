"""What all addresses that files are uploaded to have in common, whatever form the body has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from carrel.core.digests import is_sha256
from carrel.core.errors import BadRequest
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.service import UploadRequest
from carrel.hub.web.streaming import ReceivingHandler

T = TypeVar("T")
_SHA256 = "Carrel-Sha256"


class FileReceivingHandler(ReceivingHandler):
    """Receives the bytes of one file. Subclasses carry Tornado's ``@stream_request_body``.

    Before the body, :meth:`check_request` refuses (:meth:`check_upload`) and says where the bytes go (:meth:`start_file`,
    ``receive_into``); the method of the request ends with :meth:`finish_file`.
    """

    incoming: IncomingFile | None = None

    @property
    def announced_sha256(self) -> str | None:
        """The digest that the header ``Carrel-Sha256`` announces.

        Raises
        ------
        BadRequest
        """
        text = self.request.headers.get(_SHA256)
        if text is not None and not is_sha256(text):
            raise BadRequest(f"The header {_SHA256} is 64 lowercase hexadecimal digits.", code="invalid_digest", field=_SHA256)
        return text

    async def check_upload(self, request: UploadRequest) -> None:
        """Refuse what can be refused before the bytes are there; see :class:`carrel.hub.files.service.FileService`."""
        self.hub.files.check_size(self.announced_size)
        await self.hub.pool.read(lambda uow: self.hub.files.check_upload(uow, self.principal, request))

    def start_file(self) -> IncomingFile:
        """Return what takes the bytes of the file."""
        self.incoming = IncomingFile(self.hub.blobs, self.hub.settings.max_upload_bytes, self.hub.leaks)
        return self.incoming

    async def finish_file(self, keep: Callable[[IncomingFile], T]) -> T | None:
        """Take in the rest of the body and *keep* the file, both in the pool; return None when the body was refused, and answered.

        Bytes that were not kept are discarded.
        """
        try:
            rest = await self.rest()
            if self._refused:
                await self._finish_refusal()
                return None
            incoming, consume = self.incoming, self._consume
            if incoming is None or consume is None:
                raise BadRequest("The upload was not prepared.")

            def work() -> T:
                if rest:
                    consume(rest)
                return keep(incoming)

            return await self.hub.pool.receive(work)
        finally:
            self.release()

    def release(self) -> None:
        """Discard bytes that were not kept."""
        if self.incoming is not None:
            self.incoming.abort()
