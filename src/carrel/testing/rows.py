"""Rows written straight into a hub's tables: what contract tests and benchmarks start from, without uploads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from carrel.core.access import Role, Visibility
from carrel.core.clock import now
from carrel.core.kinds import Kind
from carrel.core.names import canonical_package
from carrel.database.engine import Database


def create_schema(database: Database) -> None:
    """Make all tables in an empty database, without the migrations."""
    from carrel.hub.schema import metadata

    with database.engine.begin() as connection:
        metadata.create_all(connection)


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as rows tell of it."""

    id: int
    package_id: int
    filename: str
    sha256: str


class Rows:
    """Writes rows of one transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def namespace(self, name: str, *, kind: str = "user", default_visibility: str = "public") -> int:
        """Add a namespace and return its id."""
        from carrel.hub.namespaces.models import namespace

        return self._insert(namespace, name=name, kind=kind, default_visibility=default_visibility, created_at=now())

    def user(self, name: str) -> tuple[int, int]:
        """Add a user with their namespace; return the user's id and the namespace's."""
        from carrel.hub.accounts.models import user

        namespace_id = self.namespace(name)
        user_id = self._insert(user, namespace_id=namespace_id, email="", created_at=now())
        self.member(namespace_id, user_id, Role.OWNER)
        return user_id, namespace_id

    def member(self, namespace_id: int, user_id: int, role: Role) -> None:
        """Give a user a role."""
        from carrel.hub.namespaces.models import membership

        values = {"namespace_id": namespace_id, "user_id": user_id, "role": role.value, "created_at": now()}
        self.connection.execute(insert(membership).values(values))

    def label(self, namespace_id: int, name: str = "main") -> int:
        """Return the id of a label, which is made if it is missing."""
        from carrel.hub.labels.models import label

        found = self.connection.scalar(select(label.c.id).where(label.c.namespace_id == namespace_id, label.c.name == name))
        return found or self._insert(label, namespace_id=namespace_id, name=name, created_at=now())

    def package(
        self, namespace_id: int, name: str, *, visibility: str = Visibility.PUBLIC.value, kinds: Sequence[Kind] = (), **columns: Any
    ) -> int:
        """Add a package without releases and return its id."""
        from carrel.hub.packages.models import package

        values = {
            "name_key": name.lower(),
            "canonical_name": canonical_package(name),
            "kinds": sorted(kind.value for kind in kinds),
            "latest_version": "1.0",
            "created_at": now(),
            "updated_at": now(),
            **columns,
        }
        return self._insert(package, namespace_id=namespace_id, name=name, visibility=visibility, **values)

    def release(self, package_id: int, version: str, *, state: str = "published") -> int:
        """Return the id of a release, which is made if it is missing."""
        from carrel.hub.packages.models import release

        found = self.connection.scalar(select(release.c.id).where(release.c.package_id == package_id, release.c.version == version))
        return found or self._insert(release, package_id=package_id, version=version, state=state, created_at=now(), published_at=now())

    def file(
        self,
        namespace_id: int,
        package_id: int,
        kind: Kind,
        filename: str,
        *,
        version: str,
        attributes: Mapping[str, Any],
        subdir: str = "",
        labels: Sequence[str] = ("main",),
        content: bytes | None = None,
        uploaded_at: datetime | None = None,
        search_text: str = "",
    ) -> PublishedFile:
        """Add a file, its release and its labels; the bytes are *content*, by default the file's name."""
        from carrel.hub.labels.models import file_label
        from carrel.hub.packages.models import file

        scope = (
            f"{kind.value}/{subdir}"
            if kind in (Kind.CONDA, Kind.R)
            else "pypi"
            if kind is Kind.PYPI
            else f"{kind.value}/{package_id}/{version}"
        )
        data = f"{scope}/{filename}".encode() if content is None else content
        file_id = self._insert(
            file,
            release_id=self.release(package_id, version),
            package_id=package_id,
            namespace_id=namespace_id,
            kind=kind.value,
            filename=filename,
            subdir=subdir,
            unique_key=f"{scope}/{filename}",
            sha256=self.blob(data),
            attributes=json.loads(json.dumps(attributes)),
            import_names=[],
            search_text=search_text,
            uploaded_at=uploaded_at or now(),
        )
        for name in labels:
            self.connection.execute(insert(file_label).values(file_id=file_id, label_id=self.label(namespace_id, name)))
        return PublishedFile(file_id, package_id, filename, hashlib.sha256(data).hexdigest())

    def blob(self, data: bytes) -> str:
        """Add the row of a blob, not the blob, and return its digest."""
        from carrel.hub.packages.models import blob

        sha256 = hashlib.sha256(data).hexdigest()
        if self.connection.scalar(select(blob.c.sha256).where(blob.c.sha256 == sha256)) is None:
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            self.connection.execute(insert(blob).values(sha256=sha256, md5=md5, size=len(data), created_at=now()))
        return sha256

    def conda_file(self, namespace_id: int, package_id: int, record: Mapping[str, Any], **options: Any) -> PublishedFile:
        """Add a conda file described by a repodata record (``name``, ``version``, ``build``, ``subdir`` …)."""
        filename = options.pop("filename", f"{record['name']}-{record['version']}-{record['build']}.conda")
        return self.file(
            namespace_id,
            package_id,
            Kind.CONDA,
            filename,
            version=record["version"],
            attributes={"index": dict(record)},
            subdir=record["subdir"],
            **options,
        )

    def pypi_file(
        self, namespace_id: int, package_id: int, filename: str, *, version: str = "1.0", requires_python: str = "", **options: Any
    ) -> PublishedFile:
        """Add a Python distribution; a wheel gets its metadata as a companion."""
        from carrel.hub.packages.models import companion

        attributes = {"filetype": "bdist_wheel" if filename.endswith(".whl") else "sdist", "requires_python": requires_python}
        added = self.file(namespace_id, package_id, Kind.PYPI, filename, version=version, attributes=attributes, **options)
        if filename.endswith(".whl"):
            sha256 = self.blob(f"metadata of {filename}".encode())
            self.connection.execute(insert(companion).values(file_id=added.id, suffix=".metadata", sha256=sha256))
        return added

    def _insert(self, table: Any, **values: Any) -> int:
        result = self.connection.execute(insert(table).values(**values))
        key: Any = result.inserted_primary_key
        return int(key[0])


def conda_record(name: str, version: str = "1.0", build: str = "0", subdir: str = "noarch", **fields: Any) -> dict[str, Any]:
    """Return what ``index.json`` of a minimal package says."""
    number = int("".join(filter(str.isdigit, build)) or 0)
    return {"name": name, "version": version, "build": build, "build_number": number, "subdir": subdir, "depends": [], **fields}
