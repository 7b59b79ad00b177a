"""Addresses of collections."""

from __future__ import annotations

from carrel.hub.collections.handlers import CollectionHandler, CollectionItemHandler, CollectionsHandler
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

_COLLECTIONS = f"{API}/namespaces/{{namespace}}/collections"

ROUTES = (
    Route(_COLLECTIONS, CollectionsHandler),
    Route(f"{_COLLECTIONS}/{{collection}}", CollectionHandler),
    Route(f"{_COLLECTIONS}/{{collection}}/items/{{package_namespace}}/{{package}}", CollectionItemHandler),
)
