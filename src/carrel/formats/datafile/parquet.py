"""Columns and number of rows of a Parquet file, from its footer.

The pages are left alone: a library that decodes them allocates what a stranger's file asks for.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

from carrel.formats.datafile.thrift import Struct, ThriftReader

_MAGIC = b"PAR1"
_FOOTER_BYTES = 4 * 1024 * 1024
# Numbers of fields in parquet.thrift.
_SCHEMA, _ROWS, _ROW_GROUPS = 2, 3, 4
_TYPE, _REPETITION, _NAME, _CHILDREN, _CONVERTED, _LOGICAL = 1, 3, 4, 5, 6, 10
_REPEATED = 2
_PHYSICAL = ("boolean", "integer", "integer", "datetime", "number", "number", "binary", "binary")
_CONVERTED_TYPES = {
    0: "text",
    1: "map",
    2: "map",
    3: "list",
    4: "text",
    5: "number",
    6: "date",
    7: "time",
    8: "time",
    9: "datetime",
    10: "datetime",
    **dict.fromkeys(range(11, 19), "integer"),
    19: "json",
    20: "binary",
    21: "interval",
}
_LOGICAL_TYPES = {
    1: "text",
    2: "map",
    3: "list",
    4: "text",
    5: "number",
    6: "date",
    7: "time",
    8: "datetime",
    10: "integer",
    12: "json",
    13: "binary",
    14: "text",
    15: "number",
}


def read_footer(source: BinaryIO) -> Struct:
    """Return the file metadata of *source*, seekable: the schema and counts, without what describes the pages.

    Raises
    ------
    ValueError
        It is no Parquet file, or its footer is damaged, encrypted or absurdly large.
    """
    size = source.seek(0, 2)
    if size < 12:
        raise ValueError("too short")
    source.seek(size - 8)
    length, magic = struct.unpack("<I4s", source.read(8))
    if magic != _MAGIC or not 0 < length <= min(_FOOTER_BYTES, size - 12):
        raise ValueError("no footer")
    source.seek(size - 8 - length)
    return ThriftReader(source.read(length)).struct(counted=_ROW_GROUPS)


def describe(source: BinaryIO, most_columns: int) -> dict[str, Any]:
    """Return ``columns`` (name and type; nested ones by their outermost name), ``row_count`` and ``row_groups``.

    Raises
    ------
    ValueError
    """
    footer = read_footer(source)
    elements = footer.get(_SCHEMA)
    rows, groups = footer.get(_ROWS), footer.get(_ROW_GROUPS, 0)
    if not isinstance(elements, list) or not isinstance(rows, int) or rows < 0:
        raise ValueError("no schema")
    if not elements or not all(isinstance(element, dict) for element in elements):
        raise ValueError("no schema")
    columns: list[dict[str, str]] = []
    position = 1
    while position < len(elements) and len(columns) < most_columns:
        name = elements[position].get(_NAME, b"")
        if not isinstance(name, bytes):
            raise ValueError("no name")
        columns.append({"name": name.decode(errors="replace"), "type": _type(elements[position])})
        position = _after(elements, position)
    return {"columns": columns, "row_count": rows, "row_groups": groups}


def _after(elements: list[Struct], position: int) -> int:
    """Return where the element behind *position* and all that it contains is; elements stand depth first."""
    open_ = 1
    while open_ and position < len(elements):
        children = elements[position].get(_CHILDREN, 0)
        open_ += (children if isinstance(children, int) and children > 0 else 0) - 1
        position += 1
    return position


def _type(element: Struct) -> str:
    logical = element.get(_LOGICAL)
    known = _LOGICAL_TYPES.get(next(iter(logical), 0)) if isinstance(logical, dict) else None
    known = known or _CONVERTED_TYPES.get(element.get(_CONVERTED, -1))
    if known is None:
        physical = element.get(_TYPE)
        known = _PHYSICAL[physical] if isinstance(physical, int) and 0 <= physical < len(_PHYSICAL) else "record"
    return "list" if element.get(_REPETITION) == _REPEATED else known
