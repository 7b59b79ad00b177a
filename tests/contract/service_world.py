"""People and a hub without HTTP, for the contracts of services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from carrel.core.access import Role
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats import Hints
from carrel.hub.accounts.principal import ANONYMOUS, Principal, Via
from carrel.hub.accounts.resolver import load_principal
from carrel.hub.context import Hub
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.service import UploadRequest
from carrel.hub.packages.views import FileView


class World:
    """Alice owns acme, Bob is a member, Carol is neither."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        with hub.database.write() as uow:
            for name in ("alice", "bob", "carol"):
                hub.accounts.create_user(uow, name, None)
        with hub.database.write() as uow:
            hub.namespaces.create_organization(uow, self.principal("alice"), "acme", "Acme", "")
        with hub.database.write() as uow:
            hub.namespaces.set_member(uow, self.principal("alice"), "acme", "bob", Role.MEMBER)

    def principal(self, name: str, via: Via = Via.SESSION) -> Principal:
        from carrel.hub.accounts import repository

        if not name:
            return ANONYMOUS
        with self.hub.database.read() as uow:
            row = repository.user_by_name(uow, name)
            assert row is not None
            return load_principal(uow, row.id, name, via)

    def write(self, work: Callable[[UnitOfWork], Any]) -> Any:
        with self.hub.database.write() as uow:
            return work(uow)

    def read(self, work: Callable[[UnitOfWork], Any]) -> Any:
        with self.hub.database.read() as uow:
            return work(uow)

    def upload(self, who: str, namespace: str, filename: str, data: bytes, **options: Any) -> tuple[FileView, bool]:
        request = UploadRequest(namespace, filename, **options)
        principal = self.principal(who)
        self.read(lambda uow: self.hub.files.check_upload(uow, principal, request))
        incoming = IncomingFile(self.hub.blobs, 10_000_000, self.hub.leaks)
        incoming.feed(data)
        stored = incoming.finish(filename, request.kind, Hints(request.package, request.version), size=None, sha256=None)
        result: tuple[FileView, bool] = self.write(lambda uow: self.hub.files.register(uow, principal, request, stored))
        return result
