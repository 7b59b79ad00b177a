"""Finding packages."""

from __future__ import annotations

from typing import Any

from tornado import web

from carrel.core.errors import BadRequest
from carrel.core.names import validate_package
from carrel.extension.handlers.base import CarrelHandler, authorized, authorized_to_read
from carrel.extension.handlers.files import folder_of
from carrel.extension.imports import resolve_imports
from carrel.extension.publishing import text_of


class SearchHandler(CarrelHandler):
    """``search``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Search all sources, or the chosen ones."""
        query = self.get_query_argument("q", "")
        environment = self.get_query_argument("environment", "") or None
        sources = self.get_query_arguments("source")[:50]
        limit = self.number("limit", 30, 100)
        services = self.services

        def search() -> dict[str, Any]:
            return services.search.search(query, services.target(environment), sources, limit)

        self.reply(await self.run(search))


class PackageHandler(CarrelHandler):
    """``packages/{source}/{name}``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized
    async def get(self, source: str, name: str) -> None:
        """Return what a source says of one package."""
        validate_package(name)
        environment = self.get_query_argument("environment", "") or None
        services = self.services

        def details() -> dict[str, Any]:
            return services.search.details(source, name, services.target(environment))

        self.reply(await self.run(details))


class ImportsHandler(CarrelHandler):
    """``imports``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized_to_read
    async def post(self) -> None:
        """Return which modules are there and which packages bring the others. Changes nothing, so reading rights do."""
        body = self.body()
        modules = body.get("modules")
        if (
            not isinstance(modules, list)
            or len(modules) > 500
            or not all(isinstance(module, str) and len(module) < 200 for module in modules)
        ):
            raise BadRequest("'modules' is a list of at most 500 names.", field="modules")
        environment = text_of(body, "environment", limit=64) or None
        path = text_of(body, "path", limit=4096)
        folder = folder_of(self.contents_manager, path) if path else None
        services = self.services

        def resolve() -> list[dict[str, Any]]:
            return resolve_imports(modules, services.target(environment), services.access, services.search, folder)

        self.reply({"items": await self.run(resolve)})
