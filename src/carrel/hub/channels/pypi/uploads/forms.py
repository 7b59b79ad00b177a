"""The form that twine, uv, poetry and flit post: fields in memory, the distribution on its way to the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from packaging.version import InvalidVersion, Version

from carrel.core.errors import BadRequest, TooLarge
from carrel.hub.web.multipart import MultipartParser, PartBegins, PartData, PartEnds

_MAX_FIELDS_BYTES = 4 * 1024 * 1024
_MAX_FIELDS = 5_000
_CONTENT = "content"


@dataclass(slots=True)
class UploadForm:
    """What was posted.

    Attributes
    ----------
    fields : dict of str to str
        First value of each plain field.
    filename : str
        Of the distribution.
    """

    fields: dict[str, str] = field(default_factory=dict)
    filename: str = ""

    @property
    def version(self) -> str | None:
        """The version in its normal form, None when there is none; what is no version is left as it is."""
        text = self.fields.get("version", "").strip()
        if not text:
            return None
        try:
            return str(Version(text))
        except InvalidVersion:
            return text


class FormReader:
    """Reads the form as it arrives.

    Parameters
    ----------
    boundary : bytes
    consume : callable
        Takes the bytes of the distribution.
    """

    def __init__(self, boundary: bytes, consume: Callable[[bytes], None]) -> None:
        self._parser = MultipartParser(boundary)
        self._consume = consume
        self._part: PartBegins | None = None
        self._value = bytearray()
        self._kept = 0
        self._parts = 0
        self.form = UploadForm()

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

    def finish(self) -> UploadForm:
        """Return the form.

        Raises
        ------
        BadRequest
            The body was cut, or is no upload.
        """
        if not self._parser.finished:
            raise BadRequest("The body ends in the middle. Send the file again.", code="incomplete_upload")
        action = self.form.fields.get(":action")
        if action != "file_upload":
            raise BadRequest("The field ':action' must be 'file_upload'.", code="invalid_action", field=":action")
        if not self.form.filename:
            raise BadRequest("The field 'content' with the distribution is missing.", code="invalid_body", field=_CONTENT)
        return self.form

    def _begin(self, part: PartBegins) -> None:
        self._part = part
        self._value.clear()
        self._parts += 1
        if self._parts > _MAX_FIELDS:
            raise TooLarge("The form has too many fields.", limit=_MAX_FIELDS)
        if part.name == _CONTENT:
            if self.form.filename:
                raise BadRequest("The field 'content' may occur once.", code="invalid_body", field=_CONTENT)
            # Some clients send a path.
            self.form.filename = (part.filename or "").replace("\\", "/").rpartition("/")[2]

    def _data(self, data: bytes) -> None:
        if self._part is not None and self._part.name == _CONTENT:
            self._consume(data)
            return
        self._kept += len(data)
        if self._kept > _MAX_FIELDS_BYTES:
            raise TooLarge("The fields of the form are too large.", limit=_MAX_FIELDS_BYTES)
        self._value += data

    def _end(self) -> None:
        if self._part is not None and self._part.name != _CONTENT:
            self.form.fields.setdefault(self._part.name, self._value.decode("utf-8", errors="replace"))
        self._part = None
