"""SQL of packages: the visibility condition is part of every query that answers a caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, bindparam, delete, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from carrel.core.names import canonical_package
from carrel.database.statements import insert_new
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.labels.models import file_label, label
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import file, import_name, package, release, retired_file
from carrel.hub.packages.views import PackageView
from carrel.hub.packages.visibility import listed_packages, reachable_packages, visible_files


def _insert(uow: UnitOfWork, table: Table) -> Any:
    """Return the dialect's INSERT, which knows ON CONFLICT."""
    return (sqlite.insert if uow.connection.dialect.name == "sqlite" else postgresql.insert)(table)


def _packages() -> Select[Any]:
    return select(package, namespace.c.name.label("namespace")).join(namespace, namespace.c.id == package.c.namespace_id)


# Statements of the upload path are built once: building them takes longer than running them.
_ANY = _packages().where(package.c.namespace_id == bindparam("namespace_id"), package.c.name_key == bindparam("name_key"))
# Rows that refer to the package may still be added by others: FOR NO KEY UPDATE.
_LOCK = select(package.c.id).where(package.c.id == bindparam("package_id")).with_for_update(key_share=True)
_UPDATE = update(package).where(package.c.id == bindparam("key"))
_PROVIDED = select(import_name.c.name).where(import_name.c.package_id == bindparam("package_id"))
_PROVIDE = insert(import_name)
_IMPORT_NAMES = select(file.c.import_names).where(file.c.release_id == bindparam("release_id"))
_RETIRED = select(retired_file.c.sha256).where(
    retired_file.c.namespace_id == bindparam("namespace_id"), retired_file.c.unique_key == bindparam("unique_key")
)


def to_view(row: Row[Any]) -> PackageView:
    """Return the view of a row of :func:`find` or :func:`page`."""
    return PackageView(
        row.id,
        row.namespace_id,
        row.namespace,
        row.name,
        row.display_name or row.name,
        tuple(row.kinds),
        row.summary,
        row.description,
        row.license,
        row.home_page,
        row.visibility,
        row.latest_version,
        row.created_at,
        row.updated_at,
        row.status,
        row.status_reason,
        tuple(row.tracks or ()),
        tuple(row.alternate_locations or ()),
    )


def find(uow: UnitOfWork, principal: Principal, namespace_name: str, name: str) -> Row[Any] | None:
    """Return a package that *principal* may reach, with ``namespace`` by name.

    A name that is no package's own may be another spelling of a PyPI project.
    """
    query = _packages().where(namespace.c.name == namespace_name, reachable_packages(principal))
    row = uow.connection.execute(query.where(package.c.name_key == name.lower())).one_or_none()
    if row is None:
        spelled = query.where(package.c.canonical_name == canonical_package(name), _has_pypi_files())
        row = uow.connection.execute(spelled.order_by(package.c.id).limit(1)).one_or_none()
    return row


def _has_pypi_files() -> ColumnElement[bool]:
    return exists(select(file.c.id).where(file.c.package_id == package.c.id, file.c.kind == "pypi"))


def find_any(uow: UnitOfWork, namespace_id: int, name: str) -> Row[Any] | None:
    """Return a package whoever asks: for uploads, where a taken name is taken."""
    return uow.connection.execute(_ANY, {"namespace_id": namespace_id, "name_key": name.lower()}).one_or_none()


def find_canonical(uow: UnitOfWork, namespace_id: int, name: str) -> Row[Any] | None:
    """Return the package that PyPI clients mean by *name*: one that holds PyPI files first, then the exact or an empty one."""
    has_files = _has_pypi_files()
    empty = ~exists(select(file.c.id).where(file.c.package_id == package.c.id))
    query = (
        _packages()
        .where(package.c.namespace_id == namespace_id, package.c.canonical_name == canonical_package(name))
        .where((package.c.name_key == name.lower()) | has_files | empty)
        .order_by(has_files.desc(), (package.c.name_key == name.lower()).desc(), package.c.id)
        .limit(1)
    )
    return uow.connection.execute(query).one_or_none()


def page(
    uow: UnitOfWork,
    principal: Principal,
    namespace_id: int,
    *,
    kind: str | None,
    label_name: str | None,
    after: str,
    limit: int,
) -> list[Row[Any]]:
    """Return up to *limit* packages of a namespace that *principal* sees in lists, by name, after a name key."""
    query = _packages().where(package.c.namespace_id == namespace_id, package.c.name_key > after, listed_packages(principal))
    files = select(file.c.id).join(release, release.c.id == file.c.release_id).where(file.c.package_id == package.c.id)
    files = files.where(release.c.state == "published")
    if (sees := visible_files(principal)) is not None:
        files = files.where(sees)
    if kind is not None:
        query = query.where(exists(files.where(file.c.kind == kind)))
    if label_name is not None:
        labelled = files.join(file_label, file_label.c.file_id == file.c.id).join(label, label.c.id == file_label.c.label_id)
        query = query.where(exists(labelled.where(label.c.name == label_name)))
    return list(uow.connection.execute(query.order_by(package.c.name_key).limit(limit)))


def insert_package(uow: UnitOfWork, values: dict[str, Any]) -> int | None:
    """Add a package and return the id; None when another transaction added that name first."""
    return uow.connection.execute(insert_new(uow.connection.dialect.name, package, returning="id"), values).scalar_one_or_none()


def lock(uow: UnitOfWork, package_id: int) -> bool:
    """Let no other transaction change this package before the unit ends; return whether one may have, until now.

    On SQLite a unit that writes is alone from its beginning.
    """
    if uow.connection.dialect.name == "sqlite":
        return False
    uow.connection.execute(_LOCK, {"package_id": package_id})
    return True


def update_package(uow: UnitOfWork, package_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of a package."""
    uow.connection.execute(_UPDATE, {**values, "key": package_id})


def delete_package(uow: UnitOfWork, package_id: int) -> None:
    """Remove a package with its releases and files."""
    uow.connection.execute(delete(package).where(package.c.id == package_id))


def published_kinds(uow: UnitOfWork, package_id: int) -> list[str]:
    """Return the kinds of a package's published files, sorted."""
    query = (
        select(file.c.kind)
        .join(release, release.c.id == file.c.release_id)
        .where(file.c.package_id == package_id, release.c.state == "published")
        .distinct()
    )
    return sorted(uow.connection.execute(query).scalars())


def import_names_of(uow: UnitOfWork, release_id: int) -> set[str]:
    """Return the modules that the files of a release provide."""
    return {name for names in uow.connection.execute(_IMPORT_NAMES, {"release_id": release_id}).scalars() for name in names}


def replace_import_names(uow: UnitOfWork, package_id: int, names: Collection[str]) -> None:
    """Set the modules that a package provides."""
    current = set(uow.connection.execute(_PROVIDED, {"package_id": package_id}).scalars())
    wanted = {name for name in names if len(name) <= 200}
    if gone := current - wanted:
        uow.connection.execute(delete(import_name).where(import_name.c.package_id == package_id, import_name.c.name.in_(gone)))
    if new := wanted - current:
        uow.connection.execute(_PROVIDE, [{"package_id": package_id, "name": name} for name in sorted(new)])


def retire_files(uow: UnitOfWork, namespace_id: int, keys: Mapping[str, str], moment: Any) -> None:
    """Keep removed file names taken by their bytes.

    Parameters
    ----------
    keys : mapping of str to str
        SHA-256 by unique key.
    """
    if not keys:
        return
    rows = [
        {"namespace_id": namespace_id, "unique_key": key, "sha256": sha256, "retired_at": moment} for key, sha256 in sorted(keys.items())
    ]
    uow.connection.execute(_insert(uow, retired_file).on_conflict_do_nothing(), rows)


def retired_digest(uow: UnitOfWork, namespace_id: int, unique_key: str) -> str | None:
    """Return the SHA-256 that a removed file name stays taken by."""
    return uow.connection.execute(_RETIRED, {"namespace_id": namespace_id, "unique_key": unique_key}).scalar_one_or_none()


def retired_keys(uow: UnitOfWork, namespace_id: int, prefix: str) -> list[str]:
    """Return the removed file names that begin with *prefix*."""
    query = select(retired_file.c.unique_key).where(
        retired_file.c.namespace_id == namespace_id, retired_file.c.unique_key.startswith(prefix, autoescape=True)
    )
    return list(uow.connection.execute(query).scalars())


def add_import_names(uow: UnitOfWork, package_id: int, names: Collection[str]) -> None:
    """Add to the modules that a package provides."""
    rows = [{"package_id": package_id, "name": name} for name in sorted(names) if len(name) <= 200]
    if rows:
        uow.connection.execute(_insert(uow, import_name).on_conflict_do_nothing(), rows)
