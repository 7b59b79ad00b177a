"""The runner of the repository."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dev() -> ModuleType:
    """dev.py as a module of its own, so that its state does not outlive the test."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_help_lists_every_command(dev: ModuleType) -> None:
    shown = subprocess.run([sys.executable, ROOT / "dev.py", "--help"], capture_output=True, text=True, check=True).stdout
    assert all(re.search(rf"^  {name} +\w", shown, re.MULTILINE) for name in dev.COMMANDS)


def test_continuous_integration_runs_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "set -euo pipefail" in script
    assert script.rstrip().endswith("python3 dev.py test")
    assert "$ python3 dev.py test\n" in (ROOT / "README.md").read_text()


def test_a_digest_follows_names_and_contents(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("1")
    first = dev.digest(tmp_path / "folder")
    assert dev.digest(tmp_path / "folder") == first
    (tmp_path / "folder" / "a").rename(tmp_path / "folder" / "b")
    assert dev.digest(tmp_path / "folder") != first


def test_a_failed_command_shows_its_output(dev: ModuleType) -> None:
    with pytest.raises(dev.Failed, match="status 3:\nwhat went wrong"):
        dev.run([sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"])


def test_an_interrupt_reaches_the_children_once_and_nothing_starts_afterwards(dev: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import pathlib, sys, time\nlog = pathlib.Path(sys.argv[1])\n"
        "log.write_text('started ')\ntry:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    log.write_text(log.read_text() + 'cleaned up')"
    )
    thread = threading.Thread(target=lambda: dev.run([sys.executable, "-c", code, str(log)]))
    thread.start()
    while not log.exists() or not log.read_text():
        time.sleep(0.02)
    began = time.monotonic()
    dev.end_children()
    thread.join(10)
    assert log.read_text() == "started cleaned up"
    assert time.monotonic() - began < 10
    with pytest.raises(dev.Failed, match="Interrupted"):
        dev.run([sys.executable, "-c", ""])
