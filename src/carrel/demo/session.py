"""One run of the demonstration, from the first process to the last cleaned-up folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from carrel.client import CredentialStore, HubClient
from carrel.core.progress import OnProgress
from carrel.core.scopes import ALL_SCOPES
from carrel.demo import environments, notebooks, samples, seeding
from carrel.environments import Sources
from carrel.testing.conda_channel import build_channel
from carrel.testing.hub import HubProcess
from carrel.testing.jupyter import JupyterLab, run_jupyter_lab

USER, COLLEAGUE = "ada", "grace"
PASSWORD = "demonstration-only"  # noqa: S105 - printed on the screen; the hub listens on the loopback alone
KERNEL_PACKAGES = ("python", "ipykernel", "pip")


OnStage = Callable[[str], contextlib.AbstractContextManager[OnProgress]]


@dataclass(frozen=True, slots=True)
class Running:
    """A demonstration that is up."""

    hub: HubProcess
    lab: JupyterLab
    lab_url: str
    folder: Path

    @property
    def hub_url(self) -> str:
        """Base address of the hub without a slash at the end."""
        return self.hub.url


@contextmanager
def demonstration(
    on_stage: OnStage, *, folder: Path | None = None, hub_port: int | None = None, lab_port: int | None = None
) -> Iterator[Running]:
    """Run the demonstration while the block runs.

    Parameters
    ----------
    on_stage : callable
        Called with a sentence before each part; gives a context manager around it that yields where progress goes.
    folder : Path, optional
        Keeps all data, and is taken up again by the next run; without it a temporary folder is used and removed.
    hub_port, lab_port : int, optional
        Free ports when absent.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="carrel-demo-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with on_stage("Starting the hub"):
            hub = HubProcess(folder / "hub", port=hub_port)
            stack.callback(hub.stop)
            hub.start()
        token = _accounts(hub, folder)
        client = stack.enter_context(HubClient(hub.url, token))
        lab_folder = folder / "lab"
        profile = lab_folder / "profile"
        _seed(client, folder, profile / "data", on_stage)
        with on_stage("Starting JupyterLab"):
            CredentialStore(profile / "carrel").save(hub.url, token, USER)
            lab = stack.enter_context(_lab(lab_folder, hub, folder, lab_port))
        start = "start-here.ipynb"
        yield Running(hub, lab, lab.page_url(start), folder)


def _lab(lab_folder: Path, hub: HubProcess, folder: Path, port: int | None) -> contextlib.AbstractContextManager[JupyterLab]:
    return run_jupyter_lab(
        lab_folder,
        hub_url=hub.url,
        port=port,
        # The hub brings all conda packages, so that nothing waits for channels that a closed network does not reach.
        extension={"channels": [], "indexes": [default_index()], "envs_dir": str(folder / "reproduced")},
    )


def _accounts(hub: HubProcess, folder: Path) -> str:
    """Return a token of the user, after creating the accounts when they are not there yet."""
    kept = CredentialStore(folder / "lab" / "profile" / "carrel").get(hub.url)
    if kept is not None:
        with contextlib.suppress(requests.RequestException, Exception):
            HubClient(hub.url, kept.token).whoami()
            return kept.token
    known = not requests.post(f"{hub.url}/api/v1/users", json={"name": USER, "password": PASSWORD}, timeout=30).ok
    with HubClient(hub.url) as anonymous:
        token = anonymous.create_token(USER, PASSWORD, "JupyterLab of the demonstration", sorted(ALL_SCOPES)).token
    if not known:
        requests.post(f"{hub.url}/api/v1/users", json={"name": COLLEAGUE, "password": PASSWORD}, timeout=30).raise_for_status()
        hub.create_organization(samples.PLATFORM_NAMESPACE, token)
        hub.create_organization(samples.ORGANIZATION, token, {COLLEAGUE: "member"})
    return token


def _seed(client: HubClient, folder: Path, jupyter_data: Path, on_stage: OnStage) -> None:
    """Fill the hub and make the environments, except for what an earlier run has left ready."""
    environments_folder, root = folder / "environments", folder / "lab" / "root"
    done = folder / "seeded"
    if done.exists():
        return
    hub = client.base_url
    sources = Sources(
        channels=(f"{hub}/conda/{samples.ORGANIZATION}", f"{hub}/conda/{samples.PLATFORM_NAMESPACE}"),
        indexes=(f"{hub}/pypi/{samples.ORGANIZATION}/simple/", default_index()),
    )
    with on_stage("Making conda packages of Python and ipykernel"):
        channel = build_channel()
    with on_stage("Uploading packages") as progress:
        seeding.upload_platform(client, channel, progress)
        seeding.upload_samples(client)
    for name, packages in {"analysis": KERNEL_PACKAGES, "harbour": (*KERNEL_PACKAGES, "acme-charts")}.items():
        with on_stage(f"Creating the conda environment {name}") as progress:
            shutil.rmtree(environments_folder / name, ignore_errors=True)
            environments.conda_environment(environments_folder / name, packages, sources, progress)
            environments.kernelspec(environments_folder / name, f"carrel-demo-{name}", f"{name} (conda)", jupyter_data)
    with on_stage("Creating the virtual environment forecasting") as progress:
        prefix = environments_folder / "forecasting"
        shutil.rmtree(prefix, ignore_errors=True)
        environments.virtual_environment(prefix, ("ipykernel", "acme-forecast"), sources, progress)
        environments.kernelspec(prefix, "carrel-demo-forecasting", "forecasting (venv)", jupyter_data)
    notebooks.place(root, "start-here.ipynb", "harbour-temperatures.ipynb", "harbour.csv", "bakery-forecast.ipynb")
    for name, environment, data_files in (
        ("harbour-temperatures", "harbour", ("harbour.csv",)),
        ("bakery-forecast", "forecasting", ()),
    ):
        with on_stage(f"Running and publishing the notebook {name}") as progress:
            notebooks.execute(root / f"{name}.ipynb", jupyter_data)
            if not seeding.is_published(client, name):
                seeding.publish_notebook(
                    client, root / f"{name}.ipynb", environments_folder / environment, sources, progress, data_files=data_files
                )
    done.touch()


def default_index() -> str:
    """Return the PyPI index that this machine is configured for, or PyPI itself."""
    import pypi_simple

    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return os.environ[name]
    import subprocess

    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False, timeout=60
    )
    return asked.stdout.strip() or str(pypi_simple.PYPI_SIMPLE_ENDPOINT)


def wait_for_interrupt() -> None:
    """Return when the person presses Ctrl-C or the process is asked to end."""
    import signal

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
