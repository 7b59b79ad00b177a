"""Address of the audit trail."""

from __future__ import annotations

from carrel.hub.audit.handlers import AuditHandler
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

ROUTES = (Route(f"{API}/namespaces/{{namespace}}/audit", AuditHandler),)
