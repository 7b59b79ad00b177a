"""Environment files of the Python side: what is written is read again, and what is read fails as promised or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from carrel.core.errors import CarrelError
from carrel.formats.environment import (
    json_edits,
    notebook_metadata,
    notebook_writing,
    pylock,
    reading,
    requirements,
    script,
    uv_lock,
    writing,
)
from carrel.formats.environment.lock import Lock, LockedPypi, LockKind
from carrel.formats.environment.spec import EnvironmentSpec

names = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?", fullmatch=True)
versions = st.from_regex(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){0,2}", fullmatch=True)
hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
operators = st.sampled_from(["==", ">=", "<", "!=", "~="])
markers = st.sampled_from(
    ["", 'sys_platform == "win32"', 'python_version < "3.12" and extra == "x"', 'os_name != "nt" or python_version >= "4"']
)
indexes = st.lists(st.sampled_from([f"https://{name}.example/simple/" for name in "abc"]), unique=True, max_size=3).map(tuple)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@st.composite
def requirement_lines(draw: st.DrawFn, *, hashed: bool = False) -> str:
    name, extras = draw(names), draw(st.lists(names, max_size=2, unique=True))
    versioned = [
        f"{operator}{version if operator != '~=' else version + '.1'}"
        for operator, version in draw(st.lists(st.tuples(operators, versions), max_size=2))
    ]
    marker = draw(markers)
    wanted = f"[{','.join(extras)}]" if extras else ""
    source = draw(st.sampled_from(["", "https://files.example/a.zip", "git+https://code.example/a.git@0123abc"]))
    text = f"{name}{wanted}" + (f" @ {source}" if source else ",".join(versioned)) + (f" ; {marker}" if marker else "")
    digests = sorted(set(draw(st.lists(hexes, min_size=1, max_size=3)))) if hashed else []
    return "".join([str(Requirement(text)), *(f" --hash=sha256:{digest}" for digest in digests)])


specs = st.builds(
    EnvironmentSpec,
    pip=st.lists(requirement_lines(), max_size=5, unique=True).map(tuple),
    requires_python=st.sampled_from(["", ">=3.9", "==3.11.*", "<4,>=3.10"]).map(lambda text: str(SpecifierSet(text))),
    indexes=indexes,
    exclude_newer=st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),
    pip_constraints=st.lists(requirement_lines(), max_size=2, unique=True).map(tuple),
)


@settings(max_examples=40)
@given(st.lists(requirement_lines() | requirement_lines(hashed=True), max_size=6, unique=True), indexes, st.sampled_from(["", "==3.11.*"]))
def test_requirements_survive(lines: list[str], indexes: tuple[str, ...], python: str) -> None:
    spec = EnvironmentSpec(pip=tuple(lines), indexes=indexes, requires_python=python, platforms=("linux-64",))
    found = requirements.read(requirements.write(spec))
    assert found == spec
    assert requirements.hashes(found.pip) == requirements.hashes(lines)


# how people break lines, comment and space them: nothing of it means anything
@settings(max_examples=40)
@given(st.lists(requirement_lines(hashed=True), min_size=1, max_size=4, unique=True), st.data())
def test_spaces_comments_and_continued_lines_mean_nothing(lines: list[str], data: st.DataObject) -> None:
    written = []
    for line in lines:
        parts = line.split(" --hash")
        glue = data.draw(st.sampled_from([" --hash", " \\\n    --hash", "\t\\\r\n --hash", " \\\n\\\n --hash"]))
        written.append(data.draw(st.sampled_from(["", "  ", "# words\n", "\n\n", "\t# x \\\n"])) + glue.join(parts))
        written.append(data.draw(st.sampled_from(["", " ", "  # via a\n", "\r", "\n#"])))
    text = "\n".join(written)
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    assert requirements.read(text.encode(encoding)).pip == tuple(lines)


@given(specs, st.sampled_from(["", "import x\n", "#!/bin/x\n\nimport x", "# /// other\n# a\n# ///\n"]), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=30)
def test_blocks_survive(spec: EnvironmentSpec, around: str, newline: str) -> None:
    before = around.replace("\n", newline).encode()
    written = script.write(spec, before)
    assert script.read(written) == spec
    assert script.write(spec, written) == written
    other = replace(spec, pip=("other",), exclude_newer=None)
    again = script.write(other, written)
    assert script.read(again) == other
    assert script.read(script.write(spec, again)) == spec


NOTEBOOKS = st.builds(
    lambda sources, metadata, indent: json.dumps(
        {
            "cells": [
                {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source} for source in sources
            ],
            "metadata": metadata,
            "nbformat": 4,
            "nbformat_minor": 4,
        },
        indent=indent,
        ensure_ascii=False,
    ).encode(),
    st.lists(texts | st.lists(texts, max_size=3), max_size=3),
    st.dictionaries(
        names,
        st.recursive(st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
        max_size=3,
    ),
    st.sampled_from([None, 1, 2, "\t"]),
)


@given(specs, NOTEBOOKS, st.sampled_from(sorted(notebook_writing.FORMS)))
@settings(max_examples=40)
def test_notebooks_survive(spec: EnvironmentSpec, data: bytes, form: str) -> None:
    kept = {"script": {"pip_constraints", "exclude_newer", "indexes"}, "nteract": set(), "thoth": {"indexes"}, "conda": set()}[form]
    if form in ("thoth", "conda"):
        # a Pipfile has one entry for each name and minor versions of Python, environment.yml no version of Python
        spec = replace(spec, pip=tuple({Requirement(line).name: line for line in spec.pip}.values()), requires_python="")
    if form == "conda":
        spec = replace(spec, indexes=(), dependencies=("python",))
    lost: dict[str, Any] = {"pip_constraints": (), "exclude_newer": None, "indexes": ()}
    expected = replace(spec, **{name: value for name, value in lost.items() if name not in kept})
    written = notebook_writing.write(spec, data, form)
    found = next(found.spec for found in notebook_metadata.find_all(written) if found.form == form)
    assert found == expected
    before, after = json.loads(data), json.loads(written)
    assert after["cells"][len(after["cells"]) - len(before["cells"]) :] == before["cells"]
    assert {key: after["metadata"].get(key) for key in before["metadata"] if key not in ("uv", "conda")} == {
        key: value for key, value in before["metadata"].items() if key not in ("uv", "conda")
    }


@st.composite
def venvs(draw: st.DrawFn) -> Lock:
    pypi = []
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        version = draw(versions)
        filename = draw(
            st.sampled_from([f"{name.replace('-', '_')}-{version}-py3-none-any.whl", f"{name.replace('-', '_')}-{version}.tar.gz"])
        )
        index = draw(st.sampled_from(["", "https://a.example/simple/"]))
        pypi.append(LockedPypi(name, version, f"https://files.example/{filename}", draw(hexes), draw(st.integers(1, 2**40)), index))
    moment = draw(st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)))
    return Lock("linux-64", "3.11.9", pypi=tuple(sorted(pypi, key=lambda item: item.name)), kind=LockKind.VENV, exclude_newer=moment)


@settings(max_examples=30)
@given(venvs())
def test_locks_survive_the_formats_of_python(lock: Lock) -> None:
    assert pylock.read(pylock.write(lock)) == lock
    assert pylock.read(pylock.write(lock), platform="osx-arm64", python_version="3.13") == lock  # it is for the platform it names
    spec = requirements.read(requirements.write_lock(lock))
    assert requirements.is_lock(spec.pip)
    assert {name: set(digests) for name, digests in requirements.hashes(spec.pip).items()} == {
        item.name: {item.sha256} for item in lock.pypi
    }
    for form in ("script", "notebook"):
        found = reading.read(*writing.write(lock, form))
        assert isinstance(found, EnvironmentSpec)
        assert {Requirement(line).name for line in found.pip} == {item.name for item in lock.pypi}


@st.composite
def uv_locks(draw: st.DrawFn) -> tuple[str, set[str]]:
    """A workspace and the packages it wants on Linux with Python 3.11: a graph with markers that hold and others that do not."""
    count = draw(st.integers(1, 6))
    edges = [(a, b, draw(st.booleans())) for a in range(-1, count) for b in range(count) if a != b and draw(st.booleans())]
    holds = {True: "sys_platform == 'linux' and python_full_version < '3.12'", False: "sys_platform == 'win32'"}

    def needs(a: int) -> str:
        wanted = [f'{{ name = "p{b}", marker = "{holds[flag]}" }}' for x, b, flag in edges if x == a]
        return f"dependencies = [{', '.join(wanted)}]\n" if wanted else ""

    text = f'version = 1\nrequires-python = ">=3.10"\n\n[[package]]\nname = "app"\nversion = "0"\nsource = {{ virtual = "." }}\n{needs(-1)}'
    for b in range(count):
        text += f'\n[[package]]\nname = "p{b}"\nversion = "{b}"\nsource = {{ registry = "https://a.example/simple" }}\n{needs(b)}'
        text += f'wheels = [{{ url = "https://files.example/p{b}-{b}-py3-none-any.whl", hash = "sha256:{draw(hexes)}" }}]\n'
    wanted: set[int] = {-1}
    while True:
        reached = wanted | {b for a, b, flag in edges if a in wanted and flag}
        if reached == wanted:
            return text, {f"p{b}" for b in wanted - {-1}}
        wanted = reached


@settings(max_examples=40)
@given(uv_locks())
def test_a_uv_lock_gives_what_markers_let_through(made: tuple[str, set[str]]) -> None:
    text, expected = made
    lock = uv_lock.read(text.encode(), platform="linux-64", python_version="3.11")
    assert {item.name for item in lock.pypi} == expected
    assert pylock.read(pylock.write(lock)).digest == lock.digest


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts, json_values, min_size=1, max_size=4), st.sampled_from([None, 1, 4]), json_values, st.data())
def test_one_value_of_a_json_text_changes(document: dict[str, Any], indent: int | None, value: Any, data: st.DataObject) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=data.draw(st.booleans()))
    path: list[str | int] = []
    at: Any = document
    while isinstance(at, (dict, list)) and at and (not path or data.draw(st.booleans())):
        step = data.draw(st.sampled_from(sorted(at))) if isinstance(at, dict) else data.draw(st.integers(0, len(at) - 1))
        path.append(step)
        at = at[step]
    start, end = json_edits.place(text, path) or (0, 0)
    assert json.loads(text[start:end]) == at
    changed = json_edits.replace(text, path, value)
    assert changed.startswith(text[:start])
    assert changed.endswith(text[end:])
    if changed != text:
        assert json.loads(changed) != document or value == at
    assert json_edits.place(text, [*path, 99 if isinstance(at, list) else "no such key \0"]) is None


@pytest.mark.parametrize("filename", ["requirements.txt", "pylock.toml", "uv.lock", "a.py", "a.ipynb", "x.txt", "x.toml", "x.lock"])
@given(data=st.binary(max_size=120) | texts.map(str.encode))
@settings(max_examples=25)
def test_rubbish_is_read_or_refused(filename: str, data: bytes) -> None:
    prefix = {"a.py": b"# /// script\n# ", "uv.lock": b"version = 1\n", "pylock.toml": b'lock-version = "1.0"\ncreated-by = "x"\n'}.get(
        filename, b""
    )
    for content in (data, prefix + data):
        try:
            reading.read(filename, content, platform="linux-64")
        except CarrelError as error:
            if error.status not in (400, 413):
                raise
