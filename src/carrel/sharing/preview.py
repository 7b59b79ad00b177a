"""A notebook as inert HTML, to look at before anything of it is on this machine."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from carrel.sharing.secrets.notebook import join_lines
from carrel.sharing.secrets.text import strip_ansi

_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "kbd", "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot",
    "th", "thead", "tr", "u", "ul", "var",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}}
_MAX_CELLS = 100
_MAX_CHARACTERS = 20_000


def sanitize(fragment: str) -> str:
    """Return *fragment* with text structure alone: no scripts, styles, images, forms or frames; http and https links only."""
    import nh3

    return nh3.clean(fragment, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https"}, link_rel="noopener noreferrer nofollow")


def preview(notebook: Mapping[str, Any]) -> str:
    """Return the first cells of *notebook* as sanitized HTML."""
    parts: list[str] = []
    cells = notebook.get("cells") or []
    for cell in cells[:_MAX_CELLS]:
        source = str(join_lines(cell.get("source", "")))[:_MAX_CHARACTERS]
        if cell.get("cell_type") == "markdown":
            parts.append(_markdown(source))
            continue
        parts.append(f"<pre><code>{html.escape(source)}</code></pre>")
        parts += [shown for output in cell.get("outputs") or [] if isinstance(output, Mapping) and (shown := _output(output))]
    if len(cells) > _MAX_CELLS:
        parts.append(f"<p>… {len(cells) - _MAX_CELLS} more cells</p>")
    return sanitize("\n".join(parts))


def _markdown(source: str) -> str:
    import mistune

    rendered = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])(source)
    return rendered if isinstance(rendered, str) else ""


def _output(output: Mapping[str, Any]) -> str:
    if output.get("output_type") == "stream":
        return _pre(str(join_lines(output.get("text", ""))))
    if output.get("output_type") == "error":
        return _pre(f"{output.get('ename', '')}: {output.get('evalue', '')}")
    data = output.get("data")
    if not isinstance(data, Mapping):
        return ""
    if isinstance(rich := join_lines(data.get("text/html")), str):
        return f"<div>{rich[:_MAX_CHARACTERS]}</div>"
    if any(mime.startswith("image/") for mime in data):
        return "<p>[image]</p>"
    plain = join_lines(data.get("text/plain"))
    return _pre(plain) if isinstance(plain, str) else ""


def _pre(text: str) -> str:
    return f"<pre><samp>{html.escape(strip_ansi(text)[:_MAX_CHARACTERS])}</samp></pre>"
