"""Columns, number of rows and the first rows of a Parquet file, from its footer and the first pages."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

from carrel.formats.datafile.pages import Budget, first_values, is_flat
from carrel.formats.datafile.thrift import Struct, ThriftReader

_MAGIC = b"PAR1"
_FOOTER_BYTES = 4 * 1024 * 1024
# Numbers of fields in parquet.thrift.
_SCHEMA, _ROWS, _ROW_GROUPS = 2, 3, 4
_TYPE, _REPETITION, _NAME, _CHILDREN, _CONVERTED, _LOGICAL = 1, 3, 4, 5, 6, 10
_TYPE_LENGTH, _SCALE = 2, 7
_REPEATED = 2
_COLUMNS_OF_GROUP, _METADATA, _PATH = 1, 3, 3
_ROWS_BYTES = 12 * 1024 * 1024  # expanded in all
# Stands for a value that is there and cannot be shown: nested, or in a rare encoding.
OMITTED = "…"
_UNSIGNED = {11: 0xFF, 12: 0xFFFF, 13: 0xFFFFFFFF, 14: 0xFFFFFFFFFFFFFFFF}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JULIAN_EPOCH = 2_440_588  # the day of 1970 in the calendar of INT96
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
    """Return the file metadata of *source*, seekable: the schema, counts, and the first row group.

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
    return ThriftReader(source.read(length)).struct(last=_ROW_GROUPS)


def describe(source: BinaryIO, most_columns: int, most_rows: int) -> dict[str, Any]:
    """Return ``columns`` (name and type; nested ones by their outermost name), ``row_count``, ``row_groups`` and ``rows``.

    Values that are there and cannot be shown are :data:`OMITTED`; without any that can, there are no ``rows``.

    Raises
    ------
    ValueError
    """
    try:
        return _describe(source, most_columns, most_rows)
    except (TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
        raise ValueError("not what a Parquet file holds") from error


def _describe(source: BinaryIO, most_columns: int, most_rows: int) -> dict[str, Any]:
    footer = read_footer(source)
    elements = footer.get(_SCHEMA)
    rows, (groups, first) = footer.get(_ROWS), footer.get(_ROW_GROUPS, (0, {}))
    if not isinstance(elements, list) or not isinstance(rows, int) or rows < 0:
        raise ValueError("no schema")
    if not elements or not all(isinstance(element, dict) for element in elements):
        raise ValueError("no schema")
    columns: list[dict[str, str]] = []
    leaves: dict[bytes, tuple[int, Struct]] = {}
    position = 1
    while position < len(elements) and len(columns) < most_columns:
        name = elements[position].get(_NAME, b"")
        if not isinstance(name, bytes):
            raise ValueError("no name")
        leaves[name] = len(columns), elements[position]
        columns.append({"name": name.decode(errors="replace"), "type": _type(elements[position])})
        position = _after(elements, position)
    described: dict[str, Any] = {"columns": columns, "row_count": rows, "row_groups": groups}
    shown = _rows(source, first, leaves, [column["type"] for column in columns], most_rows)
    return described | ({"rows": shown} if shown else {})


def _rows(source: BinaryIO, group: Struct, leaves: dict[bytes, tuple[int, Struct]], types: list[str], most_rows: int) -> list[list[Any]]:
    chunks, rows = group.get(_COLUMNS_OF_GROUP), group.get(3)
    if not isinstance(chunks, list) or not isinstance(rows, int) or rows <= 0:
        return []
    count = min(rows, most_rows)
    table: list[list[Any]] = [[OMITTED] * len(types) for _ in range(count)]
    budget = Budget(_ROWS_BYTES)
    known = False
    for chunk in chunks[: 4 * len(types)]:
        try:
            metadata = chunk[_METADATA]
            place, element = leaves[metadata[_PATH][0]]
            if not is_flat(metadata[_PATH], element.get(_REPETITION, 0)):
                continue
            optional = element.get(_REPETITION) == 1
            values = first_values(source, metadata, count, optional=optional, length=element.get(_TYPE_LENGTH, 0), budget=budget)
            for row, value in zip(table, [_shown(value, types[place], element) for value in values], strict=False):
                row[place] = value
            known = True
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, StopIteration, struct.error):
            continue  # damaged, or in a form that is not known here
    return table if known else []


def _shown(value: Any, kind: str, element: Struct) -> Any:
    """Return *value* as JSON has it."""
    if value is None:
        return None
    if kind in ("text", "json") and isinstance(value, bytes):
        return value.decode(errors="replace")
    if kind == "date":
        return (date(1970, 1, 1) + timedelta(days=value)).isoformat()
    if kind == "datetime":
        return _moment(value, element)
    if kind == "number" and element.get(_CONVERTED) == 5:
        unscaled = int.from_bytes(value, "big", signed=True) if isinstance(value, bytes) else value
        return str(Decimal(unscaled).scaleb(-element.get(_SCALE, 0)))
    if kind == "integer" and (mask := _UNSIGNED.get(element.get(_CONVERTED, -1))) is not None:
        return value & mask
    if isinstance(value, bytes) or kind == "time":
        return OMITTED
    return value


def _moment(value: Any, element: Struct) -> str:
    if isinstance(value, bytes):
        nanoseconds, day = struct.unpack("<qI", value)
        return (_EPOCH + timedelta(days=day - _JULIAN_EPOCH, microseconds=nanoseconds // 1000)).isoformat()
    timestamp = (element.get(_LOGICAL) or {}).get(8) or {}
    unit = next(iter(timestamp.get(2) or {}), 1 if element.get(_CONVERTED) == 9 else 2)
    microseconds = {1: value * 1000, 2: value, 3: value // 1000}[unit]
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return (moment if timestamp.get(1, True) else moment.replace(tzinfo=None)).isoformat()


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
