"""Indexes of R repositories in the memory of one process, kept current by the version of the namespace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection

from carrel.database.engine import Database
from carrel.formats.cran import index
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.cran.maintenance import PROTOCOL
from carrel.hub.channels.cran.repository import CranChannelRepository, Entry
from carrel.hub.channels.kept import KeptIndexes

_MAX_BYTES = 48 * 1024 * 1024
_MAX_BUILT = 32  # indexes of one tree: four forms for each kind of viewer
_ENTRY_BYTES = 1500  # what one takes in memory, about


class Form(StrEnum):
    """What is asked of a tree."""

    TEXT = "PACKAGES"
    GZIP = "PACKAGES.gz"
    RDS = "PACKAGES.rds"
    ARCHIVE = "Meta/archive.rds"


@dataclass(frozen=True, slots=True)
class Index:
    """An index; the ETag is strong, with its quotes."""

    data: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class TreeRef:
    """A tree of a repository; *subdir* is empty for sources."""

    namespace_id: int
    label: str
    subdir: str


@dataclass(slots=True)
class _Tree:
    entries: dict[int, tuple[Entry, ...]]
    built: dict[tuple[Audience, Form], Index] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return _ENTRY_BYTES * sum(map(len, self.entries.values())) + sum(len(item.data) for item in self.built.values())


class CranIndexes:
    """Indexes of all namespaces, as far as they are asked for. Methods may be called from any thread.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._kept: KeptIndexes[TreeRef, _Tree] = KeptIndexes(database, PROTOCOL, _MAX_BYTES, _update)

    def peek(self, ref: TreeRef, audience: Audience, form: Form, version: int) -> Index | None:
        """Return the index if it is in memory at *version* or later; touches no database."""
        tree = self._kept.peek(ref, version)
        return None if tree is None else tree.built.get((audience, form))

    def index(self, ref: TreeRef, audience: Audience, form: Form) -> Index | None:
        """Return the index at the committed version; None when there is no such label for this audience.

        Every platform has a tree, empty until something is uploaded for it: R takes an absent one for a failure.
        """
        if not audience.shows(ref.label):
            return None
        with self._kept.current(ref.namespace_id) as (connection, trees):
            repository = CranChannelRepository(connection)
            tree = trees.get(ref)
            if tree is None:
                tree = _Tree(_by_package(repository.entries(ref.namespace_id, ref.label, ref.subdir)))
            built = tree.built.get((audience, form))
            if built is None:
                visible = [entry for entries in tree.entries.values() for entry in entries if _sees(audience, entry)]
                if visible or ref.label == "main" or repository.label_is_listed(ref.namespace_id, ref.label, audience):
                    built = build(visible, form)
                    if len(tree.built) >= _MAX_BUILT:
                        tree.built.clear()
                    tree.built[audience, form] = built
                elif not tree.entries:
                    return None  # labels named by chance are not kept
            trees[ref] = tree
            size = tree.size
        self._kept.keep(ref, size)
        return built


def _update(connection: Connection, trees: dict[TreeRef, _Tree], package_ids: Set[int]) -> None:
    repository = CranChannelRepository(connection)
    for ref, tree in list(trees.items()):
        if not tree.entries:  # of a platform that was named by chance, perhaps: not to be looked at after every change
            trees.pop(ref, None)
            continue
        found = _by_package(repository.entries(ref.namespace_id, ref.label, ref.subdir, package_ids))
        for package_id in package_ids:
            tree.entries.pop(package_id, None)
        tree.entries.update(found)
        tree.built.clear()


def build(entries: Iterable[Entry], form: Form) -> Index:
    """Return an index of *entries*: of each package the highest version that is not yanked; the others are its archive."""
    ordered = sorted(entries, key=lambda entry: (entry.stanza["Package"], index.version_key(entry.stanza["Version"])))
    listed = {entry.stanza["Package"]: entry for entry in ordered if not entry.yanked}
    stanzas = [listed[name].stanza for name in sorted(listed)]
    if form is Form.ARCHIVE:
        return _index(
            index.archive_rds(
                [
                    index.ArchivedFile(entry.stanza["Package"], entry.filename, entry.size, entry.uploaded_at)
                    for entry in ordered
                    if listed.get(entry.stanza["Package"]) is not entry
                ]
            )
        )
    if form is Form.RDS:
        return _index(index.packages_rds(stanzas))
    text = index.packages(stanzas)
    return _index(index.packages_gz(text) if form is Form.GZIP else text)


def _index(data: bytes) -> Index:
    return Index(data, f'"{hashlib.sha256(data).hexdigest()}"')


def _sees(audience: Audience, entry: Entry) -> bool:
    return audience.sees(entry.package_id, entry.name_key, entry.visibility)


def _by_package(entries: Iterable[Entry]) -> dict[int, tuple[Entry, ...]]:
    found: dict[int, tuple[Entry, ...]] = {}
    for entry in entries:
        found[entry.package_id] = (*found.get(entry.package_id, ()), entry)
    return found
