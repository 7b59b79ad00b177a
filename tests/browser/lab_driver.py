"""What a person does in JupyterLab and in the Carrel panel, as functions on a page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from carrel.client import CredentialStore
from carrel.demo.session import default_index
from carrel.testing.hub import HubProcess
from carrel.testing.jupyter import JupyterLab

SLOW = 120_000  # ms: what downloads, links or starts a kernel on a busy machine


class LabPage:
    """A page with JupyterLab in it."""

    def __init__(self, page: Page, lab: JupyterLab) -> None:
        self.page = page
        self.lab = lab

    def part(self, name: str) -> Locator:
        """Return the part of the panel with a test id."""
        return self.page.get_by_test_id(f"carrel-{name}")

    def open(self, path: str = "", *, publication: str = "") -> None:
        """Open JupyterLab, with a file of its root folder or the review of a publication in it."""
        self.page.goto(self.lab.page_url(path, publication=publication))
        expect(self.page.locator("#jp-main-dock-panel")).to_be_visible(timeout=SLOW)

    def show_panel(self) -> None:
        """Open the Carrel panel if it is not shown."""
        if not self.part("panel").is_visible():
            self.page.locator('.jp-SideBar [data-id="carrel-panel"]').click()
        expect(self.part("panel")).to_be_visible()

    def wait_for_kernel(self, name: str) -> None:
        """Wait until the kernel whose display name holds *name* is idle and is that of the notebook in front."""
        # The indicator of the toolbar says idle before there is a kernel; the status bar does not. It names the kernel because
        # it tells of another notebook until the one that is being opened is in front.
        idle = re.compile(rf"{re.escape(name)}.*\| Idle")
        expect(self.page.locator("#jp-main-statusbar").get_by_text(idle)).to_be_visible(timeout=SLOW)

    def run_all(self) -> None:
        """Run all cells and wait until none waits for its turn."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        notebook = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        prompts = notebook.locator(".jp-CodeCell .jp-InputPrompt")
        for number in range(prompts.count()):
            expect(prompts.nth(number)).to_have_text(re.compile(r"\[\d+\]:"), timeout=SLOW)

    def save(self) -> None:
        """Save the notebook and wait until it is saved."""
        self.page.keyboard.press("Control+s")
        expect(self.page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")).to_have_count(0, timeout=30_000)

    def search_and_install(self, query: str, name: str) -> None:
        """Search in the panel and install the package *name* among the results; the plan is agreed to when asked."""
        self.part("search-input").fill(query)
        row = self.page.locator(f'[data-testid="carrel-result"][data-name="{name}"]').first
        expect(row).to_be_visible(timeout=30_000)
        row.get_by_test_id("carrel-install").click()
        applied = self.page.locator(f'[data-testid="carrel-result"][data-name="{name}"]').first.get_by_text(re.compile("Installed"))
        apply = self.part("apply")
        expect(apply.or_(applied).first).to_be_visible(timeout=SLOW)
        if apply.is_visible():
            apply.click()
        expect(applied).to_be_visible(timeout=SLOW)

    def publish(self, namespace: str, visibility: str) -> None:
        """Publish the notebook through the sheet and wait until it says so."""
        self.part("publish").first.click()
        sheet = self.part("publish-sheet")
        expect(sheet).to_be_visible()
        self.part("publish-namespace").select_option(namespace, timeout=SLOW)
        self.part("publish-visibility").select_option(visibility)
        expect(self.part("publish-submit")).to_be_enabled()
        self.part("publish-submit").click()
        expect(sheet).to_be_hidden(timeout=SLOW)

    def notebook(self, path: str) -> dict[str, Any]:
        """Return the content of a notebook file below the root folder."""
        content: dict[str, Any] = json.loads((self.lab.root_dir / path).read_text("utf-8"))
        return content


def start_lab(start: Callable[..., JupyterLab], hub: HubProcess, user: str, token: str) -> JupyterLab:
    """Start the JupyterLab of somebody who is signed in to *hub*; all conda packages come from there."""
    lab = start(
        hub_url=hub.url,
        extension={"channels": [], "indexes": [default_index()]},
    )
    CredentialStore(lab.profile / "carrel").save(hub.url, token, user)
    return lab


def outputs(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return what the code cells put out, without the numbers of execution."""
    return [
        [{key: value for key, value in output.items() if key != "execution_count"} for output in cell["outputs"]]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def write_notebook(path: Path, kernel: str, *sources: str) -> None:
    """Write a notebook of code cells that names *kernel*."""
    import nbformat

    cells = [nbformat.v4.new_markdown_cell(f"# {path.stem.replace('-', ' ').capitalize()}\n\nMade by a test.")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
