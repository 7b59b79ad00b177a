"""Addresses of attestations."""

from __future__ import annotations

from carrel.hub.attestations.handlers import FileAttestationsHandler
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

ROUTES: tuple[Route, ...] = (
    Route(f"{API}/packages/{{namespace}}/{{package}}/releases/{{version}}/files/{{filename}}/attestations", FileAttestationsHandler),
)
