"""The shard indexes of one process, kept in memory and current.

A reader names the committed version; an index that is older catches up with the packages changed since, so the first
read after an upload costs a look at one package, whatever the size of the channel, and a burst of uploads that nobody
reads costs nothing. The body is then packed once for all who wait.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from carrel.database.engine import Database
from carrel.formats.conda import index
from carrel.formats.conda.index import Revision
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.maintenance import PROTOCOL
from carrel.hub.channels.conda.repository import CondaChannelRepository
from carrel.hub.channels.conda.rows import Entry, Listed
from carrel.hub.channels.repository import ChannelVersionRepository

# Part of every ETag of a whole index: bump it when the same shards are written as other JSON.
JSON_FORMAT = b"2"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ENTRIES = 2_000_000
_MAX_SPECIAL = 32  # indexes of one channel for callers who were given packages, or whose tokens are narrowed
_MAX_SHARD_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """One subdir of one channel."""

    namespace_id: int
    label: str
    subdir: str


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """``repodata_shards.msgpack.zst`` for one audience.

    Attributes
    ----------
    data : bytes
    etag : str
        Strong, with its quotes.
    content_key : str
        Digest of the names and shards listed: names the whole index made of them.
    count : int
        Number of names.
    """

    data: bytes
    etag: str
    content_key: str
    count: int


@dataclass(slots=True)
class _Channel:
    label_id: int | None
    relations: dict[str, str] | None = None
    entries: dict[int, Entry] = field(default_factory=dict)
    order: list[tuple[str, int]] = field(default_factory=list)
    built: dict[Audience, ShardIndex] = field(default_factory=dict)

    def keep(self, audience: Audience, index: ShardIndex) -> None:
        """Keep what was built: for the audiences that many share, and for some of the others."""
        if not audience.is_common:
            special = [key for key in self.built if not key.is_common]
            if len(special) >= _MAX_SPECIAL:
                del self.built[special[0]]
        self.built[audience] = index

    def replace(self, package_id: int, entry: Entry | None) -> None:
        """Put *entry* in place of what the package had."""
        former = self.entries.pop(package_id, None)
        if former == entry:
            if former is not None:
                self.entries[package_id] = former
            return
        self.built.clear()
        if former is not None and (entry is None or entry.name != former.name):
            del self.order[bisect_left(self.order, (former.name, package_id))]
        if entry is not None:
            self.entries[package_id] = entry
            if former is None or entry.name != former.name:
                insort(self.order, (entry.name, package_id))


@dataclass(slots=True)
class _Namespace:
    version: int = -1
    channels: OrderedDict[tuple[str, str], _Channel] = field(default_factory=OrderedDict)
    listed: dict[int, Listed] = field(default_factory=dict)  # the packages whose shards are in memory
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True, slots=True)
class _Content:
    data: bytes
    package_ids: tuple[int, ...]


class CondaIndexes:
    """Indexes and shards of all namespaces, as far as they are asked for.

    Methods may be called from any thread. The ``peek_*`` methods never touch the database and return None when it must be
    asked; the others read it.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._namespaces: dict[int, _Namespace] = {}
        self._contents: OrderedDict[tuple[int, str], _Content] = OrderedDict()
        self._content_bytes = 0
        self._lock = threading.Lock()

    # Indexes

    def peek_index(self, channel: ChannelRef, audience: Audience, version: int) -> ShardIndex | None:
        """Return the index if it is in memory at *version* or later."""
        namespace = self._namespaces.get(channel.namespace_id)
        if namespace is None or namespace.version < version:
            return None
        known = namespace.channels.get((channel.label, channel.subdir))
        built = known.built.get(audience) if known is not None else None
        # Whether an empty index exists is the database's to say.
        return built if built is not None and (built.count or (channel.subdir == "noarch" and channel.label == "main")) else None

    def index(self, channel: ChannelRef, audience: Audience) -> ShardIndex | None:
        """Return the index at the committed version; None when the channel does not exist for this audience.

        ``noarch`` of a label that exists is never None: clients take a channel without it for invalid.
        """
        if not audience.shows(channel.label):
            return None
        namespace = self._namespace(channel.namespace_id)
        with namespace.lock, self._database.read() as unit:
            repository = CondaChannelRepository(unit.connection)
            self._catch_up(namespace, channel.namespace_id, ChannelVersionRepository(unit.connection, PROTOCOL), repository)
            known = self._channel(namespace, channel, repository)
            built = known.built.get(audience)
            if built is None:
                built = build_shard_index(channel.subdir, _visible(known, audience), known.relations)
                known.keep(audience, built)
            if built.count or channel.label == "main":
                exists = channel.subdir == "noarch" or built.count > 0
            else:
                exists = (
                    channel.subdir == "noarch"
                    and known.label_id is not None
                    and (audience.sees_all or repository.label_is_listed(known.label_id, audience))
                )
        self._shrink(namespace)
        return built if exists else None

    def known_version(self, namespace_id: int) -> int:
        """Return the version that the namespace's indexes in memory are at, -1 for none."""
        namespace = self._namespaces.get(namespace_id)
        return -1 if namespace is None else namespace.version

    def known_channels(self, namespace_id: int) -> int:
        """Return how many channels of the namespace are in memory."""
        namespace = self._namespaces.get(namespace_id)
        return 0 if namespace is None else len(namespace.channels)

    # Shards

    def peek_shard(self, namespace_id: int, sha256: str, audience: Audience, version: int) -> bytes | None:
        """Return a shard if it is in memory and the audience may have it by what was known at *version* or later."""
        namespace = self._namespaces.get(namespace_id)
        if namespace is None or namespace.version < version:
            return None
        content = self._contents.get((namespace_id, sha256))
        if content is None or audience.labels is not None:  # which labels it is under is the database's to say
            return None
        for package_id in content.package_ids:
            known = namespace.listed.get(package_id)
            if known is not None and audience.sees(package_id, known.name_key, known.visibility):
                return content.data
        return None

    def shard(self, namespace_id: int, sha256: str, audience: Audience) -> bytes | None:
        """Return a shard, or None when there is none that the audience may have."""
        namespace = self._namespace(namespace_id)
        with namespace.lock:
            with self._database.read() as unit:
                repository = CondaChannelRepository(unit.connection)
                self._catch_up(namespace, namespace_id, ChannelVersionRepository(unit.connection, PROTOCOL), repository)
                found = repository.content(namespace_id, sha256)
                hidden = audience.labels is not None and not repository.is_under(namespace_id, sha256, audience.labels)
            if found is None:
                return None
            data, packages = found
            namespace.listed.update(packages)
        self._keep(namespace_id, sha256, _Content(data, tuple(packages)))
        if hidden:
            return None
        return data if any(audience.sees(key, known.name_key, known.visibility) for key, known in packages.items()) else None

    # How it stays current

    def _namespace(self, namespace_id: int) -> _Namespace:
        with self._lock:
            return self._namespaces.setdefault(namespace_id, _Namespace())

    def _catch_up(
        self, namespace: _Namespace, namespace_id: int, versions: ChannelVersionRepository, repository: CondaChannelRepository
    ) -> None:
        changes = versions.changes_since(namespace_id, namespace.version) if namespace.version >= 0 else None
        if changes is None or changes.package_ids is None:
            namespace.channels.clear()
            namespace.listed.clear()
            self._forget_contents(namespace_id)
            namespace.version = versions.current(namespace_id)
            return
        if changes.package_ids:
            for (label, subdir), channel in list(namespace.channels.items()):
                # A label removed and made again has another id.
                label_id, relations = repository.label(namespace_id, label) or (None, None)
                if label_id != channel.label_id:
                    del namespace.channels[label, subdir]
                    continue
                if relations != channel.relations:
                    channel.relations = relations
                    channel.built.clear()
                found = {} if label_id is None else {e.package_id: e for e in repository.entries(label_id, subdir, changes.package_ids)}
                for package_id in changes.package_ids:
                    channel.replace(package_id, found.get(package_id))
            tracked = changes.package_ids & namespace.listed.keys()
            listed = repository.listed(tracked)
            for package_id in tracked:
                if package_id in listed:
                    namespace.listed[package_id] = listed[package_id]
                else:
                    del namespace.listed[package_id]
        namespace.version = changes.version

    def _channel(self, namespace: _Namespace, ref: ChannelRef, repository: CondaChannelRepository) -> _Channel:
        key = (ref.label, ref.subdir)
        known = namespace.channels.get(key)
        if known is None:
            label_id, relations = repository.label(ref.namespace_id, ref.label) or (None, None)
            known = _Channel(label_id, relations)
            if label_id is not None:
                known.entries = {entry.package_id: entry for entry in repository.entries(label_id, ref.subdir)}
                known.order = sorted((entry.name, entry.package_id) for entry in known.entries.values())
            # Names asked for by chance must not fill the memory, nor be looked at again after every change.
            if known.entries or (label_id is not None and ref.subdir == "noarch"):
                namespace.channels[key] = known
        else:
            namespace.channels.move_to_end(key)
        return known

    def _shrink(self, namespace: _Namespace) -> None:
        with namespace.lock:
            total = sum(len(channel.entries) + 64 for channel in namespace.channels.values())
            while total > _MAX_ENTRIES and len(namespace.channels) > 1:
                _, dropped = namespace.channels.popitem(last=False)
                total -= len(dropped.entries) + 64

    def _keep(self, namespace_id: int, sha256: str, content: _Content) -> None:
        with self._lock:
            former = self._contents.pop((namespace_id, sha256), None)
            self._content_bytes += len(content.data) - (len(former.data) if former else 0)
            self._contents[namespace_id, sha256] = content
            while self._content_bytes > _MAX_SHARD_BYTES:
                _, dropped = self._contents.popitem(last=False)
                self._content_bytes -= len(dropped.data)

    def _forget_contents(self, namespace_id: int) -> None:
        with self._lock:
            for key in [key for key in self._contents if key[0] == namespace_id]:
                self._content_bytes -= len(self._contents.pop(key).data)


def _visible(channel: _Channel, audience: Audience) -> list[Entry]:
    listed = audience.visibilities
    entries = channel.entries
    if audience.is_common:
        return [entry for _, package_id in channel.order if (entry := entries[package_id]).visibility in listed]
    return [
        entry for name, package_id in channel.order if audience.sees(package_id, name.lower(), (entry := entries[package_id]).visibility)
    ]


def build_shard_index(subdir: str, entries: list[Entry], relations: Mapping[str, str] | None = None) -> ShardIndex:
    """Return the index of *entries*, which are in the order of names."""
    data = index.shard_index(
        subdir,
        {entry.name: entry.digest for entry in entries},
        created_at=max((entry.updated_at for entry in entries), default=_EPOCH),
        relations=relations,
        revision=Revision.total(entry.revision for entry in entries if entry.revision is not None),
    )
    etag = f'"{hashlib.sha256(data).hexdigest()}"'
    key = content_key(subdir, ((entry.name, entry.digest) for entry in entries), relations)
    return ShardIndex(data, etag, key, len(entries))


def content_key(subdir: str, shards: Iterable[tuple[str, bytes]], relations: Mapping[str, str] | None = None) -> str:
    """Return the digest that names the whole index made of *shards* (name and raw digest, in the order of names)."""
    joined = b"".join([part for name, digest in shards for part in (name.encode(), b"\0", digest)])
    told = index.to_json(relations or {}).encode()
    return hashlib.sha256(b"\0".join((JSON_FORMAT, subdir.encode(), told, joined))).hexdigest()
