"""Outputs of code cells as inert HTML."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from carrel.core.units import format_bytes
from carrel.hub.notebooks.markdown import CellRenderer
from carrel.hub.notebooks.mathematics import to_mathml
from carrel.hub.notebooks.sanitizing import sanitize
from carrel.hub.notebooks.text import multiline, overwrite_lines, terminal_to_html

_MAX_TEXT = 100_000  # characters of one output
_MAX_HTML = 2_000_000
_MAX_IMAGE = 8_000_000  # bytes of one picture
_MAX_PICTURES = 32_000_000  # bytes of all pictures of a notebook
_MAX_OUTPUTS = 1_000  # of one cell
_WIDE = 70  # characters: a longer line may need scrolling, so its block must be reachable by keyboard
_SIGNATURES = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
_SPACE = re.compile(r"\s+")
_TAG = re.compile(r"<[^>]*>")


class OutputRenderer:
    """Renders the outputs of one notebook, keeping count of what its pictures weigh."""

    def __init__(self) -> None:
        self._pictures = 0
        self._cells = CellRenderer()
        # By preference, as Jupyter has it. Each returns None when it has nothing to show, and the next is tried.
        self._renderers: dict[str, Callable[[Any, Mapping[str, Any]], str | None]] = {
            "text/html": self._html,
            "image/svg+xml": self._svg,
            **{mime: self._bitmap(mime) for mime in _SIGNATURES},
            "text/markdown": self._markdown,
            "text/latex": self._latex,
            "application/json": self._json,
            "text/plain": self._plain,
        }

    def render(self, outputs: Any) -> str:
        """Return the HTML of the ``outputs`` list of a code cell."""
        if not isinstance(outputs, list):
            return ""
        shown = [self._output(output) for output in _merged(outputs[:_MAX_OUTPUTS])]
        if len(outputs) > _MAX_OUTPUTS:
            shown.append(_note(f"{len(outputs) - _MAX_OUTPUTS} more outputs are not shown."))
        return "".join(shown)

    def picture(self, mime: str, value: Any) -> str | None:
        """Return the ``data:`` URL of a picture, or None if it is no such picture or too large."""
        text = multiline(value)
        if mime == "image/svg+xml":
            data = text.encode("utf-8", "replace")
            if not data.strip() or "<svg" not in text:
                return None
        elif mime in _SIGNATURES:
            try:
                data = base64.b64decode(_SPACE.sub("", text), validate=True)
            except (binascii.Error, ValueError):
                return None
            if not data.startswith(_SIGNATURES[mime]):
                return None
        else:
            return None
        if len(data) > _MAX_IMAGE or self._pictures + len(data) > _MAX_PICTURES:
            return None
        self._pictures += len(data)
        return f"data:{mime};base64,{base64.b64encode(data).decode()}"

    def _output(self, output: Mapping[str, Any]) -> str:
        kind = output.get("output_type")
        if kind == "stream":
            css = "stderr" if output.get("name") == "stderr" else "stdout"
            return _terminal(overwrite_lines(multiline(output.get("text"))), css)
        if kind == "error":
            trace = "\n".join(line for line in output.get("traceback") or () if isinstance(line, str))
            return _terminal(trace or f"{output.get('ename', '')}: {output.get('evalue', '')}", "error")
        if kind in ("display_data", "execute_result"):
            data = output.get("data")
            metadata = output.get("metadata")
            return self._bundle(data if isinstance(data, Mapping) else {}, metadata if isinstance(metadata, Mapping) else {})
        return ""

    def _bundle(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
        for mime, renderer in self._renderers.items():
            if mime in data:
                own = metadata.get(mime)
                html = renderer(data[mime], own if isinstance(own, Mapping) else {})
                if html is not None:
                    unseen = [key for key in data if key.startswith("application/vnd.")] if mime == "text/plain" else []
                    return html + (_interactive(unseen[0]) if unseen else "")
        return _interactive(next(iter(data), "")) if data else ""

    def _html(self, value: Any, _metadata: Mapping[str, Any]) -> str | None:
        text = multiline(value)
        if len(text) > _MAX_HTML:
            return _note(f"This output is HTML of {format_bytes(len(text))}, too large to be shown here.")
        html = sanitize(text)
        if "<img" not in html and not _TAG.sub("", html).strip():
            return None  # it was all script, such as a plot drawn in the browser
        focus = ' tabindex="0"' if "<pre" in html else ""
        return f'<div class="output html"{focus}>{html}</div>'

    def _svg(self, value: Any, metadata: Mapping[str, Any]) -> str | None:
        return self._image("image/svg+xml", value, metadata)

    def _bitmap(self, mime: str) -> Callable[[Any, Mapping[str, Any]], str | None]:
        return lambda value, metadata: self._image(mime, value, metadata)

    def _image(self, mime: str, value: Any, metadata: Mapping[str, Any]) -> str | None:
        url = self.picture(mime, value)
        if url is None:
            return _note(f"A picture ({mime}) of {format_bytes(len(multiline(value)))} that cannot be shown here.")
        size = "".join(
            f' {name}="{int(metadata[name])}"'
            for name in ("width", "height")
            if isinstance(metadata.get(name), int | float) and 0 < metadata[name] < 10_000
        )
        alt = metadata.get("alt")
        return f'<div class="output image"><img src="{url}" alt="{escape(alt) if isinstance(alt, str) else "Output picture"}"{size}></div>'

    def _markdown(self, value: Any, _metadata: Mapping[str, Any]) -> str | None:
        return f'<div class="output html">{self._cells.render(multiline(value))}</div>'

    def _latex(self, value: Any, _metadata: Mapping[str, Any]) -> str | None:
        latex = multiline(value).strip().strip("$").strip()
        return f'<div class="output html"><div class="math">{to_mathml(latex, display=True) or escape(latex, quote=False)}</div></div>'

    def _json(self, value: Any, _metadata: Mapping[str, Any]) -> str | None:
        try:
            text = json.dumps(value, indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            return None
        return _terminal(text, "result")

    def _plain(self, value: Any, _metadata: Mapping[str, Any]) -> str | None:
        return _terminal(multiline(value), "result")


def _merged(outputs: list[Any]) -> list[Mapping[str, Any]]:
    """Return *outputs* with neighbouring pieces of one stream joined, as they were printed."""
    merged: list[Mapping[str, Any]] = []
    for output in outputs:
        if not isinstance(output, Mapping):
            continue
        last = merged[-1] if merged else {}
        if output.get("output_type") == "stream" == last.get("output_type") and output.get("name") == last.get("name"):
            merged[-1] = {**last, "text": multiline(last.get("text")) + multiline(output.get("text"))}
        else:
            merged.append(output)
    return merged


def _terminal(text: str, css: str) -> str:
    note = ""
    if len(text) > _MAX_TEXT:
        note = _note(f"Only the first {_MAX_TEXT:,} of {len(text):,} characters are shown.")
        text = text[:_MAX_TEXT]
    focus = f' tabindex="0" role="group" aria-label="{_LABELS[css]}"' if is_wide(text) else ""
    return f'<pre class="output {css}"{focus}>{terminal_to_html(text.rstrip())}</pre>{note}'


_LABELS = {"stdout": "Output", "stderr": "Error stream", "error": "Error", "result": "Result"}


def is_wide(text: str) -> bool:
    """Whether *text* has a line that may not fit beside its margin."""
    return any(len(line) > _WIDE for line in text.split("\n"))


def _interactive(mime: str) -> str:
    return _note(f"An output of type {mime[:100]} is shown only where the notebook runs.")


def _note(text: str) -> str:
    return f'<p class="output note">{escape(text)}</p>'
