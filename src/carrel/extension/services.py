"""Everything the handlers use, made once per server."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from carrel.client.credentials import CredentialStore
from carrel.core.errors import Forbidden
from carrel.environments.locations import current_platform
from carrel.extension.changes import Changes
from carrel.extension.environments import EnvironmentRegistry, Specs
from carrel.extension.hub import HubAccess
from carrel.extension.jobs import JobManager
from carrel.extension.search.service import SearchService, Target
from carrel.extension.signin import SignIn
from carrel.extension.sources import SourceBook, installed_versions
from carrel.sharing.trust import TrustStore

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the administrator allows; ``reason`` is shown where something is not."""

    allow_install: bool = True
    allow_publish: bool = True
    reason: str = ""

    def require_install(self) -> None:
        """Refuse where environments must not be changed.

        Raises
        ------
        carrel.core.errors.Forbidden
        """
        if not self.allow_install:
            raise Forbidden(self.reason or "Changing environments is switched off on this server.", code="install_not_allowed")

    def require_publish(self) -> None:
        """Refuse where nothing may be published.

        Raises
        ------
        carrel.core.errors.Forbidden
        """
        if not self.allow_publish:
            raise Forbidden(self.reason or "Publishing is switched off on this server.", code="publish_not_allowed")

    def to_json(self) -> dict[str, Any]:
        """Return the policy as the API shows it."""
        return {"allow_install": self.allow_install, "allow_publish": self.allow_publish, "reason": self.reason or None}


class Services:
    """The parts of the extension, connected.

    Parameters
    ----------
    hub_url : str
        Address of the hub, empty to let the person choose.
    channels, indexes : list of str
    envs_folder, cache_folder, data_folder : pathlib.Path
    """

    def __init__(
        self,
        *,
        hub_url: str,
        policy: Policy,
        channels: list[str],
        indexes: list[str],
        envs_folder: Path,
        cache_folder: Path,
        data_folder: Path,
        max_jobs: int,
        search_seconds: float,
        specs: Specs,
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self.policy = policy
        self.envs_folder = envs_folder
        self.access = HubAccess(hub_url, CredentialStore())
        self.sources = SourceBook(self.access, channels, indexes)
        self.registry = EnvironmentRegistry(envs_folder, specs)
        self.jobs = JobManager(data_folder / "jobs", max_jobs, log)
        self.changes = Changes(self.registry, self.sources)
        self.search = SearchService(self.access, self.sources, current_platform(), search_seconds, cache_folder)
        self.sign_in = SignIn(self.access)
        self.trust = TrustStore(data_folder / "trusted-sources.json")
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="carrel")

    async def run(self, work: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
        """Run blocking *work* in a thread, so that the event loop goes on."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, functools.partial(work, *arguments, **options))

    def target(self, environment_id: str | None) -> Target:
        """Return what a search is made for."""
        if not environment_id:
            return Target()
        environment = self.registry.get(environment_id)
        return Target(environment, installed_versions(self.registry.packages(environment)[1]))

    def status(self, version: str) -> dict[str, Any]:
        """Return the state of the extension as the API shows it."""
        return {
            "version": version,
            "hub": self.access.status(),
            "policy": self.policy.to_json(),
            "sources": [source.to_json() for source in self.sources.all()],
        }

    def close(self) -> None:
        """End all work."""
        self.jobs.shutdown()
        self.search.shutdown()
        self._pool.shutdown(wait=False, cancel_futures=True)


def spec_reader(kernel_spec_manager: Any) -> Specs:
    """Return a function that reads all kernelspecs from disk; empty for managers that answer from another machine."""

    def read() -> Mapping[str, Mapping[str, Any]]:
        found = kernel_spec_manager.get_all_specs()
        if not isinstance(found, Mapping):
            if asyncio.iscoroutine(found):
                found.close()
            return {}
        return {name: entry.get("spec") or {} for name, entry in found.items()}

    return read
