from __future__ import annotations

import contextlib
import io
import json
import tracemalloc
from pathlib import Path

import pytest

from carrel import formats
from carrel.formats.datafile.metadata import media_type
from carrel.formats.datafile.pages import expand_snappy


def read(filename: str, data: bytes) -> formats.FileMetadata:
    metadata = formats.read(filename, io.BytesIO(data), kind="file", hints=formats.Hints("data", "1"))
    json.dumps(metadata.attributes, allow_nan=False).encode()
    return metadata


def test_tables_show_columns_and_rows() -> None:
    attributes = read("t.csv", b"\xef\xbb\xbfname;count;share;ok\na;1;0.5;true\nb;2;1e3;false\n;;;\n").attributes
    assert attributes["columns"] == [
        {"name": "name", "type": "text"},
        {"name": "count", "type": "integer"},
        {"name": "share", "type": "number"},
        {"name": "ok", "type": "boolean"},
    ]
    assert attributes["rows"][0] == ["a", "1", "0.5", "true"]
    assert attributes["delimiter"] == ";"
    assert read("t.tsv", b"a\tb,c\n1\t2\n").attributes["columns"][1] == {"name": "b,c", "type": "integer"}


def test_json_shows_its_shape() -> None:
    assert read("a.json", b'{"x": 1, "y": []}').attributes["keys"] == ["x", "y"]
    attributes = read("a.json", b'[{"a": 1, "b": "x"}, {"a": 2.5, "c": {"d": 1e999}}]').attributes
    assert attributes["length"] == 2
    assert attributes["columns"][0] == {"name": "a", "type": "number"}
    assert read("a.jsonl", b'{"a": true}\n{"a": null}\n').attributes["columns"] == [{"name": "a", "type": "boolean"}]


def test_large_tables_are_cut() -> None:
    data = b",".join(b"c%d" % i for i in range(5000)) + b"\n" + (b",".join([b"x" * 300] * 5000) + b"\n") * 3
    attributes = read("t.csv", data).attributes
    assert len(attributes["columns"]) == 100
    assert len(read("t.csv", b"a\n" + b"1\n" * 100_000).attributes["rows"]) == 20


@pytest.mark.parametrize("filename", ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.geojson", "a.bin", "a", "a.csv.gz", "a.ipynb"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        b"\xff\xfe",
        b"[" * 200_000,
        b"{",
        b"[1e999]",
        b"[NaN]",
        b'"' * 1000,
        b"a,b\n" * 50_000,
        b"\n" * 100_000,
        b'["\\ud800\\u0000"]',
        b"1" * 70_000,
    ],
    ids=range(12),
)
def test_odd_content_is_never_an_error(filename: str, data: bytes) -> None:
    assert read(filename, data).package == "data"


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.CSV", "text/csv"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.png", "image/png"),
        ("a", "application/octet-stream"),
        ("a.tar.gz", "application/gzip"),
    ],
)
def test_media_types(filename: str, expected: str) -> None:
    assert media_type(filename) == expected


def test_the_package_is_named_after_the_file() -> None:
    assert formats.read("My Data.v2.csv", io.BytesIO(b""), hints=formats.Hints(version="1")).package == "my-data"


def test_parquet_shows_columns_and_counts() -> None:
    data = (Path(__file__).parent / "table.parquet").read_bytes()  # written by pyarrow
    attributes = read("t.parquet", data).attributes
    assert {column["name"]: column["type"] for column in attributes["columns"]} == {
        "name": "text",
        "count": "integer",
        "big": "integer",
        "share": "number",
        "ok": "boolean",
        "day": "date",
        "moment": "datetime",
        "price": "number",
        "tags": "list",
        "place": "record",
        "raw": "binary",
    }
    assert (attributes["row_count"], attributes["row_groups"]) == (3, 1)
    day, moment = "2026-01-01", "2026-01-01T00:00:00+00:00"
    assert attributes["rows"] == [
        ["ä", 1, 1, 0.5, True, day, moment, "1.50", "…", "…", "…"],
        ["b", 2, 2, 1.5, False, day, moment, "1.50", "…", "…", "…"],
        [None, 3, 1 << 40, None, True, day, moment, "1.50", "…", "…", "…"],
    ]
    for length in range(0, len(data), 50):
        assert read("t.parquet", data[:length]).attributes == {"media_type": "application/vnd.apache.parquet"}


def test_parquet_in_other_encodings() -> None:
    attributes = read("t.parquet", (Path(__file__).parent / "plain.parquet").read_bytes()).attributes
    assert attributes["rows"] == [[i, i / 4 if i % 3 else None, f"{i:03}-é", i % 2 == 0, 200 + i, None] for i in range(20)]


@pytest.mark.parametrize("name", ["table", "plain"])
def test_damaged_parquet_is_never_an_error(name: str) -> None:
    data = (Path(__file__).parent / f"{name}.parquet").read_bytes()
    for position in range(0, len(data), 11):
        for value in (0xFF, data[position] ^ 1):
            read("t.parquet", data[:position] + bytes([value]) + data[position + 1 :])


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff\x0f\x00a" + b"\xfe\x01\x00" * 400_000, b"\x05\xfc" + b"\xff" * 8, b"\x05\x01\x01", b"\x80"]
)
def test_snappy_expands_no_further_than_it_may(data: bytes) -> None:
    with contextlib.suppress(ValueError, IndexError):
        assert len(expand_snappy(data, 100_000)) <= 100_000


@pytest.mark.parametrize(
    "footer",
    [
        b"",
        b"\x19\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # a list of 2**63 structures
        b"\x1c" * 200_000,  # structures in structures
        b"\x19\xfc\x80\x80\x12" + b"\0" * 300_000,  # as many empty structures
        b"\x15\x02\x19\x1c\x48" + b"\xff" * 9 + b"\x7f",  # a name of 2**63 bytes
        b"\x0c\xff" * 100,
    ],
    ids=range(6),
)
def test_hostile_parquet_footers_cost_nothing(footer: bytes) -> None:
    tracemalloc.start()
    attributes = read("t.parquet", b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1").attributes
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "columns" not in attributes
    assert peak < 64 * 1024 * 1024


def test_text_shows_its_first_lines() -> None:
    assert read("notes.txt", b"one\r\ntwo\n" + b"x" * 300).attributes["lines"] == ["one", "two", "x" * 200]
    assert read("a.toml", b"a = 1\n").attributes["lines"] == ["a = 1"]
    assert "lines" not in read("a.txt", b"\xff\xfe\0a\0b").attributes
    assert read("d.csv", b"day,at\n2026-01-01,2026-01-01T10:00:00\n").attributes["columns"] == [
        {"name": "day", "type": "date"},
        {"name": "at", "type": "datetime"},
    ]
