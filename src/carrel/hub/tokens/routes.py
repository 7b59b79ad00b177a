"""Addresses of tokens and scopes."""

from __future__ import annotations

from carrel.hub.tokens.handlers import CurrentTokenHandler, ScopesHandler, TokenHandler, TokenRotationHandler, TokensHandler
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

ROUTES = (
    Route(f"{API}/scopes", ScopesHandler),
    Route(f"{API}/tokens", TokensHandler),
    Route(f"{API}/tokens/current", CurrentTokenHandler),
    Route(f"{API}/tokens/{{token}}", TokenHandler),
    Route(f"{API}/tokens/{{token}}/rotate", TokenRotationHandler),
)
