"""A form with one file, read as it arrives: fields are small and kept, the file passes through."""

from __future__ import annotations

from collections.abc import Callable

from carrel.core.errors import BadRequest, TooLarge
from carrel.hub.web.multipart import MultipartParser, PartBegins, PartData, PartEnds

FORM_BYTES = 8 * 1024 * 1024
"""What a form may hold beside the file."""
_MAX_FIELDS = 100


class FileForm:
    """Reads a form whose file is the part ``file``, whether that names a file or not.

    Parameters
    ----------
    boundary : bytes
    consume : callable
        Takes the bytes of the file.
    on_file : callable
        Called when the file's part begins; raises to refuse its bytes.

    Attributes
    ----------
    fields : dict of str to str
    file : PartBegins or None
    size : int
        Bytes of the file so far.
    """

    def __init__(self, boundary: bytes, consume: Callable[[bytes], None], on_file: Callable[[FileForm], None]) -> None:
        self._parser = MultipartParser(boundary)
        self._consume = consume
        self._on_file = on_file
        self._part: PartBegins | None = None
        self._value = bytearray()
        self._kept = 0
        self._parts = 0
        self.fields: dict[str, str] = {}
        self.file: PartBegins | None = None
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """Take in a chunk of the body.

        Raises
        ------
        BadRequest, TooLarge
        """
        for event in self._parser.feed(chunk):
            if isinstance(event, PartBegins):
                self._begin(event)
            elif isinstance(event, PartData):
                self._data(event.data)
            elif isinstance(event, PartEnds):
                if self._part is not self.file and self._part is not None:
                    self.fields.setdefault(self._part.name, self._value.decode("utf-8", errors="replace"))
                self._part = None

    def finish(self) -> None:
        """Check that the form is complete.

        Raises
        ------
        BadRequest
        """
        if not self._parser.finished:
            raise BadRequest("The body ends in the middle. Send the file again.", code="incomplete_upload")
        if self.file is None:
            raise BadRequest("The part 'file' with the file's bytes is missing.", code="invalid_body", field="file")

    def _begin(self, part: PartBegins) -> None:
        self._part = part
        self._value.clear()
        self._parts += 1
        if self._parts > _MAX_FIELDS:
            raise TooLarge("The form has too many fields.", limit=_MAX_FIELDS)
        if part.name == "file":
            if self.file is not None:
                raise BadRequest("The part 'file' may occur once.", code="invalid_body", field="file")
            self.file = part
            self._on_file(self)

    def _data(self, data: bytes) -> None:
        if self._part is self.file and self.file is not None:
            self.size += len(data)
            self._consume(data)
            return
        self._kept += len(data)
        if self._kept > FORM_BYTES:
            raise TooLarge("The fields of the form are too large.", limit=FORM_BYTES)
        self._value += data
