"""Shards follow their files, in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from carrel.core.clock import now, to_milliseconds
from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats.conda import index
from carrel.formats.conda.hotfixes import Hotfixes
from carrel.hub.channels.conda.repository import CondaChannelRepository
from carrel.hub.channels.conda.rows import ChannelFile, PackageKey, ShardKey, ShardRow, State, Writes
from carrel.hub.channels.repository import ChannelVersionRepository
from carrel.hub.packages.changes import PackageChange, Reason

PROTOCOL = "conda"
# Every version notes a package, so that a reader can tell a quiet version from one whose notes were swept.
NO_PACKAGE = 0
# Packages whose shards are read and written together: a change of labels may concern thousands.
_AT_ONCE = 200


class CondaChannelListener:
    """Rewrites the shards of changed packages, and only theirs.

    A :class:`carrel.hub.packages.changes.ChangeListener`.
    """

    def files_changed(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
        """Bring shards up to date and note the new version of each channel."""
        touched: dict[int, dict[int, bool]] = defaultdict(dict)
        for change in changes:
            if Kind.CONDA in change.kinds:
                rewrite = change.reason is not Reason.VISIBILITY
                touched[change.namespace_id][change.package_id] = touched[change.namespace_id].get(change.package_id, False) or rewrite
        # One order of locks for all writers.
        for namespace_id in sorted(touched):
            refresh(uow, namespace_id, touched[namespace_id], now())


def lock_channels(uow: UnitOfWork, namespace_id: int) -> int:
    """Advance the version of a namespace's channels and return it; uploads into them wait from here on."""
    return ChannelVersionRepository(uow.connection, PROTOCOL).advance(namespace_id)


def refresh(uow: UnitOfWork, namespace_id: int, packages: dict[int, bool], at: datetime, *, version: int | None = None) -> None:
    """Rewrite the shards of *packages* that differ from what their files say, and advance the channel's version.

    Parameters
    ----------
    uow : UnitOfWork
    namespace_id : int
    packages : dict of int to bool
        Package ids; False when only the audience of the package changed.
    at : datetime
        Time of the change.
    version : int, optional
        What :func:`lock_channels` returned, for who called it before.
    """
    versions = ChannelVersionRepository(uow.connection, PROTOCOL)
    if version is None:
        version = versions.advance(namespace_id)
    repository = CondaChannelRepository(uow.connection)
    concerned = [package_id for package_id, rewrite in packages.items() if rewrite]
    for start in range(0, len(concerned), _AT_ONCE):
        _rewrite(repository, namespace_id, concerned[start : start + _AT_ONCE], at)
    versions.record(namespace_id, version, packages or (NO_PACKAGE,), at)


def announce(uow: UnitOfWork, namespace_id: int) -> None:
    """Advance the version of a namespace's channels when something else than packages changed, such as a label's relations."""
    refresh(uow, namespace_id, {}, now())


def _rewrite(repository: CondaChannelRepository, namespace_id: int, package_ids: Sequence[int], at: datetime) -> None:
    states = repository.states(namespace_id, package_ids)
    wanted: dict[int, dict[ShardKey, list[ChannelFile]]] = {package_id: defaultdict(list) for package_id in package_ids}
    for package_id, file in repository.files(package_ids):
        wanted[package_id][file.key].append(file)
    writes = Writes()
    for package_id in package_ids:
        state = states[package_id]
        hotfixes = {subdir: repository.hotfixes(namespace_id, subdir, moment) for subdir, moment in state.hotfixes.items()}
        _note(writes, package_id, state, wanted[package_id], hotfixes)
    repository.write(writes, at)


def _note(
    writes: Writes, package_id: int, state: State, wanted: Mapping[ShardKey, list[ChannelFile]], hotfixes: Mapping[str, Hotfixes]
) -> None:
    """Note what has to be written of a package so that its shards say what its files do."""
    for key in sorted({*wanted, *state.shards}, key=lambda key: (key.label_id, key.subdir)):
        place = PackageKey(package_id, key)
        present = state.shards.get(key)
        files = wanted.get(key, [])
        records = _records(files, hotfixes.get(key.subdir))
        listed_once = state.removed.get(key, set())
        before = index.listed_names(present.data)[0] if present is not None else set()
        writes.removed.extend((place, name) for name in sorted(before - records.keys() - listed_once))
        writes.taken_back.extend((place, name) for name in sorted(listed_once & records.keys()))
        # Files that are there and not listed (yanked, removed by their owner) were never listed if they came that way.
        removed = (listed_once | before | {file.filename for file in files}) - records.keys()
        if not records and not removed:
            writes.deleted.append(place)
            if present is not None:
                writes.retired.add(present.sha256)
            continue
        shard = index.shard(records, removed)
        if present is None or present.sha256 != shard.sha256:
            # Not the package's name: that one may have been written by another ecosystem, in capitals.
            name = files[0].attributes["index"]["name"] if files or present is None else present.name
            writes.shards.append(ShardRow(place, name, shard.sha256, index.fragments(records, removed), shard.data))
            if present is not None:
                writes.retired.add(present.sha256)


def _records(files: Sequence[ChannelFile], hotfixes: Hotfixes | None) -> dict[str, Mapping[str, Any]]:
    """Return the records of those *files* that are listed, as their owner wants them."""
    records: dict[str, Mapping[str, Any]] = {}
    for file in files:
        if file.yanked:
            continue
        record: Mapping[str, Any] | None = index.repodata_record(
            file.attributes,
            sha256=file.sha256,
            md5=file.md5,
            size=file.size,
            indexed_timestamp=to_milliseconds(file.uploaded_at),
            attestations_sha256=file.attestations_sha256,
        )
        if hotfixes is not None and record is not None:
            record = hotfixes.apply(file.filename, record)
        if record is not None:
            records[file.filename] = record
    return records
