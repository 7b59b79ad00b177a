"""All SQL of conda channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, select, update

from carrel.core.kinds import Kind
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.models import shard, shard_content, shard_owner
from carrel.hub.channels.repository import upsert
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import blob, file, package, release

# SQLite allows 32,766 parameters in one statement; far fewer are needed at once.
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class ShardKey:
    """The channel that a shard belongs to."""

    label_id: int
    subdir: str


@dataclass(frozen=True, slots=True)
class ChannelFile:
    """One published conda file under one label."""

    key: ShardKey
    filename: str
    sha256: str
    md5: str
    size: int
    attributes: dict[str, Any]
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class ShardRow:
    """A shard as it is stored."""

    key: ShardKey
    package_id: int
    name: str
    sha256: str
    json_conda: bytes
    json_tar_bz2: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index of a channel says about one package.

    Attributes
    ----------
    package_id : int
    name : str
    digest : bytes
        SHA-256 (raw) of the compressed shard.
    visibility : str
        Of the package.
    updated_at : datetime
    """

    package_id: int
    name: str
    digest: bytes
    visibility: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """What says who sees a package in an index."""

    name_key: str
    visibility: str


_FILES = (
    select(
        file_label.c.label_id,
        file.c.subdir,
        file.c.filename,
        file.c.sha256,
        blob.c.md5,
        blob.c.size,
        file.c.attributes,
        file.c.uploaded_at,
    )
    .select_from(file)
    .join(release, release.c.id == file.c.release_id)
    .join(blob, blob.c.sha256 == file.c.sha256)
    .join(file_label, file_label.c.file_id == file.c.id)
    .where(file.c.package_id == bindparam("package_id"), file.c.kind == Kind.CONDA.value, release.c.state == "published")
)
_DIGESTS = select(shard.c.label_id, shard.c.subdir, shard.c.sha256).where(shard.c.package_id == bindparam("package_id"))
_RETIRE = update(shard_content).where(shard_content.c.sha256.in_(bindparam("digests", expanding=True)))
_LABEL_ID = select(label.c.id).where(label.c.namespace_id == bindparam("namespace_id"), label.c.name == bindparam("name"))
_ENTRIES = (
    select(shard.c.package_id, shard.c.name, shard.c.sha256, package.c.visibility, shard.c.updated_at)
    .join(package, package.c.id == shard.c.package_id)
    .where(shard.c.label_id == bindparam("label_id"), shard.c.subdir == bindparam("subdir"))
)
_SOME_ENTRIES = _ENTRIES.where(shard.c.package_id.in_(bindparam("package_ids", expanding=True)))


class CondaChannelRepository:
    """Shards, and the files they are made of.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # What maintenance reads and writes

    def files(self, package_id: int) -> Iterator[ChannelFile]:
        """Yield the published conda files of a package, once for each label."""
        rows = self._connection.execute(_FILES, {"package_id": package_id})
        for row in rows:
            yield ChannelFile(
                ShardKey(row.label_id, row.subdir),
                row.filename,
                row.sha256,
                row.md5,
                row.size,
                row.attributes,
                row.uploaded_at,
            )

    def shard_digests(self, package_id: int) -> dict[ShardKey, str]:
        """Return the present shards of a package."""
        rows = self._connection.execute(_DIGESTS, {"package_id": package_id})
        return {ShardKey(row.label_id, row.subdir): row.sha256 for row in rows}

    def put_shard(self, row: ShardRow, content: bytes, at: datetime) -> None:
        """Write a shard in place of the former one."""
        dialect = self._connection.dialect.name
        # A content that comes back is new again for the sweep.
        self._connection.execute(upsert(dialect, shard_content, "created_at"), {"sha256": row.sha256, "data": content, "created_at": at})
        self._connection.execute(upsert(dialect, shard_owner), {"sha256": row.sha256, "package_id": row.package_id})
        self._connection.execute(
            upsert(dialect, shard, "name", "sha256", "json_conda", "json_tar_bz2", "updated_at"),
            {
                "label_id": row.key.label_id,
                "subdir": row.key.subdir,
                "package_id": row.package_id,
                "name": row.name,
                "sha256": row.sha256,
                "json_conda": row.json_conda,
                "json_tar_bz2": row.json_tar_bz2,
                "updated_at": at,
            },
        )

    def retire_content(self, digests: Collection[str], at: datetime) -> None:
        """Start the time for which contents that no index names any more are kept."""
        if digests:
            self._connection.execute(_RETIRE, {"digests": sorted(digests), "created_at": at})

    def delete_shards(self, package_id: int, keys: Iterable[ShardKey]) -> None:
        """Remove the shards of a package in the channels *keys*."""
        for key in keys:
            self._connection.execute(
                delete(shard).where(shard.c.label_id == key.label_id, shard.c.subdir == key.subdir, shard.c.package_id == package_id)
            )

    def sweep_content(self, before: datetime) -> int:
        """Remove contents that no shard names and that were last named before *before*; return how many."""
        in_use = select(shard.c.sha256).where(shard.c.sha256 == shard_content.c.sha256)
        result = self._connection.execute(delete(shard_content).where(shard_content.c.created_at < before, ~in_use.exists()))
        return result.rowcount

    # What serving reads

    def label_id(self, namespace_id: int, name: str) -> int | None:
        """Return the label's id, or None when the namespace has no such label."""
        return self._connection.scalar(_LABEL_ID, {"namespace_id": namespace_id, "name": name})

    def subdirs(self, label_id: int) -> list[str]:
        """Return the subdirs that hold anything under a label."""
        return sorted(self._connection.scalars(select(shard.c.subdir).where(shard.c.label_id == label_id).distinct()))

    def label_is_listed(self, label_id: int, audience: Audience) -> bool:
        """Whether any package that *audience* sees has something under a label."""
        query = (
            select(shard.c.package_id)
            .join(package, package.c.id == shard.c.package_id)
            .where(shard.c.label_id == label_id, audience.condition())
            .limit(1)
        )
        return self._connection.scalar(query) is not None

    def entries(self, label_id: int, subdir: str, package_ids: Collection[int] | None = None) -> list[Entry]:
        """Return the entries of a channel, of all packages or of *package_ids*."""
        channel = {"label_id": label_id, "subdir": subdir}
        if package_ids is None:
            return [_entry(row) for row in self._connection.execute(_ENTRIES, channel)]
        found: list[Entry] = []
        for batch in _batches(sorted(package_ids)):
            found.extend(_entry(row) for row in self._connection.execute(_SOME_ENTRIES, {**channel, "package_ids": batch}))
        return found

    def listed_shards(self, label_id: int, subdir: str, audience: Audience) -> list[tuple[str, bytes]]:
        """Return name and raw digest of the shards of a channel, in the order of names."""
        rows = self._connection.execute(
            select(shard.c.name, shard.c.sha256)
            .join(package, package.c.id == shard.c.package_id)
            .where(shard.c.label_id == label_id, shard.c.subdir == subdir, audience.condition())
        )
        # Sorted here: a database's collation may differ from the order of code points.
        return sorted((row.name, bytes.fromhex(row.sha256)) for row in rows)

    def content(self, namespace_id: int, sha256: str) -> tuple[bytes, dict[int, Listed]] | None:
        """Return a shard's bytes and, by id, the packages of the namespace that it belongs or belonged to."""
        rows = self._connection.execute(
            select(shard_owner.c.package_id, package.c.name_key, package.c.visibility)
            .join(package, package.c.id == shard_owner.c.package_id)
            .where(shard_owner.c.sha256 == sha256, package.c.namespace_id == namespace_id)
        ).all()
        if not rows:
            return None
        data = self._connection.scalar(select(shard_content.c.data).where(shard_content.c.sha256 == sha256))
        return None if data is None else (data, {row.package_id: Listed(row.name_key, row.visibility) for row in rows})

    def is_under(self, namespace_id: int, sha256: str, labels: Collection[str]) -> bool:
        """Whether a shard is what an index lists at present under one of *labels*."""
        query = (
            select(shard.c.package_id)
            .join(label, label.c.id == shard.c.label_id)
            .where(shard.c.sha256 == sha256, label.c.namespace_id == namespace_id, label.c.name.in_(sorted(labels)))
            .limit(1)
        )
        return self._connection.scalar(query) is not None

    def listed(self, package_ids: Collection[int]) -> dict[int, Listed]:
        """Return what says who sees each package, of those that still exist."""
        found: dict[int, Listed] = {}
        for batch in _batches(sorted(package_ids)):
            rows = self._connection.execute(select(package.c.id, package.c.name_key, package.c.visibility).where(package.c.id.in_(batch)))
            found.update({row.id: Listed(row.name_key, row.visibility) for row in rows})
        return found

    def fragments(self, label_id: int, subdir: str, audience: Audience, column: str) -> Iterator[bytes]:
        """Yield the non-empty JSON fragments of a channel in the order of names.

        Parameters
        ----------
        label_id, subdir
            The channel.
        audience : Audience
            Who looks.
        column : str
            ``json_tar_bz2`` or ``json_conda``.
        """
        fragment = shard.c[column]
        rows = self._connection.execution_options(yield_per=500).execute(
            select(fragment)
            .join(package, package.c.id == shard.c.package_id)
            .where(
                shard.c.label_id == label_id,
                shard.c.subdir == subdir,
                audience.condition(),
                func.length(fragment) > 0,
            )
            .order_by(shard.c.name)
        )
        for row in rows:
            yield row[0]

    def fragment_sizes(self, label_id: int, subdir: str, audience: Audience) -> dict[str, tuple[int, int]]:
        """Return count and bytes of the non-empty fragments, by column name."""
        sizes = {}
        for column in ("json_tar_bz2", "json_conda"):
            length = func.length(shard.c[column])
            row = self._connection.execute(
                select(func.count(), func.coalesce(func.sum(length), 0))
                .select_from(shard)
                .join(package, package.c.id == shard.c.package_id)
                .where(
                    and_(shard.c.label_id == label_id, shard.c.subdir == subdir),
                    audience.condition(),
                    length > 0,
                )
            ).one()
            sizes[column] = (int(row[0]), int(row[1]))
        return sizes

    def package_ids(self, namespace_id: int) -> list[int]:
        """Return the packages of a namespace that hold conda files."""
        rows = self._connection.scalars(
            select(file.c.package_id).where(file.c.namespace_id == namespace_id, file.c.kind == Kind.CONDA.value).distinct()
        )
        return sorted(rows)


def _entry(row: Any) -> Entry:
    return Entry(row.package_id, row.name, bytes.fromhex(row.sha256), row.visibility, row.updated_at)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
