"""The state of the extension, signing in, and what is on the hub."""

from __future__ import annotations

import dataclasses
from typing import Any

from tornado import web

from carrel import __version__
from carrel.client.references import Reference
from carrel.core.kinds import Kind
from carrel.extension.handlers.base import CarrelHandler, authorized
from carrel.extension.publishing import text_of


class StatusHandler(CarrelHandler):
    """``status``."""

    auth_resource = "carrel:hub"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return version, hub, policy and sources."""
        self.reply(await self.run(self.services.status, __version__))


class LoginHandler(CarrelHandler):
    """``login``: tokens stay on the server, the browser sees none."""

    auth_resource = "carrel:hub"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Sign in with a token, or start a device sign-in."""
        body = self.body()
        access = self.services.access
        url = access.allowed_url(text_of(body, "hub_url") or None)
        token = text_of(body, "token", limit=200)
        if token:
            user = await self.run(access.sign_in, url, token.strip())
            self.reply({"state": "done", "user": {"name": user.name, "display_name": user.display_name}})
        else:
            self.reply(await self.run(self.services.sign_in.start, url), 201)

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Sign out."""
        await self.run(self.services.access.sign_out)
        self.set_status(204)
        self.finish()


class LoginStateHandler(CarrelHandler):
    """``login/{flow}``."""

    auth_resource = "carrel:hub"

    @web.authenticated
    @authorized
    async def get(self, flow: str) -> None:
        """Return how far a device sign-in is."""
        self.reply({"state": await self.run(self.services.sign_in.poll, flow)})


class HubSearchHandler(CarrelHandler):
    """``hub/search``."""

    auth_resource = "carrel:hub"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Search notebooks and environments."""
        query = self.get_query_argument("q", "")[:200]
        kinds = [Kind(kind) for kind in self.get_query_arguments("kind") if kind in set(Kind)] or [Kind.NOTEBOOK, Kind.ENVIRONMENT]
        limit = self.number("limit", 20, 50)

        def search() -> list[dict[str, Any]]:
            found = self.services.access.client().search(query, kinds=kinds, limit=limit)
            return [dataclasses.asdict(item) for item in found.items]

        self.reply({"items": await self.run(search)})


class HubReleasesHandler(CarrelHandler):
    """``hub/releases``."""

    auth_resource = "carrel:hub"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return the published releases of a package, newest first."""
        access = self.services.access
        reference = Reference.parse(self.get_query_argument("reference"), access.url)

        def releases() -> list[dict[str, Any]]:
            found = access.client_for(reference.hub_url).releases(reference.namespace, reference.name)
            return [dataclasses.asdict(release) for release in found if release.state == "published"]

        self.reply({"items": await self.run(releases)})
