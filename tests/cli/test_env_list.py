"""``carrel env list`` and ``carrel env clean``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_process import QuickCarrel

from carrel.core.progress import NeverCancelled
from carrel.environments import Sources, install_kernelspec
from carrel.environments.pypi import uv

_DAY = 86400


@pytest.fixture
def home(quick: QuickCarrel) -> Path:
    """A person with an environment used today, an old one with a kernel, and a kernel of an environment that was made elsewhere."""
    quick.variables |= {"HOME": str(quick.home), "JUPYTER_PATH": str(quick.home / "jupyter")}
    for name, days in (("fresh", 0), ("old", 60)):
        _venv(quick.home / "data" / "envs" / name, days)
    _venv(quick.home / "elsewhere", 60)
    for name, prefix in (("old", quick.home / "data" / "envs" / "old"), ("other", quick.home / "elsewhere")):
        install_kernelspec(prefix, name, name.capitalize(), user_data_folder=quick.home / "jupyter")
    return quick.home


def _venv(prefix: Path, days: int) -> None:
    uv.run(["venv", prefix, "--python", sys.executable, "--quiet"], sources=Sources(), cancel=NeverCancelled())
    (prefix / ".carrel").mkdir()
    (prefix / ".carrel" / "used").touch()
    (prefix / "data").write_bytes(os.urandom(1_000_000))
    then = time.time() - days * _DAY
    os.utime(prefix / ".carrel" / "used", (then, then))


def test_a_table_of_environments(quick: QuickCarrel, home: Path) -> None:
    lines = quick.ok("env", "list").out.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "PYTHON", "SIZE", "LAST", "USED", "USED", "BY"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert "today" in rows["fresh"]
    assert "1.1 MB" in rows["fresh"] or "1.0 MB" in rows["fresh"]
    assert "60 days ago" in rows["old"]
    assert rows["old"].endswith("kernel old")
    assert rows["~/elsewhere"].endswith("kernel other")
    document = quick.json("env", "list", "--all")
    found = {one["name"]: one for one in document["environments"]}
    assert found["old"]["used_by"] == [{"kind": "kernelspec", "name": "old", "pid": None}]
    assert (found["old"]["managed"], found["elsewhere"]["managed"]) == (True, False)
    assert found["fresh"]["own_bytes"] >= 1_000_000
    assert document["total_bytes"] >= 3_000_000
    without = quick.json("env", "list", "--no-sizes")
    assert (without["total_bytes"], without["environments"][0]["own_bytes"]) == (None, None)


def test_nothing_is_removed_unasked(quick: QuickCarrel, home: Path) -> None:
    shown = quick.ok("env", "clean", "--dry-run").out
    assert "old" in shown
    assert "would become free" in shown
    refused = quick("env", "clean")
    assert refused.code != 0
    assert "--yes" in refused.err
    assert "last used 60 days ago" in refused.err
    assert (home / "data" / "envs" / "old").is_dir()


def test_unused_environments_go_with_their_kernels(quick: QuickCarrel, home: Path) -> None:
    assert quick.json("env", "clean", "--unused-for", "10w", "--yes")["environments"] == []
    done = quick.json("env", "clean", "--yes")
    assert ([one["name"] for one in done["environments"]], done["kernelspecs"], done["skipped"]) == (["old"], ["old"], [])
    assert done["freed_bytes"] == done["environments"][0]["bytes"] >= 1_000_000
    assert [path.name for path in (home / "data" / "envs").iterdir() if not path.name.startswith(".")] == ["fresh"]
    assert [path.name for path in (home / "jupyter" / "kernels").iterdir()] == ["other"]
    assert (home / "elsewhere").is_dir()


def test_one_that_is_named_goes_whatever_its_age_unless_something_runs_in_it(quick: QuickCarrel, home: Path) -> None:
    assert quick("env", "clean", "elsewhere", "--yes").code == 3
    assert quick("env", "clean", home / "elsewhere", "--yes").code == 3
    program = "print(1, flush=True); import time; time.sleep(60)"
    with subprocess.Popen([home / "data" / "envs" / "fresh" / "bin" / "python", "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        skipped = quick.json("env", "clean", "fresh", "--yes")["skipped"]
        process.kill()
    assert [one["code"] for one in skipped] == ["environment_in_use"]
    assert quick.json("env", "clean", "fresh", "--yes")["skipped"] == []
    assert not (home / "data" / "envs" / "fresh").exists()


def test_caches_are_cleaned_too_where_asked(quick: QuickCarrel, home: Path) -> None:
    index = home / "cache" / "conda" / "repodata" / "channel.json"
    index.parent.mkdir(parents=True)
    index.write_text(json.dumps({"packages": {}}) * 1000)
    old = time.time() - 2 * _DAY
    os.utime(index, (old, old))
    would = quick.json("env", "clean", "--caches", "--dry-run")
    assert [(one["what"], one["count"], one["bytes"]) for one in would["caches"]] == [("indexes", 1, index.stat().st_size)]
    assert index.exists()
    assert quick.json("env", "clean", "--caches", "--yes")["caches"][0]["what"] == "indexes"
    assert not index.exists()


def test_a_duration_that_cannot_be_understood(quick: QuickCarrel) -> None:
    assert "30d" in quick("env", "clean", "--unused-for", "a month").err
