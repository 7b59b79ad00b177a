from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest

from carrel import formats
from carrel.core.errors import InvalidFile, TooLarge
from carrel.formats.base import Limits
from carrel.formats.notebook import document
from carrel.formats.notebook.markdown import first_paragraph, local_images, title
from carrel.formats.notebook.modules import imported_modules
from carrel.testing.artifacts import build_notebook

HINTS = formats.Hints(version="1")


def read(data: bytes, limits: Limits | None = None) -> formats.FileMetadata:
    return formats.read("My Notes.ipynb", io.BytesIO(data), hints=HINTS, limits=limits or Limits())


def cell(source: str, kind: str = "code", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "source": source}
    if kind == "code":
        made |= {"outputs": [], "execution_count": None}
    return made | fields


def test_everything_that_is_read() -> None:
    image = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * 10_000}}
    artifact = build_notebook(
        [
            cell("# A *fine* `title`\n\n![plot](img/plot.png)\n\nWhat **it** is [about](https://x.example).\nMore.\n\nNext.", "markdown"),
            cell("%matplotlib inline\nimport numpy as np, os.path\n!ls\nfrom sklearn.svm import SVC\nfrom . import mine", outputs=[image]),
            cell("%%bash\nimport nothing"),
            cell("raw", "raw"),
        ],
        metadata={"carrel": {"hub": "https://hub.example", "name": "x"}},
    )
    metadata = read(artifact.data)
    attributes = metadata.attributes
    assert metadata.package == "my-notes"
    assert attributes["title"] == "A fine title"
    assert metadata.summary == "What it is about. More."
    assert attributes["language"] == "python"
    assert attributes["kernelspec"]["display_name"] == "Python 3"
    assert attributes["cells"] == {"code": 2, "markdown": 1, "raw": 1, "total": 4}
    assert attributes["imports"] == ["numpy", "os", "sklearn"]
    assert attributes["images"] == ["img/plot.png"]
    assert 10_000 < attributes["outputs_bytes"] < 10_200
    assert attributes["carrel"] == {"hub": "https://hub.example", "name": "x"}
    assert "import numpy" in metadata.search_text
    assert "A" * 100 not in metadata.search_text
    json.dumps(attributes)


def test_inline_scripts_tell_their_requirements() -> None:
    source = "# /// script\n# requires-python = '>=3.11'\n# dependencies = ['numpy', 'six>1']\n# ///\n"
    assert read(build_notebook([cell(source)]).data).attributes["script"] == {
        "requires_python": ">=3.11",
        "dependencies": ["numpy", "six>1"],
    }
    assert read(build_notebook([cell(source.replace("[", "[["))]).data).attributes["script"] == {}


V3_CELLS = [
    {"cell_type": "heading", "level": 1, "source": ["Old"], "metadata": {}},
    {
        "cell_type": "code",
        "language": "python",
        "input": ["import re\n", "1"],
        "prompt_number": 1,
        "metadata": {},
        "collapsed": False,
        "outputs": [
            {"output_type": "pyout", "prompt_number": 1, "text": ["1"], "metadata": {}},
            {"output_type": "stream", "stream": "stdout", "text": "x"},
        ],
    },
]


@pytest.mark.parametrize("major", [2, 3])
def test_older_formats_are_upgraded_the_same_way_each_time(major: int) -> None:
    data = json.dumps(
        {"nbformat": major, "nbformat_minor": 0, "metadata": {"name": "x"}, "worksheets": [{"cells": V3_CELLS, "metadata": {}}]}
    ).encode()
    notebook = document.parse(data)
    assert notebook == document.parse(data)
    assert notebook["nbformat"] == 4
    assert [cell["cell_type"] for cell in notebook["cells"]] == ["markdown", "code"]
    assert notebook["cells"][1]["outputs"][0]["output_type"] == "execute_result"
    assert read(data).attributes["title"] == "Old"


def test_missing_and_repeated_identifiers_are_repaired() -> None:
    notebook = json.loads(build_notebook(["a", "b", "c"]).data)
    notebook["cells"][1]["id"] = "cell-0"
    del notebook["cells"][2]["id"]
    assert [cell["id"] for cell in document.parse(json.dumps(notebook).encode())["cells"]] == ["cell-0", "cell-1", "cell-2"]


@pytest.mark.parametrize("minor", range(6))
def test_every_minor_version_is_read(minor: int) -> None:
    notebook = json.loads(build_notebook(["1"]).data)
    notebook["nbformat_minor"] = minor
    if minor < 5:
        del notebook["cells"][0]["id"]
    assert document.parse(json.dumps(notebook).encode())["nbformat_minor"] == minor


def test_a_later_minor_version_may_have_other_cells() -> None:
    notebook = json.loads(build_notebook(["1"]).data)
    notebook["nbformat_minor"] = 99
    notebook["cells"].append({"cell_type": "new", "id": "x", "metadata": {}})
    assert read(json.dumps(notebook).encode()).attributes["cells"]["total"] == 2


def test_a_byte_order_mark_and_any_output_are_fine() -> None:
    output = {"output_type": "stream", "name": "stdout", "text": "\0\ud800"}
    notebook = json.loads(build_notebook(["x"]).data)
    notebook["cells"][0] |= {"source": "'\0'", "outputs": [output]}
    metadata = read(b"\xef\xbb\xbf" + json.dumps(notebook).encode())
    assert "\0" not in metadata.search_text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"nbformat": 5}, "nbformat"),
        ({"nbformat": 1}, "nbformat"),
        ({"nbformat": "4"}, "nbformat"),
        ({"nbformat": True}, "nbformat"),
        ({"nbformat_minor": None}, "nbformat_minor"),
        ({"cells": {}}, "cells"),
        ({"cells": [1]}, "cells[0]"),
        ({"metadata": []}, "metadata"),
        ({"cells": [cell("x", "weird", id="a", metadata={})]}, "cells[0]"),
        ({"cells": [cell("x", id="a", metadata={}, outputs=[{"output_type": "stream", "text": "x"}])]}, "cells[0].outputs[0]"),
        ({"cells": [cell("x", id="a b", metadata={})]}, "cells[0].id"),
    ],
)
def test_the_message_names_the_place(change: dict[str, Any], field: str) -> None:
    notebook = json.loads(build_notebook(["1"]).data) | change
    with pytest.raises(InvalidFile) as caught:
        document.parse(json.dumps(notebook).encode())
    assert caught.value.fields["field"] == field
    assert len(caught.value.detail) < 400


@pytest.mark.parametrize("major", [2, 3, 4])
def test_deep_metadata_is_refused_not_a_crash(major: int) -> None:
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    body = b'"cells":[]' if major == 4 else b'"worksheets":[]'
    with pytest.raises(InvalidFile):
        document.parse(b'{"nbformat":%d,"nbformat_minor":0,%b,"metadata":%b}' % (major, body, deep))


def test_sizes_are_bounded() -> None:
    with pytest.raises(TooLarge):
        read(build_notebook(["x" * 10_000]).data, Limits(notebook_bytes=5000))
    with pytest.raises(InvalidFile, match="cells"):
        read(b'{"nbformat":4,"nbformat_minor":4,"metadata":{},"cells":[' + b"{}," * 50_001 + b"{}]}")
    assert len(read(build_notebook(["x = 1"] * 3000).data, Limits(text_length=1000)).search_text) <= 1000
    assert read(build_notebook(metadata={"carrel": {"x": "y" * 30_000}}).data).attributes["carrel"] == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# One\ntext", "One"),
        ("text\n\n## Two ##", "Two"),
        ("Under\n=====", "Under"),
        ("```\n# code\n```\n# Real", "Real"),
        ("#no space", ""),
        ("", ""),
        ("# <b>Bold</b> [x](y)", "Bold x"),
        ("# " + "x" * 5000, "x" * 200),
    ],
)
def test_titles(source: str, expected: str) -> None:
    found = title(source)
    assert found == expected or (len(source) > 1000 and set(found) <= {"x"})


def test_paragraphs_skip_what_is_no_prose() -> None:
    source = "# H\n\n![x](y.png)\n\n- list\n\n| a |\n\nHead\n----\n\n```\ncode\n```\n\n*Real* text\nof two lines\n\nmore"
    assert first_paragraph(source) == "Real text of two lines"
    assert first_paragraph("# only\n\n- a\n- b") == ""


def test_only_images_beside_the_notebook_count() -> None:
    source = "![a](a.png) ![b](https://x.example/b.png) ![c](attachment:c.png) ![d](<d e.png>) <img width=3 src='e/f.svg'>"
    source += " ![g](data:image/png;base64,x) ![h](/abs.png)"
    assert local_images(source) == ["a.png", "d", "e/f.svg"]


def test_imports_of_broken_code_are_read_line_by_line() -> None:
    assert imported_modules(["import a.b as c, d\nfrom e.f import g\nthis is broken", "print 'python 2'\nimport h"]) == ["a", "d", "e", "h"]
    assert imported_modules(["%%time\nimport a", "x = !ls\nimport b", "import c; c.d?", "def f():\n    import e"]) == ["a", "b", "c", "e"]
    assert imported_modules(["%%R\nimport a", "text = 'import b'"]) == []


@pytest.mark.parametrize(
    "source",
    [
        "import a\n" + "-" * 49_000 + "1",
        "import a\n" + "x" + ".a" * 20_000,
        "import a\n" + "(" * 40_000,
        "![" * 100_000,
        "<img " * 40_000,
        "# " + "*_" * 50_000,
        "`" * 100_000,
    ],
)
def test_hostile_text_takes_no_time(source: str) -> None:
    started = time.perf_counter()
    read(build_notebook([cell(source), cell(source, "markdown")]).data)
    assert time.perf_counter() - started < 5
