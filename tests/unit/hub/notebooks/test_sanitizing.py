"""Nothing active survives, and what is harmless stays."""

from __future__ import annotations

import pytest
from hostile import HTML, MARKDOWN, findings
from hypothesis import given
from hypothesis import strategies as st

from carrel.hub.notebooks.markdown import CellRenderer, render_description
from carrel.hub.notebooks.sanitizing import sanitize, sanitize_for_page


@pytest.mark.parametrize("text", HTML)
def test_hostile_html_becomes_inert(text: str) -> None:
    assert findings(sanitize(text)) == []
    assert findings(sanitize_for_page(text)) == []


@pytest.mark.parametrize("text", HTML)
def test_sanitizing_twice_changes_nothing(text: str) -> None:
    once = sanitize(text)
    assert findings(sanitize(once)) == []


@pytest.mark.parametrize("text", MARKDOWN)
def test_hostile_markdown_becomes_inert(text: str) -> None:
    assert findings(CellRenderer().render(text)) == []
    assert findings(render_description(text)) == []


_PIECES = st.sampled_from(
    [*HTML, *MARKDOWN, "<", ">", '"', "'", "=", "/", "&", ";", "`", "$", "\n", "<a ", 'href="#', "<img ", "<p title='", "\ue000", "0"]
)


@given(st.lists(_PIECES, max_size=6))
def test_mixtures_become_inert(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert findings(sanitize(text)) == []
    assert findings(CellRenderer().render(text)) == []
    assert findings(render_description(text)) == []


def test_harmless_markup_stays() -> None:
    html = sanitize(
        '<h2 id="a">T</h2><p>x <b>b</b> <code>c</code></p><table class="dataframe evil"><tr><td colspan="2">1</td></tr></table>'
    )
    assert '<h2 id="a">T</h2><p>x <b>b</b> <code>c</code></p>' in html
    assert '<table class="dataframe">' in html
    assert '<td colspan="2">1</td>' in html


def test_links_open_elsewhere_and_fragments_stay_here() -> None:
    assert sanitize('<a href="https://a.example/x">x</a>') == (
        '<a href="https://a.example/x" target="_blank" rel="noopener noreferrer nofollow">x</a>'
    )
    assert sanitize('<a title="t" href="#there">x</a>') == '<a title="t" href="#there" rel="noopener noreferrer nofollow">x</a>'


def test_identifiers_in_pages_get_a_prefix_and_fragments_follow() -> None:
    assert sanitize_for_page('<p id="main">x</p>') == '<p id="text-main">x</p>'
    assert 'href="#text-main"' in sanitize_for_page('<a href="#main">x</a>')


def test_pictures_get_a_text_and_pictures_elsewhere_become_links() -> None:
    assert sanitize('<img src="data:image/png;base64,AA==">') == '<img src="data:image/png;base64,AA==" alt="">'
    html = CellRenderer().render("![badge](https://a.example/b.svg)")
    assert "<img" not in html
    assert '<a class="external-image" href="https://a.example/b.svg"' in html


def test_wide_tables_scroll_where_the_keyboard_reaches() -> None:
    assert '<div class="scroll" tabindex="0"><table>' in CellRenderer().render("|a|\n|-|\n|1|")


def test_attachments_are_shown() -> None:
    html = CellRenderer().render("![a](attachment:i.png)", {"i.png": "data:image/png;base64,AA=="})
    assert '<img src="data:image/png;base64,AA==" alt="a">' in html


def test_formulas_become_mathml() -> None:
    html = CellRenderer().render("Let $x^2$ and\n\n$$\\frac{a}{b}$$\n")
    assert '<span class="math"><math display="inline"><msup><mi>x</mi><mn>2</mn></msup></math></span>' in html.replace(
        "<mrow>", ""
    ).replace("</mrow>", "")
    assert "<mfrac>" in html


@pytest.mark.parametrize("latex", ["{" * 5000, "\\frac" * 2000, "\\begin{matrix}" * 400, "x" * 3000, "\\unknown{", ""])
def test_formulas_that_are_not_understood_stay_text(latex: str) -> None:
    assert findings(CellRenderer().render(f"$${latex}$$")) == []


def test_headings_are_collected_with_their_anchors() -> None:
    cells = CellRenderer()
    html = cells.render('# The <em>big</em> "one" & $a<b$')
    assert [(item.level, item.text, item.anchor) for item in cells.headings] == [(1, 'The big "one" & a<b', "The-big-one-&-a-b")]
    assert 'id="The-big-one-&amp;-a-b"' in html


def test_headings_of_descriptions_begin_below_those_of_the_page() -> None:
    assert render_description("# T") == '<h3 id="text-T">T</h3>\n'
