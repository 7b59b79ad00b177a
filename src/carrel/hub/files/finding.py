"""The one file that is meant by its name in a release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Row

from carrel.core.errors import Conflict, NotFound
from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.files import repository
from carrel.hub.packages.access import require_labels
from carrel.hub.packages.visibility import visible_files

T = TypeVar("T")


def find_file(
    uow: UnitOfWork, principal: Principal, release: Row[Any], filename: str, subdir: str | None, kind: Kind | None = None
) -> Row[Any]:
    """Return the file of a release that the caller may see.

    Parameters
    ----------
    subdir : str or None
        None: whichever there is.
    kind : Kind, optional
        Others do not count.

    Raises
    ------
    NotFound
    Conflict
        There are several (code ``ambiguous_file``).
    """
    rows = repository.in_release(uow, release.id, filename, subdir, visible_files(principal))
    return only_one([row for row in rows if kind is None or row.kind == kind.value], filename)


def require_labels_of(uow: UnitOfWork, principal: Principal, row: Row[Any]) -> None:
    """Refuse a token that is narrowed to other labels than all of the file's: what is said of a file is said under all of them.

    Raises
    ------
    Forbidden
    """
    if principal.limits.labels is not None:
        require_labels(principal, repository.labels_of(uow, [row.id]).get(row.id, ()))


def only_one(found: Sequence[T], filename: str) -> T:
    """Return the one of *found*, which has that name.

    Raises
    ------
    NotFound, Conflict
    """
    if not found:
        raise NotFound(f"There is no file {filename[:255]!r} here.")
    if len(found) > 1:
        raise Conflict(f"{filename[:255]!r} exists for several platforms. Add ?subdir=…", code="ambiguous_file")
    return found[0]
