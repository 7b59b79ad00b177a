"""Endpoints of the hub about itself."""

from __future__ import annotations

from carrel import __version__
from carrel.hub.server.schemas import ServerInfo
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler

FEATURES = ["packages", "notebooks", "environments", "conda", "pypi", "search", "device_sign_in", "drafts"]


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
