"""The page of what happened in a namespace."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.pages.managing import ManagePageHandler
from carrel.hub.web.endpoint import Reply, endpoint

_PER_PAGE = 50


class AuditPageHandler(ManagePageHandler):
    """``/{namespace}/-/audit``."""

    @endpoint(summary="Page of what happened in a namespace", scope=Scope.NAMESPACE_READ, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str) -> Reply:
        """Who did what, newest first, to owners."""
        cursor = self.get_query_argument("cursor", "")
        page = self.hub.audit.page(uow, self.principal, namespace, limit=_PER_PAGE, cursor=cursor or None)
        base = f"/{namespace}/-/audit"
        return self.namespace_page(
            uow,
            self.hub.namespaces.get(uow, self.principal, namespace),
            "audit",
            "audit.html",
            events=[(event, _short(event.detail)) for event in page.items],
            first_page=base if cursor else None,
            next_page=f"{base}?{urlencode({'cursor': page.next_cursor})}" if page.next_cursor else None,
        )


def _short(detail: object) -> str:
    """Return the facts of an event in one line."""
    if not isinstance(detail, dict):
        return ""
    parts = []
    for key, value in detail.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        parts.append(f"{key}: {text[:120]}{'…' if len(text) > 120 else ''}")
    return ", ".join(parts)[:600]
