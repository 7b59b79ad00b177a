"""Endpoint of the audit trail."""

from __future__ import annotations

from carrel.core.errors import BadRequest, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.audit.schemas import AuditList, AuditQuery
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler


class AuditHandler(ApiHandler):
    """``/namespaces/{namespace}/audit``."""

    @endpoint(
        summary="Read the audit trail",
        scope=Scope.NAMESPACE_READ,
        query=AuditQuery,
        response=AuditList,
        errors=(NotFound, Forbidden, BadRequest),
    )
    def get(self, uow: UnitOfWork, namespace: str, query: AuditQuery) -> AuditList:
        """Who did what in the namespace, newest first. Owners only."""
        page = self.hub.audit.page(uow, self.principal, namespace, limit=query.limit, cursor=query.cursor)
        return AuditList.model_validate(page)
