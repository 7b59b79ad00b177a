"""All SQL of the simple index."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, Select, and_, select

from carrel.core.kinds import Kind
from carrel.formats.pypi import provenance
from carrel.formats.pypi.index import Project, ProjectFile
from carrel.formats.pypi.project_api import DescribedFile
from carrel.hub.channels.audience import Audience
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import blob, companion, file, package, release

METADATA_SUFFIX = ".metadata"
PROVENANCE_SUFFIX = provenance.SUFFIX
# Stands in kept pages for the address of the namespace's index, which depends on how a client reaches the hub. Nobody who
# writes texts that get into pages can know it.
BASE_MARK = f"carrel-base-{secrets.token_hex(16)}:"
QUARANTINED = "quarantined"
# From the least to the most severe: where several packages are one project for Python clients, the first one tells.
_STATUSES = ("active", "deprecated", "archived", QUARANTINED)


@dataclass(frozen=True, slots=True)
class Listed:
    """What a project page tells, and the packages it tells of."""

    project: Project
    files: tuple[ProjectFile, ...]
    package_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Described:
    """What the JSON description of a project tells: as :class:`Listed`, and the long description by version."""

    project: Project
    package_name: str
    files: tuple[DescribedFile, ...]
    descriptions: dict[str, str]


class PypiChannelRepository:
    """Projects and their files.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def project(self, namespace_id: int, label_name: str, project: str, audience: Audience) -> Listed | None:
        """Return a project with its files, oldest first; *project* is the normalised name. None when nothing is listed.

        URLs are relative to the project page and name the content, so they never change.
        """
        columns = (
            *_PACKAGE,
            file.c.filename,
            release.c.version,
            file.c.sha256,
            blob.c.size,
            file.c.uploaded_at,
            file.c.yanked_at,
            file.c.yanked_reason,
            file.c.attributes["requires_python"].as_string().label("requires_python"),
            _companion(METADATA_SUFFIX).label("metadata_sha256"),
            _companion(PROVENANCE_SUFFIX).label("provenance_sha256"),
        )
        query = _listed(select(*columns), namespace_id, label_name, audience, package.c.canonical_name == project).order_by(file.c.id)
        rows = self._connection.execute(query).all()
        if not rows:
            return None
        files = tuple(_listed_file(project, row) for row in rows if row.status != QUARANTINED)
        return Listed(_project(project, rows), files, frozenset(row.package_id for row in rows))

    def describe(self, namespace_id: int, label_name: str, project: str, audience: Audience, base: str) -> Described | None:
        """Return a project with what its JSON description tells; addresses of files begin with *base*."""
        columns = (
            *_PACKAGE,
            package.c.name.label("package_name"),
            file.c.filename,
            release.c.version,
            release.c.description,
            file.c.sha256,
            blob.c.md5,
            blob.c.size,
            file.c.downloads,
            file.c.uploaded_at,
            file.c.yanked_at,
            file.c.yanked_reason,
            file.c.attributes,
        )
        query = _listed(select(*columns), namespace_id, label_name, audience, package.c.canonical_name == project).order_by(file.c.id)
        rows = self._connection.execute(query).all()
        offered = [row for row in rows if row.status != QUARANTINED]
        if not offered:
            return None
        files = tuple(_described_file(base, row) for row in offered)
        return Described(_project(project, rows), offered[0].package_name, files, {row.version: row.description for row in offered})

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


_PACKAGE = (file.c.package_id, package.c.status, package.c.status_reason, package.c.tracks, package.c.alternate_locations)


def _companion(suffix: str) -> ScalarSelect[str]:
    return select(companion.c.sha256).where(companion.c.file_id == file.c.id, companion.c.suffix == suffix).scalar_subquery()


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


def _project(name: str, rows: Sequence[Row[Any]]) -> Project:
    telling = min(rows, key=lambda row: _STATUSES.index(row.status) if row.status in _STATUSES else 0)
    return Project(
        name,
        telling.status,
        telling.status_reason,
        tuple(dict.fromkeys(url for row in rows for url in row.tracks or ())),
        tuple(dict.fromkeys(url for row in rows for url in row.alternate_locations or ())),
    )


def _yanked(row: Row[Any]) -> bool | str:
    return False if row.yanked_at is None else (row.yanked_reason or True)


def _listed_file(project: str, row: Row[Any]) -> ProjectFile:
    return ProjectFile(
        filename=row.filename,
        version=row.version,
        url=f"../../files/{row.sha256}/{row.filename}",
        sha256=row.sha256,
        size=row.size,
        upload_time=row.uploaded_at,
        requires_python=row.requires_python or "",
        metadata_sha256=row.metadata_sha256 or "",
        yanked=_yanked(row),
        provenance=f"{BASE_MARK}/integrity/{project}/{quote(row.version)}/{row.filename}/provenance" if row.provenance_sha256 else "",
    )


def _described_file(base: str, row: Row[Any]) -> DescribedFile:
    return DescribedFile(
        filename=row.filename,
        version=row.version,
        url=f"{base}/files/{row.sha256}/{row.filename}",
        sha256=row.sha256,
        md5=row.md5,
        size=row.size,
        downloads=row.downloads,
        upload_time=row.uploaded_at,
        packagetype=row.attributes.get("filetype", ""),
        python_version=row.attributes.get("python_version", ""),
        requires_python=row.attributes.get("requires_python") or "",
        yanked=_yanked(row),
        metadata=row.attributes.get("metadata") or {},
    )
