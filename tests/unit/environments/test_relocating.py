from __future__ import annotations

from pathlib import Path

import pytest

from carrel.core.errors import Unprocessable
from carrel.environments.relocating import Relocation, may_name_prefix

MOVED = Relocation(Path("/opt/env"), Path("/home/ada/mine"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"prefix=/opt/env\n", b"prefix=/home/ada/mine\n"),
        (b"-L/opt/env/lib -I/opt/env/include", b"-L/home/ada/mine/lib -I/home/ada/mine/include"),
        (b'["/opt/env/bin/python", "-m"]', b'["/home/ada/mine/bin/python", "-m"]'),
        (b"/opt/env2/lib /opt/env-old /opt/env.bak", b"/opt/env2/lib /opt/env-old /opt/env.bak"),
        (b"#!/opt/env/bin/python -E\n/opt/env", b"#!/home/ada/mine/bin/python -E\n/home/ada/mine"),
        (b"#!/usr/bin/env python\n", b"#!/usr/bin/env python\n"),
        (b"#!/bin/sh\n'''exec' \"/opt/env/bin/python\" \"$0\"", b"#!/bin/sh\n'''exec' \"/home/ada/mine/bin/python\" \"$0\""),
    ],
)
def test_text(before: bytes, after: bytes) -> None:
    assert MOVED.text(before) == after


@pytest.mark.parametrize("new", ["/home/ada/" + "long/" * 40 + "mine", "/home/ada/my work"])
def test_an_interpreter_that_no_first_line_can_name_is_found_by_name(new: str) -> None:
    found = Relocation(Path("/opt/env"), Path(new)).text(b"#!/opt/env/bin/python3.12 -E\nprint('/opt/env')\n")
    assert found == f"#!/usr/bin/env python3.12 -E\nprint('{new}')\n".encode()


def test_of_a_systems_python_only_interpreters_move() -> None:
    moved = Relocation(Path("/usr"), Path("/home/ada/mine"), whole=False)
    assert moved.text(b"#!/usr/bin/python3\nopen('/usr/share/dict')\n") == b"#!/home/ada/mine/bin/python3\nopen('/usr/share/dict')\n"
    assert moved.text(b"see /usr/share/doc") == b"see /usr/share/doc"


def padded(text: bytes, room: int, old: bytes = b"/opt/env") -> bytes:
    """What an installer makes of a string with placeholders of a length."""
    return text + b"\0" * (1 + (room - len(old)) * text.count(old))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"/opt/env/lib", b"/home/ada/mine/lib"),
        (b"path=/opt/env/lib:/opt/env/share;", b"path=/home/ada/mine/lib:/home/ada/mine/share;"),
        (b"/opt/env2/lib", b"/opt/env2/lib"),
    ],
)
def test_binary_keeps_its_length(text: bytes, expected: bytes) -> None:
    data = b"\x7fELF" + padded(text, 60) + b"next string\0" + padded(text, 60) + b"\xff"
    found = MOVED.binary(data, 60, "lib.so")
    assert len(found) == len(data)
    assert [part for part in found[4:].split(b"\0") if part] == [expected, b"next string", expected, b"\xff"]
    assert found.index(b"next") == data.index(b"next")


def test_binary_takes_no_more_room_than_there_is() -> None:
    with pytest.raises(Unprocessable, match=r"too long for lib\.so"):
        MOVED.binary(b"/opt/env/lib\0next\0", 60, "lib.so")
    with pytest.raises(Unprocessable):
        MOVED.binary(padded(b"/opt/env/lib", 60), 0, "lib.so")
    shorter = Relocation(Path("/opt/env"), Path("/e"))
    assert shorter.binary(b"/opt/env/lib\0next\0", 0, "lib.so") == b"/e/lib" + b"\0" * 7 + b"next\0"


def test_links() -> None:
    assert MOVED.link("/opt/env/lib/a.so") == "/home/ada/mine/lib/a.so"
    assert MOVED.link("../lib/a.so") == "../lib/a.so"
    assert MOVED.link("/opt/environment/a") == "/opt/environment/a"


@pytest.mark.parametrize(
    ("path", "looked_into"),
    [
        ("bin/tool", True),
        ("share/jupyter/kernels/x/kernel.json", True),
        ("lib/python3.12/site-packages/numpy/core.py", False),
        ("lib/python3.12/site-packages/x.pth", True),
        ("lib/python3.12/site-packages/__editable___x_finder.py", True),
        ("lib/python3.12/site-packages/x-1.dist-info/direct_url.json", True),
        ("lib/python3.12/os.pyc", False),
    ],
)
def test_what_is_looked_into(path: str, looked_into: bool) -> None:
    assert may_name_prefix(path.split("/"), 1000) == looked_into
    assert not may_name_prefix(path.split("/"), 1 << 30)
