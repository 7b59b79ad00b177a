"""What the pages show of files: environments, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from carrel.core.names import canonical_package
from carrel.formats.environment.conda_specs import name_of
from carrel.hub.notebooks.markdown import Heading


@dataclass(frozen=True, slots=True)
class PackageRow:
    """A package of an environment; *source* is the name of its channel or index."""

    name: str
    version: str
    build: str
    source: str
    requested: bool


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """A published environment."""

    filename: str
    format: str
    locked: bool
    kind: str
    platforms: Sequence[str]
    python_version: str
    packages: Sequence[PackageRow]
    package_count: int
    pypi_count: int
    channels: Sequence[str]
    download_bytes: int
    digest: str
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class DataView:
    """What is shown of a data file: its first rows, only its columns where rows are not read, or its first lines.

    Attributes
    ----------
    row_count : int or None
        How many rows there are, where the file says so.
    """

    filename: str
    columns: Sequence[Mapping[str, Any]]
    rows: Sequence[Sequence[Any]]
    lines: Sequence[str]
    row_count: int | None


@dataclass(frozen=True, slots=True)
class NotebookView:
    """A rendered notebook and the frame that shows it; *height* in CSS pixels."""

    filename: str
    render_url: str
    sandbox: str
    height: int
    headings: Sequence[Heading]


@dataclass(frozen=True, slots=True)
class ReproduceView:
    """How to reproduce a notebook: a command, and what goes after the address of a JupyterLab."""

    command: str
    lab: str


def environment_view(filename: str, attributes: Mapping[str, Any]) -> EnvironmentView:
    """Return the environment that the attributes of a file tell of (see ``carrel.formats.environment.description``)."""
    requested = {name_of(text) for text in attributes.get("requested", ())}
    canonical = {canonical_package(name) for name in requested}
    listed = attributes.get("packages", ())
    rows = [
        PackageRow(
            item["name"],
            item.get("version", ""),
            item.get("build", ""),
            source_name(item.get("channel") or item.get("index") or "") or ("Python index" if item.get("source") == "pypi" else ""),
            canonical_package(item["name"]) in canonical if item.get("source") == "pypi" else item["name"].lower() in requested,
        )
        for item in listed
    ]
    pypi_count = attributes.get("pypi_count", 0)
    return EnvironmentView(
        filename=filename,
        format=attributes.get("format", ""),
        locked=bool(attributes.get("locked")),
        kind="venv" if pypi_count and pypi_count == attributes.get("package_count") else "conda",
        platforms=attributes.get("platforms", ()),
        python_version=attributes.get("python_version", ""),
        packages=sorted(rows, key=lambda row: (not row.requested, row.name.lower())),
        package_count=attributes.get("package_count", len(rows)),
        pypi_count=pypi_count,
        channels=[source_name(url) for url in attributes.get("channels", ())],
        download_bytes=attributes.get("download_bytes", 0),
        digest=attributes.get("digest", ""),
        problems=[item["message"] for item in attributes.get("problems", ())],
    )


def data_view(filename: str, attributes: Mapping[str, Any]) -> DataView | None:
    """Return what can be shown of a data file (see ``carrel.formats.datafile.metadata``), None if nothing."""
    columns, lines = attributes.get("columns") or (), attributes.get("lines") or ()
    if not columns and not lines:
        return None
    return DataView(filename, columns, attributes.get("rows") or (), lines, attributes.get("row_count"))


def source_name(url: str) -> str:
    """Return what people call a channel or an index: its path, else its host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if not parts.netloc:
        return url
    path = parts.path.strip("/").removeprefix("conda/").removeprefix("pypi/").removesuffix("/simple").removesuffix("simple")
    return path or parts.netloc
