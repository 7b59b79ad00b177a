"""The simple index over HTTP (PEP 503, 691, 700, 714), the files it names, and what is said beside them."""

from __future__ import annotations

import hashlib
import json
from html import escape
from urllib.parse import quote

from packaging.utils import canonicalize_version

from carrel.core.errors import NotFound
from carrel.core.names import canonical_package
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats.pypi.index import HTML_TYPE
from carrel.formats.pypi.project_api import latest_version, project_description
from carrel.formats.pypi.provenance import file_project
from carrel.hub.channels.files import find_pypi, pypi_address
from carrel.hub.channels.flights import SingleFlight
from carrel.hub.channels.handlers import ChannelHandler
from carrel.hub.channels.pypi.indexes import PageRef, Pages
from carrel.hub.channels.pypi.maintenance import PROTOCOL
from carrel.hub.channels.pypi.negotiation import Form, negotiate
from carrel.hub.channels.pypi.repository import METADATA_SUFFIX, PROVENANCE_SUFFIX, Described, PypiChannelRepository
from carrel.hub.files.lookup import Located
from carrel.hub.web.endpoint import Reply, endpoint

OCTETS = "application/octet-stream"
JSON = "application/json"
PROVENANCE_JSON = "application/vnd.pypi.integrity.v1+json"
_pages: SingleFlight[Pages | None] = SingleFlight()


class SimpleHandler(ChannelHandler):
    """Answers with a page in the form that the client asks for."""

    async def answer(self, namespace: str, label: str, project: str) -> Reply | None:
        """Write the page of *project*, or the list of all projects when it is empty."""
        self.add_vary("Accept")
        form = negotiate(self.request.headers.get("Accept", ""))
        if form is None:
            return Reply(f"This index speaks {', '.join(form.value for form in Form)}.\n".encode(), 406, {"Content-Type": "text/plain"})
        namespace_id = await self.namespace_id(namespace)
        ref = PageRef(namespace_id, label, project, self.audience(namespace_id))
        pages = await self._current(ref)
        if pages is None:
            raise NotFound(f"There is no project {project[:80]!r} here." if project else f"There is no label {label[:80]!r} here.")
        base = f"{self.urls.base}/pypi/{quote(namespace)}"
        page = pages.json.at(json.dumps(base)[1:-1]) if form is Form.JSON else pages.html.at(escape(base))
        if not self.fresh(page.etag):
            self.send(page.data, "text/html; charset=utf-8" if form is Form.TEXT else form.value)
        return None

    async def _current(self, ref: PageRef) -> Pages | None:
        version = await self.current_version(ref.namespace_id, PROTOCOL)
        indexes = self.channels.pypi
        known = indexes.peek(ref, version)
        if known is None:
            known = await _pages.run((id(indexes), ref, version), lambda: self.hub.pool.compute(lambda: indexes.page(ref)))
        return known


class RootHandler(SimpleHandler):
    """``simple/``: all projects."""

    @endpoint(summary="All projects of a simple index", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=HTML_TYPE)
    async def get(self, namespace: str, label: str = "main") -> Reply | None:
        """Return the list of projects as HTML or JSON, by the ``Accept`` header."""
        return await self.answer(namespace, label, "")


class ProjectHandler(SimpleHandler):
    """``simple/<project>/``: the files of a project."""

    @endpoint(summary="Files of a project", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=HTML_TYPE)
    async def get(self, namespace: str, project: str, label: str = "main") -> Reply | None:
        """Return the files of a project as HTML or JSON; other spellings of its name are redirected to the normalised one."""
        normalised = canonical_package(project)
        if normalised != project:
            return _moved(f"../{quote(normalised, safe='')}/")
        return await self.answer(namespace, label, project)


class SlashHandler(ChannelHandler):
    """Addresses of pages without the slash at the end."""

    @endpoint(summary="Redirect to the address with a slash", scope=Scope.PYPI_DOWNLOAD, anonymous=True, status=301)
    async def get(self, namespace: str, last: str, label: str = "main") -> Reply | None:
        """Redirect. The address is relative: a token in the path is kept by the client, and is not repeated here."""
        # Quoted, or a name that begins with slashes would lead to another host.
        return _moved(f"{last if last == 'simple' else quote(canonical_package(last), safe='')}/")


class _FilesHandler(ChannelHandler):
    async def distribution(self, namespace: str, filename: str) -> Located:
        """Return a distribution that the caller may download.

        Raises
        ------
        NotFound
        """
        return await self.locate(pypi_address(namespace, filename, ""), lambda uow: find_pypi(uow, namespace, filename), filename)

    async def beside(self, namespace: str, filename: str, suffix: str) -> Located:
        """Return the companion *suffix* of a distribution.

        Raises
        ------
        NotFound
        """
        address = pypi_address(namespace, filename, suffix)
        return await self.locate(address, lambda uow: find_pypi(uow, namespace, filename, suffix), filename)


class DistributionHandler(_FilesHandler):
    """``files/<sha256>/<filename>``: a distribution, or the metadata of a wheel (PEP 658)."""

    @endpoint(summary="Download a Python distribution", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=OCTETS)
    async def get(self, namespace: str, sha256: str, filename: str, label: str = "main") -> None:
        """Return the bytes; the address names them, so it never answers with others."""
        item = await self.distribution(namespace, filename)
        if item.sha256 != sha256:
            raise NotFound(f"There is no file {filename[:255]!r} with these bytes here.")
        await self.send_file(item, OCTETS)


class MetadataHandler(_FilesHandler):
    """``files/<sha256>/<filename>.metadata``."""

    @endpoint(summary="Metadata of a wheel", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type="text/plain")
    async def get(self, namespace: str, sha256: str, filename: str, label: str = "main") -> None:
        """Return the ``METADATA`` file of a wheel (PEP 658)."""
        if (await self.distribution(namespace, filename)).sha256 != sha256:
            raise NotFound(f"There is no file {filename[:255]!r} with these bytes here.")
        item = await self.beside(namespace, filename, METADATA_SUFFIX)
        await self.send_file(item, "text/plain; charset=utf-8", count=False)


class ProvenanceHandler(_FilesHandler):
    """``integrity/<project>/<version>/<filename>/provenance``."""

    @endpoint(summary="Provenance of a distribution", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=PROVENANCE_JSON)
    async def get(self, namespace: str, project: str, version: str, filename: str) -> None:
        """Return the provenance object of a file (PEP 740): its attestations, and who published it."""
        await self.distribution(namespace, filename)
        told = file_project(filename)
        if told is None or (told[0], canonicalize_version(told[1])) != (canonical_package(project), canonicalize_version(version)):
            raise NotFound(f"There is no file {filename[:255]!r} of {project[:80]} {version[:80]} here.")
        try:
            item = await self.beside(namespace, filename, PROVENANCE_SUFFIX)
        except NotFound as error:
            raise NotFound(f"No provenance is available for {filename[:255]!r}.") from error
        await self.send_file(item, PROVENANCE_JSON, count=False)


class ProjectApiHandler(ChannelHandler):
    """``<project>/json`` and ``<project>/<version>/json``: what tools ask beside the simple index."""

    @endpoint(summary="JSON description of a project", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, project: str, version: str = "", label: str = "main") -> None:
        """Return the metadata and the files of a version, by default of the one that installers take by themselves."""
        namespace_id = await self.namespace_id(namespace)
        audience = self.audience(namespace_id)
        serial = await self.current_version(namespace_id, PROTOCOL)
        base = f"{self.urls.base}/pypi/{quote(namespace)}" + ("" if label == "main" else f"/label/{quote(label)}")
        normalised = canonical_package(project)

        def find(uow: UnitOfWork) -> Described | None:
            return PypiChannelRepository(uow.connection).describe(namespace_id, label, normalised, audience, base)

        found = await self.hub.pool.read(find) if audience.shows(label) else None
        if found is None:
            raise NotFound(f"There is no project {project[:80]!r} here.")
        known = {canonicalize_version(file.version): file.version for file in found.files}
        chosen = known.get(canonicalize_version(version)) if version else latest_version(found.files)
        if chosen is None:
            raise NotFound(f"There is no version {version[:80]!r} of {project[:80]!r} here.")
        page = self.urls.page(namespace, found.package_name)
        text = found.descriptions.get(chosen, "")
        data = project_description(found.project, found.files, chosen, text, page, releases=not version, serial=serial)
        if not self.fresh(f'"{hashlib.sha256(data).hexdigest()}"'):
            self.send(data, JSON)


def _moved(location: str) -> Reply:
    return Reply(None, 301, {"Location": location, "Cache-Control": "public, max-age=86400"})
