"""Endpoints of labels."""

from __future__ import annotations

from carrel.core.errors import NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.labels.schemas import Label, LabelList
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler


class LabelsHandler(ApiHandler):
    """``/namespaces/{namespace}/labels``."""

    @endpoint(summary="List labels of a namespace", scope=Scope.NAMESPACE_READ, anonymous=True, response=LabelList, errors=(NotFound,))
    def get(self, uow: UnitOfWork, namespace: str) -> LabelList:
        """Outsiders see the labels under which they see a file."""
        views = self.hub.labels.list(uow, self.principal, namespace)
        return LabelList(items=[Label(name=view.name, locked=view.locked, files=view.files) for view in views])
