"""Environments: which there are, what is in them, changing them."""

from __future__ import annotations

from typing import Any

from tornado import web

from carrel.core.errors import BadRequest
from carrel.core.progress import NeverCancelled
from carrel.environments import Environment, capture, environment_yml
from carrel.extension.environments import facts_of
from carrel.extension.handlers.base import CarrelHandler, authorized, authorized_to_read
from carrel.extension.publishing import text_of
from carrel.formats.environment import dump_lock


class KernelEnvironmentHandler(CarrelHandler):
    """``kernels/{id}/environment``."""

    auth_resource = "carrel:environments"

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        """Return the environment of a kernel, from its process."""
        facts = facts_of(self.kernel_manager, kernel_id)
        self.reply(await self.run(self.services.registry.of_kernel, facts))

    @web.authenticated
    @authorized_to_read
    async def post(self, kernel_id: str) -> None:
        """Return it with the kernel's own word for it taken into account. Changes nothing, so reading rights do."""
        told = text_of(self.body(), "prefix", limit=4096) or None
        facts = facts_of(self.kernel_manager, kernel_id)
        self.reply(await self.run(self.services.registry.of_kernel, facts, told))


class EnvironmentsHandler(CarrelHandler):
    """``environments``."""

    auth_resource = "carrel:environments"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return all known environments."""
        self.reply({"items": await self.run(self.services.registry.all)})


class EnvironmentHandler(CarrelHandler):
    """``environments/{id}``."""

    auth_resource = "carrel:environments"

    @web.authenticated
    @authorized
    async def get(self, environment_id: str) -> None:
        """Return one environment."""
        registry = self.services.registry

        def describe() -> dict[str, Any]:
            return registry.describe(registry.get(environment_id).prefix)

        self.reply(await self.run(describe))


class InstalledHandler(CarrelHandler):
    """``environments/{id}/packages``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized
    async def get(self, environment_id: str) -> None:
        """Return the installed packages; 304 when they are as they were."""
        registry = self.services.registry

        def read() -> tuple[str, list[dict[str, Any]]]:
            tag, packages = registry.packages(registry.get(environment_id))
            items = [
                {
                    "name": p.name,
                    "version": p.version,
                    "build": p.build or None,
                    "source": p.source,
                    "channel": p.channel or p.origin or None,
                    "requested": p.requested,
                    "size": p.size or None,
                    "summary": p.summary or None,
                    "import_names": list(p.import_names),
                    "location": p.location,
                }
                for p in packages
            ]
            return tag, items

        tag, items = await self.run(read)
        self.set_header("ETag", f'"{tag}"')
        self.set_header("Cache-Control", "no-cache")
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
            return
        self.reply({"items": items})


class PlanHandler(CarrelHandler):
    """``environments/{id}/plan``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized
    async def post(self, environment_id: str) -> None:
        """Start a job that finds out what a change would do."""
        self.services.policy.require_install()
        body = self.body()
        services = self.services
        environment = await self.run(_writable, services.registry.get, environment_id)
        way = services.changes.ways_out.take(body["way_out"], environment) if body.get("way_out") is not None else None
        job = services.jobs.submit(
            "plan",
            f"Plan: {way.text}" if way else _title(body),
            lambda context: services.changes.plan(environment, body, context),
            environment=environment_id,
        )
        self.reply(job.to_json(), 202)


class ApplyHandler(CarrelHandler):
    """``environments/{id}/apply``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized
    async def post(self, environment_id: str) -> None:
        """Start a job that executes a plan."""
        self.services.policy.require_install()
        services = self.services
        plan_id = self.body().get("plan")
        environment = await self.run(_writable, services.registry.get, environment_id)
        plan = services.changes.take(plan_id, environment)
        names = [step.name for step in plan.steps]
        title = f"Change {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        job = services.jobs.submit(
            "apply",
            title,
            lambda context: services.changes.apply(plan, environment, context),
            environment=environment_id,
            key=str(environment.prefix),
        )
        self.reply(job.to_json(), 202)


class RevisionsHandler(CarrelHandler):
    """``environments/{id}/revisions``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized
    async def get(self, environment_id: str) -> None:
        """Return the revisions, newest first: states that can be gone back to."""
        services = self.services

        def read() -> list[dict[str, Any]]:
            return services.changes.revisions(services.registry.get(environment_id))

        self.reply({"items": await self.run(read)})


class RevisionDifferenceHandler(CarrelHandler):
    """``environments/{id}/revisions/{revision}/diff``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized
    async def get(self, environment_id: str, revision: str) -> None:
        """Return how the environment differs from a revision: now, or in the revision named by ``other``."""
        services = self.services
        other = self.get_query_argument("other", "")
        if other and not (other.isdecimal() and len(other) <= 9):
            raise BadRequest("'other' is the number of a revision.", field="other")

        def compare() -> dict[str, Any]:
            environment = services.registry.get(environment_id)
            return services.changes.difference(environment, int(revision), int(other) if other else None)

        self.reply(await self.run(compare))


class RestoreHandler(CarrelHandler):
    """``environments/{id}/revisions/{revision}/restore``."""

    auth_resource = "carrel:packages"

    @web.authenticated
    @authorized
    async def post(self, environment_id: str, revision: str) -> None:
        """Start a job that goes back to a revision."""
        self.services.policy.require_install()
        services = self.services
        environment = await self.run(_writable, services.registry.get, environment_id)
        job = services.jobs.submit(
            "restore",
            f"Restore revision {revision}",
            lambda context: services.changes.restore(environment, int(revision), context),
            environment=environment_id,
            key=str(environment.prefix),
        )
        self.reply(job.to_json(), 202)


class ExportHandler(CarrelHandler):
    """``environments/{id}/export``."""

    auth_resource = "carrel:environments"

    @web.authenticated
    @authorized
    async def get(self, environment_id: str) -> None:
        """Return the environment as ``environment.yml`` or as a lock."""
        chosen = self.get_query_argument("format", "environment.yml")
        if chosen not in ("environment.yml", "lock"):
            raise BadRequest("The format is 'environment.yml' or 'lock'.", field="format")
        services = self.services

        def export() -> tuple[str, bytes]:
            environment = services.registry.get(environment_id)
            lock = capture(environment.prefix, services.sources.for_capture(), cancel=NeverCancelled())
            if chosen == "lock":
                return dump_lock(lock)
            text = environment_yml(lock)
            return "environment.yml", text if isinstance(text, bytes) else text.encode()

        filename, content = await self.run(export)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{filename}"')
        self.finish(content)


def _writable(get: Any, environment_id: str) -> Environment:
    environment: Environment = get(environment_id)
    if not environment.writable:
        raise BadRequest(environment.reason_read_only or "This environment cannot be changed.", code="read_only", remedy="clone")
    return environment


def _title(body: dict[str, Any]) -> str:
    parts = []
    for key, verb in (("add", "install"), ("remove", "remove"), ("update", "update")):
        items = body.get(key)
        if not isinstance(items, list):  # what is wrong is said by the job
            continue
        names = [str(item.get("name") if isinstance(item, dict) else item)[:60] for item in items]
        if names:
            parts.append(f"{verb} {', '.join(names[:3])}" + (" …" if len(names) > 3 else ""))
    text = "; ".join(parts) or "change nothing"
    return "Plan: " + text
