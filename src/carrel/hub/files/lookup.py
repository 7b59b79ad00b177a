"""Where the bytes behind a download address are, remembered for a few seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.files import repository
from carrel.hub.packages.visibility import Standing, may_reach, sees_drafts
from carrel.hub.remembered import Remembered

_MAX_ENTRIES = 20_000
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Located:
    """A file as downloads need it: what authorises it, and its bytes.

    What is not *published* is there for those who may write to the package: files of drafts and of quarantined packages.
    """

    id: int
    package: Standing
    published: bool
    kind: str
    filename: str
    sha256: str
    size: int
    labels: frozenset[str] = frozenset()

    @property
    def visibility(self) -> str:
        """Of the package."""
        return self.package.visibility

    def is_open_to(self, principal: Principal) -> bool:
        """Whether *principal* may download it."""
        limit = principal.limits.labels
        if limit is not None and not limit & self.labels:
            return False
        return may_reach(principal, self.package) and (self.published or sees_drafts(principal, self.package))


def label_names(row: Row[Any]) -> frozenset[str]:
    """Return the labels of a row that has ``label_names``."""
    return frozenset((row.label_names or "").split("\n")) - {""}


def is_offered(row: Row[Any]) -> bool:
    """Return whether a file is published and not quarantined (PEP 792); the row has ``state`` and ``package_status``."""
    return bool(row.state == "published" and row.package_status != "quarantined")


Address = tuple[str, str, str, str, str | None]


class FileLookup(Remembered[Address, Located]):
    """Finds files by address (namespace, package, version, filename, subdir).

    The visibility travels with the entry and is checked for every caller, so entries are shared by all callers. Changes
    made by this process are seen at once, those of others within :data:`SECONDS`.
    """

    def __init__(self) -> None:
        super().__init__(SECONDS, _MAX_ENTRIES)

    def find(self, uow: UnitOfWork, address: Address) -> tuple[Located, ...]:
        """Look *address* up; what is not there is not remembered."""
        found = tuple(
            Located(
                row.id,
                Standing.of(row),
                is_offered(row),
                row.kind,
                row.filename,
                row.sha256,
                row.size,
                label_names(row),
            )
            for row in repository.by_names(uow, *address)
        )
        return found
