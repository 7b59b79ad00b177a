"""Where the bytes behind a download address are, remembered for a few seconds."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.files import repository
from carrel.hub.remembered import Remembered

_MAX_ENTRIES = 20_000
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Located:
    """A file as downloads need it: what authorises it, and its bytes."""

    id: int
    namespace_id: int
    visibility: str
    published: bool
    package_published: bool
    kind: str
    filename: str
    sha256: str
    size: int


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
                row.namespace_id,
                row.visibility,
                row.state == "published",
                row.latest_version is not None,
                row.kind,
                row.filename,
                row.sha256,
                row.size,
            )
            for row in repository.by_names(uow, *address)
        )
        return found
