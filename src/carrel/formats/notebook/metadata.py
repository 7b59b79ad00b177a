"""Reading notebooks: title, language, imports, sizes, what to find them by."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from carrel.core.errors import BadRequest
from carrel.core.kinds import Kind
from carrel.core.names import slugify
from carrel.formats.base import FileMetadata, Hints, Limits
from carrel.formats.notebook.document import load
from carrel.formats.notebook.markdown import first_paragraph, local_images, title
from carrel.formats.notebook.modules import imported_modules
from carrel.formats.parsing import storable, storable_json

if TYPE_CHECKING:
    from nbformat.notebooknode import NotebookNode

_SCRIPT = re.compile(r"^# /// script\s*$\n(?P<content>(?:^#(?: .*)?$\n?)+?)^# ///\s*$", re.MULTILINE)  # PEP 723
_CARREL_BYTES = 20_000
_MOST_IMAGES = 200
_PROSE_LENGTH = 1_000_000


class NotebookFormat:
    """Jupyter notebooks."""

    kind = Kind.NOTEBOOK

    def matches(self, filename: str) -> bool:
        """Whether *filename* ends in ``.ipynb``."""
        return filename.endswith(".ipynb")

    def recognises(self, source: BinaryIO | None, filename: str) -> bool:
        """Return True: the extension has no other use."""
        return True

    def read(self, source: BinaryIO, filename: str, hints: Hints, limits: Limits) -> FileMetadata:
        """Read the notebook *source*; see :class:`carrel.formats.base.Format`.

        Raises
        ------
        BadRequest
            The version is not given (code ``version_required``).
        """
        if not hints.version:
            raise BadRequest("A notebook cannot tell its version. Say which version it is.", code="version_required")
        notebook = load(source, limits, filename)
        cells = notebook["cells"]
        stem = filename.removesuffix(".ipynb")
        prose = _beginning(_source(cell) for cell in cells if cell["cell_type"] == "markdown")
        code = [_source(cell) for cell in cells if cell["cell_type"] == "code"]
        kernel = _texts(notebook["metadata"].get("kernelspec"), ("name", "display_name", "language"))
        info = _texts(notebook["metadata"].get("language_info"), ("name", "version"))
        language = (info.get("name") or kernel.get("language") or "").lower()
        python = language in {"python", "ipython", ""}
        counts = Counter(cell["cell_type"] for cell in cells)
        attributes: dict[str, Any] = {
            "title": _title(notebook, prose) or stem,
            "language": language,
            "language_version": info.get("version", ""),
            "kernelspec": kernel,
            "nbformat": [notebook["nbformat"], notebook.get("nbformat_minor", 0)],
            "cells": {"code": counts["code"], "markdown": counts["markdown"], "raw": counts["raw"], "total": len(cells)},
            "imports": imported_modules(code) if python else [],
            "outputs_bytes": sum(_length(cell.get("outputs", [])) for cell in cells),
            "images": list(dict.fromkeys(path for text in prose for path in local_images(text)))[:_MOST_IMAGES],
            "attachments": sum(len(cell.get("attachments") or ()) for cell in cells),
            "script": _script(code) if python else {},
            "carrel": _carrel(notebook),
        }
        return FileMetadata(
            kind=Kind.NOTEBOOK,
            package=hints.package or slugify(stem),
            version=hints.version,
            filename=filename,
            summary=storable(next((text for source in prose if (text := first_paragraph(source))), ""), 500),
            attributes=storable_json(attributes),
            properties={"language": storable(language, 100), "title": storable(attributes["title"], 200)},
            search_text=_search_text(cells, limits.text_length),
        )


def _source(cell: NotebookNode) -> str:
    source = cell.get("source", "")  # cells of kinds that a later minor version adds may have none
    return source if isinstance(source, str) else ""


def _beginning(sources: Iterable[str]) -> list[str]:
    """Return *sources* up to a length that is read in no time, however large the notebook."""
    left = _PROSE_LENGTH
    kept: list[str] = []
    for source in sources:
        if left <= 0:
            break
        kept.append(source[:left])
        left -= len(source) + 1
    return kept


def _title(notebook: NotebookNode, prose: list[str]) -> str:
    told = notebook["metadata"].get("title")
    if isinstance(told, str) and told.strip():
        return " ".join(told.split())[:200]
    return next((text for source in prose if (text := title(source))), "")


def _texts(value: Any, keys: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {key: storable(value[key], 200) for key in keys if isinstance(value.get(key), str)}


def _length(value: Any) -> int:
    """Return about how many bytes *value* takes as JSON, without writing it."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, Mapping):
        return sum(len(key) + 4 + _length(item) for key, item in value.items()) + 2
    if isinstance(value, (list, tuple)):
        return sum(_length(item) + 1 for item in value) + 2
    return 4


def _script(code: list[str]) -> dict[str, Any]:
    """Return what an inline script block (PEP 723) asks for."""
    for source in code:
        match = _SCRIPT.search(source[:20_000]) if "# /// script" in source else None
        if match is None:
            continue
        try:
            document = tomllib.loads("".join(line.removeprefix("#").removeprefix(" ") + "\n" for line in match["content"].splitlines()))
        except (tomllib.TOMLDecodeError, RecursionError):
            return {}
        requires, dependencies = document.get("requires-python"), document.get("dependencies")
        script: dict[str, Any] = {}
        if isinstance(requires, str):
            script["requires_python"] = requires[:200]
        if isinstance(dependencies, list):
            script["dependencies"] = [item[:500] for item in dependencies[:500] if isinstance(item, str)]
        return script
    return {}


def _carrel(notebook: NotebookNode) -> dict[str, Any]:
    """Return what an earlier publication left in the notebook, if it is small."""
    value = notebook["metadata"].get("carrel")
    if not isinstance(value, dict):
        return {}
    text = json.dumps(value)
    known: dict[str, Any] = json.loads(text) if len(text) <= _CARREL_BYTES else {}
    return known


def _search_text(cells: list[NotebookNode], length: int) -> str:
    def parts() -> Iterator[str]:
        left = length
        for cell in cells:
            if left <= 0:
                return
            text = storable(_source(cell), left)
            left -= len(text) + 1
            yield text

    return "\n".join(parts())[:length]
