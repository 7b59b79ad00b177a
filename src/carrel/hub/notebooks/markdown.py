"""Markdown of strangers as inert HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

import mistune

from carrel.hub.notebooks.highlighting import highlight, language_of
from carrel.hub.notebooks.mathematics import to_mathml
from carrel.hub.notebooks.sanitizing import sanitize, sanitize_for_page

_PLUGINS = ["table", "strikethrough", "task_lists", "footnotes", "url", "math"]
_TAG = re.compile(r"<[^>]*>")
_MAX_MARKDOWN = 500_000
_MAX_FORMULAS = 400  # of one document; the rest stays LaTeX
_LONG_FORMULA = 60  # characters: it may need scrolling, so it must be reachable by keyboard
# Formulas become MathML after the sanitizer, which knows no MathML. The mark stands for one only as the whole text of an
# element of ours, which no text of a stranger can be: the sanitizer escapes the quotes of their attribute values.
_MARK = "\ue000"
_MARKED = re.compile(rf"{_MARK}(\d{{1,6}}){_MARK}")
_FORMULA = re.compile(rf'<(span|div) class="math">{_MARK}(\d{{1,6}}){_MARK}</\1>')
_BLOCK_ENVIRONMENT = re.compile(
    r"^(\\begin\{(?:equation|align|gather|eqnarray)\*?\}.*?\\end\{[a-z]+\*?\})[ \t]*$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the document.

    Attributes
    ----------
    level : int
        1 to 6.
    text : str
        Without markup, unescaped.
    anchor : str
        Fragment that leads to it.
    """

    level: int
    text: str
    anchor: str


class _Renderer(mistune.HTMLRenderer):
    """HTML of Markdown, raw HTML passed through: the result must be sanitized."""

    def __init__(self, first_level: int) -> None:
        super().__init__(escape=False, allow_harmful_protocols=["data:image/svg+xml", "attachment:"])
        self.attachments: Mapping[str, str] = {}
        self.formulas: list[str] = []
        self.first_level = first_level
        self.headings: list[Heading] = []

    def heading(self, text: str, level: int, **_attributes: Any) -> str:
        plain = unescape(_MARKED.sub(lambda match: self.formulas[int(match[1])], _TAG.sub("", text))).strip()
        anchor = re.sub(r"[\s\"'<>]+", "-", plain)[:200]  # as Jupyter writes them
        self.headings.append(Heading(level, plain[:200], anchor))
        shown = min(level + self.first_level - 1, 6)
        return f'<h{shown} id="{escape(anchor)}">{text}</h{shown}>\n'

    def block_code(self, code: str, info: str | None = None) -> str:
        words = (info or "").split(None, 1)
        return f"<pre><code>{highlight(code.rstrip(), language_of(words[0] if words else ''))}</code></pre>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith("attachment:"):
            url = self.attachments.get(url.removeprefix("attachment:"), "")
        if url.startswith("data:"):
            return super().image(text, url, title)
        # A picture elsewhere would tell its server who reads this page: a link instead.
        label = escape(_TAG.sub("", text).strip()) or "image"
        if url.startswith(("http://", "https://")):
            return f'<a class="external-image" href="{escape(url)}">{label}</a>'
        return f'<a class="external-image">{label}</a>'

    def task_list_item(self, text: str, checked: bool = False) -> str:
        return f"<li>{'☑' if checked else '☐'} {text}</li>\n"

    def inline_math(self, text: str) -> str:
        self.formulas.append(text)
        return f'<span class="math">{_MARK}{len(self.formulas) - 1}{_MARK}</span>'

    def block_math(self, text: str) -> str:
        self.formulas.append(text.strip())
        return f'<div class="math">{_MARK}{len(self.formulas) - 1}{_MARK}</div>\n'


class CellRenderer:
    """Renders the Markdown cells of one notebook, and gathers their headings. Not for several threads."""

    def __init__(self) -> None:
        self._renderer = _Renderer(first_level=1)
        self._convert = mistune.create_markdown(renderer=self._renderer, plugins=_PLUGINS)

    @property
    def headings(self) -> list[Heading]:
        """Headings seen so far, in order."""
        return self._renderer.headings

    def render(self, source: str, attachments: Mapping[str, str] | None = None) -> str:
        """Return a cell as inert HTML for a sandboxed frame.

        Parameters
        ----------
        source : str
        attachments : mapping of str to str, optional
            ``data:`` URL of each picture attached to the cell, by name.
        """
        self._renderer.attachments = attachments or {}
        return _finished(self._renderer, sanitize(_converted(self._convert, source)))


def render_description(source: str) -> str:
    """Return the Markdown description of a package as inert HTML for one of the hub's pages.

    Headings start at level 3: the page itself has the two above.
    """
    renderer = _Renderer(first_level=3)
    return _finished(renderer, sanitize_for_page(_converted(mistune.create_markdown(renderer=renderer, plugins=_PLUGINS), source)))


def _converted(convert: mistune.Markdown, source: str) -> str:
    if len(source) <= _MAX_MARKDOWN:
        source = _BLOCK_ENVIRONMENT.sub(r"$$\n\1\n$$", source.replace(_MARK, "")) if "\\begin{" in source else source.replace(_MARK, "")
        try:
            return str(convert(source))
        except (RecursionError, ValueError):
            pass
    return f"<pre>{escape(source[:_MAX_MARKDOWN], quote=False)}</pre>"


def _finished(renderer: _Renderer, html: str) -> str:
    def formula(match: re.Match[str]) -> str:
        number = int(match[2])
        if number >= len(renderer.formulas):
            return ""
        latex = renderer.formulas[number]
        mathml = to_mathml(latex, display=match[1] == "div") if number < _MAX_FORMULAS else None
        focus = ' tabindex="0"' if match[1] == "div" and len(latex) > _LONG_FORMULA else ""
        return f'<{match[1]} class="math"{focus}>{mathml or escape(latex, quote=False)}</{match[1]}>'

    return _FORMULA.sub(formula, html) if renderer.formulas else html
