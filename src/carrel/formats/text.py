"""Bytes that are text."""

from __future__ import annotations

from carrel.core.errors import InvalidFile


def as_utf8(data: bytes) -> bytes:
    """Return *data*, translated when its byte order mark says UTF-16 (what ``>`` writes in PowerShell), otherwise as it is."""
    if data[:2] not in {b"\xff\xfe", b"\xfe\xff"}:
        return data
    try:
        return data.decode("utf-16").encode()
    except UnicodeError:
        return data


def decode_text(data: bytes, what: str) -> str:
    """Return UTF-8 *data* (a byte order mark is dropped) as text without NUL.

    Raises
    ------
    InvalidFile
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{what} is not UTF-8 text (byte {error.start}).", line=data.count(b"\n", 0, error.start) + 1) from error
    if "\0" in text:
        raise InvalidFile(f"{what} holds a NUL character.", line=text.count("\n", 0, text.index("\0")) + 1)
    return text
