"""Endpoints of the hub about itself."""

from __future__ import annotations

import json

from carrel import __version__
from carrel.core.errors import Unavailable
from carrel.hub.server import repository
from carrel.hub.server.schemas import Health, ServerInfo
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.handler import ApiHandler
from carrel.hub.web.openapi import describe

FEATURES = ["packages", "notebooks", "environments", "conda", "pypi", "cran", "collections", "search", "device_sign_in", "drafts"]


class ServerHandler(ApiHandler):
    """``/api/v1/``."""

    @endpoint(summary="Describe the hub", anonymous=True, response=ServerInfo)
    async def get(self) -> ServerInfo:
        """Name, version and limits of this hub; needs no sign-in."""
        settings = self.hub.settings
        return ServerInfo(
            name=settings.name,
            version=__version__,
            features=FEATURES,
            max_upload_bytes=settings.max_upload_bytes,
            registration="open" if settings.registration == "open" else "closed",
        )


class HealthHandler(ApiHandler):
    """``/api/v1/health``."""

    @endpoint(summary="Check the hub", anonymous=True, response=Health, errors=(Unavailable,))
    async def get(self) -> Health:
        """For load balancers: 503 when the database or the blob store does not answer."""
        try:
            await self.hub.pool.read(repository.ping)
        except Exception as error:
            raise Unavailable("The database does not answer.", code="database_unavailable") from error
        await self.hub.pool.compute(self.hub.blobs.check)
        return Health(status="ok", database="ok", blobs="ok")


class OpenApiHandler(ApiHandler):
    """``/api/v1/openapi.json``."""

    @endpoint(summary="Describe the API", anonymous=True)
    async def get(self) -> Reply:
        """OpenAPI 3.1, made from the same declarations that the hub obeys."""
        document = describe(self.application.settings["routes"], self.hub.settings.name, self.urls.base)
        return Reply(json.dumps(document).encode(), headers={"Content-Type": "application/json", "Cache-Control": "public, max-age=60"})
