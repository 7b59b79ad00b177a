"""What the rest of the hub is told when packages change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork


class Reason(StrEnum):
    """Why a listener is called."""

    FILES = "files"  # files of a published release were added or removed
    LABELS = "labels"
    VISIBILITY = "visibility"
    RELEASE = "release"  # a release was published or removed
    PACKAGE = "package"  # summary, description … or the whole package removed


@dataclass(frozen=True, slots=True)
class PackageChange:
    """One package whose indexes may be stale.

    Attributes
    ----------
    namespace_id, package_id : int
        The package row is gone when the package was removed.
    kinds : frozenset of Kind
        Kinds of the files concerned: an index of another kind need not look.
    reason : Reason
    """

    namespace_id: int
    package_id: int
    kinds: frozenset[Kind]
    reason: Reason


class ChangeListener(Protocol):
    """Something that follows changes of packages within the same transaction."""

    def files_changed(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
        """Bring derived rows up to date.

        Called inside the transaction, after the rows of packages, releases, files and labels were changed. Work on memory
        belongs in ``uow.after_commit``. An exception rolls the whole change back.
        """
        ...
