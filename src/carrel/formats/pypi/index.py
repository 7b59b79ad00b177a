"""The simple index that pip and uv read: PEP 503 (HTML), 691 (JSON), 592 (yanked), 658/714 (metadata), 700 (sizes, times)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any

from packaging.version import InvalidVersion, Version

from carrel.core.clock import to_rfc3339

API_VERSION = "1.4"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """One file on the page of a project.

    Attributes
    ----------
    filename, version : str
    url : str
        Where the file is, absolute or relative to the page, without a fragment.
    sha256 : str
        Hexadecimal.
    size : int
        Bytes.
    upload_time : datetime
    requires_python : str
        Empty when the file does not say.
    metadata_sha256 : str
        Digest of what ``<url>.metadata`` answers; empty when there is nothing.
    yanked : bool or str
        The reason, or True without one.
    """

    filename: str
    version: str
    url: str
    sha256: str
    size: int
    upload_time: datetime
    requires_python: str = ""
    metadata_sha256: str = ""
    yanked: bool | str = False


def project_json(project: str, files: Sequence[ProjectFile]) -> bytes:
    """Return the JSON page of *project* (its normalised name)."""
    document = {
        "meta": {"api-version": API_VERSION},
        "name": project,
        "project-status": {"status": "active"},
        "versions": _versions(files),
        "files": [_file_json(file) for file in files],
    }
    return _json(document)


def project_html(project: str, files: Iterable[ProjectFile]) -> bytes:
    """Return the HTML page of *project*."""
    return _page(f"Links for {project}", [_anchor(file) for file in files])


def root_json(projects: Iterable[str]) -> bytes:
    """Return the JSON list of all *projects* (normalised names)."""
    return _json({"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in projects]})


def root_html(projects: Iterable[str]) -> bytes:
    """Return the HTML list of all *projects*, with links relative to the page."""
    return _page("Simple index", [f'<a href="{escape(name)}/">{escape(name)}</a><br>' for name in projects])


def _file_json(file: ProjectFile) -> dict[str, Any]:
    entry: dict[str, Any] = {"filename": file.filename, "url": file.url, "hashes": {"sha256": file.sha256}}
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    metadata: dict[str, str] | bool = {"sha256": file.metadata_sha256} if file.metadata_sha256 else False
    entry["core-metadata"] = entry["dist-info-metadata"] = metadata
    entry["yanked"] = file.yanked
    entry["size"] = file.size
    entry["upload-time"] = to_rfc3339(file.upload_time)
    return entry


def _anchor(file: ProjectFile) -> str:
    attributes = [f'href="{escape(file.url)}#sha256={file.sha256}"']
    if file.requires_python:
        attributes.append(f'data-requires-python="{escape(file.requires_python)}"')
    if file.metadata_sha256:
        attributes.append(f'data-core-metadata="sha256={file.metadata_sha256}"')
        attributes.append(f'data-dist-info-metadata="sha256={file.metadata_sha256}"')
    if file.yanked is not False:
        attributes.append(f'data-yanked="{escape(file.yanked) if isinstance(file.yanked, str) else ""}"')
    return f"<a {' '.join(attributes)}>{escape(file.filename)}</a><br>"


def _page(title: str, lines: list[str]) -> bytes:
    head = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{API_VERSION}">\n<title>{escape(title)}</title>\n</head>\n<body>\n'
    )
    return "".join([head, f"<h1>{escape(title)}</h1>\n", *(line + "\n" for line in lines), "</body>\n</html>\n"]).encode()


def _versions(files: Iterable[ProjectFile]) -> list[str]:
    return sorted({file.version for file in files}, key=_version_key)


@lru_cache(maxsize=50_000)
def _version_key(text: str) -> tuple[int, Version | str]:
    try:
        return (1, Version(text))
    except InvalidVersion:
        return (0, text)


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
