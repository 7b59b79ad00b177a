"""A notebook as one validated document of format 4, whatever format it was saved in."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from carrel.core.errors import InvalidFile
from carrel.formats.base import Limits
from carrel.formats.parsing import expect_mapping, load_json, read_all

if TYPE_CHECKING:
    from nbformat.notebooknode import NotebookNode
    from nbformat.validator import NotebookValidationError

_WHAT = "The notebook"
_READABLE = range(2, 5)
_MOST_CELLS = 50_000


def load(source: BinaryIO, limits: Limits, filename: str = "notebook") -> NotebookNode:
    """Return the notebook *source*, upgraded to format 4 and validated.

    The same bytes give the same document: cells without an identifier get one by their position.

    Raises
    ------
    InvalidFile
        Not a notebook; the detail names the cell.
    TooLarge
    """
    return parse(read_all(source, filename, limits.notebook_bytes))


def parse(data: bytes) -> NotebookNode:
    """Return the notebook *data*; see :func:`load`."""
    # nbformat brings JSON Schema's grammars, seconds of work: whoever reads no notebook does not wait for them.
    import nbformat
    from nbformat.validator import ValidationError, iter_validate

    document = expect_mapping(load_json(data, _WHAT, any_text=True), _WHAT)
    major = _version(document, "nbformat", missing=1)
    minor = _version(document, "nbformat_minor", missing=0)
    if major not in _READABLE:
        raise InvalidFile(
            f"{_WHAT} says nbformat {major}; 2, 3 and 4 can be read. Open it in a current Jupyter and save it again.", field="nbformat"
        )
    _check_shape(document, major)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.versions[major].to_notebook_json(document, minor=minor)
            if major < 4:
                notebook = nbformat.convert(notebook, 4)
            _identify(notebook, all_cells=major < 4)
            error = next(iter_validate(notebook), None)
    except RecursionError as error:
        raise InvalidFile(f"{_WHAT} is nested too deeply.") from error
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, ValidationError) as error:
        raise InvalidFile(f"{_WHAT} is not of format {major}: {type(error).__name__} {str(error)[:200]}.") from error
    if error is not None:
        raise InvalidFile(_explain(error), field=_path(error))
    return notebook


def _check_shape(document: Mapping[str, Any], major: int) -> None:
    """Check what the readers of nbformat take for granted, so that the message can say where it is not so."""
    expect_mapping(document.get("metadata"), "metadata")
    if major == 4:
        _check_cells(document.get("cells"), "cells")
        return
    worksheets = document.get("worksheets")
    if not isinstance(worksheets, list):
        raise InvalidFile(f"{_WHAT} has no list of worksheets.", field="worksheets")
    for position, worksheet in enumerate(worksheets):
        what = f"worksheets[{position}]"
        _check_cells(expect_mapping(worksheet, what).get("cells"), f"{what}.cells")


def _check_cells(cells: Any, what: str) -> None:
    if not isinstance(cells, list):
        raise InvalidFile(f"{_WHAT} has no list of {what}.", field=what)
    if len(cells) > _MOST_CELLS:
        raise InvalidFile(f"{_WHAT} has {len(cells)} cells; at most {_MOST_CELLS} are allowed.", field=what)
    for position, cell in enumerate(cells):
        expect_mapping(cell, f"{what}[{position}]")


def _version(document: Any, key: str, *, missing: int) -> int:
    value = document.get(key, missing)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidFile(f"{_WHAT} has no whole number under {key!r}.", field=key)
    return value


def _identify(notebook: NotebookNode, *, all_cells: bool) -> None:
    """Give every cell an identifier of its own, where the format has them (4.5 and later)."""
    if (notebook["nbformat"], notebook.get("nbformat_minor", 0)) < (4, 5):
        return
    seen: set[str] = set()
    for position, cell in enumerate(notebook["cells"]):
        known = None if all_cells else cell.get("id")
        if known is None or (isinstance(known, str) and known in seen):
            known = cell["id"] = f"cell-{position}"
        if isinstance(known, str):
            seen.add(known)


def _path(error: NotebookValidationError) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.relative_path]
    return "".join(parts).lstrip(".")[:200] or "notebook"


def _explain(error: NotebookValidationError) -> str:
    message = " ".join(cast(str, error.message).split())
    if len(message) > 200:  # the message repeats the value
        message = "the value has the wrong form"
    return f"{_WHAT} breaks the format at {_path(error)}: {message}."
