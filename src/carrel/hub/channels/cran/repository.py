"""All SQL of the R repositories."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select

from carrel.core.kinds import Kind
from carrel.formats.cran.index import stanza
from carrel.hub.channels.audience import Audience
from carrel.hub.collections.models import collection_item
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import blob, file, package, release

_QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a repository.

    Attributes
    ----------
    package_id : int
    name_key, visibility : str
        Of the package, for :meth:`carrel.hub.channels.audience.Audience.sees`.
    filename : str
    stanza : mapping of str to str
        What ``PACKAGES`` says of it.
    size : int
        Bytes.
    uploaded_at : datetime
    yanked : bool
        Whether it is left out of ``PACKAGES``; it stays in the archive.
    """

    package_id: int
    name_key: str
    visibility: str
    filename: str
    stanza: Mapping[str, str]
    size: int
    uploaded_at: datetime
    yanked: bool


class CranChannelRepository:
    """R packages and their files.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def entries(self, namespace_id: int, label_name: str, subdir: str, package_ids: Collection[int] | None = None) -> Iterator[Entry]:
        """Yield the files under a label for a platform (empty: sources), oldest first, of all packages or some."""
        query = _labelled(_COLUMNS, label_name, package.c.namespace_id == namespace_id, *_offered(subdir))
        if package_ids is not None:
            query = query.where(package.c.id.in_(sorted(package_ids)))
        return map(_entry, self._connection.execute(query.order_by(file.c.id)))

    def label_is_listed(self, namespace_id: int, label_name: str, audience: Audience) -> bool:
        """Whether the label is there for *audience*: it lists something, or they see all that there is."""
        if audience.sees_all:
            query: Select[Any] = select(label.c.id).where(label.c.namespace_id == namespace_id, label.c.name == label_name)
        else:
            query = _labelled(select(file.c.id), label_name, package.c.namespace_id == namespace_id, audience.condition())
        return self._connection.execute(query.limit(1)).first() is not None


def collection_entries(connection: Connection, collection_id: int, label_name: str, subdir: str, seen: ColumnElement[bool]) -> list[Entry]:
    """Return the files of a collection's packages under a label, as far as they are *seen*.

    Of several packages that R calls by one name the first one of the collection counts.
    """
    query = (
        _labelled(_COLUMNS, label_name, collection_item.c.collection_id == collection_id, seen, *_offered(subdir))
        .join(collection_item, collection_item.c.package_id == package.c.id)
        .order_by(collection_item.c.position, package.c.id, file.c.id)
    )
    found = [_entry(row) for row in connection.execute(query)]
    holders: dict[str, int] = {}
    return [entry for entry in found if holders.setdefault(entry.stanza["Package"], entry.package_id) == entry.package_id]


_COLUMNS = select(
    file.c.package_id,
    package.c.name_key,
    package.c.visibility,
    file.c.filename,
    file.c.attributes["index"].label("record"),
    blob.c.md5,
    blob.c.size,
    file.c.uploaded_at,
    file.c.yanked_at,
)


def _offered(subdir: str) -> tuple[ColumnElement[bool], ...]:
    return (file.c.subdir == subdir, package.c.status != _QUARANTINED)


def _labelled(query: Select[Any], label_name: str, *conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        query.select_from(package)
        .join(file, and_(file.c.package_id == package.c.id, file.c.kind == Kind.R.value))
        .join(release, and_(release.c.id == file.c.release_id, release.c.state == "published"))
        .join(blob, blob.c.sha256 == file.c.sha256)
        .join(file_label, file_label.c.file_id == file.c.id)
        .join(label, and_(label.c.id == file_label.c.label_id, label.c.name == label_name))
        .where(*conditions)
    )


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row.package_id,
        row.name_key,
        row.visibility,
        row.filename,
        stanza(row.record, md5=row.md5, filename=row.filename),
        row.size,
        row.uploaded_at,
        row.yanked_at is not None,
    )
