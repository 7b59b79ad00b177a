"""All SQL of conda channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    String,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    type_coerce,
    union_all,
    update,
)

from carrel.core.kinds import Kind
from carrel.formats.conda.hotfixes import Hotfixes
from carrel.formats.conda.index import Fragments, Revision
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.rows import ChannelFile, Entry, Listed, PackageKey, PresentShard, ShardKey, State, Writes
from carrel.hub.channels.models import hotfix, removed_record, shard, shard_content, shard_owner
from carrel.hub.channels.repository import upsert
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import blob, companion, file, package, release

# SQLite allows 32,766 parameters in one statement; far fewer are needed at once.
_BATCH = 5_000
# Under which the attestations of a file are kept beside it.
ATTESTATIONS = ".sigs"

PUBLISHED_FILES = (
    select(
        file.c.package_id,
        file_label.c.label_id,
        file.c.subdir,
        file.c.filename,
        file.c.sha256,
        blob.c.md5,
        blob.c.size,
        file.c.attributes,
        file.c.uploaded_at,
        file.c.yanked_at,
        package.c.status,
        companion.c.sha256.label("attestations_sha256"),
    )
    .select_from(file)
    .join(release, release.c.id == file.c.release_id)
    .join(package, package.c.id == file.c.package_id)
    .join(blob, blob.c.sha256 == file.c.sha256)
    .join(file_label, file_label.c.file_id == file.c.id)
    .join(companion, (companion.c.file_id == file.c.id) & (companion.c.suffix == ATTESTATIONS), isouter=True)
    .where(file.c.kind == Kind.CONDA.value, release.c.state == "published")
)
_ONE: Any = bindparam("package_id")
_SOME: Any = bindparam("package_ids", expanding=True)
_FILES_OF_ONE = PUBLISHED_FILES.where(file.c.package_id == _ONE)
_FILES = PUBLISHED_FILES.where(file.c.package_id.in_(_SOME))
_DIGESTS = select(shard.c.label_id, shard.c.subdir, shard.c.sha256).where(shard.c.package_id == bindparam("package_id"))
_NO_TEXT = cast(null(), String)
_NO_BYTES = cast(null(), LargeBinary)
_NO_NUMBER = cast(null(), BigInteger)
_SHARD, _REMOVED, _HOTFIX = 1, 2, 3


def _state(shards: ColumnElement[bool], removed: ColumnElement[bool]) -> Any:
    """Return the statement that reads all of :class:`State` at once: an upload pays for each statement by itself."""
    return union_all(
        select(
            literal(_SHARD).label("what"),
            shard.c.package_id,
            shard.c.label_id,
            shard.c.subdir,
            shard.c.name.label("text"),
            shard.c.sha256,
            shard_content.c.data,
            _NO_NUMBER.label("at"),
        )
        .join(shard_content, shard_content.c.sha256 == shard.c.sha256)
        .where(shards),
        select(
            literal(_REMOVED),
            removed_record.c.package_id,
            removed_record.c.label_id,
            removed_record.c.subdir,
            removed_record.c.filename,
            _NO_TEXT,
            _NO_BYTES,
            _NO_NUMBER,
        ).where(removed),
        select(
            literal(_HOTFIX),
            _NO_NUMBER,
            _NO_NUMBER,
            hotfix.c.subdir,
            _NO_TEXT,
            _NO_TEXT,
            _NO_BYTES,
            type_coerce(hotfix.c.updated_at, BigInteger),
        ).where(hotfix.c.namespace_id == bindparam("namespace_id")),
    )


# A list of ids is written into a statement anew each time, which the upload of one file can do without.
_STATE_OF_ONE = _state(shard.c.package_id == _ONE, removed_record.c.package_id == _ONE)
_STATE = _state(shard.c.package_id.in_(_SOME), removed_record.c.package_id.in_(_SOME))
_INSTRUCTIONS = select(hotfix.c.instructions).where(
    hotfix.c.namespace_id == bindparam("namespace_id"), hotfix.c.subdir == bindparam("subdir")
)
_ADD_REMOVED = insert(removed_record)
_TAKE_BACK = delete(removed_record).where(
    removed_record.c.label_id == bindparam("label"),
    removed_record.c.subdir == bindparam("platform"),
    removed_record.c.package_id == bindparam("package"),
    removed_record.c.filename == bindparam("name"),
)
_DELETE = delete(shard).where(
    shard.c.label_id == bindparam("label"), shard.c.subdir == bindparam("platform"), shard.c.package_id == bindparam("package")
)
_RETIRE = update(shard_content).where(shard_content.c.sha256.in_(bindparam("digests", expanding=True)))
_LABEL = select(label.c.id, label.c.relations).where(label.c.namespace_id == bindparam("namespace_id"), label.c.name == bindparam("name"))
_LABEL_ID = select(label.c.id).where(label.c.namespace_id == bindparam("namespace_id"), label.c.name == bindparam("name"))
_REPLACED = ("name", "sha256", "updated_at", "revision", "json_removed", "json_v3_conda", "json_v3_tar_bz2", "json_conda", "json_tar_bz2")
# Members of the whole index (see :class:`carrel.formats.conda.index.Fragments`) by their column.
COLUMNS = {
    "tar_bz2": shard.c.json_tar_bz2,
    "conda": shard.c.json_conda,
    "removed": shard.c.json_removed,
    "v3_conda": shard.c.json_v3_conda,
    "v3_tar_bz2": shard.c.json_v3_tar_bz2,
}
_MAX_KNOWN_HOTFIXES = 64
_known_hotfixes: dict[tuple[int, str, int], Hotfixes] = {}
_ENTRIES = (
    select(shard.c.package_id, shard.c.name, shard.c.sha256, package.c.visibility, shard.c.updated_at, shard.c.revision)
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

    def files(self, package_ids: Collection[int]) -> Iterator[tuple[int, ChannelFile]]:
        """Yield package id and file of the published conda files of some packages, once for each label."""
        for row in self._of(package_ids, _FILES_OF_ONE, _FILES, {}):
            yield row[0], channel_file(row)

    def states(self, namespace_id: int, package_ids: Collection[int]) -> dict[int, State]:
        """Return what is known of some packages before their shards are written again."""
        hotfixes: dict[str, int] = {}
        found = {package_id: State({}, {}, hotfixes) for package_id in package_ids}
        for row in self._of(package_ids, _STATE_OF_ONE, _STATE, {"namespace_id": namespace_id}):
            if row.what == _SHARD:
                found[row.package_id].shards[ShardKey(row.label_id, row.subdir)] = PresentShard(row.text, row.sha256, bytes(row.data))
            elif row.what == _REMOVED:
                found[row.package_id].removed.setdefault(ShardKey(row.label_id, row.subdir), set()).add(row.text)
            else:
                hotfixes[row.subdir] = row.at
        return found

    def _of(self, package_ids: Collection[int], one: Any, some: Any, parameters: dict[str, Any]) -> Iterable[Any]:
        ids = list(package_ids)
        if len(ids) == 1:
            return self._connection.execute(one, {**parameters, "package_id": ids[0]})
        return self._connection.execute(some, {**parameters, "package_ids": ids})

    def instructions(self, namespace_id: int, subdir: str) -> dict[str, Any] | None:
        """Return the patch instructions of an owner, None when there are none."""
        return self._connection.scalar(_INSTRUCTIONS, {"namespace_id": namespace_id, "subdir": subdir})

    def hotfixes(self, namespace_id: int, subdir: str, updated_at: int) -> Hotfixes:
        """Return the patch instructions as they were at *updated_at*; what was read before is not read again."""
        key = (namespace_id, subdir, updated_at)
        found = _known_hotfixes.get(key)
        if found is None:
            instructions = self.instructions(namespace_id, subdir)
            found = Hotfixes.of(instructions) if instructions is not None else Hotfixes()
            while len(_known_hotfixes) >= _MAX_KNOWN_HOTFIXES:
                _known_hotfixes.pop(next(iter(_known_hotfixes)), None)
            _known_hotfixes[key] = found
        return found

    def write(self, writes: Writes, at: datetime) -> None:
        """Write what has changed, however many packages it is about, with few statements; contents in one order for everybody."""
        dialect = self._connection.dialect.name
        if writes.removed:
            self._connection.execute(_ADD_REMOVED, [{**_place(key), "filename": name, "removed_at": at} for key, name in writes.removed])
        if writes.taken_back:
            self._connection.execute(_TAKE_BACK, [{**_at(key), "name": name} for key, name in writes.taken_back])
        if writes.shards:
            rows = sorted(writes.shards, key=lambda row: row.sha256)
            contents = {row.sha256: row.content for row in rows}
            # A content that comes back is new again for the sweep.
            self._connection.execute(
                upsert(dialect, shard_content, "created_at"),
                [{"sha256": sha256, "data": data, "created_at": at} for sha256, data in contents.items()],
            )
            owners = dict.fromkeys((row.sha256, row.key.package_id) for row in rows)
            self._connection.execute(
                upsert(dialect, shard_owner), [{"sha256": sha256, "package_id": package_id} for sha256, package_id in owners]
            )
            self._connection.execute(
                upsert(dialect, shard, *_REPLACED),
                [
                    {**_place(row.key), "name": row.name, "sha256": row.sha256, "updated_at": at, **shard_columns(row.fragments)}
                    for row in rows
                ],
            )
        if writes.deleted:
            self._connection.execute(_DELETE, [_at(key) for key in writes.deleted])
        if writes.retired:
            # From now on they are kept for a while, for those who hold an index that names them.
            self._connection.execute(_RETIRE, {"digests": sorted(writes.retired), "created_at": at})

    def shard_digests(self, package_id: int) -> dict[ShardKey, str]:
        """Return the present shards of a package."""
        rows = self._connection.execute(_DIGESTS, {"package_id": package_id})
        return {ShardKey(row.label_id, row.subdir): row.sha256 for row in rows}

    def sweep_content(self, before: datetime) -> int:
        """Remove contents that no shard names and that were last named before *before*; return how many."""
        in_use = select(shard.c.sha256).where(shard.c.sha256 == shard_content.c.sha256)
        result = self._connection.execute(delete(shard_content).where(shard_content.c.created_at < before, ~in_use.exists()))
        return result.rowcount

    # What serving reads

    def label_id(self, namespace_id: int, name: str) -> int | None:
        """Return the label's id, or None when the namespace has no such label."""
        return self._connection.scalar(_LABEL_ID, {"namespace_id": namespace_id, "name": name})

    def label(self, namespace_id: int, name: str) -> tuple[int, dict[str, str] | None] | None:
        """Return a label's id and relations, or None when the namespace has no such label."""
        row = self._connection.execute(_LABEL, {"namespace_id": namespace_id, "name": name}).one_or_none()
        return None if row is None else (row.id, row.relations)

    def relations(self, label_id: int) -> dict[str, str] | None:
        """Return the other channels that a label asks clients to load (CEP 42)."""
        return self._connection.scalar(select(label.c.relations).where(label.c.id == label_id))

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

    def listed_shards(self, label_id: int, subdir: str, audience: Audience) -> list[tuple[str, bytes, Revision | None]]:
        """Return name, raw digest and held-back records of the shards of a channel, in the order of names."""
        rows = self._connection.execute(
            select(shard.c.name, shard.c.sha256, shard.c.revision)
            .join(package, package.c.id == shard.c.package_id)
            .where(shard.c.label_id == label_id, shard.c.subdir == subdir, audience.condition())
        )
        found = [(row.name, bytes.fromhex(row.sha256), _revision(row.revision)) for row in rows]
        # Sorted here: a database's collation may differ from the order of code points.
        return sorted(found, key=lambda item: item[:2])

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

    def fragments(self, label_id: int, subdir: str, audience: Audience, section: str) -> Iterator[bytes]:
        """Yield the non-empty JSON fragments of a channel in the order of names.

        Parameters
        ----------
        label_id, subdir
            The channel.
        audience : Audience
            Who looks.
        section : str
            A name of :data:`COLUMNS`.
        """
        fragment = COLUMNS[section]
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
        """Return count and bytes of the non-empty fragments, by section."""
        columns = []
        for fragment in COLUMNS.values():
            length = func.length(fragment)
            columns += [func.coalesce(func.sum(case((length > 0, 1), else_=0)), 0), func.coalesce(func.sum(length), 0)]
        row = self._connection.execute(
            select(*columns)
            .select_from(shard)
            .join(package, package.c.id == shard.c.package_id)
            .where(and_(shard.c.label_id == label_id, shard.c.subdir == subdir), audience.condition())
        ).one()
        return {section: (int(row[2 * number]), int(row[2 * number + 1])) for number, section in enumerate(COLUMNS)}

    def packages_with(self, namespace_id: int, subdir: str, filenames: Collection[str]) -> set[int]:
        """Return the packages that hold any of *filenames*."""
        found: set[int] = set()
        for batch in name_batches(sorted(filenames)):
            keys = [f"{Kind.CONDA}/{subdir}/{name}" for name in batch]
            found.update(
                self._connection.scalars(
                    select(file.c.package_id).where(file.c.namespace_id == namespace_id, file.c.unique_key.in_(keys)).distinct()
                )
            )
        return found

    def package_ids(self, namespace_id: int) -> list[int]:
        """Return the packages of a namespace that hold conda files."""
        rows = self._connection.scalars(
            select(file.c.package_id).where(file.c.namespace_id == namespace_id, file.c.kind == Kind.CONDA.value).distinct()
        )
        return sorted(rows)


def _place(key: PackageKey) -> dict[str, Any]:
    return {"label_id": key.shard.label_id, "subdir": key.shard.subdir, "package_id": key.package_id}


def _at(key: PackageKey) -> dict[str, Any]:
    # A statement that names a column cannot have a parameter of that name.
    return {"label": key.shard.label_id, "platform": key.shard.subdir, "package": key.package_id}


def shard_columns(fragments: Fragments) -> dict[str, Any]:
    """Return the columns of the table ``shard`` that hold *fragments*."""
    revision = fragments.revision
    return {
        "revision": None if revision is None else [revision.n_packages, revision.oldest, revision.newest],
        "json_removed": fragments.removed or None,
        "json_v3_conda": fragments.v3_conda or None,
        "json_v3_tar_bz2": fragments.v3_tar_bz2 or None,
        "json_conda": fragments.conda,
        "json_tar_bz2": fragments.tar_bz2,
    }


def _revision(value: Any) -> Revision | None:
    return None if value is None else Revision(*value)


def _entry(row: Any) -> Entry:
    return Entry(row.package_id, row.name, bytes.fromhex(row.sha256), row.visibility, row.updated_at, _revision(row.revision))


def channel_file(row: Any) -> ChannelFile:
    """Return the file of a row of :data:`PUBLISHED_FILES`."""
    _, label_id, subdir, filename, sha256, md5, size, attributes, uploaded_at, yanked_at, status, attestations = row
    # Of a quarantined package no client is offered anything (PEP 792): the index says the same as of yanked files.
    yanked = yanked_at is not None or status == "quarantined"
    return ChannelFile(ShardKey(label_id, subdir), filename, sha256, md5, size, attributes, uploaded_at, yanked, attestations)


def name_batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield *names* in as many pieces as statements take."""
    for start in range(0, len(names), _BATCH):
        yield names[start : start + _BATCH]


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
