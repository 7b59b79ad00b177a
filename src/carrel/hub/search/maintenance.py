"""The search index follows packages, in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.packages.changes import PackageChange, Reason
from carrel.hub.search.repository import SearchRepository


class SearchListener:
    """Indexes changed packages again, if they say something else than before.

    A :class:`carrel.hub.packages.changes.ChangeListener`.
    """

    def files_changed(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
        """Bring the documents of changed packages up to date; labels are no part of what is found."""
        repository = SearchRepository(uow.connection)
        for package_id in sorted({change.package_id for change in changes if change.reason is not Reason.LABELS}):
            refresh(repository, package_id)


def refresh(repository: SearchRepository, package_id: int) -> None:
    """Index one package again."""
    document = repository.document(package_id)
    if document is None:
        repository.remove(package_id)
        return
    present = repository.digest(package_id)
    if present != document.digest:
        repository.put(document, new=present is None)


def rebuild(uow: UnitOfWork) -> int:
    """Index every package again; return how many. For administrators: nothing needs it in daily work."""
    repository = SearchRepository(uow.connection)
    ids = repository.package_ids()
    for package_id in ids:
        document = repository.document(package_id)
        if document is not None:
            repository.put(document)
    return len(ids)
