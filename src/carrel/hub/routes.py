"""Every address of the hub: template -> handler, by feature. The first match wins; pages of namespaces come last."""

from __future__ import annotations

from carrel.hub.server.handlers import ServerHandler
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

SERVER = (
    Route(API, ServerHandler),
    Route(f"{API}/", ServerHandler),
)

ROUTES: tuple[Route, ...] = (*SERVER,)
