"""Files by the addresses that conda, PyPI and R clients use: a name in a namespace, whatever package it belongs to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.files import repository
from carrel.hub.files.lookup import Address, Located, is_offered, label_names
from carrel.hub.namespaces.models import namespace
from carrel.hub.packages.models import blob, companion, package
from carrel.hub.packages.visibility import Standing


def conda_address(namespace_name: str, subdir: str, filename: str) -> Address:
    """Return the key under which a conda file is remembered; its first part cannot be a namespace."""
    return ("/conda", namespace_name, subdir, filename, None)


def pypi_address(namespace_name: str, filename: str, suffix: str) -> Address:
    """Return the key under which a Python distribution, or the companion *suffix* beside it, is remembered."""
    return ("/pypi", namespace_name, suffix, filename, None)


def cran_address(namespace_name: str, subdir: str, filename: str) -> Address:
    """Return the key under which an R package is remembered."""
    return ("/cran", namespace_name, subdir, filename, None)


def find_conda(uow: UnitOfWork, namespace_name: str, subdir: str, filename: str, suffix: str = "") -> tuple[Located, ...]:
    """Return the file, or the companion *suffix* beside it, whoever asks; empty when there is none."""
    row = _by_key(uow, namespace_name, f"{Kind.CONDA}/{subdir}/{filename}")
    return () if row is None else _beside(uow, row, suffix)


def find_cran(uow: UnitOfWork, namespace_name: str, subdir: str, filename: str) -> tuple[Located, ...]:
    """Return the file, whoever asks; empty when there is none, or it is quarantined."""
    row = _by_key(uow, namespace_name, f"{Kind.R}/{subdir}/{filename}")
    if row is None or uow.connection.scalar(select(package.c.status).where(package.c.id == row.package_id)) == "quarantined":
        return ()
    return (_located(row, row.sha256, row.size),)


def find_pypi(uow: UnitOfWork, namespace_name: str, filename: str, suffix: str = "") -> tuple[Located, ...]:
    """Return the file, or the companion *suffix* beside it, whoever asks; empty when there is none, or it is quarantined."""
    row = _by_key(uow, namespace_name, f"{Kind.PYPI}/{filename}")
    if row is None or uow.connection.scalar(select(package.c.status).where(package.c.id == row.package_id)) == "quarantined":
        return ()
    return _beside(uow, row, suffix)


def _beside(uow: UnitOfWork, row: Row[Any], suffix: str) -> tuple[Located, ...]:
    if not suffix:
        return (_located(row, row.sha256, row.size),)
    query = (
        select(companion.c.sha256, blob.c.size)
        .join(blob, blob.c.sha256 == companion.c.sha256)
        .where(companion.c.file_id == row.id, companion.c.suffix == suffix)
    )
    beside = uow.connection.execute(query).one_or_none()
    return () if beside is None else (_located(row, beside.sha256, beside.size),)


def _by_key(uow: UnitOfWork, namespace_name: str, unique_key: str) -> Row[Any] | None:
    namespace_id = uow.connection.scalar(select(namespace.c.id).where(namespace.c.name == namespace_name))
    return None if namespace_id is None else repository.located_by_key(uow, namespace_id, unique_key)


def _located(row: Any, sha256: str, size: int) -> Located:
    return Located(
        row.id,
        Standing.of(row),
        is_offered(row),
        row.kind,
        row.filename,
        sha256,
        size,
        label_names(row),
    )
