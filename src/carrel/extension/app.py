"""The extension application: its settings, and where they come together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from pypi_simple import PYPI_SIMPLE_ENDPOINT
from traitlets import Bool, Float, Integer, List, Unicode

from carrel import __version__
from carrel.environments.locations import cache_folder, data_folder
from carrel.extension.routes import ROUTES
from carrel.extension.services import Policy, Services, spec_reader

SERVICES = "carrel_services"


class CarrelExtension(ExtensionApp):  # type: ignore[misc]
    """Packages, publishing and reproducing inside JupyterLab.

    Every setting is configured as ``c.CarrelExtension.<name>`` or ``--CarrelExtension.<name>=…``.
    """

    name = "carrel"
    extension_url = "/lab"
    load_other_extensions = True
    description = "Carrel: packages of the kernel's environment, publish and reproduce notebooks"

    hub_url = Unicode("", help="Address of the hub. When empty, each person chooses by signing in.").tag(config=True)
    allow_install = Bool(True, help="Whether environments may be changed from the panel.").tag(config=True)
    allow_publish = Bool(True, help="Whether notebooks may be published.").tag(config=True)
    policy_reason = Unicode("", help="Shown where installing or publishing is not allowed; may hold a contact.").tag(config=True)
    envs_dir = Unicode("", help="Folder for rebuilt environments; by default 'envs' in the data folder of Carrel.").tag(config=True)
    cache_dir = Unicode("", help="Folder for kept indexes; by default the cache folder of Carrel.").tag(config=True)
    channels = List(Unicode(), default_value=["conda-forge"], help="conda channels outside the hub, best first: names or addresses.").tag(
        config=True
    )
    indexes = List(Unicode(), default_value=[PYPI_SIMPLE_ENDPOINT], help="PyPI indexes (simple API) outside the hub, best first.").tag(
        config=True
    )
    max_jobs = Integer(4, min=1, help="How many jobs run at a time. An environment is changed by one job at a time.").tag(config=True)
    search_seconds = Float(3.0, min=0.5, help="Time that each source has to answer a search, in seconds.").tag(config=True)

    def initialize_settings(self) -> None:
        """Make the services."""
        data = data_folder()
        server: Any = self.serverapp
        self.settings[SERVICES] = Services(
            hub_url=self.hub_url,
            policy=Policy(self.allow_install, self.allow_publish, self.policy_reason),
            channels=list(self.channels),
            indexes=list(self.indexes),
            envs_folder=Path(self.envs_dir) if self.envs_dir else data / "envs",
            cache_folder=Path(self.cache_dir) if self.cache_dir else cache_folder(),
            data_folder=data,
            max_jobs=self.max_jobs,
            search_seconds=self.search_seconds,
            specs=spec_reader(server.kernel_spec_manager),
            log=self.log,
        )
        self.log.info("Carrel %s, hub: %s", __version__, self.settings[SERVICES].access.url or "not chosen yet")

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """End all work."""
        services = self.settings.get(SERVICES)
        if isinstance(services, Services):
            services.close()


def main() -> None:
    """Start a Jupyter server with the extension."""
    CarrelExtension.launch_instance()
