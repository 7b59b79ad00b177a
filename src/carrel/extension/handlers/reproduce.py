"""Reproducing publications."""

from __future__ import annotations

from typing import Any

from tornado import web

from carrel.client.references import Reference
from carrel.core.errors import BadRequest
from carrel.core.progress import Progress
from carrel.extension.handlers.base import CarrelHandler, authorized, authorized_to_read
from carrel.extension.handlers.files import place, root_of
from carrel.extension.jobs import JobContext
from carrel.extension.publishing import text_of
from carrel.extension.reproducing import review
from carrel.sharing.reproduce import fetch, reproduce, solve_here


class ReviewHandler(CarrelHandler):
    """``reproduce/review``."""

    auth_resource = "carrel:environments"

    @web.authenticated
    @authorized_to_read
    async def post(self) -> None:
        """Return what a publication is and brings. Changes nothing, so reading rights do."""
        services = self.services
        reference = Reference.parse(text_of(self.body(), "reference", required=True, limit=2000), services.access.url)

        def work() -> dict[str, Any]:
            client = services.access.client_for(reference.hub_url)
            return review(client, reference, services.search.known_addresses(), services.trust, services.envs_folder)

        self.reply(await self.run(work))


class SolveHandler(CarrelHandler):
    """``reproduce/solve``."""

    auth_resource = "carrel:environments"

    @web.authenticated
    @authorized_to_read
    async def post(self) -> None:
        """Start a job that tells what a publication from another platform becomes on this one. Nothing is installed."""
        services = self.services
        reference = Reference.parse(text_of(self.body(), "reference", required=True, limit=2000), services.access.url)

        def work(context: JobContext) -> dict[str, Any]:
            context.progress(Progress("fetch", message=f"Fetching {reference}"))
            client = services.access.client_for(reference.hub_url)
            publication = fetch(client, reference, context.cancel)
            return solve_here(publication, services.sources.for_rebuild(), context.progress, context.cancel).to_json()

        key = f"solve:{reference.namespace}/{reference.name}"
        job = services.jobs.submit("solve", f"Solve {reference} for this platform", work, key=key)
        self.reply(job.to_json(), 202)


class ReproduceHandler(CarrelHandler):
    """``reproduce``."""

    auth_resource = "carrel:environments"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Start a job that rebuilds the environment and copies the notebook."""
        services = self.services
        services.policy.require_install()
        body = self.body()
        reference = Reference.parse(text_of(body, "reference", required=True, limit=2000), services.access.url)
        directory = place(self.contents_manager, text_of(body, "directory", limit=4096))
        root = root_of(self.contents_manager)
        if directory is None or root is None:
            raise BadRequest("The files of this server do not lie on its own disk, so no copy can be put there.", code="no_local_files")
        trusted, solve = body.get("trust_channels") is True, body.get("solve") is True

        def work(context: JobContext) -> dict[str, Any]:
            client = services.access.client_for(reference.hub_url)
            done = reproduce(
                client,
                reference,
                directory,
                known_sources=services.search.known_addresses(),
                trust_sources=trusted,
                sources=services.sources.for_rebuild(),
                on_progress=context.progress,
                cancel=context.cancel,
                envs_folder=services.envs_folder,
                trust=services.trust,
                allow_solve=solve,
                program="jupyter",
            )
            if done.prefix is not None:
                services.registry.describe(done.prefix, language=done.language, name=reference.name)
            return {
                "path": done.path.resolve().relative_to(root).as_posix() if done.path else None,
                "kernel_name": done.kernel_name,
                "environment": done.environment,
                "prefix": str(done.prefix) if done.prefix else None,
                "kernels": list(done.kernels),
                "solved": done.solved.to_json() if done.solved else None,
                "warnings": list(done.warnings),
            }

        key = f"reproduce:{reference.namespace}/{reference.name}"
        job = services.jobs.submit("reproduce", f"Reproduce {reference}", work, key=key)
        self.reply(job.to_json(), 202)
