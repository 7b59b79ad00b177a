"""The address from which frames load rendered notebooks."""

from __future__ import annotations

from http import HTTPStatus

from carrel.core.digests import is_sha256
from carrel.core.errors import NotFound
from carrel.core.scopes import Scope
from carrel.hub.notebooks.rendering import CONTENT_SECURITY_POLICY, RENDERER_VERSION
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.handler import HubHandler

PREFIX = "/-/render"


def render_address(sha256: str) -> str:
    """Return where the rendered notebook with these bytes is."""
    return f"{PREFIX}/{sha256}/{RENDERER_VERSION}"


class RenderHandler(HubHandler):
    """``/-/render/{sha256}/{version}``: untrusted content in an origin of its own, whatever frame or tab shows it."""

    def set_default_headers(self) -> None:
        """Send the sandboxing policy with every answer, failures included."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")

    @endpoint(summary="A notebook rendered for reading", scope=Scope.PACKAGE_READ, anonymous=True, media_type="text/html; charset=utf-8")
    async def get(self, sha256: str, version: str) -> Reply:
        """Kept by browsers but asked for again each time, so that losing the right to see it takes effect; that costs a 304."""
        if version != str(RENDERER_VERSION):
            raise NotFound("There is no such rendering.")
        notebooks = self.hub.notebooks
        places = notebooks.places.cached(sha256)
        if places is None and is_sha256(sha256):
            generation = notebooks.places.generation
            places = await self.hub.pool.read(lambda uow: notebooks.places.find(uow, sha256))
            notebooks.places.remember(sha256, places, generation)
        notebooks.authorize(self.principal, places or ())
        etag = f'"{sha256}-{RENDERER_VERSION}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
        if etag in self.request.headers.get("If-None-Match", ""):
            return Reply(None, HTTPStatus.NOT_MODIFIED, headers)
        rendered = notebooks.kept(sha256)
        if rendered is None:
            rendered = await self.hub.pool.compute(lambda: notebooks.rendered(sha256))
        return Reply(rendered.document, headers=headers)

    def write_error(self, status_code: int, **kwargs: object) -> None:
        """Write a failure as a line of text."""
        error = kwargs["exc_info"][1] if isinstance(kwargs.get("exc_info"), tuple) else None  # type: ignore[index]
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(getattr(error, "detail", "") or HTTPStatus(status_code).phrase)
