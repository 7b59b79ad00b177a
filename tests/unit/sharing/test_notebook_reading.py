from __future__ import annotations

import json

import pytest

from carrel.core.errors import BadRequest
from carrel.sharing import notebook as notebooks
from carrel.sharing.preview import preview


def code(source, **members):
    return {"cell_type": "code", "id": "c", "metadata": {}, "execution_count": None, "outputs": [], "source": source, **members}


def markdown(source):
    return {"cell_type": "markdown", "id": "m", "metadata": {}, "source": source}


def notebook(*cells, **metadata):
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([markdown("# Tide *tables*\n\ntext")], "Tide tables"),
        ([code("# not a title"), markdown(["intro\n", "## [Second](http://x) #\n"])], "Second"),
        ([markdown("no heading")], "file"),
        ([], "file"),
    ],
)
def test_title(cells, expected):
    assert notebooks.title(notebook(*cells), "file.ipynb") == expected


def test_summary_is_the_first_prose():
    assert notebooks.summary(notebook(markdown("# T\n\n![x](y.png)\n\nHow [high](z) it\ncomes."))) == "How high it comes."
    assert len(notebooks.summary(notebook(markdown("word " * 200)))) <= 200
    assert notebooks.summary(notebook(code("x"))) == ""


def test_modules_without_running_anything():
    cells = [
        code("import numpy as np, os.path\nfrom sklearn.svm import SVC\nfrom . import local"),
        code("%matplotlib inline\n!pip install evil\nimport pandas"),
        code("%%bash\nimport not_python"),
        code("%%time\nimport torch"),
        code("def f():\n    import lazy_one\n"),
        code("this is not python ("),
    ]
    assert notebooks.modules(notebook(*cells)) == ("lazy_one", "numpy", "os", "pandas", "sklearn", "torch")


def test_data_files_lie_beside_the_notebook(tmp_path):
    folder = tmp_path / "work"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("1")
    (folder / "b.png").write_text("12")
    (folder / ".env").write_text("SECRET")
    (folder / "other.ipynb").write_text("{}")
    (tmp_path / "outside.csv").write_text("1")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    cells = [
        code("pd.read_csv('data/a.csv'); open('../outside.csv'); open('link.csv'); open('.env'); open('/etc/passwd'); open('data')"),
        markdown("![b](b.png) [n](other.ipynb)"),
    ]
    assert notebooks.data_files(notebook(*cells), folder) == (notebooks.DataFile("b.png", 2), notebooks.DataFile("data/a.csv", 1))


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/passwd", ".env", "data/../../outside.csv", "missing.csv", "a\0b", "", "link.csv"])
def test_files_elsewhere_are_refused(tmp_path, name):
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "outside.csv").write_text("1")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises((BadRequest, ValueError)):
        notebooks.resolve_data_file(folder, name)


def test_outputs_as_chosen():
    rich = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "aGk=", "text/html": "<b>", "text/plain": "x"}}
    html = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>"}}
    stream = {"output_type": "stream", "name": "stdout", "text": "hi"}
    original = notebook(code("x", outputs=[rich, html, stream], execution_count=3), widgets={"a": 1})
    assert notebooks.prepare(original, "keep")["cells"][0]["outputs"] == [rich, html, stream]
    images = notebooks.prepare(original, "images")["cells"][0]["outputs"]
    assert images == [{**rich, "data": {"image/png": "aGk=", "text/plain": "x"}}, stream]
    cleared = notebooks.prepare(original, "clear")
    assert cleared["cells"][0]["outputs"] == []
    assert cleared["cells"][0]["execution_count"] is None
    assert "widgets" not in cleared["metadata"]
    assert original["cells"][0]["execution_count"] == 3


def test_marks_of_trust_do_not_travel():
    original = notebook(code("x", metadata={"trusted": True, "tags": ["a"]}), signature="s")
    published = notebooks.prepare(original, "keep")
    assert published["cells"][0]["metadata"] == {"tags": ["a"]}
    assert "signature" not in published["metadata"]
    assert notebooks.untrusted_copy(original, {"name": "k"})["metadata"]["kernelspec"] == {"name": "k"}


def test_same_content_same_bytes():
    one = notebooks.serialize({"b": 1, "a": {"d": "é", "c": 2}})
    assert one == notebooks.serialize(json.loads(one))
    assert one.endswith(b"}\n")
    assert "é".encode() in one


def test_remarks():
    cells = [
        code("a", execution_count=2),
        code("b", execution_count=1, outputs=[{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]),
        code("open('/home/ada/x.csv')"),
    ]
    assert {remark.code for remark in notebooks.remarks(notebook(*cells))} == {
        "cells_not_run",
        "cells_out_of_order",
        "error_outputs",
        "absolute_paths",
    }
    assert notebooks.remarks(notebook(code("a", execution_count=1), code(""))) == ()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"cells": {}}', b'{"cells": [1]}', b'{"cells": [], "nbformat": 3}', b"[" * 100_000]
)
def test_what_is_no_notebook(content):
    with pytest.raises(BadRequest) as raised:
        notebooks.parse(content)
    assert raised.value.code == "not_a_notebook"


def test_the_preview_is_inert():
    hostile = (
        "<script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>x</a>"
        "<iframe src='//e'></iframe><style>*{}</style>"
    )
    table = f"<table><tr><td onclick='x()'>cell</td></tr></table>{hostile}"
    cells = [
        markdown("# Hello\n\n" + hostile + "\n\n[y](javascript:alert(1)) [z](https://ok.invalid)"),
        code("print('<b>')", outputs=[
            {"output_type": "stream", "name": "stdout", "text": hostile},
            {"output_type": "execute_result", "metadata": {}, "data": {"text/html": table}},
            {"output_type": "error", "ename": "E", "evalue": hostile, "traceback": []},
            {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": hostile}},
        ]),
    ]  # fmt: skip
    shown = preview(notebook(*cells))
    for forbidden in ("<script", "<img", "<iframe", "<style", "<svg"):
        assert forbidden not in shown.lower()
    assert "<td>cell</td>" in shown
    assert "<h1>Hello</h1>" in shown
    assert 'href="https://ok.invalid"' in shown
    assert 'href="javascript' not in shown
    assert "onclick" not in shown
