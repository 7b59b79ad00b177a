"""The main job, walked by a browser: see the environment, find, install, import, publish, read on the hub, reproduce elsewhere.

Everything is real: a hub process, two JupyterLab processes with profiles of their own (two people), conda packages of a real
Python and ipykernel, a virtual environment, Chromium.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lab_driver import SLOW, LabPage, outputs, start_lab, write_notebook
from playwright.sync_api import Browser, Page, expect

from carrel.client import HubClient
from carrel.core.errors import NotFound
from carrel.demo import environments, samples, seeding
from carrel.demo.session import default_index
from carrel.environments import Sources, capture
from carrel.formats.environment import load_lock
from carrel.formats.environment.lock import Lock
from carrel.testing.conda_channel import Channel
from carrel.testing.hub import HubProcess
from carrel.testing.jupyter import JupyterLab

CONDA_KERNEL, VENV_KERNEL = "team-conda", "team-venv"


@dataclass(frozen=True)
class Team:
    """A hub with an organization of two, and what stands on it."""

    hub: HubProcess
    author: HubClient
    author_token: str = field(repr=False)
    reader_token: str = field(repr=False)


@pytest.fixture(scope="module")
def team(start_hub: Callable[..., HubProcess], python_channel: Channel) -> Iterator[Team]:
    hub = start_hub()
    author_token, reader_token = hub.create_user("ada"), hub.create_user("grace")
    for organization in (samples.PLATFORM_NAMESPACE, samples.ORGANIZATION):
        hub.create_organization(organization, author_token, {"grace": "member"})
    with HubClient(hub.url, author_token) as client:
        seeding.upload_platform(client, python_channel, lambda _: None)
        seeding.upload_samples(client)
        yield Team(hub, client, author_token, reader_token)


@pytest.fixture(scope="module")
def author_lab(team: Team, start_jupyter_lab: Callable[..., JupyterLab], tmp_path_factory: pytest.TempPathFactory) -> JupyterLab:
    """JupyterLab of the author, with a conda environment and a virtual environment as kernels."""
    lab = start_lab(start_jupyter_lab, team.hub, "ada", team.author_token)
    folder = tmp_path_factory.mktemp("environments")
    sources = Sources(
        channels=(f"{team.hub.url}/conda/{samples.PLATFORM_NAMESPACE}",),
        indexes=(f"{team.hub.url}/pypi/{samples.ORGANIZATION}/simple/", default_index()),
    )
    environments.conda_environment(folder / "analysis", ("python", "ipykernel", "pip"), sources, lambda _: None)
    environments.virtual_environment(folder / "forecasting", ("ipykernel",), sources, lambda _: None)
    environments.kernelspec(folder / "analysis", CONDA_KERNEL, "analysis", lab.profile / "data")
    environments.kernelspec(folder / "forecasting", VENV_KERNEL, "forecasting", lab.profile / "data")
    return lab


@pytest.fixture(scope="module")
def reader_lab(team: Team, start_jupyter_lab: Callable[..., JupyterLab]) -> JupyterLab:
    """JupyterLab of a colleague: a clean profile, no kernel but JupyterLab's own."""
    return start_lab(start_jupyter_lab, team.hub, "grace", team.reader_token)


def published_lock(client: HubClient, name: str, version: str, folder: Path) -> Lock:
    release = client.release(samples.ORGANIZATION, name, version)
    file = next(f for f in release.files if f.filename in ("conda-lock.yml", "pylock.toml"))
    return load_lock(file.filename, client.download(file, folder).read_bytes(), "linux-64")


def packages(lock: Lock) -> list[tuple[str, ...]]:
    """Return name, version, build and digest of everything in *lock*."""
    conda = [(p.name, p.version, p.build, p.sha256) for p in lock.conda]
    return sorted([*conda, *((p.name, p.version, p.sha256) for p in lock.pypi)])


CASES = [
    pytest.param(
        CONDA_KERNEL, "analysis", "charts", "acme-charts", "import acme_charts\nacme_charts.bars({'a': 1, 'b': 3}, title='Two')", id="conda"
    ),
    pytest.param(
        VENV_KERNEL,
        "forecasting",
        "forecast",
        "acme-forecast",
        "from acme_forecast import seasonal\nseasonal([1, 2, 3, 2, 3, 4], season=3, steps=3)",
        id="venv",
    ),
]


@pytest.mark.parametrize(("kernel", "environment", "query", "package", "source"), CASES)
def test_find_install_publish_read_and_reproduce(
    kernel: str,
    environment: str,
    query: str,
    package: str,
    source: str,
    team: Team,
    author_lab: JupyterLab,
    reader_lab: JupyterLab,
    open_lab: Callable[[JupyterLab], LabPage],
    browser: Browser,
    tmp_path: Path,
) -> None:
    name = f"{environment}-notebook"
    write_notebook(author_lab.root_dir / f"{name}.ipynb", kernel, "print('six times seven is', 6 * 7)", source)

    # The panel shows the environment of the notebook's kernel.
    author = open_lab(author_lab)
    author.open(f"{name}.ipynb")
    author.wait_for_kernel(environment)
    author.show_panel()
    expect(author.part("environment-name")).to_contain_text(environment)
    expect(author.page.locator('[data-testid="carrel-installed-row"][data-name="ipykernel"]')).to_be_visible()

    # Search, install; the running kernel can import it at once.
    author.search_and_install(query, package)
    author.run_all()
    author.save()
    expect(author.page.locator(".jp-OutputArea-output [data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)

    # Publish; the hub's page shows the rendered notebook, its environment and its files.
    author.publish(samples.ORGANIZATION, "organization")
    release = team.author.release(samples.ORGANIZATION, name)
    assert release.version == "1"
    assert {file.kind for file in release.files} == {"notebook", "environment"}
    read_on_the_hub(browser, team, name, package)

    # Nobody outside the organization learns that it exists.
    with HubClient(team.hub.url) as stranger, pytest.raises(NotFound):
        stranger.release(samples.ORGANIZATION, name)

    # A colleague with a clean profile reviews it, rebuilds the environment and gets the same outputs.
    reader = open_lab(reader_lab)
    reader.open(publication=f"{samples.ORGANIZATION}/{name}@1")
    expect(reader.part("review-sheet")).to_be_visible(timeout=SLOW)
    assert not list(reader_lab.root_dir.rglob(f"{name}*.ipynb")), "the review must not change anything"
    if reader.part("trust").count():
        reader.part("trust").check()
    reader.part("reproduce-submit").click()
    expect(reader.part("review-sheet")).to_be_hidden(timeout=SLOW)
    reader.wait_for_kernel(name)
    reader.run_all()
    reader.save()
    copy = next(reader_lab.root_dir.glob(f"**/{name}*.ipynb")).relative_to(reader_lab.root_dir)
    expected = outputs(author.notebook(f"{name}.ipynb"))
    reader.page.wait_for_timeout(1500)
    assert any(expected), "the author's notebook has no outputs to compare"
    assert outputs(reader.notebook(str(copy))) == expected

    # The rebuilt environment holds the very same packages.
    spec = reader.notebook(str(copy))["metadata"]["kernelspec"]["name"]
    kernelspec = json.loads((reader_lab.profile / "data" / "kernels" / spec / "kernel.json").read_text())
    prefix = Path(kernelspec["metadata"]["carrel"]["prefix"])
    headers = {team.hub.url + "/": {"Authorization": f"token {team.reader_token}"}}
    indexes = (f"{team.hub.url}/pypi/{samples.ORGANIZATION}/simple/", default_index())
    rebuilt = capture(prefix, Sources(indexes=indexes, headers=headers))
    assert packages(rebuilt) == packages(published_lock(team.author, name, "1", tmp_path))


def test_a_file_changed_on_disk_is_asked_about_before_the_sheet(author_lab: JupyterLab, open_lab: Callable[[JupyterLab], LabPage]) -> None:
    """JupyterLab shows one dialog at a time: asked behind the open sheet, the question and the sheet would wait for each other."""
    path = author_lab.root_dir / "changed.ipynb"
    write_notebook(path, VENV_KERNEL, "1 + 1")
    author = open_lab(author_lab)
    author.open(path.name)
    author.wait_for_kernel("forecasting")
    author.run_all()
    write_notebook(path, VENV_KERNEL, "'from somewhere else'")

    author.part("publish").first.click()
    expect(author.page.get_by_text("File Changed")).to_be_visible()
    author.page.get_by_role("button", name="Overwrite").click()
    expect(author.part("publish-namespace")).to_be_visible(timeout=SLOW)
    assert "from somewhere else" not in path.read_text()
    author.part("publish-cancel").click()


def read_on_the_hub(browser: Browser, team: Team, name: str, package: str) -> None:
    page = sign_in(browser, team.hub)
    page.goto(f"{team.hub.url}/{samples.ORGANIZATION}/{name}")
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("six times seven is 42")).to_be_visible()
    expect(page.get_by_text(f"{name}.ipynb").first).to_be_visible()
    expect(page.get_by_text("environment.yml").first).to_be_visible()
    page.get_by_role("link", name="All packages").click()
    expect(page.get_by_role("rowheader", name=package).first).to_be_visible()
    page.context.close()


def sign_in(browser: Browser, hub: HubProcess) -> Page:
    from carrel.testing.hub import PASSWORD

    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{hub.url}/-/sign-in")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_label("Password")).to_be_hidden()
    return page
