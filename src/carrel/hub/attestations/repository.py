"""SQL of attestations: companions of files."""

from __future__ import annotations

from sqlalchemy import delete, select

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.channels.conda.repository import ATTESTATIONS
from carrel.hub.channels.repository import upsert
from carrel.hub.packages.models import blob, companion


def find(uow: UnitOfWork, file_id: int) -> tuple[str, int] | None:
    """Return digest and size of the attestations of a file."""
    query = (
        select(companion.c.sha256, blob.c.size)
        .join(blob, blob.c.sha256 == companion.c.sha256)
        .where(companion.c.file_id == file_id, companion.c.suffix == ATTESTATIONS)
    )
    row = uow.connection.execute(query).one_or_none()
    return None if row is None else (row.sha256, row.size)


def put(uow: UnitOfWork, file_id: int, sha256: str) -> None:
    """Write the digest of the attestations of a file in place of the former one."""
    values = {"file_id": file_id, "suffix": ATTESTATIONS, "sha256": sha256}
    uow.connection.execute(upsert(uow.connection.dialect.name, companion, "sha256"), values)


def remove(uow: UnitOfWork, file_id: int) -> bool:
    """Remove the attestations of a file; return whether it had any."""
    statement = delete(companion).where(companion.c.file_id == file_id, companion.c.suffix == ATTESTATIONS)
    return uow.connection.execute(statement).rowcount > 0
