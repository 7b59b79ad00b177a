"""Changes that need care, walked by a browser: risks and the way back, ways out of the impossible, a copy of what is read-only.

A real hub, JupyterLab, kernels and conda packages, as in the main job.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab_driver import SLOW, LabPage, outputs, start_lab, write_notebook
from playwright.sync_api import expect

from carrel.client import HubClient
from carrel.demo import environments, samples, seeding
from carrel.environments import Sources, clone, installed
from carrel.testing.artifacts import Artifact, build_conda
from carrel.testing.conda_channel import Channel
from carrel.testing.hub import HubProcess
from carrel.testing.jupyter import JupyterLab

KERNEL = "careful"


def _package(name: str, version: str, *depends: str) -> Artifact:
    source = f"__version__ = {version!r}\n"
    return build_conda(
        name,
        version,
        build="py_0",
        noarch="python",
        depends=["python", *depends],
        files={f"site-packages/{name}.py": source},
        about={"summary": f"{name.capitalize()} of a test"},
    )


@pytest.fixture(scope="module")
def lab(
    start_hub: Callable[..., HubProcess],
    start_jupyter_lab: Callable[..., JupyterLab],
    python_channel: Channel,
    tmp_path_factory: pytest.TempPathFactory,
) -> JupyterLab:
    """JupyterLab with the kernel of a conda environment that holds the newest ``shapes``, asked for."""
    hub = start_hub()
    token = hub.create_user("ada")
    for organization in (samples.PLATFORM_NAMESPACE, samples.ORGANIZATION):
        hub.create_organization(organization, token)
    with HubClient(hub.url, token) as client:
        seeding.upload_platform(client, python_channel, lambda _: None)
        for artifact in (
            _package("shapes", "1.0"),
            _package("shapes", "2.0"),
            _package("maps", "1.0", "shapes <2"),
            _package("atlas", "1.0"),
            _package("atlas", "2.0", "shapes >=9"),
        ):
            client.upload_file(samples.ORGANIZATION, artifact.data, artifact.filename, visibility="public")
    started = start_lab(start_jupyter_lab, hub, "ada", token)
    channels = tuple(f"{hub.url}/conda/{name}" for name in (samples.ORGANIZATION, samples.PLATFORM_NAMESPACE))
    prefix = tmp_path_factory.mktemp("environments") / "analysis"
    environments.conda_environment(prefix, ("python", "ipykernel", "shapes"), Sources(channels=channels), lambda _: None)
    environments.kernelspec(prefix, KERNEL, "analysis", started.profile / "data")
    return started


def _prefix(lab: JupyterLab) -> Path:
    specification = lab.request("GET", f"/api/kernelspecs/{KERNEL}").json()["spec"]
    return Path(specification["metadata"]["carrel"]["prefix"])


def _versions(prefix: Path) -> dict[str, str]:
    return {package.name: package.version for package in installed(prefix)}


def _show(page: LabPage, path: str) -> None:
    page.open(path)
    page.wait_for_kernel("analysis")
    page.show_panel()
    expect(page.page.locator('[data-testid="carrel-installed-row"][data-name="shapes"]')).to_be_visible(timeout=SLOW)


def test_risks_are_told_before_and_the_way_back_after(lab: JupyterLab, open_lab: Callable[[JupyterLab], LabPage]) -> None:
    write_notebook(lab.root_dir / "risks.ipynb", KERNEL, "import shapes\nshapes.__version__")
    author = open_lab(lab)
    _show(author, "risks.ipynb")
    author.run_all()

    # The plan is shown because of what it puts at risk, which stands first, in words.
    author.part("search-input").fill("maps")
    row = author.page.locator('[data-testid="carrel-result"][data-name="maps"]')
    row.get_by_test_id("carrel-install").click()
    expect(author.part("risks")).to_contain_text("1 of 2 packages at risk", timeout=SLOW)
    expect(author.part("risks")).to_contain_text("1 older version, 1 that you asked for, 1 loaded in the kernel")
    lines = author.part("plan-line")
    expect(lines).to_have_count(2)
    expect(lines.first).to_have_attribute("data-name", "shapes")
    for text in ("2.0 → 1.0", "Older version", "maps 1.0 needs shapes <2", "A running kernel has loaded shapes"):
        expect(lines.first).to_contain_text(text)
    assert "maps" not in _versions(_prefix(lab))

    # It can be applied all the same; the kernel that had loaded it is asked about.
    author.part("apply").click()
    expect(author.part("restart-bar")).to_contain_text("shapes", timeout=SLOW)
    assert _versions(_prefix(lab))["shapes"] == "1.0"

    # The way back says what it does, and does it.
    author.part("environment-menu").click()
    author.page.get_by_role("menuitem", name="Earlier states").click()
    sheet = author.part("history-sheet")
    effect = sheet.get_by_test_id("carrel-plan-line")
    expect(effect).to_have_count(2)
    expect(effect.filter(has_text="maps")).to_contain_text("Removed:")
    expect(effect.filter(has_text="shapes")).to_contain_text("1.0 → 2.0")
    author.part("history-restore").click()
    expect(sheet).to_be_hidden()
    expect(author.page.locator('[data-testid="carrel-installed-row"][data-name="shapes"]')).to_contain_text("2.0", timeout=SLOW)
    versions = _versions(_prefix(lab))
    assert (versions["shapes"], "maps" in versions) == ("2.0", False)


def test_a_way_out_of_an_impossible_change(lab: JupyterLab, open_lab: Callable[[JupyterLab], LabPage]) -> None:
    write_notebook(lab.root_dir / "ways.ipynb", KERNEL, "1 + 1")
    author = open_lab(lab)
    _show(author, "ways.ipynb")
    author.part("search-input").fill("atlas")
    row = author.page.locator('[data-testid="carrel-result"][data-name="atlas"]')
    row.locator(".carrel-Row-open").click()
    row.locator(".carrel-Versions-row", has_text="2.0").get_by_role("button").click()

    sheet = author.part("transaction")
    expect(sheet).to_have_attribute("data-state", "failed", timeout=SLOW)
    expect(sheet).to_contain_text("atlas 2.0 needs shapes >=9")
    way = author.part("way-out").filter(has_text="another version than 2.0")
    expect(way).to_contain_text("atlas 1.0")

    # The button makes that plan; nothing is changed before it was looked at. The keyboard is enough.
    expect(author.part("way-out").first).to_be_focused()
    way.focus()
    author.page.keyboard.press("Enter")
    expect(sheet).to_have_attribute("data-state", "review", timeout=SLOW)
    expect(author.part("plan-line")).to_contain_text("atlas1.0")
    assert "atlas" not in _versions(_prefix(lab))
    expect(author.part("apply")).to_be_focused()
    author.page.keyboard.press("Enter")
    expect(row.get_by_text("Installed")).to_be_visible(timeout=SLOW)
    assert _versions(_prefix(lab))["atlas"] == "1.0"


def test_a_copy_of_a_read_only_environment(lab: JupyterLab, open_lab: Callable[[JupyterLab], LabPage], tmp_path: Path) -> None:
    shared = clone(_prefix(lab), tmp_path / "analysis-shared").prefix
    (shared / "conda-meta" / "frozen").touch()
    environments.kernelspec(shared, "shared", "analysis-shared", lab.profile / "data")
    write_notebook(lab.root_dir / "mine.ipynb", "shared", "print('said before')", "import sys\nsys.prefix")
    author = open_lab(lab)
    author.open("mine.ipynb")
    author.wait_for_kernel("analysis-shared")
    author.run_all()
    author.show_panel()
    expect(author.part("notice")).to_contain_text("frozen")

    author.part("make-copy").click()
    expect(author.part("copy-name")).to_have_value("analysis-shared-copy")
    author.part("copy-name").fill("my-own")
    author.page.keyboard.press("Enter")
    expect(author.part("copy-use")).to_have_text("Switch mine.ipynb to it", timeout=SLOW)
    author.part("copy-use").click()

    # JupyterLab has changed the kernel: cells and what they said are still there, and the copy may be changed.
    author.wait_for_kernel("my-own")
    expect(author.part("copy-sheet")).to_be_hidden()
    expect(author.page.locator(".jp-OutputArea-output").first).to_contain_text("said before")
    expect(author.part("environment-name")).to_have_text("my-own")
    expect(author.part("make-copy")).to_be_hidden()
    author.search_and_install("maps", "maps")
    author.run_all()
    author.save()
    notebook = author.notebook("mine.ipynb")
    assert "".join(outputs(notebook)[1][0]["data"]["text/plain"]).endswith("/envs/my-own'")
    assert notebook["metadata"]["kernelspec"]["name"] == "my-own"
    assert "maps" not in _versions(shared)
