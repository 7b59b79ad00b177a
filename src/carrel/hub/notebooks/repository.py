"""SQL of shown notebooks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.files.repository import LABEL_NAMES
from carrel.hub.packages.models import blob, file, package, release

_MOST = 500


def places(uow: UnitOfWork, sha256: str) -> list[Row[Any]]:
    """Return where a notebook with these bytes is, whoever asks: ``Place.is_open_to`` decides on each row."""
    query = (
        select(
            file.c.id,
            file.c.package_id,
            package.c.namespace_id,
            package.c.name_key,
            package.c.visibility,
            package.c.latest_version,
            release.c.state,
            blob.c.size,
            LABEL_NAMES,
        )
        .select_from(package)
        .join(file, file.c.package_id == package.c.id)
        .join(release, release.c.id == file.c.release_id)
        .join(blob, blob.c.sha256 == file.c.sha256)
        .where(file.c.sha256 == sha256, file.c.kind == Kind.NOTEBOOK.value)
        .order_by(file.c.id)
        .limit(_MOST)
    )
    return list(uow.connection.execute(query))
