"""Pages of the simple index in the memory of one process, kept current by the version of the namespace."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from carrel.database.engine import Database
from carrel.formats.pypi import index
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.pypi.maintenance import PROTOCOL
from carrel.hub.channels.pypi.repository import BASE_MARK, PypiChannelRepository
from carrel.hub.channels.repository import ChannelVersionRepository

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


@dataclass(slots=True)
class _Namespace:
    version: int = -1
    pages: dict[PageRef, Pages] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class PypiIndexes:
    """Pages of all namespaces, as far as they are asked for. Methods may be called from any thread.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._namespaces: dict[int, _Namespace] = {}
        self._recent: OrderedDict[PageRef, int] = OrderedDict()  # bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def peek(self, ref: PageRef, version: int) -> Pages | None:
        """Return the page if it is in memory at *version* or later; touches no database."""
        namespace = self._namespaces.get(ref.namespace_id)
        if namespace is None or namespace.version < version:
            return None
        return namespace.pages.get(ref)

    def page(self, ref: PageRef) -> Pages | None:
        """Return the page at the committed version; None when there is no such project, or label, for this audience."""
        if not ref.audience.shows(ref.label):
            return None
        with self._lock:
            namespace = self._namespaces.setdefault(ref.namespace_id, _Namespace())
        with namespace.lock, self._database.read() as unit:
            repository = PypiChannelRepository(unit.connection)
            self._catch_up(namespace, ref.namespace_id, ChannelVersionRepository(unit.connection, PROTOCOL), repository)
            known = namespace.pages.get(ref)
            if known is None:
                known = _root(repository, ref) if not ref.project else _project(repository, ref)
                if known is not None:
                    namespace.pages[ref] = known
        if known is not None:
            self._keep(ref, known.size)
        return known

    def _catch_up(
        self, namespace: _Namespace, namespace_id: int, versions: ChannelVersionRepository, repository: PypiChannelRepository
    ) -> None:
        changes = versions.changes_since(namespace_id, namespace.version) if namespace.version >= 0 else None
        if changes is None or changes.package_ids is None:
            namespace.pages.clear()
            namespace.version = versions.current(namespace_id)
            return
        if changes.package_ids:
            names = repository.canonical_names(changes.package_ids)
            for ref, pages in list(namespace.pages.items()):
                if not ref.project or ref.project in names or pages.package_ids & changes.package_ids:
                    del namespace.pages[ref]
        namespace.version = changes.version

    def _keep(self, ref: PageRef, size: int) -> None:
        with self._lock:
            self._bytes += size - self._recent.pop(ref, 0)
            self._recent[ref] = size
            while self._bytes > _MAX_BYTES and len(self._recent) > 1:
                dropped, dropped_size = self._recent.popitem(last=False)
                self._bytes -= dropped_size
                namespace = self._namespaces.get(dropped.namespace_id)
                if namespace is not None:
                    namespace.pages.pop(dropped, None)


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
