"""Endpoints of patch instructions."""

from __future__ import annotations

from carrel.core.errors import BadRequest, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.hotfixes.schemas import PatchInstructions
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler


class HotfixHandler(ApiHandler):
    """``/namespaces/{namespace}/hotfixes/{subdir}``."""

    @endpoint(
        summary="Get the patch instructions of a channel",
        scope=Scope.NAMESPACE_READ,
        response=PatchInstructions,
        errors=(NotFound, Forbidden),
    )
    def get(self, uow: UnitOfWork, namespace: str, subdir: str) -> PatchInstructions:
        """To owners. Everybody else reads ``patch_instructions.json`` of the channel, as far as they see the files."""
        return PatchInstructions.model_validate(self.hub.hotfixes.get(uow, self.principal, namespace, subdir))

    @endpoint(
        summary="Set the patch instructions of a channel",
        scope=Scope.NAMESPACE_WRITE,
        request=PatchInstructions,
        response=PatchInstructions,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest),
    )
    def put(self, uow: UnitOfWork, namespace: str, subdir: str, body: PatchInstructions) -> PatchInstructions:
        """Change records of the index without new files, for all labels, at once. A value of null removes a field."""
        document = self.hub.hotfixes.put(uow, self.principal, namespace, subdir, body.model_dump(by_alias=True))
        return PatchInstructions.model_validate(document)

    @endpoint(
        summary="Remove the patch instructions of a channel",
        scope=Scope.NAMESPACE_WRITE,
        status=204,
        writes=True,
        errors=(NotFound, Forbidden),
    )
    def delete(self, uow: UnitOfWork, namespace: str, subdir: str) -> None:
        """The index says again what the packages say."""
        self.hub.hotfixes.delete(uow, self.principal, namespace, subdir)
