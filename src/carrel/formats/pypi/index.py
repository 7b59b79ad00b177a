"""The simple index that pip and uv read (PEP 503, 691, 700).

Beside names and addresses it tells what is yanked (592), of metadata (658, 714), of other indexes (708), of provenance (740)
and of the state of a project (792).
"""

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
    provenance : str
        Absolute URL of the provenance object of its attestations; empty when there are none.
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
    provenance: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """What a page says of a project beside its files.

    Attributes
    ----------
    name : str
        Normalised.
    status, status_reason : str
        ``active``, ``deprecated``, ``archived`` or ``quarantined`` (PEP 792).
    tracks, alternate_locations : tuple of str
        URLs of the project on other indexes (PEP 708): those it extends, and those that hold it as well.
    """

    name: str
    status: str = "active"
    status_reason: str = ""
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()


def project_json(project: Project, files: Sequence[ProjectFile]) -> bytes:
    """Return the JSON page of *project*."""
    meta: dict[str, Any] = {"api-version": API_VERSION}
    if project.tracks:
        meta["tracks"] = list(project.tracks)
    status = {"status": project.status}
    if project.status_reason:
        status["reason"] = project.status_reason
    document: dict[str, Any] = {"meta": meta, "name": project.name, "project-status": status}
    if project.alternate_locations:
        document["alternate-locations"] = list(project.alternate_locations)
    document["versions"] = sorted_versions(file.version for file in files)
    document["files"] = [_file_json(file) for file in files]
    return _json(document)


def project_html(project: Project, files: Iterable[ProjectFile]) -> bytes:
    """Return the HTML page of *project*."""
    meta = [("pypi:project-status", project.status)]
    if project.status_reason:
        meta.append(("pypi:project-status-reason", project.status_reason))
    meta += [("pypi:tracks", url) for url in project.tracks]
    meta += [("pypi:alternate-locations", url) for url in project.alternate_locations]
    return _page(f"Links for {project.name}", [_anchor(file) for file in files], meta)


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
    entry["provenance"] = file.provenance or None
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
    if file.provenance:
        attributes.append(f'data-provenance="{escape(file.provenance)}"')
    return f"<a {' '.join(attributes)}>{escape(file.filename)}</a><br>"


def _page(title: str, lines: list[str], meta: Sequence[tuple[str, str]] = ()) -> bytes:
    told = "".join(f'<meta name="{name}" content="{escape(value)}">\n' for name, value in (("pypi:repository-version", API_VERSION), *meta))
    head = f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{told}<title>{escape(title)}</title>\n</head>\n<body>\n'
    return "".join([head, f"<h1>{escape(title)}</h1>\n", *(line + "\n" for line in lines), "</body>\n</html>\n"]).encode()


def sorted_versions(versions: Iterable[str]) -> list[str]:
    """Return each of *versions* once, oldest first; what PEP 440 does not know comes before the rest."""
    return sorted(set(versions), key=version_key)


@lru_cache(maxsize=50_000)
def version_key(text: str) -> tuple[int, Version | str]:
    """Return what versions are ordered by."""
    try:
        return (1, Version(text))
    except InvalidVersion:
        return (0, text)


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
