"""Packages of PyPI indexes. The simple API can be asked for names only, so a search there is for the exact name."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from email.parser import Parser
from typing import Any

import requests
from packaging.utils import InvalidName, canonicalize_name
from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedContentTypeError

from carrel.client.transport import USER_AGENT
from carrel.core.errors import UpstreamError
from carrel.extension.search.compatibility import Offer, is_prerelease, pypi_reason
from carrel.sharing.trust import origin

_KEEP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Project:
    """A project of an index. ``packages`` are its files, as the index lists them."""

    name: str
    packages: tuple[Any, ...] = field(repr=False)

    def offers(self, python_version: str) -> list[Offer]:
        """Return what the project offers to an environment."""
        return [
            Offer(
                version=package.version,
                published_at=package.upload_time.isoformat().replace("+00:00", "Z") if package.upload_time else None,
                size=package.size,
                reason=pypi_reason(package.filename, package.requires_python, python_version, yanked=bool(package.is_yanked)),
                prerelease=is_prerelease(package.version),
                kind="pypi",
            )
            for package in self.packages
            if package.version and package.package_type in ("wheel", "sdist")
        ]


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """What a project's own metadata says."""

    summary: str = ""
    description: str = ""
    license: str = ""
    home_page: str = ""
    urls: dict[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()


class PypiIndexes:
    """Looks into PyPI indexes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._projects: dict[tuple[str, str], tuple[float, Project | None]] = {}
        self._metadata: dict[str, CoreMetadata] = {}
        self._origins: dict[str, set[str]] = {}
        self._local = threading.local()

    def project(self, index: str, name: str, timeout: float) -> Project | None:
        """Return a project, None when the index has none of that name.

        Raises
        ------
        carrel.core.errors.UpstreamError
        """
        try:
            canonical = canonicalize_name(name, validate=True)
        except InvalidName:
            return None
        key = (index, canonical)
        with self._lock:
            known = self._projects.get(key)
        if known is not None and time.monotonic() - known[0] < _KEEP_SECONDS:
            return known[1]
        try:
            page = self._client(index).get_project_page(canonical, timeout=timeout)
            project: Project | None = Project(page.project, tuple(page.packages))
        except NoSuchProjectError:
            project = None
        except (requests.RequestException, UnsupportedContentTypeError, ValueError) as error:
            raise UpstreamError("The index did not answer.") from error
        with self._lock:
            if len(self._projects) > 500:
                self._projects.clear()
            self._projects[key] = (time.monotonic(), project)
            if project is not None:
                self._origins.setdefault(index, set()).update(origin(package.url) for package in project.packages)
        return project

    def file_origins(self, index: str, timeout: float) -> frozenset[str]:
        """Return the servers that *index* keeps its files on, as far as its pages told; a page is asked for if none was."""
        with self._lock:
            found = self._origins.get(index)
        if not found:
            self.project(index, "pip", timeout)
            with self._lock:
                found = self._origins.get(index)
        return frozenset(found or ())

    def metadata(self, index: str, project: Project, version: str, timeout: float) -> CoreMetadata:
        """Return the metadata of a version; empty where the index does not give it apart from the file."""
        package = next((p for p in project.packages if p.version == version and p.has_metadata and not p.is_yanked), None)
        if package is None:
            return CoreMetadata()
        with self._lock:
            known = self._metadata.get(package.url)
        if known is None:
            try:
                text = self._client(index).get_package_metadata(package, timeout=timeout)
            except Exception:  # an index that promised metadata and has none is no reason to show nothing
                return CoreMetadata()
            known = _parse(text)
            with self._lock:
                if len(self._metadata) > 500:
                    self._metadata.clear()
                self._metadata[package.url] = known
        return known

    def _client(self, index: str) -> PyPISimple:
        clients: dict[str, PyPISimple] = self._local.__dict__.setdefault("clients", {})
        if index not in clients:
            session = requests.Session()
            session.headers["User-Agent"] = USER_AGENT
            clients[index] = PyPISimple(index, session=session)
        return clients[index]


def _parse(text: str) -> CoreMetadata:
    message = Parser().parsestr(text)
    urls = {}
    for value in message.get_all("Project-URL") or []:
        label, _, url = str(value).partition(",")
        if url.strip().startswith(("https://", "http://")):
            urls[label.strip()] = url.strip()
    body = message.get_payload()
    home = str(message.get("Home-page") or urls.get("Homepage") or urls.get("homepage") or "")
    return CoreMetadata(
        summary=str(message.get("Summary") or ""),
        description=str(message.get("Description") or (body if isinstance(body, str) else "")),
        license=str(message.get("License-Expression") or message.get("License") or "")[:200],
        home_page=home if home.startswith(("https://", "http://")) else "",
        urls=urls,
        requires=tuple(str(value) for value in message.get_all("Requires-Dist") or []),
    )
