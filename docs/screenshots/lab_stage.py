"""A JupyterLab page to take pictures of: theme, size of window and panel, and what is cut out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, expect
from shooting import SCHEMES, Look, Shooter

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SLOW = 120_000  # ms: what downloads, links or starts a kernel on a busy machine
WINDOW = {"width": 1280, "height": 800}
SMALL_WINDOW = {"width": 400, "height": 780}
NARROW, USUAL, WIDE = 240, 320, 760  # widths of the panel, CSS pixels
_THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


class Stage:
    """One JupyterLab page; every picture is taken in both themes."""

    def __init__(self, shooter: Shooter, browser: Browser) -> None:
        self._shooter = shooter
        context = browser.new_context(viewport=WINDOW, reduced_motion="reduce", permissions=["clipboard-read", "clipboard-write"])
        self.page: Page = context.new_page()
        self.page.set_default_timeout(40_000)

    def close(self) -> None:
        """Close the page and its context."""
        self.page.context.close()

    def part(self, name: str) -> Locator:
        """Return what has the test id ``carrel-`` *name*."""
        return self.page.get_by_test_id(f"carrel-{name}")

    def row(self, kind: str, name: str) -> Locator:
        """Return the row *name* among those with the test id ``carrel-`` *kind*."""
        return self.page.locator(f'[data-testid="carrel-{kind}"][data-name="{name}"]').first

    def open(self, url: str) -> None:
        """Open an address of JupyterLab and wait until it is there."""
        self.page.goto(url)
        expect(self.page.locator("#jp-main-dock-panel")).to_be_visible(timeout=SLOW)

    def wait_for_kernel(self) -> None:
        """Wait until the kernel of the notebook is idle."""
        expect(self.page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle"))).to_be_visible(timeout=SLOW)

    def show_panel(self) -> None:
        """Open the panel, in its usual width."""
        if not self.part("panel").is_visible():
            self.page.locator('.jp-SideBar [data-id="carrel-panel"]').click()
        expect(self.part("panel")).to_be_visible()
        self.panel_width(USUAL)

    def section(self, name: str, *, open_: bool) -> None:
        """Unfold or fold a section."""
        toggle = self.part(name).locator(".carrel-Section-toggle")
        if (toggle.get_attribute("aria-expanded") == "true") != open_:
            toggle.click()

    def run(self, command: str, **arguments: object) -> None:
        """Execute a command of JupyterLab."""
        self.page.evaluate("([id, args]) => { void window.jupyterapp.commands.execute(id, args) }", [command, arguments])

    def panel_width(self, width: int) -> None:
        """Drag the edge of the left side area until the panel is *width* wide."""
        box = self.page.locator("#carrel-panel").bounding_box()
        if box is None or round(box["width"]) == width:
            return
        edge, middle = box["x"] + box["width"], box["y"] + box["height"] / 2
        self.page.mouse.move(edge + 1, middle)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + width + 1, middle, steps=3)
        self.page.mouse.up()
        self.page.mouse.move(WINDOW["width"] - 5, 5)

    def theme(self, scheme: str) -> None:
        """Switch JupyterLab's theme."""
        self.run("apputils:change-theme", theme=_THEMES[scheme])
        light = "true" if scheme == "light" else "false"
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        self.page.wait_for_timeout(250)

    def take(self, name: str, part: Locator | None = None, *, suffix_width: int | None = None, schemes: Iterable[str] = SCHEMES) -> None:
        """Take a picture of the window, or of one part of it."""
        if not self._shooter.wants(name):
            return
        for scheme in schemes:
            self.theme(scheme)
            width = suffix_width or (self.page.viewport_size or WINDOW)["width"]
            self._shooter.shoot(self.page, name, Look(width, scheme), full=False, part=part)
        self.theme("light")

    def panel(self, name: str, widths: Iterable[int] = (NARROW, USUAL)) -> None:
        """Take pictures of the panel alone in several widths."""
        if not self._shooter.wants(name):
            return
        for width in widths:
            self.panel_width(width)
            self.take(name, self.page.locator("#carrel-panel"), suffix_width=width)
        self.panel_width(USUAL)

    def sheet(self, name: str) -> None:
        """Take the window with a sheet or a state of the panel in it, in its usual size and on a small one."""
        self.take(name)
        self.small(name)

    def small(self, name: str) -> None:
        """Take the window at the width of a telephone."""
        if not self._shooter.wants(name):
            return
        self.page.set_viewport_size(SMALL_WINDOW)
        self.page.wait_for_timeout(300)
        self.take(name)
        self.page.set_viewport_size(WINDOW)
        self.page.wait_for_timeout(300)
