"""``binder/postBuild`` in an empty virtual environment: what Binder shows is what a person gets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import requests

from carrel.testing.processes import Process, free_port

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, with the front end that is built already where there is one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    folder = tmp_path_factory.mktemp("checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    if (ROOT / "labextension" / "dist" / "static" / "style.js").is_file():
        shutil.copytree(ROOT / "labextension" / "dist", folder / "labextension" / "dist")
    return folder


def test_the_prepared_demonstration_runs(checkout: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    port = free_port()
    env = {
        "PATH": f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(tmp_path / "venv"),
        "CARREL_DEMO_DIR": str(tmp_path / "demo"),
        "CARREL_DEMO_PORT": str(port),
    }
    built = subprocess.run(
        [checkout / "binder" / "postBuild"], cwd=checkout, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-4000:]
    labextensions = subprocess.run(
        [tmp_path / "venv/bin/jupyter", "labextension", "list"], capture_output=True, text=True, env={**os.environ, **env}, check=True
    )
    assert "@carrel/labextension" in labextensions.stderr + labextensions.stdout

    # What Binder would start is a Jupyter server; anything that lives as long as the test shows the same.
    show = "import os, time; print(os.environ['CARREL_HUB_URL'], flush=True); time.sleep(600)"
    process = Process([checkout / "binder" / "start", sys.executable, "-c", show], tmp_path / "start.log", env)
    try:
        url = f"http://127.0.0.1:{port}"
        process.wait_until(lambda: url in process.log and requests.get(f"{url}/api/v1/", timeout=5).ok)
        found = requests.get(f"{url}/api/v1/search", params={"q": "harbour", "kind": "notebook"}, timeout=10).json()
        assert [item["name"] for item in found["items"]] != []
    finally:
        process.stop()
