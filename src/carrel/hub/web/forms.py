"""A form with one file, read as it arrives: fields are small and kept, the file passes through."""

from __future__ import annotations

from collections.abc import Callable

from carrel.core.errors import BadRequest, TooLarge
from carrel.hub.web.multipart import MultipartParser, PartBegins, PartData, PartEnds

FORM_BYTES = 8 * 1024 * 1024
"""What a form may hold beside the file."""
_FIELDS_BYTES = 4 * 1024 * 1024
_MAX_FIELDS = 5_000


class FileForm:
    """Reads a form of which one part is the file, whether it names a file or not.

    Parameters
    ----------
    boundary : bytes
    consume : callable
        Takes the bytes of the file.
    name : str
        Of the part that is the file.

    Attributes
    ----------
    fields : dict of str to str
        First value of each other part.
    file : PartBegins or None
    size : int
        Bytes of the file so far.
    """

    def __init__(self, boundary: bytes, consume: Callable[[bytes], None], name: str = "file") -> None:
        self._parser = MultipartParser(boundary)
        self._consume = consume
        self._name = name
        self._part: PartBegins | None = None
        self._value = bytearray()
        self._kept = 0
        self._parts = 0
        self._received = 0
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
                self._end()
        self._received += len(chunk)
        if self._received - self.size > FORM_BYTES:
            raise TooLarge("The form holds too much beside the file.", limit=FORM_BYTES)

    def finish(self) -> None:
        """Check that the form is complete.

        Raises
        ------
        BadRequest
        """
        if not self._parser.finished:
            raise BadRequest("The body ends in the middle. Send the file again.", code="incomplete_upload")
        self.check()
        if self.file is None:
            raise BadRequest(f"The field {self._name!r} with the file's bytes is missing.", code="invalid_body", field=self._name)

    def check(self) -> None:
        """Refuse a form whose fields, which are all there, ask for something else; subclasses say what."""

    def check_file(self) -> None:
        """Refuse the file when its part begins; subclasses say why."""

    def _begin(self, part: PartBegins) -> None:
        self._part = part
        self._value.clear()
        self._parts += 1
        if self._parts > _MAX_FIELDS:
            raise TooLarge("The form has too many fields.", limit=_MAX_FIELDS)
        self._keep(len(part.name))
        if part.name == self._name:
            if self.file is not None:
                raise BadRequest(f"The field {self._name!r} may occur once.", code="invalid_body", field=self._name)
            self.file = part
            self.check_file()

    def _data(self, data: bytes) -> None:
        if self._part is self.file:
            self.size += len(data)
            self._consume(data)
            return
        self._keep(len(data))
        self._value += data

    def _end(self) -> None:
        if self._part is not None and self._part is not self.file:
            self.fields.setdefault(self._part.name, self._value.decode("utf-8", errors="replace"))
        self._part = None

    def _keep(self, size: int) -> None:
        self._kept += size
        if self._kept > _FIELDS_BYTES:
            raise TooLarge("The fields of the form are too large.", limit=_FIELDS_BYTES)
