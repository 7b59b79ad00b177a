"""Every address of the hub: template -> handler, by feature. The first match wins; pages of namespaces come last."""

from __future__ import annotations

from carrel.hub.channels.routes import ROUTES as CHANNELS
from carrel.hub.search.handlers import ImportsHandler, SearchHandler
from carrel.hub.server.handlers import ServerHandler
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

SERVER = (
    Route(API, ServerHandler),
    Route(f"{API}/", ServerHandler),
)

SEARCH = (
    Route(f"{API}/search", SearchHandler),
    Route(f"{API}/imports", ImportsHandler),
)

ROUTES: tuple[Route, ...] = (*SERVER, *SEARCH, *CHANNELS,)
