"""A package that was changed on the hub's disk is refused by name when an environment is rebuilt from its lock."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from cli_process import Carrel

from carrel.testing.artifacts import Artifact, build_conda, build_notebook, build_wheel
from carrel.testing.hub import HubProcess


def replace_blob(hub: HubProcess, artifact: Artifact, data: bytes) -> None:
    """Put *data* in the place of *artifact* in the hub's blob folder.

    The hub is started again, since it keeps small files in memory.
    """
    sha256 = hashlib.sha256(artifact.data).hexdigest()
    blob = next(hub.data_dir.rglob(sha256))
    blob.chmod(0o644)
    blob.write_bytes(data)
    hub.restart()


def notebook(carrel: Carrel) -> Path:
    path = carrel.home / "tides.ipynb"
    path.write_bytes(build_notebook(["# Tides", "1 + 1"]).data)
    return path


@pytest.mark.parametrize("kind", ["conda", "pypi"])
def test_a_tampered_package_is_refused_by_name_and_leaves_nothing(
    kind: str, carrel: Carrel, ada: str, hub: HubProcess, tmp_path: Path
) -> None:
    if kind == "conda":
        good = build_conda("quay", noarch="generic", files={"share/quay": "four\n"})
        middle = len(good.data) // 2
        bad = good.data[:middle] + bytes([good.data[middle] ^ 1]) + good.data[middle + 1 :]
        prefix = carrel.home / "conda-env"
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / "conda-meta" / "history").touch()
        carrel.variables["CARREL_CHANNELS"] = f"{hub.url}/conda/{ada}"
    else:
        good = build_wheel("quay", files={"quay.py": "QUAYS = 4\n"})
        bad = build_wheel("quay", files={"quay.py": "QUAYS = 5\n"}).data
        prefix = carrel.home / "venv"
        subprocess.run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", "--without-pip", prefix], check=True)
        carrel.variables["CARREL_INDEXES"] = f"{hub.url}/pypi/{ada}/simple/"
    (carrel.home / good.filename).write_bytes(good.data)
    carrel.ok("upload", good.filename, "--visibility", "public")
    carrel.ok("env", "install", f"{ada}/quay", "--prefix", prefix, "--yes")
    published = carrel.json("publish", notebook(carrel), "--environment", prefix, "--visibility", "public")

    other = Carrel(tmp_path / "other")
    other.home.mkdir()
    replace_blob(hub, good, bad)
    refused = other("reproduce", published["url"], "--into", "copy", "--yes")
    assert refused.code == 1, refused
    assert good.filename in refused.err
    assert hashlib.sha256(bad).hexdigest() in refused.err
    left = [path for path in (other.home / "data" / "envs").rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    assert not left, left
    assert not (other.home / "copy").exists()

    # the right bytes are back: it goes on (the conda environment has no Python, so its kernel is all that is missing)
    replace_blob(hub, good, good.data)
    again = other("reproduce", published["url"], "--into", "copy", "--yes")
    assert again.code == 0 or "has no Python" in again.err, again
    assert list((other.home / "data" / "envs").glob("*/share/quay" if kind == "conda" else "*/lib/python3*/site-packages/quay.py"))
