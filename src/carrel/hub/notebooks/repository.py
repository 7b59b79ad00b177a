"""SQL of shown notebooks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.packages.models import blob, file, package, release
from carrel.hub.packages.visibility import reachable_packages


def find(uow: UnitOfWork, principal: Principal, sha256: str) -> Row[Any] | None:
    """Return ``size`` of a notebook with these bytes that *principal* may reach.

    Files of drafts are for members of the namespace.
    """
    members = (*principal.owned, *principal.joined)
    query = (
        select(blob.c.size)
        .join(package, package.c.id == file.c.package_id)
        .join(release, release.c.id == file.c.release_id)
        .join(blob, blob.c.sha256 == file.c.sha256)
        .where(file.c.sha256 == sha256, file.c.kind == Kind.NOTEBOOK.value, reachable_packages(principal))
        .where((release.c.state == "published") | package.c.namespace_id.in_(members))
        .order_by(file.c.id)
        .limit(1)
    )
    return uow.connection.execute(query).one_or_none()
