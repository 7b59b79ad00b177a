"""Private copies of environments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from tornado import web

from carrel.core.errors import BadRequest
from carrel.core.progress import Progress
from carrel.environments import Environment, clone
from carrel.environments.cloning import give_kernel
from carrel.extension.handlers.base import CarrelHandler, authorized
from carrel.extension.jobs import JobContext
from carrel.extension.publishing import text_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}\Z")


class CloneHandler(CarrelHandler):
    """``environments/{id}/clone``."""

    auth_resource = "carrel:environments"

    @web.authenticated
    @authorized
    async def post(self, environment_id: str) -> None:
        """Start a job that makes a copy of an environment, which the person may change, with a kernel."""
        services = self.services
        services.policy.require_install()
        name = text_of(self.body(), "name", limit=80)
        environment = await self.run(services.registry.get, environment_id)
        target = _place(services.envs_folder, name, environment)

        def work(context: JobContext) -> dict[str, Any]:
            context.progress(Progress("copy", message=f"Copying {environment.name}"))
            copy = clone(environment.prefix, target, program="jupyter", on_event=context.progress, cancel=context.cancel)
            kernel = give_kernel(copy, copy.name, Path(jupyter_data_dir()))
            return {"environment": services.registry.describe(copy.prefix), "kernel_name": kernel}

        job = services.jobs.submit("clone", f"Copy {environment.name}", work, environment=environment_id, key=str(target))
        self.reply(job.to_json(), 202)


def _place(folder: Path, name: str, environment: Environment) -> Path:
    """Return where the copy will be.

    Raises
    ------
    carrel.core.errors.BadRequest
        *name* cannot be the name of a folder.
    """
    if name:
        if not _NAME.match(name):
            raise BadRequest(f"{name!r} cannot be a name: use letters, digits, '-', '_' and '.'.", code="invalid_name", field="name")
        return folder / name
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", environment.name).strip("-.")[:60] or "environment"
    target, number = folder / f"{base}-copy", 1
    while target.exists():
        number += 1
        target = folder / f"{base}-copy-{number}"
    return target
