"""What environments there are, who uses them, what they take; and removing them so that nothing half-made is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from environment_fixtures import change

from carrel.core.errors import Conflict, Forbidden, Locked, NotFound
from carrel.core.progress import NeverCancelled
from carrel.environments import (
    Sources,
    Spec,
    building,
    cache_cleaning,
    capture,
    clone,
    environment_folder,
    housekeeping,
    install_kernelspec,
    locks,
    rebuild,
    usage,
)
from carrel.environments.conda.cache import PackageStore
from carrel.environments.disk_usage import measure, measure_all
from carrel.environments.locations import conda_cache_folder, environments_folder
from carrel.environments.pypi import uv
from carrel.environments.rebuilding import add_reference

_MONTH = timedelta(days=30)


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's data folder of a person with no environments yet and nothing activated."""
    for name, folder in (("JUPYTER_DATA_DIR", "jupyter"), ("JUPYTER_PATH", "jupyter"), ("CARREL_DATA_DIR", "data"), ("HOME", "home")):
        monkeypatch.setenv(name, str(tmp_path / folder))
        (tmp_path / folder).mkdir(exist_ok=True)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "jupyter"


def make(name: str, days: float = 0) -> Path:
    """A small environment below the folder of environments, used some days ago."""
    prefix = environments_folder() / name
    uv.run(["venv", prefix, "--python", sys.executable, "--quiet"], sources=Sources(), cancel=NeverCancelled())
    (prefix / ".carrel").mkdir()
    usage.touch_used(prefix)
    age(prefix, days)
    return prefix


def age(prefix: Path, days: float) -> None:
    then = time.time() - days * 86400
    os.utime(prefix / ".carrel" / "used", (then, then))


def by_name() -> dict[str, housekeeping.KnownEnvironment]:
    return {one.name: one for one in housekeeping.known()}


@pytest.fixture
def sleeper() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def run_in(prefix: Path, started: list[subprocess.Popen[bytes]], *arguments: str) -> int:
    code = "import time; print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen([prefix / "bin" / "python", "-c", code, *arguments], stdout=subprocess.PIPE)
    started.append(process)
    assert process.stdout is not None
    process.stdout.readline()
    return process.pid


def test_environments_with_last_use_and_who_refers_to_them(jupyter: Path, tmp_path: Path, sleeper: list[subprocess.Popen[bytes]]) -> None:
    used, old = make("used", 1), make("old", 90)
    other = tmp_path / "elsewhere"
    uv.run(["venv", other, "--python", sys.executable, "--quiet"], sources=Sources(), cancel=NeverCancelled())
    install_kernelspec(used, "analysis", "Analysis", user_data_folder=jupyter)
    install_kernelspec(other, "other", "Other", user_data_folder=jupyter)
    (jupyter / "kernels" / "gone").mkdir()
    (jupyter / "kernels" / "gone" / "kernel.json").write_text(
        json.dumps({"argv": [str(tmp_path / "gone" / "bin" / "python")], "metadata": {"conda_env_path": str(tmp_path / "gone")}})
    )
    notebook = tmp_path / "notebook.ipynb"
    notebook.write_text("{}")
    (old / ".carrel" / "environment.json").write_text("{}")
    for reference in ("acme/charts@3", str(notebook), str(tmp_path / "deleted.ipynb")):
        add_reference(old, reference)
    pid = run_in(used, sleeper, "-f", "/run/kernel-1234.json")
    found = by_name()
    assert (found["used"].kind, found["used"].managed, found["used"].state) == ("venv", True, "ok")
    assert [(one.kind, one.name, one.pid) for one in found["used"].referrers] == [
        ("kernelspec", "analysis", None),
        ("kernel", "kernel-1234", pid),
    ]
    assert found["used"].is_running
    assert not found["old"].is_running
    assert [one.name for one in found["old"].referrers] == ["acme/charts@3", str(notebook)]
    assert (found["elsewhere"].managed, [one.name for one in found["elsewhere"].referrers]) == (False, ["other"])
    assert (found["gone"].state, found["gone"].kind) == ("missing", None)
    assert found["old"].last_used is not None
    assert abs(datetime.now(UTC) - timedelta(days=90) - found["old"].last_used) < timedelta(hours=1)
    assert [one.name for one in housekeeping.unused(_MONTH)] == ["old"]
    assert [one.name for one in housekeeping.unused(timedelta(0))] == ["old"]


def test_importing_a_package_is_a_use(jupyter: Path) -> None:
    prefix = make("imported", 90)
    package = next(prefix.glob("lib/python3*/site-packages")) / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert [one.name for one in housekeeping.unused(_MONTH)] == ["imported"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([prefix / "bin" / "python", "-c", "import package"], check=True, env=environment)
    assert housekeeping.unused(_MONTH) == []


def test_sizes_tell_what_becomes_free(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (one / "own").write_bytes(os.urandom(100_000))
    os.link(one / "own", one / "own-again")
    (one / "shared").write_bytes(os.urandom(200_000))
    os.link(one / "shared", two / "shared")
    os.link(one / "shared", two / "shared-again")
    sizes, total = measure_all([one, two])
    assert 100_000 <= sizes[one].own < 120_000
    assert 200_000 <= sizes[one].shared < 210_000
    assert (sizes[two].shared, sizes[two].own) == (sizes[one].shared, 0)
    assert total == sizes[one].own + sizes[two].own + sizes[one].shared
    (two / "shared").unlink()
    (two / "shared-again").unlink()
    assert measure(one).own == sizes[one].own + sizes[one].shared


def test_a_removed_environment_is_gone_with_its_kernels(jupyter: Path) -> None:
    prefix, other = make("old", 90), make("other")
    install_kernelspec(prefix, "old", "Old", user_data_folder=jupyter)
    install_kernelspec(other, "kept", "Kept", user_data_folder=jupyter)
    (jupyter / "kernels" / "foreign").mkdir()
    (jupyter / "kernels" / "foreign" / "kernel.json").write_text(
        json.dumps({"argv": [str(prefix / "bin" / "python"), "-m", "x"], "metadata": {"conda_env_path": str(prefix)}})
    )
    (prefix / "sealed").mkdir()
    (prefix / "sealed" / "file").touch()
    (prefix / "sealed").chmod(0o500)
    assert housekeeping.remove(prefix) == ["old"]
    assert sorted(path.name for path in (jupyter / "kernels").iterdir()) == ["foreign", "kept"]
    assert sorted(path.name for path in environments_folder().iterdir()) == [".trash", "other"]
    assert list((environments_folder() / ".trash").iterdir()) == []
    # the foreign kernel is not ours to remove; one of ours that leads nowhere is
    assert by_name()["old"].state == "missing"
    assert housekeeping.unused(_MONTH) == []
    shutil.rmtree(other)
    assert [one.name for one in housekeeping.unused(_MONTH)] == ["other"]
    assert housekeeping.remove(other) == ["kept"]


def test_what_may_not_be_removed(jupyter: Path, tmp_path: Path, sleeper: list[subprocess.Popen[bytes]]) -> None:
    prefix = make("used")
    pid = run_in(prefix, sleeper)
    with pytest.raises(Conflict) as in_use:
        housekeeping.remove(prefix)
    assert (in_use.value.code, in_use.value.fields["processes"]) == ("environment_in_use", [pid])
    sleeper[0].kill()
    sleeper[0].wait()
    with locks.locked(prefix / ".carrel" / "lock", "it"), pytest.raises(Locked):
        housekeeping.remove(prefix)
    with locks.locked(building.lock_path(prefix), "it"), pytest.raises(Locked):
        housekeeping.remove(prefix)
    for place in (tmp_path / "home", environments_folder() / ".trash", environments_folder(), prefix / "lib"):
        with pytest.raises(Forbidden):
            housekeeping.remove(place)
    with pytest.raises(NotFound):
        housekeeping.remove(environments_folder() / "nothing")
    assert prefix.is_dir()


_DIES = """
import os, signal, sys
from carrel.environments import files, housekeeping
files.remove_tree = lambda path: os.kill(os.getpid(), signal.SIGKILL)
housekeeping.remove(sys.argv[1])
"""


def test_who_dies_while_removing_leaves_no_half_environment(jupyter: Path) -> None:
    prefix = make("old", 90)
    done = subprocess.run([sys.executable, "-c", _DIES, prefix], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not prefix.exists()
    assert [one.name for one in housekeeping.known() if one.managed] == []
    assert len(housekeeping.sweep()) == 1
    assert list((environments_folder() / ".trash").iterdir()) == []


def test_ruins_and_broken_ones_are_told_apart(jupyter: Path) -> None:
    ruin, built, broken = make("ruin"), make("built"), make("broken")
    for prefix in (ruin, built):
        building.partial(prefix).write_text("{}")
    for program in (broken / "bin").glob("python*"):
        program.unlink()
    with locks.locked(building.lock_path(built), "it"):
        states = {one.name: one.state for one in housekeeping.known() if one.managed}
        assert states == {"ruin": "ruin", "built": "building", "broken": "broken"}
        assert [one.name for one in housekeeping.unused(_MONTH)] == ["ruin"]
        assert housekeeping.sweep() == [ruin]
    assert not ruin.exists()
    assert built.exists()


def test_using_an_environment_is_noted(jupyter: Path, conda_env: Path, sources: Sources, tmp_path: Path) -> None:
    age(conda_env, 50)
    change(conda_env, sources, Spec("alpha", "1.0"))
    assert time.time() - (conda_env / ".carrel" / "used").stat().st_mtime < 60
    lock = capture(conda_env, sources)
    prefix = rebuild(lock, environment_folder(lock), reference="acme/charts@1").prefix
    age(prefix, 50)
    rebuild(lock, prefix, reference="acme/charts@2")
    assert time.time() - (prefix / ".carrel" / "used").stat().st_mtime < 60
    assert [one.name for one in by_name()[prefix.name].referrers] == ["acme/charts@1", "acme/charts@2"]
    copy = clone(prefix, environments_folder() / "copy").prefix
    assert (copy / ".carrel" / "used").exists()
    spec = json.loads((install_kernelspec(copy, "copy", "Copy", user_data_folder=jupyter) / "kernel.json").read_bytes())
    age(copy, 50)
    subprocess.run([*spec["argv"][:5], "-c", "pass"], check=True)
    assert time.time() - (copy / ".carrel" / "used").stat().st_mtime < 60


def test_caches_keep_what_environments_use(conda_env: Path, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    change(conda_env, sources, Spec("large"), Spec("alpha", "1.0"))
    change(conda_env, sources, remove=("large",))
    store = PackageStore(conda_cache_folder())
    # right after it was fetched, nothing is taken
    assert [one for one in cache_cleaning.clean_caches(dry_run=True) if one.what == "packages"] == []
    then = time.time() - 7200
    for lock in store.folder.glob("*.lock"):
        os.utime(lock, (then, then))
    # the removed package is kept for going back, by another name of the same files
    assert [one for one in cache_cleaning.clean_caches(dry_run=True) if one.what == "packages"] == []
    gone = cache_cleaning.clean_caches(prefixes=[conda_env], everything=True)
    assert [(one.what, one.path) for one in gone if one.what != "uv"] == [("kept", conda_env)]
    would = cache_cleaning.clean_caches(dry_run=True)
    done = cache_cleaning.clean_caches()
    assert [one for one in done if one.what == "packages"] == would
    assert would[0].count == 1
    assert would[0].bytes > 4_000_000
    left = {path.name.split("-")[0] for path in store.folder.iterdir() if path.is_dir()}
    assert left == {"alpha"}
    assert not list(store.folder.glob("large*"))
    change(conda_env, sources, Spec("large"))
