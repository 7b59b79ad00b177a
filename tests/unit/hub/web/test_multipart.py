from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.core.errors import BadRequest, TooLarge
from carrel.hub.web.multipart import MultipartParser, PartBegins, PartData, PartEnds, boundary_of

BOUNDARY = b"----b"
HEADER = b'Content-Disposition: form-data; name="'


def body(*parts: tuple[str, str | None, bytes]) -> bytes:
    out = b""
    for name, filename, data in parts:
        out += b"--" + BOUNDARY + b"\r\n" + HEADER + name.encode() + b'"'
        out += f'; filename="{filename}"\r\nContent-Type: application/octet-stream'.encode() if filename else b""
        out += b"\r\n\r\n" + data + b"\r\n"
    return out + b"--" + BOUNDARY + b"--\r\n"


def parse(data: bytes, size: int) -> tuple[list[tuple[str, str | None, bytes]], bool]:
    parser = MultipartParser(BOUNDARY)
    parts: list[tuple[str, str | None, bytes]] = []
    open_part = False
    for start in range(0, len(data), size):
        for event in parser.feed(data[start : start + size]):
            if isinstance(event, PartBegins):
                assert not open_part
                open_part = True
                parts.append((event.name, event.filename, b""))
            elif isinstance(event, PartData):
                name, filename, known = parts[-1]
                parts[-1] = (name, filename, known + event.data)
            else:
                assert isinstance(event, PartEnds)
                open_part = False
    return parts, parser.finished


@given(
    st.lists(st.tuples(st.sampled_from(["name", "content"]), st.sampled_from([None, "a-1.0.tar.gz"]), st.binary(max_size=200)), max_size=5),
    st.integers(1, 300),
)
def test_any_cut_gives_the_same_parts(parts: list[tuple[str, str | None, bytes]], size: int) -> None:
    assert parse(body(*parts), size) == (parts, True)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"--", b"\r\n----", b"\r\n------", b"--" + BOUNDARY, b"\r\n--" + BOUNDARY[:-1] + b"x"])
def test_data_that_resembles_a_boundary(data: bytes) -> None:
    parts = [("content", "f", data), ("name", None, b"x")]
    for size in (1, 2, 7, 1000):
        assert parse(body(*parts), size) == (parts, True)


def test_a_cut_body_is_not_finished() -> None:
    whole = body(("content", "f", b"data"))
    assert parse(whole[:-6], 5)[1] is False


def test_a_preamble_is_skipped() -> None:
    whole = b"ignored\r\n" + body(("name", None, b"x"))
    assert parse(whole, 3) == ([("name", None, b"x")], True)


@pytest.mark.parametrize(
    "data",
    [b"--" + BOUNDARY + b"x\r\n\r\n", b"--" + BOUNDARY + b"\r\nX: y\r\n\r\n", b"--" + BOUNDARY + b"\r\n\r\ndata"],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(data, 1000)


def test_endless_headers() -> None:
    with pytest.raises(TooLarge):
        parse(b"--" + BOUNDARY + b"\r\n" + b"X: y\r\n" * 10_000, 1000)


def test_boundary() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    for wrong in ("", "text/plain", "multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary=" + "x" * 300):
        with pytest.raises(BadRequest):
            boundary_of(wrong)


@pytest.mark.parametrize("text", ["*=idna''abc", "*=a%00b''abc", "*0*=idna''abc"])
def test_texts_in_encodings_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest):
        boundary_of(f"multipart/form-data; boundary{text}")
    with pytest.raises(BadRequest):
        list(MultipartParser(b"b").feed(f'--b\r\nContent-Disposition: form-data; name="x"; filename{text}\r\n\r\n'.encode()))
