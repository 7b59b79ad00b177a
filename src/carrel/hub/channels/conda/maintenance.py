"""Shards follow their files, in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from carrel.core.clock import now, to_milliseconds
from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats.conda import index
from carrel.hub.channels.conda.repository import ChannelFile, CondaChannelRepository, ShardKey, ShardRow
from carrel.hub.channels.repository import ChannelVersionRepository
from carrel.hub.packages.changes import PackageChange, Reason

PROTOCOL = "conda"


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


def refresh(uow: UnitOfWork, namespace_id: int, packages: dict[int, bool], at: datetime) -> None:
    """Rewrite the shards of *packages* that differ from what their files say, and advance the channel's version.

    Parameters
    ----------
    uow : UnitOfWork
    namespace_id : int
    packages : dict of int to bool
        Package ids; False when only the audience of the package changed.
    at : datetime
        Time of the change.
    """
    versions = ChannelVersionRepository(uow.connection, PROTOCOL)
    version = versions.advance(namespace_id)
    repository = CondaChannelRepository(uow.connection)
    for package_id, rewrite in packages.items():
        if rewrite:
            _rewrite(repository, package_id, at)
    versions.record(namespace_id, version, packages, at)


def _rewrite(repository: CondaChannelRepository, package_id: int, at: datetime) -> None:
    present = repository.shard_digests(package_id)
    wanted: dict[ShardKey, list[ChannelFile]] = defaultdict(list)
    for file in repository.files(package_id):
        wanted[file.key].append(file)
    replaced: set[str] = set()
    for key, files in wanted.items():
        records = {
            file.filename: index.repodata_record(
                file.attributes,
                sha256=file.sha256,
                md5=file.md5,
                size=file.size,
                indexed_timestamp=to_milliseconds(file.uploaded_at),
            )
            for file in files
        }
        shard = index.shard(records)
        if present.get(key) != shard.sha256:
            # Not the package's name: that one may have been written by another ecosystem, in capitals.
            name = files[0].attributes["index"]["name"]
            tar_bz2, conda = index.json_fragment(records)
            repository.put_shard(ShardRow(key, package_id, name, shard.sha256, conda, tar_bz2), shard.data, at)
            replaced.add(present.get(key, ""))
    repository.delete_shards(package_id, present.keys() - wanted.keys())
    replaced |= {present[key] for key in present.keys() - wanted.keys()}
    repository.retire_content(replaced - {""}, at)
