"""Rules of labels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from carrel.core.access import Role
from carrel.core.clock import now
from carrel.core.errors import Forbidden
from carrel.core.names import validate_label
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.labels import repository
from carrel.hub.namespaces.service import find_namespace

MAIN = "main"


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label and how many files the caller sees under it."""

    name: str
    locked: bool
    files: int


class LabelService:
    """Labels of a namespace. A label exists as soon as a file bears it; only owners put files on or off a locked one."""

    def list(self, uow: UnitOfWork, principal: Principal, namespace: str) -> list[LabelView]:
        """Return the labels of a namespace; outsiders see those under which they see a file."""
        row = find_namespace(uow, namespace)
        return [LabelView(item.name, bool(item.locked), int(item.files)) for item in repository.counted(uow, principal, row.id)]

    def resolve(self, uow: UnitOfWork, role: Role, namespace_id: int, names: Collection[str]) -> set[int]:
        """Return the ids of labels that the caller may put on a file, made when they do not exist.

        Raises
        ------
        InvalidName
        Forbidden
            A label is locked.
        """
        wanted = {validate_label(name) for name in names}
        rows = repository.by_names(uow, namespace_id, wanted)
        if missing := wanted - {row.name for row in rows}:
            repository.insert_labels(uow, namespace_id, missing, now())
            rows = repository.by_names(uow, namespace_id, wanted)
        self._require_unlocked(role, [row.name for row in rows if row.locked])
        return {row.id for row in rows}

    def assign(self, uow: UnitOfWork, role: Role, namespace_id: int, file_id: int, names: Collection[str]) -> bool:
        """Give a file exactly these labels; return whether anything changed."""
        wanted = self.resolve(uow, Role.OWNER, namespace_id, names)
        current = repository.label_ids_of(uow, file_id)
        changed = wanted ^ current
        if not changed:
            return False
        self._require_unlocked(role, repository.locked_names(uow, changed))
        repository.remove(uow, file_id, current - wanted)
        repository.add(uow, file_id, wanted - current)
        return True

    def add(self, uow: UnitOfWork, role: Role, namespace_id: int, file_id: int, names: Collection[str], *, new: bool = False) -> bool:
        """Give a file these labels beside the ones it has (a *new* one has none); return whether anything changed."""
        wanted = self.resolve(uow, role, namespace_id, names)
        missing = wanted if new else wanted - repository.label_ids_of(uow, file_id)
        repository.add(uow, file_id, missing)
        return bool(missing)

    def _require_unlocked(self, role: Role, locked: Collection[str]) -> None:
        if locked and role is not Role.OWNER:
            raise Forbidden(f"The label {sorted(locked)[0]!r} is locked: only owners of the namespace use it.", code="label_locked")
