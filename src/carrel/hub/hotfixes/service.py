"""Rules of patch instructions: owners change the records of a namespace's conda packages, for all labels."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from carrel.core.clock import now
from carrel.core.errors import BadRequest, NotFound
from carrel.core.names import is_subdir
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats.conda.hotfixes import empty_instructions, touched_names, validate_instructions
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.channels.conda.maintenance import lock_channels, refresh
from carrel.hub.channels.conda.repository import CondaChannelRepository
from carrel.hub.hotfixes import repository
from carrel.hub.namespaces.service import find_namespace, require_owner


class HotfixService:
    """Patch instructions, one document for each subdir. New ones rewrite the shards of the packages that they name or named."""

    def get(self, uow: UnitOfWork, principal: Principal, namespace: str, subdir: str) -> dict[str, Any]:
        """Return the instructions as they were given.

        Raises
        ------
        NotFound, Forbidden
        """
        row = self._namespace(uow, principal, namespace, subdir)
        found = repository.find(uow, row.id, subdir)
        if found is None:
            raise NotFound(f"{row.name}/{subdir} has no patch instructions.")
        return found

    def put(self, uow: UnitOfWork, principal: Principal, namespace: str, subdir: str, document: Any) -> dict[str, Any]:
        """Replace the instructions; records change with the commit.

        Raises
        ------
        BadRequest
            ``field`` says which instruction cannot be used.
        """
        row = self._namespace(uow, principal, namespace, subdir)
        instructions = validate_instructions(document)
        self._change(uow, row, subdir, instructions)
        named = {key: len(instructions[key]) for key in ("packages", "packages.conda", "remove", "revoke")}
        record(uow, principal, "hotfix.set", row.id, f"{row.name}/{subdir}", named)
        return instructions

    def delete(self, uow: UnitOfWork, principal: Principal, namespace: str, subdir: str) -> None:
        """Go back to the records as the packages say them."""
        row = self._namespace(uow, principal, namespace, subdir)
        if repository.find(uow, row.id, subdir) is None:
            raise NotFound(f"{row.name}/{subdir} has no patch instructions.")
        self._change(uow, row, subdir, None)
        record(uow, principal, "hotfix.delete", row.id, f"{row.name}/{subdir}")

    def _change(self, uow: UnitOfWork, namespace: Row[Any], subdir: str, instructions: dict[str, Any] | None) -> None:
        # First, so that an upload of the same moment is either seen here or sees what is written here.
        version = lock_channels(uow, namespace.id)
        former = touched_names(repository.find(uow, namespace.id, subdir) or empty_instructions())
        moment = now()
        if instructions is None:
            repository.remove(uow, namespace.id, subdir)
        else:
            repository.put(uow, namespace.id, subdir, instructions, moment)
        present = touched_names(instructions or empty_instructions())
        changed = {name for name in former.keys() | present.keys() if former.get(name) != present.get(name)}
        packages = CondaChannelRepository(uow.connection).packages_with(namespace.id, subdir, changed)
        refresh(uow, namespace.id, dict.fromkeys(sorted(packages), True), moment, version=version)

    def _namespace(self, uow: UnitOfWork, principal: Principal, namespace: str, subdir: str) -> Row[Any]:
        row = find_namespace(uow, namespace)
        require_owner(principal, row)
        if not is_subdir(subdir):
            raise BadRequest(f"{subdir[:80]!r} is no platform of a conda channel.", code="invalid_subdir", field="subdir")
        return row
