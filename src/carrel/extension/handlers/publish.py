"""Publishing notebooks."""

from __future__ import annotations

import dataclasses
from typing import Any

from tornado import web

from carrel.core.errors import BadRequest
from carrel.extension import publishing
from carrel.extension.handlers.base import CarrelHandler, authorized
from carrel.extension.handlers.files import folder_of
from carrel.extension.jobs import JobContext
from carrel.sharing.publish import publish


class PublishCheckHandler(CarrelHandler):
    """``publish/check``."""

    auth_resource = "carrel:publish"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Return secrets, defaults and remarks for a notebook. Nothing is published."""
        body = await self.run(self.body)  # notebooks are large: reading one takes longer than the event loop may
        path = publishing.text_of(body, "path", required=True, limit=4096)
        environment_id = publishing.text_of(body, "environment", limit=64) or None
        notebook = body.get("notebook")
        if not isinstance(notebook, dict):
            raise BadRequest("'notebook' is the notebook's JSON content.", field="notebook")
        folder = folder_of(self.contents_manager, path)
        services = self.services

        def check() -> dict[str, Any]:
            environment = services.registry.get(environment_id) if environment_id else None
            packages = services.registry.packages(environment)[1] if environment else ()
            return publishing.check(path, notebook, folder, environment, packages, services.access)

        self.reply(await self.run(check))


class PublishHandler(CarrelHandler):
    """``publish``."""

    auth_resource = "carrel:publish"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Start a job that publishes a notebook."""
        services = self.services
        services.policy.require_publish()
        body = await self.run(self.body)
        folder = folder_of(self.contents_manager, publishing.text_of(body, "path", required=True, limit=4096))
        environment_id = publishing.text_of(body, "environment", limit=64) or None
        environment = await self.run(services.registry.get, environment_id) if environment_id else None
        request = publishing.request_of(body, folder, environment)
        client = await self.run(services.access.signed_in_client)

        def work(context: JobContext) -> dict[str, Any]:
            sources = services.sources.for_capture()
            return dataclasses.asdict(publish(request, client, sources, on_progress=context.progress, cancel=context.cancel))

        # one publication of a package at a time: two would both be the next version
        key = f"publish:{request.namespace}/{request.name}"
        job = services.jobs.submit("publish", f"Publish {request.namespace}/{request.name}", work, environment=environment_id, key=key)
        self.reply(job.to_json(), 202)


class PublishUndoHandler(CarrelHandler):
    """``publish/undo``."""

    auth_resource = "carrel:publish"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Remove a release that was just published."""
        services = self.services
        services.policy.require_publish()
        body = self.body()
        namespace, name, version = (publishing.text_of(body, key, required=True, limit=200) for key in ("namespace", "name", "version"))
        client = await self.run(services.access.signed_in_client)
        await self.run(client.delete_release, namespace, name, version)
        self.set_status(204)
        self.finish()
