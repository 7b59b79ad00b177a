"""All SQL of the simple index."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from carrel.core.kinds import Kind
from carrel.formats.pypi.index import ProjectFile
from carrel.hub.channels.audience import Audience
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import blob, companion, file, package, property_, release

METADATA_SUFFIX = ".metadata"
# Property of a file; its value is the reason, which may be empty.
YANKED = "yanked"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a project page, and the package it hangs on."""

    package_id: int
    file: ProjectFile


class PypiChannelRepository:
    """Projects and their files.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def files(self, namespace_id: int, label_name: str, project: str, audience: Audience) -> list[ListedFile]:
        """Return the files of a project, oldest first; *project* is the normalised name.

        URLs are relative to the project page and name the content, so they never change.
        """
        metadata_sha256 = (
            select(companion.c.sha256).where(companion.c.file_id == file.c.id, companion.c.suffix == METADATA_SUFFIX).scalar_subquery()
        )
        yanked = select(property_.c.value).where(property_.c.file_id == file.c.id, property_.c.name == YANKED).scalar_subquery()
        query = _listed(
            select(
                file.c.package_id,
                file.c.filename,
                release.c.version,
                file.c.sha256,
                blob.c.size,
                file.c.uploaded_at,
                file.c.attributes["requires_python"].as_string().label("requires_python"),
                metadata_sha256.label("metadata_sha256"),
                yanked.label("yanked"),
            ),
            namespace_id,
            label_name,
            audience,
            package.c.canonical_name == project,
        ).order_by(file.c.id)
        return [_listed_file(row) for row in self._connection.execute(query)]

    def projects(self, namespace_id: int, label_name: str, audience: Audience) -> list[str]:
        """Return the normalised names of all projects under a label, sorted."""
        query = _listed(select(package.c.canonical_name), namespace_id, label_name, audience).distinct()
        return sorted(self._connection.scalars(query))

    def canonical_names(self, package_ids: Collection[int]) -> set[str]:
        """Return the normalised names of those packages that still exist."""
        return set(self._connection.scalars(select(package.c.canonical_name).where(package.c.id.in_(sorted(package_ids)))))

    def label_is_known(self, namespace_id: int, label_name: str) -> bool:
        """Whether the namespace has the label."""
        query = select(label.c.id).where(label.c.namespace_id == namespace_id, label.c.name == label_name)
        return self._connection.scalar(query) is not None


def _listed(query: Select[Any], namespace_id: int, label_name: str, audience: Audience, *conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        query.select_from(package)
        .join(file, and_(file.c.package_id == package.c.id, file.c.kind == Kind.PYPI.value))
        .join(release, and_(release.c.id == file.c.release_id, release.c.state == "published"))
        .join(blob, blob.c.sha256 == file.c.sha256)
        .join(file_label, file_label.c.file_id == file.c.id)
        .join(label, and_(label.c.id == file_label.c.label_id, label.c.name == label_name))
        .where(package.c.namespace_id == namespace_id, audience.condition(), *conditions)
    )


def _listed_file(row: Any) -> ListedFile:
    return ListedFile(
        row.package_id,
        ProjectFile(
            filename=row.filename,
            version=row.version,
            url=f"../../files/{row.sha256}/{row.filename}",
            sha256=row.sha256,
            size=row.size,
            upload_time=row.uploaded_at,
            requires_python=row.requires_python or "",
            metadata_sha256=row.metadata_sha256 or "",
            yanked=False if row.yanked is None else (row.yanked or True),
        ),
    )
