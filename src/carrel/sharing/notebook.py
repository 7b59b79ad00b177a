"""Read what a notebook says of itself, and prepare the copy that is published."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from carrel.core.errors import BadRequest
from carrel.core.units import format_bytes
from carrel.sharing.secrets.notebook import is_text_mime, join_lines

Outputs = Literal["keep", "images", "clear"]

METADATA_KEY = "carrel"
LARGE_BYTES = 50 * 1000 * 1000
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)")
_ABSOLUTE = re.compile(r"""["'](/(?:home|Users|mnt|data|root|scratch)/[^"'\n]+|[A-Za-z]:\\[^"'\n]+)["']""")
_IMAGE_OR_TEXT = ("image/", "text/plain", "text/latex", "text/markdown")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file beside the notebook that its text names. ``size`` is bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a notebook that its author may want to know. ``code`` is stable."""

    code: str
    message: str


def parse(text: str | bytes) -> dict[str, Any]:
    """Return the JSON content of a notebook file in format 4.

    Raises
    ------
    carrel.core.errors.BadRequest
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The file is not a notebook: it is not JSON.", code="not_a_notebook") from error
    return check(document)


def check(document: object) -> dict[str, Any]:
    """Return *document* if it has the form of a notebook in format 4."""
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list) or document.get("nbformat", 4) != 4:
        raise BadRequest("This is not a notebook in format 4. Open it in JupyterLab and save it, which converts it.", code="not_a_notebook")
    if not all(isinstance(cell, dict) for cell in document["cells"]):
        raise BadRequest("A cell of the notebook is not an object.", code="not_a_notebook")
    return document


def serialize(notebook: Mapping[str, Any]) -> bytes:
    """Return the bytes of a notebook file; the same content gives the same bytes."""
    return (json.dumps(notebook, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode("utf-8", "surrogatepass")


def cells(notebook: Mapping[str, Any], kind: str) -> Iterator[tuple[int, str]]:
    """Yield index and source of the cells of one type."""
    for index, cell in enumerate(notebook.get("cells") or []):
        if cell.get("cell_type") == kind:
            yield index, str(join_lines(cell.get("source", "")))


def title(notebook: Mapping[str, Any], filename: str) -> str:
    """Return the first heading of the notebook, else the name of its file."""
    for _, source in cells(notebook, "markdown"):
        if found := _HEADING.search(source):
            return re.sub(r"[*_`]|\[([^\]]*)\]\([^)]*\)", r"\1", found.group(1)).strip() or PurePosixPath(filename).stem
    return PurePosixPath(filename).stem


def summary(notebook: Mapping[str, Any], length: int = 200) -> str:
    """Return the first sentence-like text of the notebook's prose, at most *length* characters."""
    for _, source in cells(notebook, "markdown"):
        for block in re.split(r"\n\s*\n", source):
            text = " ".join(line for line in block.splitlines() if not line.lstrip().startswith(("#", "!", "|", "```", "---")))
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).strip()
            if text:
                return text if len(text) <= length else text[: length - 1].rsplit(" ", 1)[0] + "…"
    return ""


def publication(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an earlier publication wrote into the notebook's metadata, empty if none did."""
    metadata = notebook.get("metadata")
    found = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def outputs_bytes(notebook: Mapping[str, Any]) -> int:
    """Return the size of all outputs."""
    return sum(len(json.dumps(cell.get("outputs"))) for cell in notebook.get("cells") or [] if cell.get("outputs"))


def prepare(notebook: Mapping[str, Any], outputs: Outputs) -> dict[str, Any]:
    """Return the copy to publish: outputs as chosen, marks of this machine's trust taken out."""
    result: dict[str, Any] = copy.deepcopy(dict(notebook))
    result.setdefault("nbformat", 4)
    result.setdefault("nbformat_minor", 5)
    metadata = result.setdefault("metadata", {})
    metadata.pop("signature", None)
    if outputs == "clear":
        metadata.pop("widgets", None)
    for cell in result["cells"]:
        if isinstance(cell.get("metadata"), dict):
            cell["metadata"].pop("trusted", None)
        cell["source"] = join_lines(cell.get("source", ""))
        if cell.get("cell_type") != "code":
            continue
        if outputs == "clear":
            cell["outputs"], cell["execution_count"] = [], None
        elif outputs == "images":
            cell["outputs"] = [kept for output in cell.get("outputs") or [] if (kept := _images_and_text(output))]
    return result


def _images_and_text(output: dict[str, Any]) -> dict[str, Any] | None:
    data = output.get("data")
    if not isinstance(data, dict):
        return output
    kept = {mime: value for mime, value in data.items() if mime.startswith(_IMAGE_OR_TEXT)}
    return {**output, "data": kept} if kept else None


def embed(notebook: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    """Return *notebook* with *members* as its publication metadata."""
    return {**notebook, "metadata": {**(notebook.get("metadata") or {}), METADATA_KEY: dict(members)}}


def _python(source: str) -> str:
    """Return the Python of a cell: cell magics hide it, line magics and shell lines are blanked."""
    if source.lstrip().startswith("%%"):
        first, _, rest = source.lstrip().partition("\n")
        if first.split()[0] not in ("%%time", "%%timeit", "%%capture", "%%prun"):
            return ""
        source = rest
    return "\n".join(
        "pass" if line.lstrip().startswith(("%", "!", "?")) and line == line.lstrip() else line for line in source.splitlines()
    )


def _trees(notebook: Mapping[str, Any]) -> Iterator[ast.AST]:
    for _, source in cells(notebook, "code"):
        try:
            yield ast.parse(_python(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue


def modules(notebook: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the top-level modules that the notebook's Python imports, sorted."""
    found: set[str] = set()
    for tree in _trees(notebook):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return tuple(sorted(found))


def data_files(notebook: Mapping[str, Any], folder: Path, limit: int = 50) -> tuple[DataFile, ...]:
    """Return the files below *folder* that the notebook names by literal relative paths."""
    names: set[str] = set()
    for tree in _trees(notebook):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 500:
                names.add(node.value)
    for _, source in cells(notebook, "markdown"):
        names.update(_LINK.findall(source))
    found: dict[str, DataFile] = {}
    for name in sorted(names):
        try:
            path = resolve_data_file(folder, name)
            size = path.stat().st_size
        except (OSError, ValueError, BadRequest):
            continue
        relative = path.relative_to(folder.resolve()).as_posix()
        if path.suffix != ".ipynb":
            found[relative] = DataFile(relative, size)
    return tuple(list(found.values())[:limit])


def resolve_data_file(folder: Path, name: str) -> Path:
    """Return the existing regular file *name* below *folder*, never one outside of it and no hidden one.

    Raises
    ------
    carrel.core.errors.BadRequest
    """
    root = folder.resolve()
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in name or any(part.startswith(".") for part in pure.parts if part != "."):
        raise BadRequest(f"{name[:200]!r} is not a file beside the notebook.", code="invalid_data_file")
    path = (root / pure).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise BadRequest(f"There is no file {name[:200]!r} beside the notebook.", code="invalid_data_file")
    return path


def remarks(notebook: Mapping[str, Any]) -> tuple[Remark, ...]:
    """Return what may surprise readers of the notebook; nothing of it forbids publishing."""
    found: list[Remark] = []
    code = [
        cell for cell in notebook.get("cells") or [] if cell.get("cell_type") == "code" and str(join_lines(cell.get("source", ""))).strip()
    ]
    counts = [cell.get("execution_count") for cell in code]
    if never := sum(count is None for count in counts):
        found.append(Remark("cells_not_run", f"{never} of {len(code)} code cells have not been run."))
    ran = [count for count in counts if isinstance(count, int)]
    if ran != sorted(ran):
        found.append(Remark("cells_out_of_order", "Cells were run in another order than they stand. Run all cells before you publish."))
    if failed := sum(any(output.get("output_type") == "error" for output in cell.get("outputs") or []) for cell in code):
        found.append(Remark("error_outputs", f"{failed} cell{'s' if failed > 1 else ''} ended with an error."))
    if any(_ABSOLUTE.search(source) for _, source in cells(notebook, "code")):
        found.append(Remark("absolute_paths", "The code names files by absolute paths, which others do not have."))
    if (size := outputs_bytes(notebook)) > LARGE_BYTES:
        found.append(Remark("large_outputs", f"The outputs take {format_bytes(size)}. Publishing images only makes the copy smaller."))
    return tuple(found)


def untrusted_copy(notebook: Mapping[str, Any], kernelspec: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return *notebook* as a file of someone else's: no trust marks, and *kernelspec* to run it with."""
    result = prepare(notebook, "keep")
    if kernelspec is not None:
        result["metadata"]["kernelspec"] = dict(kernelspec)
    return result


__all__ = [
    "DataFile",
    "Outputs",
    "Remark",
    "cells",
    "check",
    "data_files",
    "embed",
    "is_text_mime",
    "modules",
    "outputs_bytes",
    "parse",
    "prepare",
    "publication",
    "remarks",
    "resolve_data_file",
    "serialize",
    "summary",
    "title",
    "untrusted_copy",
]
