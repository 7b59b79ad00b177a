"""Pages of the simple index in the memory of one process, kept current by the version of the namespace."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import dataclass

from sqlalchemy import Connection

from carrel.database.engine import Database
from carrel.formats.pypi import index
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.kept import KeptIndexes
from carrel.hub.channels.pypi.maintenance import PROTOCOL
from carrel.hub.channels.pypi.repository import BASE_MARK, PypiChannelRepository

_MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """One page in one media type; the ETag is strong, with its quotes.

    A *marked* page holds :data:`carrel.hub.channels.pypi.repository.BASE_MARK` where an absolute address is to stand.
    """

    data: bytes
    etag: str
    marked: bool = False

    def at(self, base: str) -> Page:
        """Return the page with the addresses that begin with *base*, which is escaped for the media type already."""
        return _page(self.data.replace(BASE_MARK.encode(), base.encode())) if self.marked else self


@dataclass(frozen=True, slots=True)
class Pages:
    """A page in both media types, and the packages that it tells of."""

    json: Page
    html: Page
    package_ids: frozenset[int]

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.json.data) + len(self.html.data)


@dataclass(frozen=True, slots=True)
class PageRef:
    """A page; *project* is the normalised name, empty for the list of all projects."""

    namespace_id: int
    label: str
    project: str
    audience: Audience


class PypiIndexes:
    """Pages of all namespaces, as far as they are asked for. Methods may be called from any thread.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._kept: KeptIndexes[PageRef, Pages] = KeptIndexes(database, PROTOCOL, _MAX_BYTES, _forget)

    def peek(self, ref: PageRef, version: int) -> Pages | None:
        """Return the page if it is in memory at *version* or later; touches no database."""
        return self._kept.peek(ref, version)

    def page(self, ref: PageRef) -> Pages | None:
        """Return the page at the committed version; None when there is no such project, or label, for this audience."""
        if not ref.audience.shows(ref.label):
            return None
        with self._kept.current(ref.namespace_id) as (connection, pages):
            known = pages.get(ref)
            if known is None:
                repository = PypiChannelRepository(connection)
                known = _root(repository, ref) if not ref.project else _project(repository, ref)
                if known is not None:
                    pages[ref] = known
        if known is not None:
            self._kept.keep(ref, known.size)
        return known


def _forget(connection: Connection, pages: dict[PageRef, Pages], package_ids: Set[int]) -> None:
    """Drop the lists of projects, and the pages that tell of packages or are to."""
    names = PypiChannelRepository(connection).canonical_names(package_ids)
    for ref, known in list(pages.items()):
        if not ref.project or ref.project in names or known.package_ids & package_ids:
            pages.pop(ref, None)


def _project(repository: PypiChannelRepository, ref: PageRef) -> Pages | None:
    listed = repository.project(ref.namespace_id, ref.label, ref.project, ref.audience)
    if listed is None:
        return None
    marked = any(file.provenance for file in listed.files)
    return Pages(
        _page(index.project_json(listed.project, listed.files), marked=marked),
        _page(index.project_html(listed.project, listed.files), marked=marked),
        listed.package_ids,
    )


def _root(repository: PypiChannelRepository, ref: PageRef) -> Pages | None:
    projects = repository.projects(ref.namespace_id, ref.label, ref.audience)
    # A label that lists nothing to others is absent for them.
    if not projects and ref.label != "main" and (not ref.audience.sees_all or not repository.label_is_known(ref.namespace_id, ref.label)):
        return None
    return Pages(_page(index.root_json(projects)), _page(index.root_html(projects)), frozenset())


def _page(data: bytes, *, marked: bool = False) -> Page:
    return Page(data, f'"{hashlib.sha256(data).hexdigest()}"', marked)
