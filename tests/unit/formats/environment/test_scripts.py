"""Blocks of metadata in scripts (PEP 723)."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta

import pytest

from carrel.core import clock
from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment import script
from carrel.formats.environment.spec import EnvironmentSpec

SCRIPT = """#!/usr/bin/env -S uv run --script
# -*- coding: utf-8 -*-
# /// other
# [whatever]
# ///

# Some words.

# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "requests<3",  # for the web
#   'rich [jupyter]',
#   "Named.Package>1",
# ]
#
# [tool.uv]
# exclude-newer = "2024-01-01T00:00:00Z"
# constraint-dependencies = ["urllib3<2"]
# [tool.uv.sources]
# named-package = { git = "https://code.example/a.git", tag = "v1", subdirectory = "py" }
# [[tool.uv.index]]
# url = "https://one.example/simple"
# [[tool.uv.index]]
# url = "https://last.example/simple"
# default = true
# [tool.black]
# line-length = 3  # kept
# ///
# and so on

import requests
"""


def test_a_block_says_what_is_needed() -> None:
    assert script.read(SCRIPT.encode()) == EnvironmentSpec(
        pip=("requests<3", "rich[jupyter]", "Named.Package @ git+https://code.example/a.git@v1#subdirectory=py"),
        requires_python=">=3.11",
        indexes=("https://one.example/simple", "https://last.example/simple"),
        exclude_newer=datetime(2024, 1, 1, tzinfo=UTC),
        pip_constraints=("urllib3<2",),
    )
    assert script.describe(SCRIPT.encode()).format == "script"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_around_a_block_nothing_changes(newline: str, mark: bytes) -> None:
    data = mark + SCRIPT.replace("\n", newline).encode()
    spec = EnvironmentSpec(pip=("numpy==2",), requires_python="==3.12.*")
    written = script.write(spec, data)
    assert script.read(written) == spec
    start, end = data.index(b"# /// script"), data.index(b"# ///" + newline.encode() + b"# and so on")
    assert written.startswith(data[:start])
    assert written.endswith(data[end:])
    assert b"line-length = 3  # kept" in written
    assert script.write(spec, written) == written
    assert (b"\r" in written) == (newline == "\r\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("", "import x\n"),
        ("#!/usr/bin/python\n", "import x\n"),
        ("#!/usr/bin/python\n# vim: set fileencoding=utf-8 coding=utf-8\n", '"""Words."""\n'),
        ("# coding: utf-8\n", "\nimport x"),
        ("#!/usr/bin/python", ""),
    ],
)
def test_a_new_block_comes_first(before: str, after: str) -> None:
    spec = EnvironmentSpec(pip=("numpy",))
    text = script.write(spec, (before + after).encode()).decode()
    assert text.startswith(before.rstrip("\n"))
    assert text.endswith(after)
    assert text.removeprefix(before.rstrip("\n")).lstrip("\n").startswith("# /// script\n# dependencies = [\n")
    assert script.read(text.encode()) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import x\n",
        "# /// script\nimport x\n# ///\n",
        "# /// script\n# dependencies = []\n",
        "# /// script\n#dependencies = []\n# ///\n",
        "  # /// script\n  # dependencies = []\n  # ///\n",
        "# /// script \n# dependencies = []\n# ///\n",
        "# /// other\n# dependencies = []\n# ///\n",
        "# /// script\n# ///\n",
    ],
)
def test_what_is_no_block(text: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        script.read(text.encode())
    assert caught.value.code == "no_block"


def test_a_block_ends_with_its_last_line() -> None:
    text = "# /// script\n# dependencies = [\n#   'a', # ///\n# ]\n# # ///\n# ///\n# comment\n#\n"
    assert script.read(text.encode()).pip == ("a",)
    two = "# /// a\n# x\n# /// script\n# dependencies = ['a']\n# ///\n"
    assert script.find(two) is None  # all of it is the block "a"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("'rich [jupyter]',", "'rich jupyter',", 13),
        ("'rich [jupyter]',", "'rich [jupyter]'", 14),
        ('">=3.11"', '"3.11+"', 10),
        ("dependencies = [", 'dependencies = "all"\n# x = [', 11),
        ('"2024-01-01T00:00:00Z"', '"whenever"', 18),
        ('"urllib3<2"', '"urllib3<<2"', 19),
        ("git = ", "repository = ", 21),
        ("https://one", "https://me:secret@one", 22),
        ("# and so on", "\n# /// script\n# dependencies = []\n# ///", 31),
    ],
)
def test_rejections_name_the_line(old: str, new: str, line: int) -> None:
    assert old in SCRIPT
    with pytest.raises(InvalidFile) as caught:
        script.read(SCRIPT.replace(old, new, 1).encode())
    assert caught.value.fields["line"] == line, caught.value.detail
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-06", datetime(2024, 5, 7, tzinfo=UTC)),
        ("2024-05-06T01:02:03+02:00", datetime(2024, 5, 5, 23, 2, 3, tzinfo=UTC)),
        ("7 days", timedelta(days=7)),
        ("1 week", timedelta(days=7)),
        ("P3D", timedelta(days=3)),
        ("PT36H", timedelta(hours=36)),
    ],
)
def test_moments_as_uv_writes_them(text: str, expected: datetime | timedelta) -> None:
    found = script.read(f'# /// script\n# dependencies = []\n# [tool.uv]\n# exclude-newer = "{text}"\n# ///\n'.encode()).exclude_newer
    assert found is not None
    if isinstance(expected, timedelta):
        assert abs(clock.now() - expected - found) < timedelta(minutes=1)
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('{ url = "https://files.example/a-1.zip" }', "a @ https://files.example/a-1.zip"),
        ('{ path = "../a", editable = true }', "-e ../a"),
        ('{ path = "a.whl" }', "a.whl"),
        ('{ git = "https://code.example/a", rev = "01ab" }', "a @ git+https://code.example/a@01ab"),
        ('{ index = "torch" }', "a"),
        ('[{ index = "torch", marker = "sys_platform == \'linux\'" }]', "a"),
    ],
)
def test_where_single_packages_come_from(source: str, line: str) -> None:
    spec = script.read(f'# /// script\n# dependencies = ["a"]\n# [tool.uv.sources]\n# a = {source}\n# ///\n'.encode())
    assert spec.pip == (line,)
    assert bool(spec.notes) == (line == "a")


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (EnvironmentSpec(dependencies=("numpy",)), "conda_packages"),
        (EnvironmentSpec(selected=(("win", "pywin32"),)), "conda_packages"),
        (EnvironmentSpec(pip=("-e .",)), "not_a_requirement"),
        (EnvironmentSpec(pip=("./a.whl",)), "not_a_requirement"),
    ],
)
def test_what_a_block_cannot_say(spec: EnvironmentSpec, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        script.write(spec)
    assert caught.value.code == code


def test_a_long_run_of_openings_is_read_at_once() -> None:
    assert list(script.blocks("# /// a\n" * 200_000)) == []


@pytest.mark.parametrize(
    "toml",
    [
        '[tool.uv.sources]\na = {path = "x"}\n[extra]\nk = 1\n[tool.uv]\nprerelease = "allow"',
        '[[tool.uv.index]]\nurl = "https://h.example/"\n[tool.uv]\nexclude-newer = "2026-01-01"\nprerelease = "allow"',
        '# kept\ntool.uv = {prerelease = "allow", index-url = "https://h.example/"}',
        '[tool.uv.pip]\nz = 1\n[extra]\nk = 1\n[[tool.uv.index]]\nurl = "https://h.example/"\n[tool]\nuv.prerelease = "allow" # kept',
    ],
)
def test_tables_in_several_pieces_lose_nothing(toml: str) -> None:
    text = "#!/bin/x\n# /// script\n" + "".join(f"# {line}\n" for line in toml.splitlines()) + "# ///\nprint()\n"
    spec = EnvironmentSpec(pip=("q==1",), indexes=("https://i.example/s", "https://j.example/s"), pip_constraints=("z<2",))
    written = script.write_text(spec, text)
    block = script.find(written)
    assert block is not None
    assert script.read_block(block) == spec
    before, after = tomllib.loads(toml), tomllib.loads(block.content)
    assert after.get("extra") == before.get("extra")
    assert after["tool"]["uv"]["prerelease"] == "allow"
    assert after["tool"]["uv"].get("pip") == before["tool"]["uv"].get("pip")
    assert ("# kept" in block.content) == ("# kept" in toml)
    assert written.startswith("#!/bin/x\n")
    assert written.endswith("# ///\nprint()\n")
