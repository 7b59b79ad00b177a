"""The Debian control format of ``DESCRIPTION`` and ``PACKAGES``, with bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from carrel.core.errors import InvalidFile
from carrel.formats.parsing import decode_text

_MOST_FIELDS = 500
_FIELD = re.compile(r"([!-9;-~]{1,200}):(.*)\Z", re.DOTALL)
_ENCODING = re.compile(rb"^Encoding:[ \t]*([A-Za-z0-9_-]+)", re.MULTILINE)
# What R calls them, and what Python does.
_ENCODINGS = {"latin1": "latin-1", "latin-1": "latin-1", "latin2": "iso8859-2", "latin-9": "iso8859-15", "latin9": "iso8859-15"}


def parse_record(data: bytes, what: str) -> dict[str, str]:
    """Return the one record of *data* by field, white space folded to single spaces.

    Parameters
    ----------
    data : bytes
    what : str
        What it is, for messages.

    Raises
    ------
    InvalidFile
        Not one record, a field twice, too many of them, or bytes that are no text.
    """
    lines = _decode(data, what).replace("\r\n", "\n").strip("\n").split("\n")
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        if not line.strip():
            raise InvalidFile(f"{what} has an empty line (line {number}), so it holds more than one record.")
        if line[0] in " \t":
            if not found:
                raise InvalidFile(f"{what} begins with a continuation line.")
            values.append(line)
            continue
        match = _FIELD.match(line)
        if match is None:
            raise InvalidFile(f"Line {number} of {what} is {line[:60]!r}, no 'Field: value'.")
        if match[1] in found:
            raise InvalidFile(f"{what} holds the field {match[1][:60]!r} twice.", field=match[1][:60])
        if len(found) == _MOST_FIELDS:
            raise InvalidFile(f"{what} has more than {_MOST_FIELDS} fields.")
        values = found[match[1]] = [match[2]]
    return {field: " ".join(" ".join(texts).split()) for field, texts in found.items()}


def format_records(records: Iterable[Mapping[str, str]]) -> bytes:
    """Return *records*, whose values are single lines, as text: one field a line, an empty line between records."""
    return "\n".join("".join(f"{field}: {value}\n" for field, value in record.items() if value) for record in records).encode()


def _decode(data: bytes, what: str) -> str:
    told = _ENCODING.search(data)
    encoding = _ENCODINGS.get(told[1].decode().lower()) if told is not None else None
    if encoding is not None:
        data = data.decode(encoding).encode()
    return decode_text(data, what)
