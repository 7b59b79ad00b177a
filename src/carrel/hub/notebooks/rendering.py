"""A notebook as one inert HTML document.

Pure: a parsed notebook in, a document out. The document holds no script, loads nothing and has one style sheet, inside
it, whose digest is in its content security policy. It is made to be shown in a sandboxed frame.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

from carrel.hub.notebooks.highlighting import highlight, language_of
from carrel.hub.notebooks.markdown import CellRenderer, Heading
from carrel.hub.notebooks.outputs import OutputRenderer, is_wide
from carrel.hub.notebooks.text import multiline

#: Part of the address of every rendered notebook: raise it when the same notebook would be rendered otherwise.
RENDERER_VERSION = 1

_MAX_CELLS = 5_000
_MAX_HIGHLIGHTED = 400_000  # characters of source in one notebook; the rest is shown without colours
_STYLE = files(__package__).joinpath("document.css").read_text("utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: What a frame that shows the document may do, for ``<iframe sandbox="…">`` and the policy alike: links open in new tabs.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"

#: Value of ``Content-Security-Policy`` for the document.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; img-src data:; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors 'self'; sandbox {SANDBOX}"
)


@dataclass(frozen=True, slots=True)
class RenderedNotebook:
    """A rendered notebook.

    Attributes
    ----------
    document : bytes
        A whole HTML document, UTF-8.
    headings : tuple of Heading
        Of its Markdown cells, in order.
    estimated_height : int
        Of the document on a wide screen, in CSS pixels; for a first guess at the size of its frame.
    """

    document: bytes
    headings: tuple[Heading, ...]
    estimated_height: int


def render_notebook(notebook: Mapping[str, Any]) -> RenderedNotebook:
    """Return *notebook* as an inert document.

    Parameters
    ----------
    notebook : mapping
        nbformat 4. Whatever in it breaks the format is left out.
    """
    body = _Body(notebook)
    content = body.render()
    title = body.cells.headings[0].text if body.cells.headings else "Notebook"
    document = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="no-referrer"><title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n'
        f"{content}</main></body></html>\n"
    )
    return RenderedNotebook(document.encode("utf-8", "replace"), tuple(body.cells.headings), 64 + round(body.height))


class _Body:
    def __init__(self, notebook: Mapping[str, Any]) -> None:
        cells = notebook.get("cells")
        self._cells = cells if isinstance(cells, list) else []
        self._language = _language(notebook)
        self._outputs = OutputRenderer()
        self._highlighted = 0
        self.cells = CellRenderer()
        self.height = 0.0

    def render(self) -> str:
        parts = [self._cell(number, cell) for number, cell in enumerate(self._cells[:_MAX_CELLS], 1) if isinstance(cell, Mapping)]
        if len(self._cells) > _MAX_CELLS:
            parts.append(f'<p class="note">{len(self._cells) - _MAX_CELLS} more cells are not shown.</p>\n')
        if not parts:
            parts.append('<p class="note">This notebook has no cells.</p>\n')
        return "".join(parts)

    def _cell(self, number: int, cell: Mapping[str, Any]) -> str:
        source = multiline(cell.get("source"))
        kind = cell.get("cell_type")
        self.height += 18
        if kind == "markdown":
            html = self.cells.render(source, self._attachments(cell))
            self.height += 25 * sum(1 + len(line) // 95 for line in source.split("\n"))
            return f'<div class="cell text" id="cell-{number}">{html}</div>\n' if source.strip() else ""
        if kind == "code":
            return self._code(number, cell, source)
        self.height += 20 * source.count("\n") + 44
        return (
            f'<div class="cell" id="cell-{number}"><pre class="source">{escape(source, quote=False)}</pre></div>\n'
            if source.strip()
            else ""
        )

    def _code(self, number: int, cell: Mapping[str, Any], source: str) -> str:
        outputs = self._outputs.render(cell.get("outputs"))
        if not source.strip() and not outputs:
            return ""
        count = cell.get("execution_count")
        prompt = f"[{count}]" if isinstance(count, int) else "[ ]"
        self._highlighted += len(source)
        language = self._cell_language(source) if self._highlighted <= _MAX_HIGHLIGHTED else ""
        focus = f' tabindex="0" role="group" aria-label="Code {prompt}"' if is_wide(source) else ""
        self.height += 20.2 * source.count("\n") + 62 + _output_height(outputs)
        return (
            f'<div class="cell code" id="cell-{number}"><div class="prompt">{prompt}</div>'
            f'<pre class="source"{focus}><code>{highlight(source.rstrip(), language)}</code></pre>'
            + (f'<div class="outputs">{outputs}</div>' if outputs else "")
            + "</div>\n"
        )

    def _cell_language(self, source: str) -> str:
        if source.startswith("%%"):
            magic = source[2:].split(None, 1)
            return language_of(magic[0]) or self._language if magic else self._language
        return self._language

    def _attachments(self, cell: Mapping[str, Any]) -> dict[str, str]:
        attachments = cell.get("attachments")
        urls: dict[str, str] = {}
        for name, bundle in attachments.items() if isinstance(attachments, Mapping) else ():
            for mime, value in bundle.items() if isinstance(bundle, Mapping) else ():
                url = self._outputs.picture(mime, value)
                if url is not None:
                    urls[str(name)] = url
                    break
        return urls


def _language(notebook: Mapping[str, Any]) -> str:
    metadata = notebook.get("metadata")
    if not isinstance(metadata, Mapping):
        return "python"
    info = metadata.get("language_info")
    spec = metadata.get("kernelspec")
    names = [info.get("pygments_lexer"), info.get("name")] if isinstance(info, Mapping) else []
    names += [spec.get("language")] if isinstance(spec, Mapping) else []
    known = [language for language in map(language_of, names) if language]
    return known[0] if known else "" if any(names) else "python"


def _output_height(outputs: str) -> float:
    rows = outputs.count("<tr") * 31
    pictures = outputs.count("<img") * 380
    lines = (outputs.count("\n") if not rows else 0) * 20
    return min(rows + pictures + lines + 36, 6_000) if outputs else 0
