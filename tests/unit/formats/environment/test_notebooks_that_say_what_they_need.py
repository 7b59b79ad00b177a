"""What juv, nteract, thoth, conda env attach and nb_anacondacloud leave in notebooks."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment import json_edits, notebook_metadata, notebook_writing, reading
from carrel.formats.environment.lock import LockSet
from carrel.formats.environment.spec import EnvironmentSpec

A = "a" * 64
BLOCK = '# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#     "numpy",\n# ]\n# ///'
PIPFILE = {
    "packages": {
        "boto3": "*",
        "tensorflow": {"version": "==2.4", "extras": ["gpu"], "markers": "sys_platform == 'linux'", "index": "pypi"},
    },
    "dev-packages": {"pytest": "*"},
    "source": [{"url": "https://index.example/simple", "verify_ssl": True, "name": "pypi"}],
    "requires": {"python_version": "3.8"},
}
PIPFILE_LOCK = {
    "_meta": {"hash": {"sha256": A}, "pipfile-spec": 6, "requires": {"python_version": "3.8"}, "sources": PIPFILE["source"]},
    "default": {"boto3": {"hashes": [f"sha256:{A}", f"sha256:{'b' * 64}"], "version": "==1.20.1", "markers": "python_version >= '3.6'"}},
    "develop": {},
}
EXPORTED = {
    "name": "analysis",
    "channels": ["conda-forge", "defaults"],
    "dependencies": ["numpy=1.9.2=py34_0", "python=3.4.3=0", {"pip": ["six==1.9"]}],
    "prefix": "/home/somebody/envs/analysis",
}


def notebook(metadata: dict[str, Any] | None = None, *sources: str, raw: bool = False) -> bytes:
    cells = [nbformat.v4.new_raw_cell(text) if raw else nbformat.v4.new_code_cell(text) for text in sources]
    made = nbformat.v4.new_notebook(cells=cells, metadata=metadata or {})
    return nbformat.writes(made).encode() + b"\n"


CONDA = EnvironmentSpec("analysis", ("conda-forge", "defaults"), ("numpy=1.9.2=py34_0", "python=3.4.3=0"), ("six==1.9",))
INDEX = ("https://index.example/simple",)


@pytest.mark.parametrize(
    ("data", "form", "where", "spec"),
    [
        (notebook(None, BLOCK, "import numpy"), "script", "cells[0]", EnvironmentSpec(pip=("numpy",), requires_python=">=3.11")),
        (notebook(None, "%pip list", f"\n{BLOCK}\n"), "script", "cells[1]", EnvironmentSpec(pip=("numpy",), requires_python=">=3.11")),
        (notebook(None, BLOCK, raw=True), "script", "cells[0]", EnvironmentSpec(pip=("numpy",), requires_python=">=3.11")),
        (
            notebook({"runt": {"schema_version": "1", "uv": {"dependencies": ["pandas >2"], "requires-python": None}}}),
            "nteract",
            "metadata.runt.uv",
            EnvironmentSpec(pip=("pandas>2",)),
        ),
        (
            notebook({"runt": {"schema_version": "1", "uv": {"dependencies": ["a"], "requires-python": ">=3.12", "prerelease": "allow"}}}),
            "nteract",
            "metadata.runt.uv",
            EnvironmentSpec(pip=("--pre", "a"), requires_python=">=3.12"),
        ),
        (
            notebook({"runt": {"conda": {"dependencies": ["scipy"], "channels": ["conda-forge"], "python": "3.12"}}}),
            "nteract",
            "metadata.runt.conda",
            EnvironmentSpec(channels=("conda-forge",), dependencies=("scipy", "python=3.12")),
        ),
        (
            notebook({"runt": {"pixi": {"dependencies": ["scipy"], "pypi_dependencies": ["six"], "channels": [], "python": ">=3.10"}}}),
            "nteract",
            "metadata.runt.pixi",
            EnvironmentSpec(dependencies=("scipy", "python >=3.10"), pip=("six",)),
        ),
        (notebook({"uv": {"dependencies": ["httpx"]}}), "nteract", "metadata.uv", EnvironmentSpec(pip=("httpx",))),
        (
            notebook({"conda": {"dependencies": ["r-base"], "channels": ["conda-forge"]}}),
            "nteract",
            "metadata.conda",
            EnvironmentSpec(channels=("conda-forge",), dependencies=("r-base",)),
        ),
        (
            notebook({"requirements": json.dumps(PIPFILE), "dependency_resolution_engine": "thoth"}),
            "thoth",
            "metadata.requirements",
            EnvironmentSpec(pip=("boto3", 'tensorflow[gpu]==2.4; sys_platform == "linux"'), requires_python="==3.8.*", indexes=INDEX),
        ),
        (
            notebook({"requirements": PIPFILE, "requirements_lock": json.dumps(PIPFILE_LOCK)}),
            "thoth",
            "metadata.requirements",
            EnvironmentSpec(
                pip=(f'boto3==1.20.1; python_version >= "3.6" --hash=sha256:{A} --hash=sha256:{"b" * 64}',),
                requires_python="==3.8.*",
                indexes=INDEX,
            ),
        ),
        (notebook({"environment": EXPORTED}), "conda", "metadata.environment", CONDA),
        (notebook({"environment": EXPORTED, "anaconda-cloud": {"environment": "analysis"}}), "conda", "metadata.environment", CONDA),
        (
            notebook(
                {"environment": "name: old\nchannels: !!python/tuple [x]\n".replace("!!python/tuple ", "") + "dependencies:\n- numpy=1.8\n"}
            ),
            "conda",
            "metadata.environment",
            EnvironmentSpec("old", ("x",), ("numpy=1.8",)),
        ),
        (notebook({"conda_environment": EXPORTED}), "conda", "metadata.conda_environment", CONDA),
    ],
)
def test_what_tools_leave_is_read(data: bytes, form: str, where: str, spec: EnvironmentSpec) -> None:
    found = notebook_metadata.find(data)
    assert found is not None
    assert (found.form, found.where) == (form, where)
    assert found.spec == spec
    read = reading.read("n.ipynb", data)
    assert read == spec
    assert where in read.notes[0]  # type: ignore[union-attr]


def test_a_block_counts_more_than_metadata() -> None:
    data = notebook({"environment": EXPORTED, "runt": {"uv": {"dependencies": ["a"]}}}, BLOCK)
    assert [found.form for found in notebook_metadata.find_all(data)] == ["script", "nteract", "conda"]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "conda-env-x-py", "display_name": "x", "language": "python"}},
        {"anaconda-cloud": {"environment": "x"}},
        {"pixi-kernel": {"environment": "default"}},
        {"colab": {"provenance": []}},
        {"runt": {"schema_version": "1", "env_id": "0"}},
        {"conda": "x", "uv": []},
    ],
)
def test_nothing_is_made_up(metadata: dict[str, Any]) -> None:
    assert notebook_metadata.find(notebook(metadata, "x = 1")) is None
    with pytest.raises(InvalidFile) as caught:
        notebook_metadata.read(notebook(metadata))
    assert caught.value.code == "no_environment"


@pytest.mark.parametrize(
    ("data", "before", "word"),
    [
        (notebook(None, "x", BLOCK.replace('"numpy",', '"num py",')), '"# dependencies = [', "num py"),
        (notebook(None, BLOCK.replace('">=3.11"', '"new"')), "requires-python", "new"),
        (notebook({"runt": {"uv": {"dependencies": ["a b"]}}}), '"uv": {', "a b"),
        (notebook({"runt": {"uv": {"dependencies": ["a @ https://me:secret@x.example/a.whl"]}}}), '"uv": {', "credentials"),
        (notebook({"requirements": "{broken"}), '"requirements"', "JSON"),
        (notebook({"requirements": {"packages": {"a": {"version": 1}}}}), '"requirements"', "version"),
        (notebook({"environment": {"dependencies": [1]}}), '"environment"', "dependencies"),
        (notebook({"environment": {"remote": "somebody/analysis"}}), '"environment"', "somebody/analysis"),
        (notebook({"environment": "dependencies: [\n"}), '"environment"', "YAML"),
    ],
)
def test_rejections_name_the_line(data: bytes, before: str, word: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        notebook_metadata.read(data)
    assert word in caught.value.detail
    assert "secret" not in caught.value.detail
    assert caught.value.detail.startswith(f"Line {caught.value.fields['line']}: ")
    lines = data.decode().splitlines()
    line = caught.value.fields["line"]
    assert any(before in text for text in lines[line - 2 : line]), (line, lines)


SPEC = EnvironmentSpec(pip=("numpy==2.1", 'six; sys_platform == "win32"'), requires_python="==3.12.*", indexes=INDEX)
MIXED = EnvironmentSpec("a", ("conda-forge",), ("numpy=2.1", "python=3.12"), ("six",))


@pytest.mark.parametrize(
    ("form", "spec", "lost"),
    [
        ("script", SPEC, ()),
        ("", SPEC, ()),
        ("nteract", SPEC, ("indexes",)),
        ("thoth", SPEC, ()),
        ("conda", MIXED, ()),
        ("", MIXED, ()),
        ("nteract", MIXED, ("name",)),
    ],
)
@pytest.mark.parametrize(
    "data",
    [
        notebook({"kernelspec": {"name": "python3", "display_name": "é", "language": "python"}, "x": [1, 2.5]}, "print(1)", "é"),
        notebook({"runt": {"schema_version": "1", "uv": {"dependencies": ["old"]}, "other": 1}}, "x = 1"),
        json.dumps(json.loads(notebook({"a": 1}, "x"))).encode(),
        notebook({"a": 1}, "x").replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + notebook(),
    ],
    ids=["usual", "nteract", "one line", "crlf", "mark"],
)
def test_what_is_written_is_read_again(data: bytes, form: str, spec: EnvironmentSpec, lost: tuple[str, ...]) -> None:
    written = notebook_writing.write(spec, data, form)
    wanted = form or ("conda" if spec.dependencies else "script")
    found = next(found for found in notebook_metadata.find_all(written) if found.form == wanted)
    expected = {name: getattr(spec, name) for name in ("name", "channels", "dependencies", "pip", "requires_python", "indexes")}
    for name in lost:
        expected[name] = "" if name == "name" else ()
    assert {name: getattr(found.spec, name) for name in expected} == expected
    assert notebook_writing.write(spec, written, form) == written
    nbformat.validate(nbformat.reads(written.decode("utf-8-sig"), as_version=4))
    before, after = json.loads(data.decode("utf-8-sig")), json.loads(written.decode("utf-8-sig"))
    assert after["cells"][-len(before["cells"]) :] == before["cells"] or not before["cells"]


def test_only_the_block_changes() -> None:
    data = notebook({"z": 1, "a": {"b": [1]}}, "first", f"{BLOCK}\n\nimport numpy\n", "last é \U0001f600")
    written = notebook_writing.write(SPEC, data)
    text, after = data.decode(), written.decode()
    start, end = json_edits.place(text, ("cells", 1, "source")) or (0, 0)
    assert after.startswith(text[:start])
    assert after.endswith(text[end:])
    assert json.loads(after)["cells"][1]["source"][-1] == "import numpy\n"


def test_a_lock_of_other_requirements_is_not_left_behind() -> None:
    data = notebook({"requirements": PIPFILE, "requirements_lock": json.dumps(PIPFILE_LOCK)})
    written = notebook_writing.write(SPEC, data, "thoth")
    assert "requirements_lock" not in json.loads(written)["metadata"]


@pytest.mark.parametrize(
    ("spec", "form", "code"),
    [
        (MIXED, "script", "conda_packages"),
        (MIXED, "thoth", "conda_packages"),
        (EnvironmentSpec(pip=("-e .",)), "nteract", "not_a_requirement"),
        (EnvironmentSpec(pip=("./a.whl",)), "thoth", "not_a_requirement"),
        (SPEC, "margins", "unknown_form"),
    ],
)
def test_what_a_form_cannot_say(spec: EnvironmentSpec, form: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        notebook_writing.write(spec, notebook(), form)
    assert caught.value.code == code


def test_what_is_no_notebook() -> None:
    for data in (b"{}", b"[]", b'{"cells": 1, "metadata": {}}', b'{"worksheets": [], "metadata": {}}'):
        with pytest.raises(InvalidFile):
            notebook_writing.write(SPEC, data)


UV_LOCK = f"""version = 1
requires-python = ">=3.11"

[manifest]
requirements = [{{ name = "numpy" }}]

[[package]]
name = "numpy"
version = "2.1.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "https://files.example/numpy-2.1.0-py3-none-any.whl", hash = "sha256:{A}" }}]
"""


def test_the_lock_that_juv_keeps_counts_as_long_as_it_fits() -> None:
    data = notebook({"uv.lock": UV_LOCK}, BLOCK)
    found = reading.read("n.ipynb", data, platform="linux-64", python_version="3.12")
    assert isinstance(found, LockSet)
    assert [(item.name, item.sha256) for item in found.locks[0].pypi] == [("numpy", A)]
    stale = notebook({"uv.lock": UV_LOCK}, BLOCK.replace('"numpy"', '"pandas"'))
    assert reading.read("n.ipynb", stale, platform="linux-64").pip == ("pandas",)  # type: ignore[union-attr]
