"""Addresses of patch instructions."""

from __future__ import annotations

from carrel.hub.hotfixes.handlers import HotfixHandler
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

ROUTES: tuple[Route, ...] = (Route(f"{API}/namespaces/{{namespace}}/hotfixes/{{subdir}}", HotfixHandler),)
