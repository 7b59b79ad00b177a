"""Where notebooks are, by content digest, remembered for a few seconds: what decides who may see a rendered one."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.files.lookup import label_names
from carrel.hub.notebooks import repository
from carrel.hub.packages.visibility import Standing, may_reach, sees_drafts
from carrel.hub.remembered import Remembered

_MAX_ENTRIES = 10_000
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """One file with the bytes of a notebook: what says who may see it."""

    file_id: int
    package: Standing
    published: bool
    size: int
    labels: frozenset[str]

    def is_open_to(self, principal: Principal) -> bool:
        """Whether *principal* may see the file; those of drafts are for those who may write to the package."""
        limit = principal.limits.labels
        if limit is not None and not limit & self.labels:
            return False
        return may_reach(principal, self.package) and (self.published or sees_drafts(principal, self.package))


class NotebookPlaces(Remembered[str, Place]):
    """Finds notebooks by digest. Changes made by this process are seen at once, those of others some seconds later."""

    def __init__(self) -> None:
        super().__init__(_SECONDS, _MAX_ENTRIES)

    def find(self, uow: UnitOfWork, sha256: str) -> tuple[Place, ...]:
        """Look up where the notebook is."""
        return tuple(
            Place(row.id, Standing.of(row), row.state == "published", row.size, label_names(row)) for row in repository.places(uow, sha256)
        )
