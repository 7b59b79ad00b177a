"""What documents beside repodata are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from carrel.core.kinds import Kind
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.repository import PUBLISHED_FILES, channel_file, name_batches
from carrel.hub.channels.conda.rows import ChannelFile
from carrel.hub.channels.models import shard
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import file, package, release

_FILES_OF_PACKAGES = PUBLISHED_FILES.where(
    file.c.package_id.in_(bindparam("package_ids", expanding=True)), file_label.c.label_id == bindparam("label_id")
)


@dataclass(frozen=True, slots=True)
class ListedPackage:
    """A package in one subdir of a channel, with the JSON members of what was removed there."""

    package_id: int
    name: str
    subdir: str
    removed: bytes


class ChannelContents:
    """Packages, files and records of one channel as somebody sees them.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def listed_packages(self, label_id: int, subdir: str | None, audience: Audience) -> Iterator[ListedPackage]:
        """Yield the packages of a channel, or of all its subdirs, in the order of their names."""
        query = (
            select(shard.c.package_id, shard.c.name, shard.c.subdir, shard.c.json_removed)
            .join(package, package.c.id == shard.c.package_id)
            .where(shard.c.label_id == label_id, audience.condition())
            .order_by(shard.c.name, shard.c.subdir)
        )
        if subdir is not None:
            query = query.where(shard.c.subdir == subdir)
        for row in self._connection.execution_options(yield_per=500).execute(query):
            yield ListedPackage(row.package_id, row.name, row.subdir, bytes(row.json_removed or b""))

    def labelled_files(self, label_id: int, subdir: str | None, package_ids: Collection[int]) -> Iterator[tuple[int, ChannelFile]]:
        """Yield package id and file of what some packages have under a label."""
        query = _FILES_OF_PACKAGES if subdir is None else _FILES_OF_PACKAGES.where(file.c.subdir == subdir)
        for row in self._connection.execute(query, {"label_id": label_id, "package_ids": list(package_ids)}):
            yield row.package_id, channel_file(row)

    def records(self, label_id: int, subdir: str, audience: Audience, name: str | None = None) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield name, ``.tar.bz2`` members and ``.conda`` members of the packages of a channel, or of one package, by name."""
        query = (
            select(shard.c.name, shard.c.json_tar_bz2, shard.c.json_conda)
            .join(package, package.c.id == shard.c.package_id)
            .where(shard.c.label_id == label_id, shard.c.subdir == subdir, audience.condition())
            .order_by(shard.c.name)
        )
        if name is not None:
            query = query.where(shard.c.name == name)
        for row in self._connection.execution_options(yield_per=500).execute(query):
            yield row.name, bytes(row.json_tar_bz2), bytes(row.json_conda)

    def visible_names(self, label_id: int, subdir: str, audience: Audience, filenames: Collection[str]) -> set[str]:
        """Return those of *filenames* that the packages of a channel have, listed or not."""
        found: set[str] = set()
        for batch in name_batches(sorted(filenames)):
            rows = self._connection.scalars(
                select(file.c.filename)
                .join(package, package.c.id == file.c.package_id)
                .join(label, label.c.namespace_id == file.c.namespace_id)
                .join(file_label, (file_label.c.file_id == file.c.id) & (file_label.c.label_id == label.c.id))
                .join(release, release.c.id == file.c.release_id)
                .where(
                    label.c.id == label_id,
                    file.c.unique_key.in_([f"{Kind.CONDA}/{subdir}/{name}" for name in batch]),
                    release.c.state == "published",
                    audience.condition(),
                )
            )
            found.update(rows)
        return found

    def file_count(self, label_id: int) -> int:
        """Return how many files a label has."""
        return self._connection.scalar(select(func.count()).select_from(file_label).where(file_label.c.label_id == label_id)) or 0
