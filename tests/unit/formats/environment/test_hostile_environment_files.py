"""Environment files that were made to keep the hub busy, to break its pages, or to lead out of a folder."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from carrel.core.errors import BadRequest, CarrelError, InvalidFile
from carrel.environments.environment_files import read_environment_file
from carrel.formats.environment import (
    conda_lock,
    environment_yml,
    explicit,
    identifying,
    notebook_metadata,
    notebook_writing,
    pixi_toml,
    pylock,
    script,
)
from carrel.formats.environment.metadata import describe
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import load_yaml

_SPACE = b'[workspace]\nname = "a"\nchannels = []\nplatforms = ["linux-64"]\n'
_LONG_TAGS = "-".join(".".join(f"{letter}{n}" for n in range(400)) for letter in "abc")


def _notebook(metadata: str = "{}", cells: str = "[]") -> bytes:
    return f'{{"cells": {cells}, "metadata": {metadata}, "nbformat": 4, "nbformat_minor": 5}}'.encode()


def _locked(**members: object) -> bytes:
    package = {"name": "a", "version": "1", "manager": "conda", "platform": "linux-64", "url": "https://h.example/c/linux-64/a-1-0.conda"}
    metadata = {"platforms": ["linux-64"], "channels": []}
    return json.dumps({"version": 1, "metadata": metadata, "package": [{**package, "hash": {"md5": "0" * 32}, **members}]}).encode()


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        pytest.param("requirements.txt", b"a" * 60_000, id="a long word"),
        pytest.param("requirements.txt", b"a" + b" " * 40_000 + b"b", id="a long gap"),
        pytest.param("notes.txt", b"\n" * 60_000, id="empty lines"),
        pytest.param("requirements.txt", b"x" + b".zip[" * 30_000, id="ends of archives"),
        pytest.param("requirements.txt", b"# coding: punycode\n" + b"-" + b"a" * 1_000_000, id="a codec that is no charset"),
        pytest.param("pixi.toml", _SPACE + b"[dependencies]\n" + b"".join(b'a%d="*"\n' % n for n in range(6_000)), id="many packages"),
        pytest.param(
            "pixi.toml",
            b'[workspace]\nname="a"\nchannels=[]\n[environments]\ndefault=%s\n[feature.x.dependencies]\n'
            % json.dumps(["x"] * 1000).encode()
            + b"".join(b'a%d="*"\n' % n for n in range(1_000)),
            id="one feature a thousand times",
        ),
        pytest.param("pixi.toml", _SPACE + b".".join([b"a"] * 60_000) + b" = 1\n", id="a deep key"),
        pytest.param(
            "pylock.toml",
            f'lock-version="1.0"\ncreated-by="x"\n[[packages]]\nname="a"\nversion="1"\n'
            f'wheels=[{{name="a-1-{_LONG_TAGS}.whl",url="https://h.example/a.whl",hashes={{sha256="{"0" * 64}"}}}}]\n'.encode(),
            id="a wheel for everything",
        ),
        pytest.param(
            "pixi.lock",
            json.dumps(
                {
                    "version": 6,
                    "environments": {
                        "default": {"channels": [], "packages": {"linux-64": [{"pypi": f"https://h.example/a-1-{_LONG_TAGS[:3900]}.whl"}]}}
                    },
                    "packages": [{"pypi": f"https://h.example/a-1-{_LONG_TAGS[:3900]}.whl"}],
                }
            ).encode(),
            id="a wheel for everything in pixi.lock",
        ),
    ],
)
def test_no_file_keeps_its_reader_busy(filename: str, data: bytes) -> None:
    start = time.process_time()
    with contextlib.suppress(CarrelError):
        describe(data, filename)
    assert time.process_time() - start < 2


_DEEP = "a; " + "(" * 900 + "python_version > '3'" + ")" * 900


@pytest.mark.parametrize(
    ("read", "data"),
    [
        pytest.param(
            notebook_metadata.read, _notebook(r'{"uv": {"dependencies": [], "requires-python": "\ud800"}}'), id="half a character"
        ),
        pytest.param(notebook_metadata.read, _notebook(r'{"environment": "\ud800"}'), id="half a character in YAML"),
        pytest.param(notebook_metadata.read, _notebook(r'{"requirements": "\ud800"}'), id="half a character in a Pipfile"),
        pytest.param(notebook_metadata.uv_lock_of, _notebook(r'{"uv.lock": "\ud800"}'), id="half a character in a lock"),
        pytest.param(
            notebook_metadata.read,
            _notebook(cells=r'[{"cell_type": "code", "source": "# /// script\n# a = \"\ud800\"\n# ///"}]'),
            id="half a character in a cell",
        ),
        pytest.param(notebook_metadata.read, _notebook('{"uv": {"dependencies": [], "requires-python": "<b>"}}'), id="no specifier"),
        pytest.param(pixi_toml.read, _SPACE + b"[activation.env]\nA = 0x" + b"f" * 9000, id="a long number"),
        pytest.param(pixi_toml.read, _SPACE + b'[activation.env]\nA = "\\u0000"\n', id="NUL in TOML"),
        pytest.param(pixi_toml.read, b'[workspace]\nname = "a"\nchannels = []\nplatforms = 5\n', id="platforms that are none"),
        pytest.param(environment_yml.read, b'dependencies: ["a", {pip: ["b\\0"]}]', id="NUL in YAML"),
        pytest.param(conda_lock.read, _locked(platform=["linux-64"]), id="a platform that is a list"),
        pytest.param(conda_lock.read, _locked(manager=["conda"]), id="a manager that is a list"),
        pytest.param(conda_lock.read, _locked(build="<b>"), id="a build that is none"),
        pytest.param(explicit.read, b"@EXPLICIT\nhttps://h.example/linux-64/..%2F..%2Fa-1-0.conda\n", id="a name that is a path"),
        pytest.param(explicit.read, b"@EXPLICIT\nhttps://h.example/linux-64/%3Cscript%3E-1-0.conda\n", id="a name that is HTML"),
        pytest.param(
            pylock.read,
            b'lock-version="1.0"\ncreated-by="x"\npackages=[]\n[tool.carrel]\nplatform="../x"\n',
            id="a platform that is a path",
        ),
        pytest.param(
            pylock.read,
            b'lock-version="1.0"\ncreated-by="x"\npackages=[]\n[tool.carrel]\nplatform="linux-64"\npython-version="../python"\n',
            id="a Python that is a path",
        ),
        pytest.param(
            pylock.read, f'lock-version="1.0"\ncreated-by="x"\npackages=[]\nenvironments=["{_DEEP[3:]}"]\n'.encode(), id="deep markers"
        ),
        pytest.param(
            script.read, b"# /// script\n# [tool.uv]\n# exclude-newer = 0001-01-01T00:00:00+14:00\n# ///\n", id="a time before times"
        ),
        pytest.param(script.read, b"# /// script\n# [tool.uv]\n# exclude-newer = 9999-12-31\n# ///\n", id="the last day"),
    ],
)
def test_what_is_absurd_is_refused(read: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(InvalidFile):
        read(data)


@pytest.mark.parametrize("text", ["!!timestamp soon", '!!int ""', '!!float ""', "!!bool maybe", "!!set {a: null}", "!mine x"])
def test_tags_of_yaml_are_refused_with_their_line(text: str) -> None:
    with pytest.raises(InvalidFile, match="tag") as refused:
        load_yaml(f"name: a\nx: {text}\n".encode(), "The file")
    assert refused.value.fields["line"] == 2
    assert load_yaml(b"a: !!str 3.10", "The file") == {"a": "3.10"}


def test_a_mapping_that_others_merge_may_replace_what_is_merged_into_it() -> None:
    data = b"z: &a {k: 2}\nx: {deep: &b {<<: *a, k: 1}}\nc: {<<: *b}\n"
    assert load_yaml(data, "The file", aliases=True) == {"z": {"k": 2}, "x": {"deep": {"k": 1}}, "c": {"k": 1}}
    with pytest.raises(InvalidFile, match="occurs twice"):
        load_yaml(b"a: {k: 1, k: 2}", "The file", aliases=True)


def test_deep_markers_are_passed_over_or_refused() -> None:
    selected = f'dependencies:\n  - pip:\n    - "{_DEEP}"  # [linux]\n'
    assert environment_yml.read(selected.encode()).pip == (_DEEP,)
    assert conda_lock.read(_locked(manager="pip", url="https://h.example/a-1.tar.gz", dependencies={"b": _DEEP[1:]})).pypi[
        0
    ].requires_dist == ("b",)


def test_a_platform_that_is_named_twice_is_one() -> None:
    document = json.loads(_locked())
    document["metadata"]["platforms"] *= 2
    assert conda_lock.read_all(json.dumps(document).encode()).platforms == ("linux-64",)


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        ("requirements.txt", b"https://h.example/a.whl?sig=abc\n"),
        ("requirements.txt", b"9https://me:secret@h.example/a.whl\n"),
        ("environment.yml", b'dependencies: ["a", {pip: ["b @ https:\\/\\/me:secret@h.example/b.whl"]}]'),
        ("environment.yml", b'dependencies: ["a", {pip: ["--index-url https://me\\x3asecret\\x40h.example/"]}]'),
        ("a.ipynb", _notebook(r'{"uv": {"dependencies": ["b @ https:\/\/me:secret@h.example\/b.whl"]}}')),
        (
            "pylock.toml",
            b'lock-version="1.0"\ncreated-by="x"\n[[packages]]\nname="a"\nversion="1"\n'
            b'index="https:\\u002f\\u002fme:secret\\u0040h.example/"\ndirectory={path="."}\n',
        ),
    ],
)
def test_credentials_are_found_behind_escapes_and_in_signed_addresses(filename: str, data: bytes) -> None:
    with pytest.raises(InvalidFile) as refused:
        describe(data, filename)
    assert refused.value.code == "credentials_in_file"
    assert "secret" not in refused.value.detail


def test_an_address_that_cannot_be_read_is_no_failure_of_the_reader() -> None:
    data = (
        b'lock-version="1.0"\ncreated-by="x"\n[[packages]]\nname="a"\nversion="1"\n'
        b'wheels=[{url="http://[/a-1-py3-none-any.whl",hashes={sha256="%s"}}]\n' % (b"0" * 64)
    )
    with pytest.raises(InvalidFile):
        pylock.read(data)


def test_files_that_name_one_another_many_times_end(tmp_path: Path) -> None:
    for n in range(15):
        (tmp_path / f"r{n}.txt").write_text(f"-r r{n + 1}.txt\n" * 10)
    (tmp_path / "r15.txt").write_text("a\n")
    (tmp_path / "requirements.txt").write_text("-r r0.txt\n")
    with pytest.raises(BadRequest) as refused:
        read_environment_file(tmp_path / "requirements.txt")
    assert refused.value.code == "too_many_files"


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "more.txt")
    (tmp_path / "requirements.txt").write_text("-r more.txt\n")
    with pytest.raises(BadRequest, match="not a file"):
        read_environment_file(tmp_path / "requirements.txt")


def test_words_alone_are_still_told_apart() -> None:
    assert identifying.identify("list.txt", b"\n\n  numpy >=2\n") is identifying.FileFormat.REQUIREMENTS
    assert identifying.identify("list.txt", b"\n a [x, y] ==1\r\n") is identifying.FileFormat.REQUIREMENTS


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        ("requirements.txt", rb'a ; extra == "\x0a--index-url=https://evil.example/"'),
        ("requirements.txt", rb'a ; extra == "\ud800"'),
        ("requirements.txt", rb'a ; extra == "\u2028b"'),
        ("requirements.txt", b"a >0, ==1.0.dev" + b"1" * 5000),
        ("pixi.toml", _SPACE + b'[pypi-dependencies]\na = {path = "./a\\n--index-url https://evil.example/"}\n'),
        ("pixi.toml", _SPACE + b'[pypi-options]\nfind-links = [{path = "./a\\n--index-url https://evil.example/"}]\n'),
        ("x.ipynb", _notebook('{"requirements": "{}", "requirements_lock": {"default": {"a": {"version": "\\ud800"}}}}')),
    ],
)
def test_no_text_becomes_another_line_or_half_a_character(filename: str, data: bytes) -> None:
    with pytest.raises(InvalidFile):
        describe(data, filename)


def test_a_block_of_lines_for_pip_is_so_many_lines() -> None:
    data = b"dependencies:\n  - pip:\n    - |\n      --pre\n      a\n    - b\n"
    assert environment_yml.read(data).pip == ("--pre", "a", "b")
    with pytest.raises(InvalidFile, match="credentials"):
        environment_yml.read(data.replace(b"--pre", b"--index-url https://me:secret@h.example/"))


def test_a_notebook_keeps_half_characters_and_what_json_cannot_say_is_not_written() -> None:
    spec = EnvironmentSpec(dependencies=("a",))
    written = notebook_writing.write(spec, _notebook(r'{"title": "\ud800"}'))
    assert json.loads(written)["metadata"]["title"] == "\ud800"
    with pytest.raises(InvalidFile, match="cannot be written again"):
        notebook_writing.write(spec, _notebook('{"height": 1e999}'))
