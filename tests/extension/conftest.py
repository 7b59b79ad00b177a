"""A Jupyter server with the extension, folders of its own, and kernels in real virtual environments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def carrel_folders(tmp_path, monkeypatch):
    """Folders of Carrel that belong to this test alone."""
    for name in ("config", "data", "cache"):
        monkeypatch.setenv(f"CARREL_{name.upper()}_DIR", str(tmp_path / f"carrel-{name}"))
    monkeypatch.delenv("CARREL_TOKEN", raising=False)
    monkeypatch.delenv("CARREL_HUB_URL", raising=False)
    return tmp_path


@pytest.fixture
def extension_settings():
    """Settings of CarrelExtension; tests override this fixture or change what it returns."""
    return {"channels": [], "indexes": [], "search_seconds": 2.0}


@pytest.fixture
def jp_server_config(carrel_folders, extension_settings):
    """Configuration of the server under test."""
    return {
        "ServerApp": {"jpserver_extensions": {"carrel": True}, "allow_unauthenticated_access": False},
        "CarrelExtension": extension_settings,
    }


@pytest.fixture
def fetch_json(jp_fetch):
    """Send a request to the extension and return ``(status, decoded body)``; errors do not raise."""

    async def fetch(method, *path, body=None, params=None, headers=None):
        data = json.dumps(body) if body is not None else ("{}" if method == "POST" else None)
        response = await jp_fetch(
            "carrel", *path, method=method, body=data, params=params or {}, headers=headers or {}, raise_error=False, request_timeout=60
        )
        text = response.body.decode()
        return response.code, json.loads(text) if text.strip().startswith(("{", "[")) else text

    return fetch


@pytest.fixture(scope="session")
def kernel_venv(tmp_path_factory):
    """A real virtual environment whose interpreter can run a kernel (it sees the packages of the one that runs the tests)."""
    prefix = tmp_path_factory.mktemp("envs") / "analysis"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    site_packages = next(prefix.glob("lib/python3*/site-packages"))
    here = next(p for p in sys.path if p.endswith("site-packages"))
    (site_packages / "tests.pth").write_text(here + "\n")
    info = site_packages / "tiny-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.5\nSummary: A tiny package\n")
    (info / "RECORD").write_text("tiny/__init__.py,,\ntiny-1.5.dist-info/METADATA,,\ntiny-1.5.dist-info/RECORD,,\n")
    (info / "INSTALLER").write_text("uv\n")
    (info / "REQUESTED").write_text("")
    (site_packages / "tiny").mkdir()
    (site_packages / "tiny" / "__init__.py").write_text("")
    return prefix


@pytest.fixture
def venv_kernelspec(kernel_venv, jp_data_dir):
    """A kernelspec for :func:`kernel_venv`."""
    folder = Path(jp_data_dir) / "kernels" / "analysis"
    folder.mkdir(parents=True)
    spec = {
        "argv": [str(kernel_venv / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Analysis",
        "language": "python",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    return "analysis"
