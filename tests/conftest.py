"""What all tests share. Fixtures with real servers, browsers and channels come from the plugin carrel.testing.plugin."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Only the topmost conftest may name plugins. Its autouse fixtures manage an event loop around every test; they do not
# go together with Playwright's synchronous interface, so tests/browser replaces them.
pytest_plugins = ("pytest_jupyter.jupyter_server",)

# Test files may share a name, so pytest leaves the import path alone; what lies beside tests and is no test itself is
# imported by its bare name.
for _helper in Path(__file__).parent.rglob("*.py"):
    if not _helper.name.startswith(("test_", "conftest", "__init__")) and str(_helper.parent) not in sys.path:
        sys.path.append(str(_helper.parent))

# Shared machines are slow now and then; a deadline would fail correct code.
hypothesis.settings.register_profile("carrel", deadline=None, max_examples=60)
hypothesis.settings.load_profile("carrel")


@pytest.fixture(scope="session", autouse=True)
def _nobody_elses_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the person's own hub, credentials and proxies out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CARREL_") and name != "CARREL_REQUIRE_ALL"]:
            patch.delenv(name)
        for kind in ("config", "data", "cache"):
            patch.setenv(f"CARREL_{kind.upper()}_DIR", str(tmp_path_factory.mktemp(f"carrel-{kind}")))
        patch.setenv("NO_PROXY", ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"])))
        yield
