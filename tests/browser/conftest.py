"""Browser tests are synchronous: no event loop of pytest-jupyter around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from carrel.testing.conda_channel import Channel, build_channel
from carrel.testing.conda_channel.interpreter import UnsupportedInterpreter
from carrel.testing.plugin import missing

if TYPE_CHECKING:
    from lab_driver import LabPage
    from playwright.sync_api import Browser, Page

    from carrel.testing.jupyter import JupyterLab


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Replace the loop of pytest-jupyter, which cannot be closed while Playwright's runs."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Replace the clean-up of pytest-jupyter, which needs its loop."""


@pytest.fixture(scope="module")
def python_channel() -> Channel:
    """Python, ipykernel and pip as conda packages."""
    try:
        return build_channel()
    except UnsupportedInterpreter as error:
        missing(str(error))


@pytest.fixture
def open_lab(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[JupyterLab], LabPage]]:
    """A function that opens a page on a JupyterLab; a test that fails leaves ``page-N.png`` in its ``tmp_path``."""
    from lab_driver import LabPage

    pages: list[Page] = []
    failed_before = request.session.testsfailed

    def open_page(lab: JupyterLab) -> LabPage:
        page = browser.new_context(viewport={"width": 1400, "height": 950}).new_page()
        page.set_default_timeout(30_000)
        pages.append(page)
        return LabPage(page, lab)

    yield open_page
    for number, page in enumerate(pages):
        if request.session.testsfailed > failed_before:
            page.screenshot(path=tmp_path / f"page-{number}.png")
        page.context.close()
