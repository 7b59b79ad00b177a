"""``multipart/form-data`` read as it arrives: fields are small and kept, files pass through."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from enum import Enum, auto

from carrel.core.errors import BadRequest, TooLarge

_MAX_HEADER_BYTES = 16 * 1024
_MAX_BOUNDARY = 200


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part's headers were read; *filename* is None for a plain field, names in *headers* are lowercase."""

    name: str
    filename: str | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the part that began last."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnds:
    """All bytes of the part have been seen."""


Event = PartBegins | PartData | PartEnds


class _State(Enum):
    PREAMBLE = auto()
    AFTER_BOUNDARY = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a ``Content-Type`` names.

    Raises
    ------
    BadRequest
        It is not ``multipart/form-data``, or has no boundary.
    """
    message = Message()
    message["Content-Type"] = content_type
    try:
        boundary = message.get_boundary()
    except ValueError:  # in an encoding that is none
        boundary = None
    if message.get_content_type() != "multipart/form-data" or not boundary or len(boundary) > _MAX_BOUNDARY:
        raise BadRequest("The body must be multipart/form-data with a boundary.", code="invalid_body")
    return boundary.encode("latin-1", errors="replace")


class MultipartParser:
    """Turns chunks into events; holds one header block or a boundary's length at most.

    Parameters
    ----------
    boundary : bytes
        As :func:`boundary_of` returns it.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first boundary has no line end before it.
        self._buffer = bytearray(b"\r\n")
        self._state = _State.PREAMBLE

    @property
    def finished(self) -> bool:
        """Whether the closing boundary was seen."""
        return self._state is _State.EPILOGUE

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield what *chunk* completes.

        Raises
        ------
        BadRequest, TooLarge
        """
        self._buffer += chunk
        while True:
            if self._state in (_State.PREAMBLE, _State.BODY):
                found = yield from self._read_until_boundary()
            elif self._state is _State.AFTER_BOUNDARY:
                found = self._read_boundary_end()
            elif self._state is _State.HEADERS:
                found = yield from self._read_headers()
            else:
                self._buffer.clear()
                return
            if not found:
                return

    def _read_until_boundary(self) -> Generator[Event, None, bool]:
        in_part = self._state is _State.BODY
        position = self._buffer.find(self._delimiter)
        # What may be the beginning of a boundary waits for the rest.
        stop = position if position >= 0 else max(len(self._buffer) - len(self._delimiter) + 1, 0)
        data = bytes(self._buffer[:stop])
        del self._buffer[:stop]
        if data and in_part:
            yield PartData(data)
        if position < 0:
            return False
        del self._buffer[: len(self._delimiter)]
        if in_part:
            yield PartEnds()
        self._state = _State.AFTER_BOUNDARY
        return True

    def _read_boundary_end(self) -> bool:
        if self._buffer.startswith(b"--"):
            self._state = _State.EPILOGUE
            return True
        line_end = self._buffer.find(b"\r\n")
        if line_end < 0:
            if len(self._buffer) > _MAX_HEADER_BYTES:
                raise BadRequest("The multipart body is malformed.", code="invalid_body")
            return False
        if self._buffer[:line_end].strip():
            raise BadRequest("The multipart body is malformed.", code="invalid_body")
        self._state = _State.HEADERS
        return True

    def _read_headers(self) -> Generator[Event, None, bool]:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > _MAX_HEADER_BYTES:
            if len(self._buffer) > _MAX_HEADER_BYTES:
                raise TooLarge("The headers of a part of the body are too long.", limit=_MAX_HEADER_BYTES)
            return False
        block = bytes(self._buffer[:end]).decode("utf-8", errors="replace")
        del self._buffer[: end + 4]
        yield _begin(block)
        self._state = _State.BODY
        return True


def _begin(block: str) -> PartBegins:
    lines = (line.partition(":") for line in block.split("\r\n"))
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    if "content-disposition" in headers:
        message = Message()
        message["Content-Disposition"] = headers["content-disposition"]
        field_name = message.get_param("name", header="content-disposition")
        if message.get_content_disposition() == "form-data" and isinstance(field_name, str):
            try:
                return PartBegins(field_name, message.get_filename(), headers)
            except ValueError as error:
                raise BadRequest("A part of the body has a name in an encoding that is none.", code="invalid_body") from error
    raise BadRequest("A part of the body has no name.", code="invalid_body")
