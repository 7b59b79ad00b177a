"""All SQL of search that both databases share."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, select

from carrel.hub.accounts.principal import Principal, Sight
from carrel.hub.channels.repository import upsert
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import file, import_name, package, release
from carrel.hub.packages.visibility import listed_for, listed_packages, visible_files
from carrel.hub.search.facets import document_facets
from carrel.hub.search.index import Document, SearchIndex
from carrel.hub.search.models import search_document
from carrel.hub.search.postgresql import PostgresqlSearchIndex
from carrel.hub.search.sqlite import SqliteSearchIndex

_DESCRIPTION_LENGTH = 20_000
_BODY_LENGTH = 120_000
MAX_WITHIN_LIMITS = 2_000


_PACKAGE = select(
    package.c.namespace_id,
    package.c.name,
    package.c.kinds,
    package.c.summary,
    package.c.description,
    package.c.visibility,
    package.c.latest_version,
).where(package.c.id == bindparam("package_id"))
_TEXTS = (
    select(file.c.search_text)
    .join(release, release.c.id == file.c.release_id)
    .where(
        file.c.package_id == bindparam("package_id"),
        release.c.version == bindparam("version"),
        release.c.state == "published",
        file.c.search_text != "",
    )
    .order_by(file.c.id)
)
_MODULES = select(import_name.c.name).where(import_name.c.package_id == bindparam("package_id")).order_by(import_name.c.name)
_DIGEST = select(search_document.c.digest).where(search_document.c.package_id == bindparam("package_id"))


# Searching comes with every letter that is typed: its statements are built once, too.
_NAMED = select(search_document.c.package_id).where(search_document.c.name_key == bindparam("text")).limit(bindparam("most"))
_PROVIDING = select(import_name.c.package_id).where(import_name.c.name == bindparam("text")).limit(bindparam("most"))
_PROVIDED = select(import_name).where(import_name.c.package_id.in_(bindparam("ids", expanding=True))).order_by(import_name.c.name)


@functools.lru_cache(maxsize=256)
def _prefixed(dialect: str) -> Select[Any]:
    column = search_document.c.name_key
    if dialect == "sqlite":
        condition = and_(column >= bindparam("text"), column < bindparam("end"))
    else:
        condition = column.startswith(bindparam("text"), autoescape=False, escape="\\")
    return select(search_document.c.package_id).where(condition).order_by(column).limit(bindparam("most"))


@functools.lru_cache(maxsize=256)
def _candidates(sight: Sight, *, kinds: bool, one_namespace: bool) -> Select[Any]:
    columns = [package.c.id, package.c.name_key, package.c.namespace_id, package.c.updated_at]
    query = select(*columns, package.c.kinds) if kinds else select(*columns)  # a list: to read it costs more than the others
    query = query.where(package.c.id.in_(bindparam("ids", expanding=True)), listed_for(sight))
    return query.where(package.c.namespace_id == bindparam("namespace_id")) if one_namespace else query


@functools.lru_cache(maxsize=256)
def _found(sight: Sight) -> Select[Any]:
    return (
        select(
            package.c.id,
            namespace.c.name.label("namespace"),
            package.c.name,
            package.c.kinds,
            package.c.summary,
            package.c.latest_version,
            package.c.visibility,
            package.c.status,
            package.c.updated_at,
        )
        .join(namespace, namespace.c.id == package.c.namespace_id)
        .where(package.c.id.in_(bindparam("ids", expanding=True)), listed_for(sight))
    )


@dataclass(frozen=True, slots=True)
class FoundPackage:
    """A match, as far as the caller may see it."""

    id: int
    namespace: str
    name: str
    kinds: tuple[str, ...]
    summary: str
    latest_version: str | None
    visibility: str
    status: str
    updated_at: datetime
    import_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provider:
    """A package that provides a module."""

    import_name: str
    namespace: str
    name: str
    kinds: tuple[str, ...]
    version: str | None


def search_index(connection: Connection) -> SearchIndex:
    """Return the index of the connection's database."""
    return SqliteSearchIndex(connection) if connection.dialect.name == "sqlite" else PostgresqlSearchIndex(connection)


class SearchRepository:
    """Documents, and the rows behind matches.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.index = search_index(connection)

    # What maintenance reads and writes

    def document(self, package_id: int) -> Document | None:
        """Return what is known of a package, None when it is gone."""
        row = self._connection.execute(_PACKAGE, {"package_id": package_id}).first()
        if row is None:
            return None
        texts = self._connection.scalars(_TEXTS, {"package_id": package_id, "version": row.latest_version})
        return Document(
            package_id,
            row.name,
            tuple(self._connection.scalars(_MODULES, {"package_id": package_id})),
            row.summary,
            "\n".join([row.description[:_DESCRIPTION_LENGTH], *texts])[:_BODY_LENGTH],
            document_facets(row.namespace_id, row.visibility, row.kinds, published=row.latest_version is not None),
        )

    def digest(self, package_id: int) -> str | None:
        """Return the digest of what is indexed of a package, None when nothing is."""
        return self._connection.scalar(_DIGEST, {"package_id": package_id})

    def put(self, document: Document, *, new: bool = False) -> None:
        """Index *document* in place of what was there; *new*: nothing was."""
        values = {"package_id": document.package_id, "name_key": document.name.lower(), "digest": document.digest}
        self._connection.execute(upsert(self._connection.dialect.name, search_document, "name_key", "digest"), values)
        self.index.put(document, new=new)

    def remove(self, package_id: int) -> None:
        """Forget a package. One that was deleted is forgotten with its row."""
        self._connection.execute(delete(search_document).where(search_document.c.package_id == package_id))
        self.index.remove(package_id)

    # What searching reads

    def exact(self, text: str, limit: int) -> list[int]:
        """Return packages whose name is *text*, or that provide the module *text*."""
        given = {"text": text, "most": limit}
        return [*self._connection.scalars(_NAMED, given), *self._connection.scalars(_PROVIDING, given)]

    def prefix(self, text: str, limit: int) -> list[int]:
        """Return packages whose name begins with *text*, in the order of names."""
        dialect = self._connection.dialect.name
        given = {"text": text, "most": limit}
        if dialect == "sqlite":
            given["end"] = text + "\U0010ffff"
        else:
            given["text"] = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return list(self._connection.scalars(_prefixed(dialect), given))

    def with_platform(self, principal: Principal, package_ids: Collection[int], platform: str) -> set[int]:
        """Return which of the packages have a published conda file for *platform*, or for all platforms, that *principal* sees."""
        under = visible_files(principal)
        query = (
            select(file.c.package_id)
            .join(release, release.c.id == file.c.release_id)
            .where(file.c.package_id.in_(package_ids), file.c.kind == "conda", release.c.state == "published")
            .where(file.c.subdir.in_((platform, "noarch")), *(() if under is None else (under,)))
            .distinct()
        )
        return set(self._connection.execute(query).scalars())

    def candidates(
        self, principal: Principal, ids: Collection[int], namespace_id: int | None, *, kinds: bool = False
    ) -> Sequence[Row[Any]]:
        """Return what ranking needs of those of *ids* that *principal* may see listed.

        Rows have ``id name_key namespace_id updated_at``, and ``kinds`` where asked for.
        """
        if not ids:
            return []
        query = _candidates(principal.sight, kinds=kinds, one_namespace=namespace_id is not None)
        given: dict[str, Any] = {"ids": sorted(ids)}
        if namespace_id is not None:
            given["namespace_id"] = namespace_id
        return self._connection.execute(query, given).all()

    def packages(self, principal: Principal, ids: Collection[int]) -> dict[int, FoundPackage]:
        """Return those of *ids* that *principal* may see listed."""
        if not ids:
            return {}
        rows = self._connection.execute(_found(principal.sight), {"ids": sorted(ids)}).all()
        names = self._import_names([row.id for row in rows])
        return {
            row.id: FoundPackage(
                row.id,
                row.namespace,
                row.name,
                tuple(row.kinds),
                row.summary,
                row.latest_version,
                row.visibility,
                row.status,
                row.updated_at,
                tuple(names.get(row.id, ())),
            )
            for row in rows
        }

    def providers(self, principal: Principal, names: Collection[str], limit: int) -> list[Provider]:
        """Return the packages that provide the modules *names*, at most *limit* of each."""
        found: list[Provider] = []
        for name in names:
            rows = self._connection.execute(
                select(namespace.c.name.label("namespace"), package.c.name, package.c.kinds, package.c.latest_version)
                .select_from(import_name)
                .join(package, package.c.id == import_name.c.package_id)
                .join(namespace, namespace.c.id == package.c.namespace_id)
                .where(import_name.c.name == name, package.c.latest_version.is_not(None), listed_packages(principal))
                .order_by(package.c.name_key, namespace.c.name)
                .limit(limit)
            )
            found.extend(Provider(name, row.namespace, row.name, tuple(row.kinds), row.latest_version) for row in rows)
        return found

    def within_limits(self, principal: Principal) -> tuple[int, ...]:
        """Return the packages within the limits of a token, at most :data:`MAX_WITHIN_LIMITS`."""
        query = select(package.c.id).where(listed_packages(principal)).order_by(package.c.id.desc()).limit(MAX_WITHIN_LIMITS)
        return tuple(self._connection.scalars(query))

    def namespace_id(self, name: str) -> int | None:
        """Return the id of a namespace, None when there is none."""
        return self._connection.scalar(select(namespace.c.id).where(namespace.c.name == name))

    def package_ids(self) -> list[int]:
        """Return all packages."""
        return list(self._connection.scalars(select(package.c.id).order_by(package.c.id)))

    def _import_names(self, package_ids: Sequence[int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        if package_ids:
            for row in self._connection.execute(_PROVIDED, {"ids": sorted(package_ids)}):
                found.setdefault(row.package_id, []).append(row.name)
        return found
