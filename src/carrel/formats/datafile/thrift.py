"""A reader of Thrift's compact protocol, for the metadata of Parquet files.

Structures become dictionaries by field number; what the numbers mean is for the caller to know. Counts and nesting are
bounded, so that a few bytes cannot ask for much memory.
"""

from __future__ import annotations

from typing import Any

_DEPTH = 16
_MOST_VALUES = 250_000
_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)

Struct = dict[int, Any]


class ThriftReader:
    """Reads one value after the other.

    Parameters
    ----------
    data : bytes
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0
        self._values = 0

    def struct(self, depth: int = 0, *, last: int | None = None) -> Struct:
        """Return the next structure.

        Parameters
        ----------
        depth : int
            How many structures are around it.
        last : int, optional
            Number of a field with a list of structures, of which only the length and the first one are wanted, as a
            pair: nothing is read from there on.

        Raises
        ------
        ValueError
            The bytes are no structure, or one that nobody means.
        """
        found: Struct = {}
        field = 0
        while (header := self._byte()) & 0x0F != _STOP:
            field = field + (header >> 4) if header >> 4 else self._zigzag()
            if field == last:
                size, kind = self._list_head()
                found[field] = (size, self._value(kind, depth + 1) if size and kind == _STRUCT else {})
                return found
            found[field] = self._value(header & 0x0F, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES or depth > _DEPTH:
            raise ValueError("too many values")
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._zigzag()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _MAP:
            return self._map(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise ValueError(f"no type {kind}")

    def _list_head(self) -> tuple[int, int]:
        header = self._byte()
        size = header >> 4 if header >> 4 != 15 else self._varint()
        if size > len(self._data) - self.position:
            raise ValueError("a list that is longer than the data")
        return size, header & 0x0F

    def _list(self, depth: int) -> list[Any]:
        size, kind = self._list_head()
        if kind in (_TRUE, _FALSE):
            return [self._byte() == _TRUE for _ in range(size)]
        return [self._value(kind, depth + 1) for _ in range(size)]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        size = self._varint()
        if size == 0:
            return []
        if size > len(self._data) - self.position:
            raise ValueError("a map that is longer than the data")
        kinds = self._byte()
        return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 0x0F, depth + 1)) for _ in range(size)]

    def _byte(self) -> int:
        self.position += 1
        if self.position > len(self._data):
            raise ValueError("the data ends")
        return self._data[self.position - 1]

    def _bytes(self, size: int) -> bytes:
        start, self.position = self.position, self.position + size
        if self.position > len(self._data):
            raise ValueError("the data ends")
        return self._data[start : self.position]

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("a number of too many bytes")

    def _zigzag(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)
