"""SQL of the channel views of collections: the viewer's condition is part of every query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, select, true

from carrel.core.access import Status
from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.channels.models import shard, shard_content, shard_owner
from carrel.hub.collections.models import collection_item
from carrel.hub.labels.models import file_label, label
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import file, package, release
from carrel.hub.packages.visibility import listed_packages

LABEL = "main"


@dataclass(frozen=True, slots=True)
class ListedShard:
    """The records of one conda name."""

    name: str
    sha256: str
    updated_at: datetime


def _held(query: Select[Any], principal: Principal, collection_id: int) -> Select[Any]:
    labels = principal.limits.labels
    return (
        query.join(collection_item, collection_item.c.package_id == package.c.id)
        .where(collection_item.c.collection_id == collection_id, listed_packages(principal))
        # A token that is narrowed to other labels finds nothing here.
        .where(true() if labels is None or LABEL in labels else false())
        # Of quarantined packages no client is offered anything.
        .where(package.c.status != Status.QUARANTINED.value)
        .order_by(collection_item.c.position, package.c.id)
    )


def shards(uow: UnitOfWork, principal: Principal, collection_id: int, subdir: str) -> list[ListedShard]:
    """Return the shards of a collection that *principal* sees listed, by name.

    Of several packages with one conda name the first one of the collection counts.
    """
    query = (
        select(shard.c.name, shard.c.sha256, shard.c.updated_at)
        .select_from(package)
        .join(label, and_(label.c.namespace_id == package.c.namespace_id, label.c.name == LABEL))
        .join(shard, and_(shard.c.label_id == label.c.id, shard.c.package_id == package.c.id, shard.c.subdir == subdir))
    )
    found: dict[str, ListedShard] = {}
    for row in uow.connection.execute(_held(query, principal, collection_id)):
        found.setdefault(row.name, ListedShard(row.name, row.sha256, row.updated_at))
    return [found[name] for name in sorted(found)]


def shard_of(uow: UnitOfWork, principal: Principal, collection_id: int, sha256: str) -> bytes | None:
    """Return a shard of a package that is in the collection and that *principal* sees listed."""
    query = (
        select(shard_content.c.data)
        .select_from(package)
        .join(shard_owner, and_(shard_owner.c.package_id == package.c.id, shard_owner.c.sha256 == sha256))
        .join(shard_content, shard_content.c.sha256 == shard_owner.c.sha256)
    )
    return uow.connection.execute(_held(query, principal, collection_id).limit(1)).scalar()


def shard_contents(uow: UnitOfWork, digests: Sequence[str]) -> dict[str, bytes]:
    """Return the bytes of shards by digest."""
    query = select(shard_content.c.sha256, shard_content.c.data).where(shard_content.c.sha256.in_(digests))
    return {row.sha256: row.data for row in uow.connection.execute(query)}


def _published(kind: Kind, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    files = (
        select(file.c.id)
        .join(release, and_(release.c.id == file.c.release_id, release.c.state == "published"))
        .join(file_label, file_label.c.file_id == file.c.id)
        .join(label, and_(label.c.id == file_label.c.label_id, label.c.name == LABEL))
    )
    return exists(files.where(file.c.package_id == package.c.id, file.c.kind == kind.value, *conditions))


def projects(uow: UnitOfWork, principal: Principal, collection_id: int) -> list[str]:
    """Return the normalised names of the Python projects of a collection that *principal* sees listed, sorted."""
    query = _held(select(package.c.canonical_name), principal, collection_id).where(_published(Kind.PYPI))
    return sorted(set(uow.connection.execute(query).scalars()))


def holder_of_project(uow: UnitOfWork, principal: Principal, collection_id: int, project: str) -> str | None:
    """Return the namespace whose project of that (normalised) name the collection holds: the first one."""
    query = select(namespace.c.name).select_from(package).join(namespace, namespace.c.id == package.c.namespace_id)
    query = _held(query, principal, collection_id).where(package.c.canonical_name == project, _published(Kind.PYPI))
    return uow.connection.execute(query.limit(1)).scalar()


def holder_of_file(uow: UnitOfWork, principal: Principal, collection_id: int, unique_key: str) -> str | None:
    """Return the namespace whose file of that key the collection holds: the first one."""
    query = (
        select(namespace.c.name)
        .select_from(package)
        .join(namespace, namespace.c.id == package.c.namespace_id)
        .join(file, and_(file.c.package_id == package.c.id, file.c.unique_key == unique_key))
    )
    return uow.connection.execute(_held(query, principal, collection_id).limit(1)).scalar()
