"""Reading environment files of every known format: which one it is, what it holds, that it holds no credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from packaging.pylock import Pylock

from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.kinds import Kind
from carrel.core.names import slugify
from carrel.formats.base import FileMetadata, Hints, Limits
from carrel.formats.environment import (
    conda_lock,
    environment_yml,
    explicit,
    notebook_metadata,
    pixi_lock,
    pixi_toml,
    pylock,
    pyproject,
    requirement_lines,
    requirements,
    script,
    unlockable,
    uv_lock,
)
from carrel.formats.environment.checks import refuse_credentials_in_text
from carrel.formats.environment.conda_specs import archive_of, name_of
from carrel.formats.environment.description import Description, ListedPackage, of_lock
from carrel.formats.environment.identifying import FileFormat, by_name, identify
from carrel.formats.environment.lock import split_conda_url
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import as_utf8, decode_text, load_yaml, read_all, storable, with_lines

_PINNED = re.compile(r"[^\s=]+\s*={1,2}\s*([A-Za-z0-9_.!+]+)(?:=\S+)?\Z")
_SNIFFED_BYTES = 256 * 1024


class EnvironmentFormat:
    """Environment files: locks and specifications."""

    kind = Kind.ENVIRONMENT

    def matches(self, filename: str) -> bool:
        """Whether a known format is named like *filename*; every ``.txt`` may be an explicit file."""
        return filename.endswith(".txt") or by_name(filename) is not None

    def recognises(self, source: BinaryIO | None, filename: str) -> bool:
        """Whether the name alone tells, or a ``.txt`` has the line ``@EXPLICIT``."""
        if by_name(filename) is not None:
            return True
        return source is not None and _sniff(source)

    def read(self, source: BinaryIO, filename: str, hints: Hints, limits: Limits) -> FileMetadata:
        """Read the environment file *source*; see :class:`carrel.formats.base.Format`.

        Raises
        ------
        BadRequest
            The version is not given (code ``version_required``), or no format is known under this name.
        InvalidFile
            Among others with code ``credentials_in_file``.
        """
        if not hints.version:
            raise BadRequest("An environment file cannot tell its version. Say which version it is.", code="version_required")
        data = read_all(source, filename, limits.metadata_bytes)
        description = describe(data, filename)
        names = " ".join(item.name for item in description.packages)
        return FileMetadata(
            kind=Kind.ENVIRONMENT,
            package=hints.package
            or slugify(description.name or re.sub(r"[.](?:ya?ml|toml|lock|txt|pyw?|ipynb)\Z", "", filename), "environment"),
            version=hints.version,
            filename=filename,
            attributes=description.to_json(),
            properties={
                "format": description.format,
                "platform": description.platforms[0] if description.platforms else "",
                "python_version": description.python_version,
                "digest": description.digest,
            },
            search_text=storable(names, limits.text_length),
        )


def describe(data: bytes, filename: str) -> Description:
    """Return what the environment file *data* says.

    Raises
    ------
    InvalidFile
        The file breaks its format, or holds credentials (code ``credentials_in_file``).
    BadRequest
        No format is known under this name (code ``unknown_environment_format``).
    """
    format_ = identify(filename, data)
    text = requirement_lines.decode(data) if format_ is FileFormat.REQUIREMENTS else decode_text(as_utf8(data), filename[:120])
    refuse_credentials_in_text(text, filename[:120])
    description = _DESCRIBERS[format_](data)
    # once more, with what escapes (\\u0040) stand for
    try:
        refuse_credentials_in_text("\n".join(_told(description)), filename[:120])
    except InvalidFile as error:  # the line is none of the file
        raise InvalidFile(error.detail.partition(": ")[2], code=error.code) from None
    return description


def _told(description: Description) -> Iterator[str]:
    """Yield the texts of *description* that may hold addresses."""
    yield from description.channels
    yield from description.requested
    yield from (item.channel for item in description.packages)
    yield from (message for _, message in description.problems)


def _describe_conda_lock(data: bytes) -> Description:
    data = as_utf8(data)
    document = load_yaml(data, "The lock file")
    with with_lines(data, "yaml"):
        platforms = conda_lock.platforms(document)
        return of_lock(conda_lock.parse(document, platforms[0]), "conda-lock", platforms)


def _describe_pylock(data: bytes) -> Description:
    document = pylock.parse(data)
    python = str(document.requires_python or "")
    try:
        lock = pylock.read(data)
    except BadRequest as error:
        if error.code not in {"not_from_index", "platform_required"}:
            raise
        return _listed_pylock(document, python, locked=error.code == "platform_required", problems=((error.code, error.detail),))
    found = of_lock(lock, "pylock")
    if {item.code for item in lock.problems} & unlockable.CODES and not lock.platform:
        return _listed_pylock(document, python, locked=False, problems=found.problems)
    return replace(found, python_version=found.python_version or python)


def _listed_pylock(document: Pylock, python: str, *, locked: bool, problems: tuple[tuple[str, str], ...]) -> Description:
    """Describe a file that is for several platforms, or names what no index has."""
    packages = {
        str(item.name): ListedPackage(str(item.name), str(item.version or ""), "", "pypi", item.index or "") for item in document.packages
    }
    problems = () if locked else problems
    return Description(format="pylock", locked=locked, python_version=python, packages=tuple(packages.values()), problems=problems)


def _describe_explicit(data: bytes) -> Description:
    return of_lock(explicit.read(data), "explicit")


def _describe_environment_yml(data: bytes) -> Description:
    return _described(environment_yml.read(data), FileFormat.ENVIRONMENT_YML)


def _described(spec: EnvironmentSpec, format_: FileFormat) -> Description:
    asked = (*spec.dependencies, *(text for _, text in spec.selected))
    conda = dict.fromkeys(_listed(text) for text in asked)  # one that several platforms ask for alike is listed once
    pip = requirements.describe_requirements(spec, format_)
    python = next((text for text in spec.dependencies if _listed(text).name == "python"), "")
    return replace(
        pip,
        locked=False,
        channels=spec.channels if conda else pip.channels,
        requested=tuple(dict.fromkeys([*asked, *spec.pip])),
        python_version=python.removeprefix("python").lstrip(" =").strip() or spec.requires_python,
        packages=(*conda, *pip.packages),
    )


def _listed(text: str) -> ListedPackage:
    name = name_of(text)
    if archive := archive_of(text):
        return ListedPackage(name, *archive[1:], "conda", split_conda_url(text)[0])
    channel, _, spec = text.rpartition("::")
    pinned = _PINNED.match(spec)
    return ListedPackage(name or text[:100], pinned[1] if pinned else "", "", "conda", channel)


def _describe_conda_list(data: bytes) -> Description:
    return _described(explicit.read_specs(data), FileFormat.CONDA_LIST)


def _describe_pixi_toml(data: bytes) -> Description:
    return _described(pixi_toml.read(data), FileFormat.PIXI_TOML)


def _describe_notebook(data: bytes) -> Description:
    return _described(notebook_metadata.read(data), FileFormat.NOTEBOOK)


_DESCRIBERS: dict[FileFormat, Callable[[bytes], Description]] = {
    FileFormat.CONDA_LOCK: _describe_conda_lock,
    FileFormat.PYLOCK: _describe_pylock,
    FileFormat.PIXI_LOCK: pixi_lock.describe,
    FileFormat.PIXI_TOML: _describe_pixi_toml,
    FileFormat.PYPROJECT: pyproject.describe,
    FileFormat.UV_LOCK: uv_lock.describe,
    FileFormat.EXPLICIT: _describe_explicit,
    FileFormat.CONDA_LIST: _describe_conda_list,
    FileFormat.ENVIRONMENT_YML: _describe_environment_yml,
    FileFormat.REQUIREMENTS: requirements.describe,
    FileFormat.SCRIPT: script.describe,
    FileFormat.NOTEBOOK: _describe_notebook,
}


def _sniff(source: BinaryIO) -> bool:
    head = source.read(_SNIFFED_BYTES)
    source.seek(0)
    return explicit.is_explicit(head)
