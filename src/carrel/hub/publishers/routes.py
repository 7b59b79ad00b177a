"""Addresses of trusted publishing. Clients take the host of the index for the whole address of the exchange."""

from __future__ import annotations

from carrel.hub.publishers.handlers import (
    AudienceHandler,
    BareMintHandler,
    BurnHandler,
    MintHandler,
    PublisherHandler,
    PublishersHandler,
)
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

ROUTES = (
    Route(f"{API}/namespaces/{{namespace}}/publishers", PublishersHandler),
    Route(f"{API}/namespaces/{{namespace}}/publishers/{{publisher:[0-9]+}}", PublisherHandler),
    Route("/api/oidc/mint_token", BareMintHandler),
    Route("/_/oidc/audience", AudienceHandler),
    Route("/_/oidc/mint-token", MintHandler),
    Route("/_/oidc/burn-token", BurnHandler),
)
