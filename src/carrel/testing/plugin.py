"""The pytest plugin: fixtures with the real thing behind each.

A fixture whose program is missing skips its tests and says which; with ``CARREL_REQUIRE_ALL=1`` it fails them.
Everything is imported where it is used, because pytest loads this module in every project of the environment.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from carrel.testing.conda_channel import Channel, ChannelServer
    from carrel.testing.hub import HubProcess
    from carrel.testing.jupyter import JupyterLab
    from carrel.testing.object_store import S3Server
    from carrel.testing.postgresql import Database, PostgresqlServer

REQUIRE_ALL = "CARREL_REQUIRE_ALL"


def missing(reason: str) -> NoReturn:
    """Skip the test because of *reason*, or fail it where everything is required."""
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(f"{reason} ({REQUIRE_ALL}=1)", pytrace=False)
    pytest.skip(reason)


def _need_module(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        missing(f"the Python package {name} is not installed")


@pytest.fixture(scope="session")
def conda_channel() -> Channel:
    """A channel of real packages: Python, pip, ipykernel, numpy and what they need. Shared: do not change its folder."""
    from carrel.testing.conda_channel import build_channel
    from carrel.testing.conda_channel.interpreter import UnsupportedInterpreter

    try:
        return build_channel(requirements=["ipykernel", "numpy"])
    except UnsupportedInterpreter as error:
        missing(str(error))


@pytest.fixture(scope="session")
def r_channel(conda_channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a channel with R, its kernel and all that it needs, beside what ``conda_channel`` has."""
    from carrel.testing.conda_channel import index
    from carrel.testing.conda_channel.r_language import UnsupportedR, write_r_packages

    folder = tmp_path_factory.mktemp("r-channel")
    for archive in conda_channel.packages:
        (folder / archive).parent.mkdir(exist_ok=True)
        try:
            (folder / archive).hardlink_to(conda_channel.path / archive)
        except OSError:  # another file system
            shutil.copyfile(conda_channel.path / archive, folder / archive)
    try:
        write_r_packages(folder, conda_channel.subdir)
    except UnsupportedR as error:
        missing(str(error))
    index(folder)
    return folder


@pytest.fixture
def conda_channel_server(conda_channel: Channel) -> Iterator[ChannelServer]:
    """The channel over HTTP, with a request log and faults to inject."""
    from carrel.testing.conda_channel import serve

    with serve(conda_channel.path) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server of moto."""
    _need_module("moto")
    _need_module("flask")
    from carrel.testing.object_store import moto_server

    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="module")
def rclone_s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server of rclone over a folder; no ranges, no conditional creation. Of module scope: once used, it keeps a core busy."""
    from carrel.testing.object_store import find_rclone, rclone_server

    rclone = find_rclone()
    if rclone is None:
        missing("rclone was found neither beside the interpreter nor on the path")
    with rclone_server(tmp_path_factory.mktemp("rclone"), rclone) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A private PostgreSQL server."""
    from carrel.testing import postgresql

    _need_module("psycopg")
    binaries = postgresql.find_binaries()
    if binaries is None:
        missing("no PostgreSQL server programs (initdb, postgres) were found")
    with postgresql.postgresql_server(binaries) as server:
        yield server


@pytest.fixture
def postgresql(postgresql_server: PostgresqlServer) -> Iterator[Database]:
    """An empty PostgreSQL database of the test's own (``.url`` for SQLAlchemy)."""
    with postgresql_server.database() as database:
        yield database


@pytest.fixture(scope="module")
def start_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., HubProcess]]:
    """A function that starts a hub: ``start_hub(*arguments, env=…, data_dir=…)``; all end with the module."""
    from carrel.testing.hub import HubProcess

    with ExitStack() as stack:

        def start(*arguments: str, env: dict[str, str] | None = None, data_dir: Path | None = None) -> HubProcess:
            hub = HubProcess(data_dir or tmp_path_factory.mktemp("hub") / "data", arguments, env)
            stack.callback(hub.stop)
            hub.start()
            return hub

        yield start


@pytest.fixture(scope="module")
def hub(start_hub: Callable[..., HubProcess]) -> HubProcess:
    """A real hub (SQLite, local folder, registration open), one for all tests of a module."""
    return start_hub()


@pytest.fixture(scope="module")
def start_jupyter_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., JupyterLab]]:
    """A function that starts JupyterLab: ``start_jupyter_lab(hub_url=…, env=…, arguments=…)``; all end with the module."""
    _need_module("jupyterlab")
    from carrel.testing.jupyter import run_jupyter_lab

    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(run_jupyter_lab(tmp_path_factory.mktemp("lab"), **options))


@pytest.fixture(scope="module")
def jupyter_lab(start_jupyter_lab: Callable[..., JupyterLab], hub: HubProcess) -> JupyterLab:
    """A real JupyterLab whose extension talks to the fixture ``hub``."""
    return start_jupyter_lab(hub_url=hub.url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, driven by Playwright; of module scope on purpose (see :func:`carrel.testing.browser.run_browser`)."""
    from carrel.testing.browser import find_chromium, run_browser

    _need_module("playwright")
    executable = find_chromium()
    if executable is None:
        missing("no Chromium was found; install it or name it in the variable CHROMIUM")
    with run_browser(executable) as running:
        yield running


@pytest.fixture
def page(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a fresh profile; a test that fails leaves ``page.png`` and ``console.txt`` in its ``tmp_path``."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    lines: list[str] = []
    page.on("console", lambda message: lines.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: lines.append(f"error: {error}"))
    failed_before = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed_before:
        page.screenshot(path=tmp_path / "page.png")
        (tmp_path / "console.txt").write_text("\n".join(lines))
    context.close()
