"""What every page of the hub is checked for, and signing in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from carrel.testing.hub import PASSWORD, HubProcess
from carrel.testing.plugin import missing

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


def sign_in(context: BrowserContext, hub: HubProcess, name: str = "ana") -> None:
    """Begin a session of the user *name*."""
    page = context.new_page()
    page.goto(f"{hub.url}/-/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(f"{hub.url}/")
    page.close()


def axe_source() -> str:
    """Return the script that looks for faults of accessibility."""
    path = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        missing("axe-core is not there; run npm ci in labextension")
    return path.read_text("utf-8")


def serious_faults(page: Page, axe: str) -> list[str]:
    """Return the serious and critical faults of *page*."""
    # Our own policy forbids scripts that others add; the driver's evaluation is not bound by it.
    page.evaluate(axe)
    result = page.evaluate("axe.run(document, {iframes: false, resultTypes: ['violations']})")
    return [
        f"{item['id']}: {node['target']} {node['failureSummary']}"
        for item in result["violations"]
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]


def too_wide(page: Page) -> int:
    """Return by how many CSS pixels *page* is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
