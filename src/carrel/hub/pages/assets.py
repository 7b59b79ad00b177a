"""The pages' own static files."""

from __future__ import annotations

from http import HTTPStatus

from carrel.core.errors import NotFound
from carrel.hub.pages.base import PageHandler
from carrel.hub.pages.templating import static_file
from carrel.hub.web.endpoint import Reply, endpoint


class StaticHandler(PageHandler):
    """``/-/static/{name}``."""

    @endpoint(summary="A style sheet, script or picture of the pages", anonymous=True, media_type="application/octet-stream")
    async def get(self, name: str) -> Reply:
        """Kept by browsers for ever when the address names the content (``?v=``)."""
        found = static_file(name)
        if found is None:
            raise NotFound("There is no such file.")
        content, media_type, digest = found
        named = self.get_query_argument("v", "") == digest
        headers = {
            "Content-Type": media_type,
            "ETag": f'"{digest}"',
            "Cache-Control": "public, max-age=31536000, immutable" if named else "public, no-cache",
            "Vary": "Accept-Encoding",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",  # the logo has its colours inside
        }
        if f'"{digest}"' in self.request.headers.get("If-None-Match", ""):
            return Reply(None, HTTPStatus.NOT_MODIFIED, headers)
        return Reply(content, headers=headers)


class MissingPageHandler(PageHandler):
    """Any other address: a page that says so."""

    @endpoint(summary="No such page", anonymous=True, media_type="text/html")
    async def get(self, **_path: str) -> Reply:
        """Answer 404."""
        raise NotFound("There is nothing at this address.")
