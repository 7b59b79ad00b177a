"""The first values of a Parquet column: of its first page, in the encodings that most writers use.

No library that decodes whole files is needed, and none could be trusted with a stranger's: they reserve the memory that a
file asks for. Here at most a bounded prefix of two pages is expanded, whatever their headers say.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, BinaryIO

import zstandard

from carrel.formats.datafile.thrift import Struct, ThriftReader

_HEADER_BYTES = 64 * 1024
_COMPRESSED_BYTES = 2 * 1024 * 1024
_DATA_BYTES = 256 * 1024
_DICTIONARY_BYTES = 1024 * 1024
_ZSTD_WINDOW = 8 * 1024 * 1024
# Numbers of parquet.thrift: codecs, kinds of pages, encodings, physical types.
_NONE, _SNAPPY, _GZIP, _ZSTD = 0, 1, 2, 6
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 0, 2, 3
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_BOOLEAN, _INT32, _INT64, _INT96, _FLOAT, _DOUBLE, _BYTES, _FIXED = range(8)
_FORMATS = {_INT32: "<i", _INT64: "<q", _FLOAT: "<f", _DOUBLE: "<d"}


class UnreadablePage(ValueError):
    """A page that is damaged, too large, or in an encoding that is not known here."""


class Budget:
    """How many bytes may be expanded in all."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> None:
        """Count *size* bytes.

        Raises
        ------
        UnreadablePage
        """
        self._left -= size
        if self._left < 0:
            raise UnreadablePage("enough was read")


def first_values(source: BinaryIO, metadata: Struct, count: int, *, optional: bool, length: int, budget: Budget) -> list[Any]:
    """Return up to *count* values of a column that is not nested; None where there is none.

    Parameters
    ----------
    source : file
        Seekable.
    metadata : dict
        The column's ``ColumnMetaData``.
    count : int
    optional : bool
        Whether values may be missing.
    length : int
        Of values of fixed length, in bytes.
    budget : Budget

    Raises
    ------
    UnreadablePage, IndexError, KeyError, TypeError, OverflowError, struct.error
    """
    kind, codec = metadata[1], metadata[4]
    dictionary: bytes | None = None
    offset = min(position for position in (metadata[9], metadata.get(11) or metadata[9]) if position > 0)
    header, start = _header(source, offset)
    if header[1] == _DICTIONARY_PAGE:
        dictionary = _expand(source, start, header[3], codec, _DICTIONARY_BYTES, budget)
        header, start = _header(source, start + header[3])
    if header[1] == _DATA_PAGE:
        head = header[5]
        data = _expand(source, start, header[3], codec, _DATA_BYTES, budget)
        encoding, position = head[2], 0
        present, position = _v1_levels(data, min(count, head[1])) if optional else ([1] * min(count, head[1]), 0)
    elif header[1] == _DATA_PAGE_V2:
        head = header[8]
        levels = head.get(6, 0) + head.get(5, 0)
        present = _hybrid(_read(source, start, levels), 1, min(count, head[1])) if optional else [1] * min(count, head[1])
        data = _expand(source, start + levels, header[3] - levels, codec if head.get(7, True) else _NONE, _DATA_BYTES, budget)
        encoding, position = head[4], 0
    else:
        raise UnreadablePage("no page of data")
    values = iter(_values(data[position:], encoding, kind, length, sum(present), dictionary))
    return [next(values) if level else None for level in present]


def _values(data: bytes, encoding: int, kind: int, length: int, count: int, dictionary: bytes | None) -> list[Any]:
    if encoding == _PLAIN:
        return _plain(data, kind, length, count)
    if encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY) and dictionary is not None:
        if not count:
            return []
        places = _hybrid(data[1:], data[0], count)
        known = _plain(dictionary, kind, length, max(places) + 1)
        return [known[place] for place in places]
    if encoding == _RLE and kind == _BOOLEAN:
        return [bool(value) for value in _hybrid(data[4:], 1, count)]
    raise UnreadablePage(f"encoding {encoding}")


def _plain(data: bytes, kind: int, length: int, count: int) -> list[Any]:
    if kind == _BOOLEAN:
        return [bool(data[index // 8] >> (index % 8) & 1) for index in range(count)]
    if kind in _FORMATS:
        size = struct.calcsize(_FORMATS[kind])
        return [struct.unpack_from(_FORMATS[kind], data, index * size)[0] for index in range(count)]
    if kind in (_INT96, _FIXED):
        size = 12 if kind == _INT96 else length
        if size <= 0 or size * count > len(data):
            raise UnreadablePage("values of no length")
        return [data[index * size : (index + 1) * size] for index in range(count)]
    found, position = [], 0
    for _ in range(count):
        (size,) = struct.unpack_from("<I", data, position)
        position += 4 + size
        if position > len(data):
            raise UnreadablePage("the data ends")
        found.append(data[position - size : position])
    return found


def _v1_levels(data: bytes, count: int) -> tuple[list[int], int]:
    (size,) = struct.unpack_from("<I", data, 0)
    return _hybrid(data[4 : 4 + size], 1, count), 4 + size


def _hybrid(data: bytes, width: int, count: int) -> list[int]:
    """Return the first numbers of a run-length and bit-packing hybrid."""
    if not 0 <= width <= 32:
        raise UnreadablePage("numbers of no width")
    found: list[int] = []
    position, size = 0, (width + 7) // 8
    while len(found) < count:
        header = shift = 0
        while True:
            byte = data[position]
            position += 1
            header |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 35:
                break
        wanted = count - len(found)
        if header & 1:
            packed = int.from_bytes(data[position : position + (wanted * width + 7) // 8], "little")
            taken = min(wanted, (header >> 1) * 8)
            found += [packed >> (index * width) & ((1 << width) - 1) for index in range(taken)]
            position += (header >> 1) * width
        else:
            taken = min(wanted, header >> 1)
            found += [int.from_bytes(data[position : position + size], "little")] * taken
            position += size
        if taken == 0:
            raise UnreadablePage("a run of nothing")
    return found


def _header(source: BinaryIO, offset: int) -> tuple[Struct, int]:
    reader = ThriftReader(_read(source, offset, _HEADER_BYTES))
    header = reader.struct()
    if header[3] < 0:
        raise UnreadablePage("a page of no size")
    return header, offset + reader.position


def _read(source: BinaryIO, offset: int, size: int) -> bytes:
    if offset < 0 or not 0 <= size <= _COMPRESSED_BYTES:
        raise UnreadablePage("outside of the file")
    source.seek(offset)
    return source.read(size)


def _expand(source: BinaryIO, offset: int, size: int, codec: int, limit: int, budget: Budget) -> bytes:
    """Return the beginning of what a page expands to."""
    if codec == _NONE:
        data = _read(source, offset, min(size, limit))
        budget.take(len(data))
        return data
    data = _read(source, offset, size)
    budget.take(limit)
    if codec == _SNAPPY:
        return expand_snappy(data, limit)
    try:
        if codec == _GZIP:
            return zlib.decompressobj(47).decompress(data, limit)
        if codec == _ZSTD:
            return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(data).read(limit)
    except (zlib.error, zstandard.ZstdError) as error:
        raise UnreadablePage("damaged") from error
    raise UnreadablePage(f"codec {codec}")


def expand_snappy(data: bytes, limit: int) -> bytes:
    """Return the first *limit* bytes that a raw Snappy block expands to.

    Raises
    ------
    UnreadablePage, IndexError
    """
    position = 0
    while data[position] >= 0x80:  # the length of it all
        position += 1
    position += 1
    out = bytearray()
    while position < len(data) and len(out) < limit:
        tag = data[position]
        position += 1
        if tag & 3 == 0:
            length = (tag >> 2) + 1
            if length > 60:
                size = length - 60
                length = int.from_bytes(data[position : position + size], "little") + 1
                position += size
            out += data[position : position + min(length, limit)]
            position += length
            continue
        if tag & 3 == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[position]
            position += 1
        else:
            size = 2 if tag & 3 == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(data[position : position + size], "little")
            position += size
        if not 0 < offset <= len(out):
            raise UnreadablePage("damaged")
        start = len(out) - offset
        piece = bytes(out[start : start + length])
        out += piece if len(piece) == length else (piece * (length // len(piece) + 1))[:length]
    return bytes(out[:limit])


def is_flat(path: Sequence[object], repetition: int) -> bool:
    """Whether a column is neither nested nor repeated."""
    return len(path) == 1 and repetition in (0, 1)
