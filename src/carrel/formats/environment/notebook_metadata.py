"""What a notebook says that it needs, in the ways that tools write it down.

In the order in which they are looked for (the first one that is there counts):

``script``
    A cell that is a script with a block ``# /// script`` (PEP 723). juv writes it as a code cell whose source is hidden
    (``src/juv/_init.py`` and ``_add.py`` of manzt/juv); uvnb and juvio read the same.
``nteract``
    ``metadata.runt`` with ``uv`` (``dependencies``, ``requires-python``, ``prerelease``), ``conda`` (``dependencies``,
    ``channels``, ``python``) or ``pixi`` (those of conda and ``pypi_dependencies``): ``RuntMetadata`` in
    ``crates/notebook-doc/src/metadata.rs`` of nteract/nteract. Before there was ``runt``, ``uv`` and ``conda`` were members of
    ``metadata`` itself, and still are read there (``uv_env.rs`` and ``conda_env.rs`` of nteract/desktop).
``thoth``
    ``metadata.requirements``, a Pipfile, and ``metadata.requirements_lock``, a Pipfile.lock, both as JSON in text:
    jupyterlab-requirements (``tests/data/locked-notebook.ipynb`` and ``tests/base.py`` of thoth-station/jupyterlab-requirements).
    Where there is a lock, its versions and digests are what is read.
``conda``
    ``metadata.environment``, the content of an environment.yml: as a mapping, written by ``conda env attach``
    (``conda_env/cli/main_attach.py`` of conda-archive/conda-env: ``to_dict()``) and by nb_anacondacloud when it publishes
    (``nb_anacondacloud/uploader.py``: ``conda env export``), or as YAML text, by the first releases of the former.
    ``{"remote": "user/name"}`` only names an environment on a server and is refused. nbenv writes ``metadata.conda_environment``.

Others keep nothing that an environment could be made of: nb_conda_kernels and pixi-kernel only name an environment or a
project, Google Colab none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from packaging.requirements import InvalidRequirement

from carrel.core.errors import InvalidFile
from carrel.formats.environment import environment_yml, json_edits, script
from carrel.formats.environment.checks import check_url, parse_requirement
from carrel.formats.environment.pipfile import read_pipfile, read_pipfile_lock
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.environment.uv_options import requires_python
from carrel.formats.parsing import decode_text, dump_yaml, expect_mapping, expect_text, expect_texts, invalid_line, load_json, storable_json

_WHAT = "The notebook"
_TOLD_LINE = re.compile(r"\ALine \d+: ")


@dataclass(frozen=True, slots=True)
class Found:
    """What a notebook says that it needs.

    Attributes
    ----------
    form : str
        ``script``, ``nteract``, ``thoth`` or ``conda``.
    where : str
        Place in the notebook: ``cells[0]``, ``metadata.runt.uv`` …
    spec : EnvironmentSpec
    """

    form: str
    where: str
    spec: EnvironmentSpec


def find(data: bytes) -> Found | None:
    """Return what the notebook *data* says that it needs, None when it says nothing.

    Raises
    ------
    InvalidFile
        With the number of the line under ``line``.
    """
    return next(find_all(data), None)


def find_all(data: bytes) -> Iterator[Found]:
    """Yield everything that the notebook *data* says of what it needs, what counts most first.

    Raises
    ------
    InvalidFile
    """
    text, document = _load(data)
    for position, source in _sources(document):
        with _Located(text, ("cells", position, "source")):
            _check_text(source)
            block = script.find(source)
            if block is not None:
                yield Found("script", f"cells[{position}]", script.read_block(block))
    metadata = document["metadata"]
    for form, path, read in _PLACES:
        value: Any = metadata
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None and (form != "nteract" or isinstance(value, dict)):
            with _Located(text, ("metadata", *path)):
                _check_text(value)
                spec = read(value, metadata)
                if spec is not None:
                    yield Found(form, ".".join(("metadata", *path)), spec)


def read(data: bytes) -> EnvironmentSpec:
    """Return what the notebook *data* says that it needs.

    Raises
    ------
    InvalidFile
        With the number of the line under ``line``; without anything said, with code ``no_environment``.
    """
    found = find(data)
    if found is None:
        raise InvalidFile(f"{_WHAT} does not say which packages it needs.", code="no_environment")
    return replace(found.spec, notes=(f"Read from {found.where} of the notebook ({found.form}).", *found.spec.notes))


def uv_lock_of(data: bytes) -> bytes | None:
    """Return the ``uv.lock`` that ``juv lock`` keeps in a notebook (``metadata["uv.lock"]``, a text), None without one."""
    _, document = _load(data)
    lock = document["metadata"].get("uv.lock")
    _check_text(lock)
    return lock.encode() if isinstance(lock, str) else None


def _load(data: bytes) -> tuple[str, dict[str, Any]]:
    document = dict(expect_mapping(load_json(data, _WHAT, any_text=True), _WHAT))
    if not isinstance(document.get("metadata", {}), dict) or not isinstance(document.get("cells", []), list):
        raise InvalidFile(f"{_WHAT} is not of format 4: its cells or its metadata are missing.")
    document["metadata"] = document.get("metadata", {})
    return decode_text(data, _WHAT), document


def _sources(document: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the position and the source of the cells that may be scripts."""
    for position, cell in enumerate(document.get("cells", [])):
        if isinstance(cell, dict) and cell.get("cell_type") in ("code", "raw"):
            source = cell.get("source", "")
            text = "".join(part for part in source if isinstance(part, str)) if isinstance(source, list) else source
            if isinstance(text, str) and "# /// script" in text:
                yield position, text


def _check_text(value: Any) -> None:
    """Refuse text that is none: the outputs of a notebook may hold it, what it needs may not."""
    if storable_json(value) != value:
        raise InvalidFile(f"{_WHAT} says what it needs with a NUL character or half a surrogate pair, which is no character.")


class _Located:
    """Let errors that are raised within tell the line of a place in the notebook, not that of a text in it."""

    def __init__(self, text: str, path: tuple[str | int, ...]) -> None:
        self._text, self._path = text, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, InvalidFile):
            line = json_edits.line(self._text, self._path)
            inner = error.fields.get("line")
            if self._path[-1] == "source" and isinstance(inner, int) and line is not None:
                line += inner  # one line of the file for each line of the source
            detail = _TOLD_LINE.sub("", error.detail)
            raise (InvalidFile(detail, code=error.code) if line is None else invalid_line(line, detail, code=error.code)) from error


def _uv(value: Mapping[str, Any], metadata: Mapping[str, Any]) -> EnvironmentSpec | None:
    if "dependencies" not in value:
        return None
    prerelease = expect_text(value.get("prerelease") or "", "prerelease")
    pip = [_requirement(text) for text in expect_texts(value.get("dependencies"), "dependencies")]
    return EnvironmentSpec(
        pip=(*(["--pre"] if prerelease == "allow" else []), *pip),
        requires_python=str(requires_python(value)),
    )


def _requirement(text: str) -> str:
    try:
        requirement = parse_requirement(text)
    except InvalidRequirement as error:
        raise InvalidFile(f"{text[:120]!r} is no requirement (PEP 508).") from error
    if requirement.url:
        check_url(requirement.url, "A requirement")
    return str(requirement)


def _conda(value: Mapping[str, Any], metadata: Mapping[str, Any]) -> EnvironmentSpec | None:
    if "dependencies" not in value:
        return None
    dependencies = expect_texts(value.get("dependencies"), "dependencies")
    python = expect_text(value.get("python") or "", "python").strip()
    if python:
        dependencies.append(f"python{'=' if python[0].isdigit() else ' '}{python}")
    document: dict[str, Any] = {"dependencies": dependencies, "channels": expect_texts(value.get("channels"), "channels")}
    pypi = value.get("pypi_dependencies", value.get("pypi-dependencies"))
    spec = environment_yml.read(dump_yaml(document))
    return replace(spec, pip=tuple(_requirement(text) for text in expect_texts(pypi, "pypi_dependencies")))


def _thoth(value: Any, metadata: Mapping[str, Any]) -> EnvironmentSpec | None:
    asked = read_pipfile(_embedded(value, "requirements"))
    if metadata.get("requirements_lock") is not None:
        locked = read_pipfile_lock(_embedded(metadata["requirements_lock"], "requirements_lock"))
        return replace(locked, requires_python=locked.requires_python or asked.requires_python, indexes=locked.indexes or asked.indexes)
    return asked


def _embedded(value: Any, what: str) -> Mapping[str, Any]:
    _check_text(value)
    return expect_mapping(load_json(value.encode(), what) if isinstance(value, str) else value, what)


def _environment_yml(value: Any, metadata: Mapping[str, Any]) -> EnvironmentSpec | None:
    if isinstance(value, str):
        return environment_yml.read(value.encode())
    document = expect_mapping(value, "environment")
    if "dependencies" not in document and isinstance(document.get("remote"), str):
        message = f"The environment of the notebook is {document['remote'][:80]!r} on a server of its time. Attach what is in it."
        raise InvalidFile(message, code="remote_environment")
    return environment_yml.read(dump_yaml(dict(document)))


_PLACES: tuple[tuple[str, tuple[str, ...], Callable[[Any, Mapping[str, Any]], EnvironmentSpec | None]], ...] = (
    ("nteract", ("runt", "uv"), _uv),
    ("nteract", ("runt", "pixi"), _conda),
    ("nteract", ("runt", "conda"), _conda),
    ("nteract", ("uv",), _uv),
    ("nteract", ("conda",), _conda),
    ("thoth", ("requirements",), _thoth),
    ("conda", ("environment",), _environment_yml),
    ("conda", ("conda_environment",), _environment_yml),
)
