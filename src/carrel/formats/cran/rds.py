"""A writer of R's serialisation format, for the few shapes that indexes have.

Version 2 of the format in its big-endian binary form, which every R since 1.4 reads with ``readRDS``. The libraries that
write it bring numpy, pandas and xarray along; what is needed here are five kinds of vector.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

_SYMBOL, _PAIRLIST, _CHARSXP, _LOGICAL, _INTEGER, _REAL, _STRING, _LIST = 1, 2, 9, 10, 13, 14, 16, 19
_REFERENCE, _NIL = 255, 254
_IS_OBJECT, _HAS_ATTRIBUTES, _HAS_TAG = 1 << 8, 1 << 9, 1 << 10
_UTF8, _ASCII = 1 << 15, 1 << 18
_NA_INTEGER = -(1 << 31)


class RdsWriter:
    """Writes one value; symbols are written once and referred to after that.

    A value is written depth first: the vector, then :meth:`attributes` where it has any.
    """

    def __init__(self) -> None:
        # Version 2, written by R 4.2.2, readable from R 2.3.0 on.
        self._parts = [b"X\n", struct.pack(">iii", 2, 0x00040202, 0x00020300)]
        self._symbols: dict[str, int] = {}

    def strings(self, values: Sequence[str | None], *, attributes: bool = False) -> None:
        """Write a character vector; None is NA."""
        self._head(_STRING, len(values), attributes=attributes)
        for value in values:
            self._character(value)

    def integers(self, values: Sequence[int | None], *, attributes: bool = False, classed: bool = False) -> None:
        """Write an integer vector (32 bits); None is NA."""
        self._head(_INTEGER, len(values), attributes=attributes, classed=classed)
        self._parts.append(struct.pack(f">{len(values)}i", *(_NA_INTEGER if value is None else value for value in values)))

    def logicals(self, values: Sequence[bool]) -> None:
        """Write a logical vector."""
        self._head(_LOGICAL, len(values))
        self._parts.append(struct.pack(f">{len(values)}i", *values))

    def reals(self, values: Sequence[float], *, attributes: bool = False, classed: bool = False) -> None:
        """Write a double vector."""
        self._head(_REAL, len(values), attributes=attributes, classed=classed)
        self._parts.append(struct.pack(f">{len(values)}d", *values))

    def begin_list(self, length: int, *, attributes: bool = False, classed: bool = False) -> None:
        """Begin a list; its *length* values follow, then its attributes."""
        self._head(_LIST, length, attributes=attributes, classed=classed)

    def null(self) -> None:
        """Write NULL."""
        self._parts.append(struct.pack(">i", _NIL))

    def attribute(self, name: str) -> None:
        """Begin an attribute of the vector before; its value follows."""
        self._parts.append(struct.pack(">i", _PAIRLIST | _HAS_TAG))
        if (known := self._symbols.get(name)) is not None:
            self._parts.append(struct.pack(">i", known << 8 | _REFERENCE))
            return
        self._symbols[name] = len(self._symbols) + 1
        self._parts.append(struct.pack(">i", _SYMBOL))
        self._character(name)

    def end_attributes(self) -> None:
        """End the attributes of a vector."""
        self.null()

    def getvalue(self) -> bytes:
        """Return what was written, not compressed."""
        return b"".join(self._parts)

    def _head(self, kind: int, length: int, *, attributes: bool = False, classed: bool = False) -> None:
        flags = kind | (_HAS_ATTRIBUTES if attributes or classed else 0) | (_IS_OBJECT if classed else 0)
        self._parts.append(struct.pack(">ii", flags, length))

    def _character(self, text: str | None) -> None:
        if text is None:
            self._parts.append(struct.pack(">ii", _CHARSXP, -1))
            return
        data = text.encode()
        self._parts.append(struct.pack(">ii", _CHARSXP | (_ASCII if text.isascii() else _UTF8), len(data)))
        self._parts.append(data)


def character_matrix(rows: Sequence[Sequence[str | None]], row_names: Sequence[str], column_names: Sequence[str]) -> bytes:
    """Return a character matrix with names; None is NA."""
    writer = RdsWriter()
    writer.strings([row[column] for column in range(len(column_names)) for row in rows], attributes=True)
    writer.attribute("dim")
    writer.integers([len(rows), len(column_names)])
    writer.attribute("dimnames")
    writer.begin_list(2)
    if row_names:
        writer.strings(row_names)
    else:
        writer.null()
    writer.strings(column_names)
    writer.end_attributes()
    return writer.getvalue()


def compress(data: bytes) -> bytes:
    """Return *data* as a gzip file without name and time: the same bytes give the same file."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = compressor.compress(data) + compressor.flush()
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
