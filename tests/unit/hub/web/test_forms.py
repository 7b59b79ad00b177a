"""Forms with one file, in chunks of any size."""

from __future__ import annotations

import pytest

from carrel.core.errors import BadRequest, CarrelError, TooLarge
from carrel.hub.channels.pypi.uploads.forms import DistributionForm
from carrel.hub.web.forms import FileForm

END = b"--b--\r\n"


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    told = "" if filename is None else f'; filename="{filename}"'
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{told}\r\n\r\n'.encode() + value + b"\r\n"


def read(form: FileForm, body: bytes) -> None:
    form.feed(body)
    form.finish()


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_fields_are_kept_and_the_file_passes_through(size: int) -> None:
    body = part("a", b"1") + part("a", b"2") + part("file", b"bytes\r\n--", "x/y.txt") + part("after", "é".encode()) + END
    taken: list[bytes] = []
    form = FileForm(b"b", taken.append)
    for start in range(0, len(body), size):
        form.feed(body[start : start + size])
    form.finish()
    assert b"".join(taken) == b"bytes\r\n--"
    assert (form.size, form.fields) == (9, {"a": "1", "after": "é"})
    assert form.file is not None
    assert form.file.filename == "x/y.txt"


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        (part("file", b""), BadRequest, "incomplete_upload"),
        (part("other", b"") + END, BadRequest, "invalid_body"),
        (part("file", b"1") + part("file", b"2") + END, BadRequest, "invalid_body"),
        (part("a", b"") * 5_001 + END, TooLarge, None),
        (part("a", bytes(4 << 20)) + END, TooLarge, None),
        (b"".join(part(f"{number}{'x' * 10_000}", b"") for number in range(450)) + END, TooLarge, None),
    ],
    ids=["cut", "no file", "two files", "many fields", "a large field", "long names"],
)
def test_what_is_refused(body: bytes, error: type[CarrelError], code: str | None) -> None:
    form = FileForm(b"b", lambda data: None)
    with pytest.raises(error) as raised:
        read(form, body)
    assert code is None or raised.value.code == code


def test_a_distribution_is_a_named_file_that_is_to_be_uploaded() -> None:
    action = part(":action", b"file_upload")
    for body, code in (
        (part("content", b"x", "a.whl"), "invalid_action"),
        (part(":action", b"doc_upload"), "invalid_action"),
        (action, "invalid_body"),
        (action + part("content", b"x"), "invalid_body"),
    ):
        form = DistributionForm(b"b", lambda data: None)
        form.feed(body + END)
        with pytest.raises(BadRequest) as raised:
            form.finish()
        assert raised.value.code == code
    form = DistributionForm(b"b", lambda data: None)
    form.feed(action + part("version", b"1.0.0-RC1") + part("content", b"x", "C:\\\\dist\\\\a-1.0rc1.tar.gz") + END)
    form.finish()
    assert (form.filename, form.version) == ("a-1.0rc1.tar.gz", "1.0.0rc1")
