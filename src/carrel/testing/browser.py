"""A real browser through Playwright, without anything that Playwright would download."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Return the browser to use: the variable ``CHROMIUM``, else what the machine has."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def run_browser(executable: str) -> Iterator[Browser]:
    """Run the browser while the block runs.

    Playwright's event loop stays "running" in its thread until it is stopped. Keep the block inside one module, or
    tests that run an event loop of their own fail afterwards.
    """
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    try:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()
    finally:
        playwright.stop()
