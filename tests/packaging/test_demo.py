"""``carrel demo``: one command, two addresses, nothing left afterwards."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest
import requests

from carrel.testing.processes import Process


@pytest.mark.slow
def test_the_demonstration_runs_and_cleans_up_after_itself(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # the packages of Python are taken from the person's cache, where the conda channel of the tests is kept too
    demo = Process([sys.executable, "-m", "carrel.cli", "demo"], tmp_path / "demo.log", {"TMPDIR": str(temporary)})
    try:
        demo.wait_until(lambda: "Press Ctrl-C" in demo.log, timeout=300)
        hub = re.search(r"Hub +(http\S+)", demo.log)
        lab = re.search(r"JupyterLab +(http\S+)", demo.log)
        assert hub
        assert lab
        found = requests.get(f"{hub[1]}/api/v1/search", params={"q": "", "kind": "notebook"}, timeout=30).json()["items"]
        assert {item["name"] for item in found} == {"bakery-forecast", "harbour-temperatures"}
        for name in ("bakery-forecast", "harbour-temperatures"):
            release = requests.get(f"{hub[1]}/api/v1/packages/acme/{name}/releases/latest", timeout=30).json()
            assert {file["kind"] for file in release["files"]} >= {"notebook", "environment"}
        assert "start-here.ipynb" in lab[1]
        server, token = lab[1].partition("/lab/")[0], re.search(r"token=(\w+)", lab[1])
        assert token
        status = requests.get(f"{server}/carrel/status", headers={"Authorization": f"token {token[1]}"}, timeout=30).json()
        assert (status["hub"]["reachable"], status["hub"]["user"]["name"]) == (True, "ada")
        assert list(temporary.iterdir()), "the data of the demonstration lies in the temporary folder"
        os.kill(demo.pid, signal.SIGINT)
        demo.wait_until(lambda: not demo.running or "Ending" in demo.log)
        assert demo.stop(signal.SIGCONT, timeout=60) == 0, demo.log
    finally:
        demo.kill()
    # node, which JupyterLab asks for its version, keeps a cache of its own
    assert {path.name for path in temporary.iterdir()} <= {"node-compile-cache"}
    with pytest.raises(requests.ConnectionError):
        requests.get(hub[1], timeout=5)
