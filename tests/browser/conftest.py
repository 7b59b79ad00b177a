"""Browser tests are synchronous: no event loop of pytest-jupyter around them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Replace the loop of pytest-jupyter, which cannot be closed while Playwright's runs."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Replace the clean-up of pytest-jupyter, which needs its loop."""
