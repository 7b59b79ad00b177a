"""Whole documents."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import hostile
import pytest

from carrel.hub.notebooks.highlighting import highlight, language_of
from carrel.hub.notebooks.rendering import CONTENT_SECURITY_POLICY, render_notebook

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(50)).decode()


def document(*cells: dict[str, Any], **metadata: Any) -> str:
    return render_notebook({"nbformat": 4, "metadata": metadata, "cells": list(cells)}).document.decode()


def code(source: str = "", *outputs: dict[str, Any], count: int | None = 1) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "execution_count": count, "outputs": list(outputs)}


def shown(data: dict[str, Any], **metadata: Any) -> str:
    html = document(code("x", {"output_type": "display_data", "data": data, "metadata": metadata}))
    return html.partition('<div class="outputs">')[2].rpartition("</div>\n</main>")[0]


def test_the_hostile_notebook_becomes_an_inert_document() -> None:
    html = render_notebook(hostile.notebook()).document.decode()
    assert hostile.findings(html, page=True) == []
    assert html.count("<style>") == 1
    assert "<script" not in html


def test_the_policy_allows_the_one_style_sheet_and_nothing_else() -> None:
    style = re.search(r"<style>(.*?)</style>", document(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "allow-scripts" not in CONTENT_SECURITY_POLICY
    assert "allow-same-origin" not in CONTENT_SECURITY_POLICY
    assert "@import" not in style[1]
    assert "url(" not in style[1]


def test_rendering_depends_on_the_notebook_alone() -> None:
    assert render_notebook(hostile.notebook()) == render_notebook(hostile.notebook())


def test_code_cells_show_count_source_and_outputs() -> None:
    html = document(code("import os  # <b>", {"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]}, count=7))
    assert '<div class="prompt">[7]</div>' in html
    assert '<span class="k">import</span> os  <span class="c"># &lt;b&gt;</span>' in html
    assert '<pre class="output stdout">a\nb</pre>' in html


def test_pieces_of_a_stream_are_joined() -> None:
    pieces = [{"output_type": "stream", "name": "stdout", "text": text} for text in ("10%\r", "20%\r", "done\n")]
    assert '<pre class="output stdout">done</pre>' in document(code("x", *pieces))


def test_tracebacks_are_coloured() -> None:
    html = document(code("x", {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[0;31mE\x1b[0m: v"]}))
    assert '<pre class="output error"><span class="fg1">E</span>: v</pre>' in html


def test_pictures_are_shown_with_their_size_and_text() -> None:
    html = shown({"image/png": PNG, "text/plain": "<Figure>"}, **{"image/png": {"width": 320, "alt": 'a "plot"'}})
    assert f'<img src="data:image/png;base64,{PNG}" alt="a &quot;plot&quot;" width="320">' in html
    assert "Figure" not in html


def test_svg_is_a_picture_never_markup() -> None:
    html = shown({"image/svg+xml": hostile.SVG[0]})
    assert "<svg" not in html
    assert '<img src="data:image/svg+xml;base64,' in html


@pytest.mark.parametrize("value", ["not base64!", base64.b64encode(b"GIF89a").decode(), base64.b64encode(b"<script>").decode()])
def test_a_picture_that_is_none_becomes_a_note(value: str) -> None:
    assert "cannot be shown here" in shown({"image/png": value})


def test_pictures_too_large_become_a_note() -> None:
    large = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9_000_000)).decode()
    assert "A picture (image/png) of 12.0 MB" in shown({"image/png": large})


def test_output_that_is_all_script_falls_back() -> None:
    assert "fallback" in shown({"text/html": "<div id=a></div><script>plot()</script>", "text/plain": "fallback"})
    html = shown({"text/html": "<div></div><script>x</script>", "application/vnd.plotly.v1+json": {}})
    assert "shown only where the notebook runs" in html


def test_unknown_types_are_named() -> None:
    assert "application/pdf" in shown({"application/pdf": "x"})


def test_json_is_readable() -> None:
    assert "{\n  &quot;a&quot;" not in shown({"application/json": {"a": [1]}})
    assert '"a": [\n    1\n  ]' in shown({"application/json": {"a": [1]}})


def test_huge_text_is_cut_and_says_so() -> None:
    html = document(code("x", {"output_type": "stream", "name": "stdout", "text": "y" * 5_000_000}))
    assert len(html) < 200_000
    assert "Only the first 100,000 of 5,000,000 characters are shown." in html


def test_many_outputs_and_cells_are_cut_and_say_so() -> None:
    html = document(code("x", *[{"output_type": "stream", "name": str(i), "text": "y"} for i in range(1500)]))
    assert "500 more outputs are not shown." in html
    assert "1 more cells are not shown." in document(*[code("x")] * 5001)


@pytest.mark.parametrize(
    "notebook",
    [
        {},
        {"cells": None},
        {"cells": [None, 3, "x", {}]},
        {"cells": [{"cell_type": "code", "source": 3, "outputs": [None, {}, {"output_type": "display_data", "data": []}]}], "metadata": 3},
        {"cells": [{"cell_type": "code", "outputs": [{"output_type": "error", "traceback": [None]}], "execution_count": "<b>"}]},
        {"cells": [{"cell_type": "markdown", "source": "x", "attachments": {"a": None, "b": {"image/png": 3}}}]},
    ],
)
def test_what_breaks_the_format_is_left_out(notebook: dict[str, Any]) -> None:
    assert render_notebook(notebook).document.startswith(b"<!DOCTYPE html>")


def test_the_title_is_the_first_heading() -> None:
    assert "<title>A &amp; B</title>" in document({"cell_type": "markdown", "source": "# A & B"})
    assert "<title>Notebook</title>" in document()


def test_languages_are_known_ones_only() -> None:
    assert language_of("ipython3") == "python"
    assert language_of("R") == "r"
    assert language_of("../../etc/passwd") == ""
    assert language_of(None) == ""
    assert highlight("<b>", "") == "&lt;b&gt;"


def test_other_languages_and_cell_magics_are_highlighted() -> None:
    sql = document(code("SELECT 1 -- x"), language_info={"name": "sql"})
    assert '<span class="k">SELECT </span>' in sql
    assert '<span class="b">echo ' in document(code("%%bash\necho hi"))


@pytest.mark.parametrize(
    "source", ['"' * 100_000, "'''" + "\\" * 100_001, "f'" * 50_000, "1." * 50_000, "@" * 100_000, " " * 100_000 + "@", "\n" * 50_000]
)
def test_hostile_source_is_highlighted_in_linear_time(source: str) -> None:
    import time

    started = time.perf_counter()
    highlight(source, "python")
    assert time.perf_counter() - started < 2


def test_python_source_keeps_every_character() -> None:
    from html import unescape
    from pathlib import Path

    import carrel.hub.notebooks.text as module

    source = Path(module.__file__ or "").read_text("utf-8") + "\n%magic\nx = r'\\'\n'''open"
    assert unescape(re.sub(r"</?span[^>]*>", "", highlight(source, "python"))) == source
