"""Writing down in a notebook what it needs, everything else in it untouched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment import environment_yml, json_edits, script
from carrel.formats.environment.pipfile import write_pipfile
from carrel.formats.environment.requirements import without_hashes
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import decode_text, expect_mapping, load_json, load_yaml

_WHAT = "The notebook"


def write(spec: EnvironmentSpec, data: bytes, form: str = "") -> bytes:
    """Return the notebook *data* with *spec* in it.

    Parameters
    ----------
    spec : EnvironmentSpec
    data : bytes
        The notebook; cells and members that do not say what it needs stay as they are, byte for byte.
    form : str
        ``script``, ``nteract``, ``thoth`` or ``conda``; see :mod:`carrel.formats.environment.notebook_metadata`. By default
        ``conda`` where *spec* has conda packages, else ``script``.

    Raises
    ------
    BadRequest
        The form cannot say it (code ``conda_packages`` or ``not_a_requirement``), or is none (``unknown_form``).
    InvalidFile
        *data* is no notebook of format 4.
    """
    form = form or ("conda" if spec.dependencies or spec.selected else "script")
    if form not in FORMS:
        raise BadRequest(f"{form[:40]!r} is no way to write in a notebook. Use one of: {', '.join(FORMS)}.", code="unknown_form")
    document = expect_mapping(load_json(data, _WHAT, any_text=True), _WHAT)
    if not isinstance(document.get("cells"), list) or not isinstance(document.get("metadata"), dict):
        raise InvalidFile(f"{_WHAT} is not of format 4: its cells or its metadata are missing.")
    text = decode_text(data, _WHAT)
    mark = data[: len(data) - len(text.encode())]
    try:
        return mark + FORMS[form](spec, text, dict(document)).encode()
    except ValueError as error:
        raise InvalidFile(f"{_WHAT} holds what cannot be written again as it is: {str(error)[:200]}.") from error


def _script(spec: EnvironmentSpec, text: str, document: dict[str, Any]) -> str:
    for position, cell in enumerate(document["cells"]):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "raw"):
            continue
        source = cell.get("source", "")
        before = "".join(source) if isinstance(source, list) else str(source)
        if script.find(before) is not None:
            after = script.write_text(spec, before)
            return json_edits.replace(text, ("cells", position, "source"), _like(source, after))
    source = script.write_text(spec, "").rstrip("\n")
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"jupyter": {"source_hidden": True}},
        "outputs": [],
        "source": _like([], source),
    }
    if document.get("nbformat_minor", 0) >= 5:
        cell = {"cell_type": "code", "execution_count": None, "id": _free_id(source, document), **cell}
    return json_edits.insert_first(text, ("cells",), cell)


def _like(source: object, text: str) -> Any:
    """Return *text* as lines if *source* is lines."""
    return text if isinstance(source, str) else text.splitlines(keepends=True)


def _free_id(source: str, document: dict[str, Any]) -> str:
    taken = {cell.get("id") for cell in document["cells"] if isinstance(cell, dict)}
    digest = hashlib.sha256(source.encode()).hexdigest()
    return next(digest[start : start + 8] for start in range(57) if digest[start : start + 8] not in taken)


def _nteract(spec: EnvironmentSpec, text: str, document: dict[str, Any]) -> str:
    pip = _requirements(spec)
    runt = document["metadata"].get("runt")
    runt = {key: value for key, value in runt.items() if key not in ("uv", "conda", "pixi")} if isinstance(runt, dict) else {}
    runt.setdefault("schema_version", "1")
    if not spec.dependencies:
        runt["uv"] = {"dependencies": pip, "requires-python": spec.requires_python or None}
    else:
        wanted: dict[str, Any] = {"dependencies": list(spec.dependencies), "channels": list(spec.channels)}
        runt["pixi" if pip else "conda"] = {**wanted, "pypi_dependencies": pip} if pip else {**wanted, "python": None}
    kept = {key: value for key, value in document["metadata"].items() if key not in ("uv", "conda", "runt")}
    return json_edits.replace(text, ("metadata",), {**kept, "runt": runt})


def _requirements(spec: EnvironmentSpec) -> list[str]:
    """Return the requirements of *spec*; digests and options have no place here.

    Raises
    ------
    BadRequest
    """
    found = [without_hashes(line) for line in spec.pip]
    for line in found:
        if line.startswith("-"):
            message = f"The metadata of a notebook holds requirements only, not {line[:120]!r}."
            raise BadRequest(message, code="not_a_requirement")
    return found


def _thoth(spec: EnvironmentSpec, text: str, document: dict[str, Any]) -> str:
    if spec.dependencies or spec.selected:
        raise BadRequest("This form cannot hold conda packages. Use 'conda' or 'nteract'.", code="conda_packages")
    try:
        pipfile = write_pipfile(EnvironmentSpec(pip=tuple(_requirements(spec)), requires_python=spec.requires_python, indexes=spec.indexes))
    except ValueError as error:
        raise BadRequest(f"This form holds requirements only: {str(error)[:200]}.", code="not_a_requirement") from error
    # a lock of other requirements would be taken for theirs
    kept = {key: value for key, value in document["metadata"].items() if key not in ("requirements", "requirements_lock")}
    return json_edits.replace(text, ("metadata",), {**kept, "requirements": json.dumps(pipfile, separators=(",", ":"))})


def _conda(spec: EnvironmentSpec, text: str, document: dict[str, Any]) -> str:
    content = load_yaml(environment_yml.write(spec), _WHAT)
    return json_edits.replace(text, ("metadata",), {**document["metadata"], "environment": content})


FORMS: dict[str, Callable[[EnvironmentSpec, str, dict[str, Any]], str]] = {
    "script": _script,
    "nteract": _nteract,
    "thoth": _thoth,
    "conda": _conda,
}
