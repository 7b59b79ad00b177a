"""Data files: anything. What can be said of a table or a document is said; odd content is never an error.

``attributes`` always holds ``media_type`` (what the file's name promises). Beside it, as far as the beginning of the file lets
it be known:

======================  ===========================================================================================
tables                  ``columns`` (list of ``{"name", "type"}``, at most 100) and ``rows`` (at most 20 lists of
(CSV, TSV, JSON array   values in the order of the columns: text from CSV and TSV, JSON values else); of CSV and TSV
of objects, JSON lines) ``delimiter``; of a JSON array ``json`` = ``"array"`` and ``length``
Parquet                 ``columns``, ``row_count``, ``row_groups``; ``rows`` as far as they can be read, with ``"…"`` for
                        values that cannot be shown
JSON object             ``json`` = ``"object"`` and ``keys`` (at most 100)
text                    ``lines``: the first 20, each cut to 200 characters
everything else         nothing
======================  ===========================================================================================

Types of columns: ``integer, number, boolean, date, datetime, text, mixed``; of Parquet also ``time, binary, list, map, record,
json, interval``.
"""

from __future__ import annotations

import csv
import io
import json
import mimetypes
from collections.abc import Callable
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from carrel.core.errors import BadRequest
from carrel.core.kinds import Kind
from carrel.core.names import slugify
from carrel.formats.base import FileMetadata, Hints, Limits
from carrel.formats.datafile import parquet
from carrel.formats.parsing import storable, storable_json

_SAMPLE_BYTES = 64 * 1024
_JSON_BYTES = 1024 * 1024
_ROWS = 20
_COLUMNS = 100
_CELL = 200
# What the standard table lacks or tells differently from one machine to the next.
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".geojson": "application/geo+json",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".feather": "application/vnd.apache.arrow.file",
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".nc": "application/x-netcdf",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".md": "text/markdown",
    ".yml": "application/yaml",
    ".yaml": "application/yaml",
    ".toml": "application/toml",
    ".py": "text/x-python",
    ".r": "text/x-r",
    ".gz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
}
_CONVERSIONS: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("integer", int),
    ("number", float),
    ("date", date.fromisoformat),
    ("datetime", datetime.fromisoformat),
)
_TEXTS = frozenset({"application/yaml", "application/toml", "application/xml", "application/sql", "application/javascript"})
_mimetypes = mimetypes.MimeTypes()  # the built-in table alone: the machine's own would change the answer


class DataFileFormat:
    """Files of no other kind."""

    kind = Kind.FILE

    def matches(self, filename: str) -> bool:
        """Return True."""
        return True

    def recognises(self, source: BinaryIO | None, filename: str) -> bool:
        """Return True."""
        return True

    def read(self, source: BinaryIO, filename: str, hints: Hints, limits: Limits) -> FileMetadata:
        """Read the beginning of *source*; see :class:`carrel.formats.base.Format`.

        Raises
        ------
        BadRequest
            The version is not given (code ``version_required``).
        """
        if not hints.version:
            raise BadRequest("A data file cannot tell its version. Say which version it belongs to.", code="version_required")
        sample = source.read(_SAMPLE_BYTES)
        attributes: dict[str, Any] = {"media_type": media_type(filename)}
        attributes.update(_preview(source, sample, attributes["media_type"]))
        return FileMetadata(
            kind=Kind.FILE,
            package=hints.package or slugify(PurePosixPath(filename).name.split(".")[0]),
            version=hints.version,
            filename=filename,
            attributes=attributes,
            properties={"media_type": attributes["media_type"]},
            search_text=storable(" ".join(column["name"] for column in attributes.get("columns", ())), 4000),
        )


def media_type(filename: str) -> str:
    """Return the media type that the name *filename* promises."""
    known = _MEDIA_TYPES.get(PurePosixPath(filename).suffix.lower())
    return known or _mimetypes.guess_type(filename)[0] or "application/octet-stream"


def _preview(source: BinaryIO, sample: bytes, kind: str) -> dict[str, Any]:
    try:
        if kind in {"text/csv", "text/tab-separated-values"}:
            return _table(sample, "\t" if kind == "text/tab-separated-values" else None)
        if kind == "application/jsonl":
            lines = sample.split(b"\n")
            return _records([json.loads(line) for line in (lines if len(sample) < _SAMPLE_BYTES else lines[:-1]) if line.strip()][:_ROWS])
        if kind == "application/json":
            data = sample + source.read(_JSON_BYTES - len(sample) + 1)
            return _records(json.loads(data)) if len(data) <= _JSON_BYTES else {}
        if kind == "application/vnd.apache.parquet":
            described = parquet.describe(source, _COLUMNS, _ROWS)
            described["columns"] = [{**column, "name": storable(column["name"], _CELL)} for column in described["columns"]]
            if "rows" in described:
                described["rows"] = [[_cell(value) for value in row] for row in described["rows"]]
            return described
        if kind.startswith("text/") or kind in _TEXTS:
            return _lines(sample)
    except (ValueError, csv.Error, RecursionError):
        pass  # not what the name says; that is the author's business
    return {}


def _table(sample: bytes, delimiter: str | None) -> dict[str, Any]:
    text = sample.decode("utf-8-sig", errors="replace")
    if "\0" in text:
        return {}
    if len(sample) == _SAMPLE_BYTES:
        text = text[: text.rfind("\n") + 1]  # the last line may be cut
    if delimiter is None:
        first = text.partition("\n")[0]
        delimiter = max(",;\t|", key=first.count)
    rows: list[list[str]] = []
    for row in csv.reader(io.StringIO(text), delimiter=delimiter):
        rows.append([storable(cell, _CELL) for cell in row[:_COLUMNS]])
        if len(rows) > _ROWS:
            break
    if not rows:
        return {}
    head, body = rows[0], rows[1:]
    columns = [{"name": name, "type": _column_type([row[i] for row in body if i < len(row)])} for i, name in enumerate(head)]
    return {"columns": columns, "rows": body, "delimiter": delimiter}


def _lines(sample: bytes) -> dict[str, Any]:
    text = sample.decode("utf-8-sig", errors="replace")
    if "\0" in text or text.count("\ufffd") > len(text) // 20:
        return {}  # another encoding, or no text at all
    return {"lines": [storable(line, _CELL) for line in text.splitlines()[:_ROWS]]} if text else {}


def _column_type(values: list[str]) -> str:
    values = [value.strip() for value in values if value.strip()]
    if not values:
        return "text"
    for name, convert in _CONVERSIONS:
        try:
            for value in values:
                convert(value)
        except ValueError:
            continue
        return name
    return "boolean" if {value.lower() for value in values} <= {"true", "false"} else "text"


def _records(document: Any) -> dict[str, Any]:
    if isinstance(document, dict):
        return {"json": "object", "keys": [storable(key, _CELL) for key in list(document)[:_COLUMNS]]}
    if not isinstance(document, list):
        return {}
    described: dict[str, Any] = {"json": "array", "length": len(document)}
    rows = [item for item in document[:_ROWS] if isinstance(item, dict)]
    if rows:
        names = list(dict.fromkeys(key for row in rows for key in row))[:_COLUMNS]
        described["columns"] = [{"name": storable(name, _CELL), "type": _json_type([row.get(name) for row in rows])} for name in names]
        described["rows"] = [[_cell(row.get(name)) for name in names] for row in rows]
    return described


def _json_type(values: list[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    for name, allowed in (("boolean", {bool}), ("integer", {int}), ("number", {int, float}), ("text", {str})):
        if kinds and kinds <= allowed:
            return name
    return "text" if not kinds else "mixed"


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value, _CELL)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        text = repr(value)  # infinities are not JSON, and long integers not portable
        return value if text not in {"inf", "-inf", "nan"} and len(text) < 16 else text[:_CELL]
    return storable(json.dumps(storable_json(value), ensure_ascii=False), _CELL)
