"""Servers of tests do not outlive the run that started them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

STARTS_A_SERVER = """
import sys, time
from pathlib import Path
from carrel.testing.processes import Process
print(Process(["sleep", "300"], Path(sys.argv[1])).pid, flush=True)
time.sleep(300)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux is not installed")
def test_a_killed_run_takes_its_servers_with_it(tmp_path: Path) -> None:
    run = subprocess.Popen([sys.executable, "-c", STARTS_A_SERVER, tmp_path / "log"], stdout=subprocess.PIPE, text=True)
    assert run.stdout
    server = psutil.Process(int(run.stdout.readline()))
    deadline = time.monotonic() + 10
    while server.name() != "sleep" and time.monotonic() < deadline:  # before it runs, nothing ties it to its parent
        time.sleep(0.01)
    assert server.name() == "sleep"
    run.kill()
    run.wait()
    deadline = time.monotonic() + 10
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
