"""A lock says everything, and what is rebuilt from it is the same to the byte."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from environment_fixtures import CancelWhen, change, contents, differences, freeze, package_index, python_says

from carrel.core.errors import Cancelled, Conflict, DigestMismatch, NotFound, Unprocessable
from carrel.core.progress import Progress
from carrel.environments import (
    Sources,
    Spec,
    already_built,
    capture,
    environment_file,
    environment_folder,
    environment_yml,
    installed,
    rebuild,
    sweep,
)
from carrel.formats.environment import load_lock
from carrel.testing.artifacts import build_wheel
from carrel.testing.conda_channel import ChannelServer, serve


@pytest.fixture
def mixed_env(conda_env: Path, sources: Sources, pypi: Sources) -> Path:
    """conda packages and one from an index."""
    both = Sources(sources.channels, pypi.indexes)
    change(conda_env, both, Spec("beta", "2.0"), Spec("large"), Spec("alpha", "2.0", source="pypi"))
    return conda_env


@pytest.fixture
def both(sources: Sources, pypi: Sources) -> Sources:
    return Sources(sources.channels, pypi.indexes)


def listed(prefix: Path) -> set[tuple[str, str, str, str, bool]]:
    return {(package.name, package.version, package.build, package.source, package.requested) for package in installed(prefix)}


def test_a_rebuilt_environment_is_the_same(mixed_env: Path, both: Sources, tmp_path: Path) -> None:
    lock = capture(mixed_env, both)
    assert lock.problems == ()
    assert {package.name for package in lock.conda} >= {"python", "beta", "large"}
    assert all(len(package.sha256) == 64 and package.size and package.url for package in lock.conda)
    assert [(package.name, package.version, package.index) for package in lock.pypi] == [("alpha", "2.0", both.indexes[0])]
    assert lock.channels == both.channels
    assert set(lock.requested) == {"python", "beta ==2.0", "large", "alpha==2.0"}
    filename, data = environment_file(lock)
    again = load_lock(filename, data)
    assert again.digest == lock.digest
    prefix = environment_folder(again, tmp_path / "envs")
    assert prefix.name == lock.digest[:16]
    environment = rebuild(again, prefix)
    assert environment.python_version == lock.python_version
    assert listed(prefix) == listed(mixed_env)
    assert freeze(prefix) == freeze(mixed_env)
    assert capture(prefix, both).digest == lock.digest
    known_by_path = {path for path, what in contents(mixed_env).items() if str(mixed_env) in str(what)}
    different = [path for path in differences(contents(mixed_env), contents(prefix)) if not path.startswith("conda-meta/")]
    assert [path for path in different if path not in known_by_path and not _mentions(mixed_env / path, mixed_env)] == []
    assert already_built(again, prefix)
    before = contents(prefix)
    rebuild(again, prefix)
    assert differences(before, contents(prefix)) == []


def _mentions(file: Path, prefix: Path) -> bool:
    # scripts and compiled paths hold the prefix, and RECORD their digests
    data = file.read_bytes()
    return str(prefix).encode() in data or file.name == "RECORD"


def test_environment_yml_is_what_was_asked_for(mixed_env: Path, both: Sources) -> None:
    text = environment_yml(capture(mixed_env, both), "analysis")
    assert "name: analysis" in text
    assert "beta=2.0" in text
    assert "alpha==2.0" in text
    assert "tzdata" not in text


def test_rebuilding_needs_no_server_for_what_is_cached(mixed_env: Path, both: Sources, server: ChannelServer, tmp_path: Path) -> None:
    lock = capture(mixed_env, both)
    asked = len(server.requests)
    rebuild(lock, tmp_path / "again")
    assert len(server.requests) == asked


def test_a_tampered_package_is_named_and_nothing_is_left(
    mixed_env: Path, both: Sources, server: ChannelServer, tmp_path: Path, fresh_cache: Path
) -> None:
    lock = capture(mixed_env, both)
    server.faults.tampered["large-1.0-0.conda"] = b"evil" * 1000
    with pytest.raises(DigestMismatch) as caught:
        rebuild(lock, tmp_path / "envs" / "again")
    assert caught.value.fields["filename"] == "large-1.0-0.conda"
    assert {path.name for path in (tmp_path / "envs").iterdir()} <= {".again.lock"}
    server.faults.tampered.clear()
    rebuild(lock, tmp_path / "envs" / "again")
    assert already_built(lock, tmp_path / "envs" / "again")


def test_a_tampered_wheel_is_named_and_nothing_is_left(venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with package_index([build_wheel("kappa", "1.0")]) as index:
        sources = Sources(indexes=(index.url,))
        change(venv, sources, Spec("kappa", source="pypi"))
        lock = capture(venv, sources)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        index.served["kappa-1.0-py3-none-any.whl"] = build_wheel("kappa", "1.0", summary="evil").data
        with pytest.raises(DigestMismatch) as caught:
            rebuild(lock, tmp_path / "again")
    assert caught.value.fields["filename"] == "kappa-1.0-py3-none-any.whl"
    assert not (tmp_path / "again").exists()


def test_a_venv_is_rebuilt_with_the_same_python(venv: Path, pypi: Sources, tmp_path: Path) -> None:
    change(venv, pypi, Spec("alpha", "1.0", source="pypi"), Spec("beta", "1.0", source="pypi"))
    lock = capture(venv, pypi)
    filename, data = environment_file(lock)
    assert filename == "pylock.toml"
    again = load_lock(filename, data)
    assert again.digest == lock.digest
    prefix = tmp_path / "again"
    rebuild(again, prefix)
    assert freeze(prefix) == freeze(venv) == ["alpha==1.0", "beta==1.0"]
    assert python_says(prefix, "import sys; print('.'.join(map(str, sys.version_info[:3])))") == lock.python_version
    assert listed(prefix) == listed(venv)


def test_a_missing_python_is_said(venv: Path, pypi: Sources, tmp_path: Path) -> None:
    lock = replace(capture(venv, pypi), python_version="3.4.1")
    with pytest.raises(NotFound, match=r"needs Python 3\.4, and this machine has .*3\.") as caught:
        rebuild(lock, tmp_path / "again")
    assert caught.value.code == "python_not_found"
    assert not (tmp_path / "again").exists()


def test_other_platforms_and_incomplete_locks_are_refused(venv: Path, pypi: Sources, tmp_path: Path) -> None:
    change(venv, pypi, Spec("beta", "1.0", source="pypi"))
    lock = capture(venv, pypi)
    with pytest.raises(Unprocessable) as caught:
        rebuild(replace(lock, platform="win-64"), tmp_path / "again")
    assert caught.value.code == "other_platform"
    with pytest.raises(Unprocessable) as caught:
        rebuild(replace(lock, pypi=(replace(lock.pypi[0], sha256=""),)), tmp_path / "again")
    assert caught.value.code == "incomplete_lock"


def test_what_cannot_be_locked_is_told(venv: Path, pypi: Sources, tmp_path: Path) -> None:
    wheel = build_wheel("local-one", "1.0")
    (tmp_path / wheel.filename).write_bytes(wheel.data)
    uv = Path(sys.executable).with_name("uv")
    install = [uv, "pip", "install", "--quiet", "--no-config", "--offline", "--python", venv / "bin" / "python", "--no-deps"]
    subprocess.run([*install, tmp_path / wheel.filename], check=True)
    change(venv, pypi, Spec("beta", "1.0", source="pypi"))
    site = next((venv / "lib").glob("python3*/site-packages"))
    made_up = site / "unknown-9.9.dist-info"
    made_up.mkdir()
    (made_up / "METADATA").write_text("Metadata-Version: 2.1\nName: unknown\nVersion: 9.9\n")
    (made_up / "WHEEL").write_text("Wheel-Version: 1.0\nTag: py3-none-any\n")
    lock = capture(venv, pypi)
    assert [package.name for package in lock.pypi] == ["beta"]
    assert {(problem.code, problem.name) for problem in lock.problems} == {("local_wheel", "local-one"), ("not_on_index", "unknown")}
    assert all(str(tmp_path) not in problem.message for problem in lock.problems)
    lock = capture(venv, Sources())
    assert ("no_index", "beta") in {(problem.code, problem.name) for problem in lock.problems}


def test_a_channel_in_a_folder_is_a_problem(conda_env: Path, channel: Path) -> None:
    change(conda_env, Sources(channels=(channel.as_uri(),)), Spec("gamma"))
    codes = {(problem.code, problem.name) for problem in capture(conda_env, Sources()).problems}
    assert ("local_channel", "gamma") in codes


def test_credentials_of_the_hub_open_what_the_lock_names(channel: Path, conda_env: Path, tmp_path: Path, fresh_cache: Path) -> None:
    token = "ca-abcdefghijklmnop"
    with serve(channel, token=token) as private, package_index([build_wheel("lambda1", "1.0")], password=token) as index:
        headers = {private.url: {"Authorization": f"Bearer {token}"}, index.root: {"Authorization": f"Bearer {token}"}}
        sources = Sources((private.url,), (index.url,), headers)
        change(conda_env, sources, Spec("gamma"), Spec("lambda1", source="pypi"))
        lock = capture(conda_env, sources)
        _, data = environment_file(lock)
        assert token.encode() not in data
        rebuild(lock, tmp_path / "again", sources=Sources(headers=headers))
    assert listed(tmp_path / "again") == listed(conda_env)


def test_archives_are_found_elsewhere(mixed_env: Path, both: Sources, channel: Path, tmp_path: Path, fresh_cache: Path) -> None:
    lock = capture(mixed_env, both)
    gone = replace(lock, conda=tuple(replace(p, url=f"{both.channels[0]}/gone/{p.filename}") for p in lock.conda), pypi=())
    with pytest.raises(NotFound):
        rebuild(replace(gone, channels=()), tmp_path / "again")
    with serve(channel) as other:
        rebuild(replace(gone, channels=()), tmp_path / "again", sources=Sources(channels=(other.url,)))


def test_something_else_is_not_overwritten(mixed_env: Path, both: Sources, sources: Sources, tmp_path: Path) -> None:
    lock = capture(mixed_env, both)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(Conflict) as caught:
        rebuild(lock, tmp_path / "mine")
    assert (caught.value.code, caught.value.fields) == ("prefix_taken", {"path": str(tmp_path / "mine")})
    rebuild(lock, tmp_path / "again")
    change(tmp_path / "again", sources, remove=["large"])
    assert not already_built(lock, tmp_path / "again")
    with pytest.raises(Conflict) as caught:
        rebuild(lock, tmp_path / "again")
    assert caught.value.code == "environment_changed"
    assert caught.value.fields == {"path": str(tmp_path / "again"), "remedy": "replace"}
    rebuild(lock, tmp_path / "again", replace_changed=True)
    assert listed(tmp_path / "again") == listed(mixed_env)


@pytest.mark.parametrize("stage", ["download", "link", "verify"])
def test_cancelling_leaves_nothing(
    mixed_env: Path, both: Sources, server: ChannelServer, tmp_path: Path, fresh_cache: Path, stage: str
) -> None:
    lock = capture(mixed_env, both)
    server.faults.delay = 0.01
    cancel = CancelWhen(stage)
    with pytest.raises(Cancelled):
        rebuild(lock, tmp_path / "envs" / "again", on_event=cancel, cancel=cancel)
    assert {path.name for path in (tmp_path / "envs").iterdir()} <= {".again.lock"}


_BUILDER_THAT_DIES = """
import os, signal, sys
from pathlib import Path
from carrel.environments import rebuild
from carrel.formats.environment import load_lock
lock = load_lock("conda-lock.yml", Path(sys.argv[1]).read_bytes())
def die(event):
    if event.stage == "link":
        os.kill(os.getpid(), signal.SIGKILL)
rebuild(lock, Path(sys.argv[2]), on_event=die)
"""


def test_a_killed_rebuild_is_repaired(mixed_env: Path, both: Sources, tmp_path: Path) -> None:
    lock = capture(mixed_env, both)
    (tmp_path / "conda-lock.yml").write_bytes(environment_file(lock)[1])
    root = tmp_path / "envs"

    def die_at(prefix: Path) -> None:
        command = [sys.executable, "-c", _BUILDER_THAT_DIES, str(tmp_path / "conda-lock.yml"), str(prefix)]
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
        assert finished.returncode == -signal.SIGKILL, finished.stderr
        for process in psutil.process_iter(["cmdline", "ppid"]):
            if any("conda.worker" in word for word in process.info["cmdline"] or []) and process.info["ppid"] == 1:
                process.wait(timeout=10)

    die_at(root / "again")
    assert not already_built(lock, root / "again")
    rebuild(lock, root / "again")
    assert listed(root / "again") == listed(mixed_env)
    die_at(root / "ruin")
    assert (root / ".ruin.partial").exists()
    assert sweep(root) == [root / "ruin"]
    assert not (root / "ruin").exists()
    assert already_built(lock, root / "again")


def test_two_builders_share_the_work(mixed_env: Path, both: Sources, tmp_path: Path) -> None:
    lock = capture(mixed_env, both)
    seen: list[list[str]] = [[], []]
    started = threading.Event()

    def build(number: int) -> None:
        def on_event(event: Progress) -> None:
            seen[number].append(event.stage)
            started.set()

        rebuild(lock, tmp_path / "again", on_event=on_event)

    first = threading.Thread(target=build, args=(0,))
    first.start()
    started.wait(30)
    build(1)
    first.join()
    assert "link" in seen[0]
    assert seen[1] == ["wait"]


def test_who_waits_takes_over_when_the_builder_is_killed(mixed_env: Path, both: Sources, tmp_path: Path) -> None:
    """Two processes want the same; the one that builds dies in the middle."""
    lock = capture(mixed_env, both)
    (tmp_path / "conda-lock.yml").write_bytes(environment_file(lock)[1])
    prefix, ready = tmp_path / "envs" / "again", tmp_path / "building"
    command = [sys.executable, "-c", _BUILDER_THAT_HANGS, str(tmp_path / "conda-lock.yml"), str(prefix), str(ready)]
    builder = subprocess.Popen(command)
    try:
        for _ in range(600):
            if ready.exists():
                break
            time.sleep(0.1)
        assert ready.exists()
        waiting = threading.Event()
        waiter = threading.Thread(target=lambda: rebuild(lock, prefix, on_event=lambda event: waiting.set()))
        waiter.start()
        assert waiting.wait(30)
        assert not already_built(lock, prefix)
    finally:
        builder.kill()
        builder.wait()
    waiter.join(60)
    assert already_built(lock, prefix)
    assert listed(prefix) == listed(mixed_env)
    assert not list(prefix.parent.glob(".*.partial"))


_BUILDER_THAT_HANGS = """
import sys, time
from pathlib import Path
from carrel.environments import rebuild
from carrel.formats.environment import load_lock
lock = load_lock("conda-lock.yml", Path(sys.argv[1]).read_bytes())
def hang(event):
    if event.stage == "verify":
        Path(sys.argv[3]).touch()
        time.sleep(120)
rebuild(lock, Path(sys.argv[2]), on_event=hang)
"""


def test_a_finished_environment_is_shared_by_those_who_may_only_read_it(
    mixed_env: Path, both: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = capture(mixed_env, both)
    prefix = tmp_path / "envs" / "again"
    rebuild(lock, prefix, reference="acme/analysis@7")
    rebuild(lock, prefix, reference="/home/ada/analysis.ipynb")
    rebuild(lock, prefix, reference="acme/analysis@7")
    mark = json.loads((prefix / ".carrel" / "environment.json").read_bytes())
    assert [reference["to"] for reference in mark["references"]] == ["/home/ada/analysis.ipynb", "acme/analysis@7"]
    before = contents(prefix)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError("a folder of somebody else")

    monkeypatch.setattr("carrel.environments.locks.locked", refuse)
    monkeypatch.setattr("carrel.environments.files.write_json", refuse)
    assert rebuild(lock, prefix, reference="mine").prefix == prefix
    assert differences(before, contents(prefix)) == []


def test_same_name_other_bytes_in_the_cache(mixed_env: Path, both: Sources, channel: Path, tmp_path: Path) -> None:
    """Two channels may build the same name, version and build; each environment gets its own."""
    other = tmp_path / "other-channel"
    shutil.copytree(channel, other)
    from carrel.testing.artifacts import build_conda
    from carrel.testing.conda_channel import index

    twin = build_conda("large", "1.0", files={"share/large.bin": b"the other one"})
    (other / "linux-64" / twin.filename).write_bytes(twin.data)
    index(other, force=True)
    prefix = tmp_path / "twin"
    (prefix / "conda-meta").mkdir(parents=True)
    with serve(other) as server:
        change(prefix, Sources((server.url,)), Spec("large"))
    assert (prefix / "share" / "large.bin").read_bytes() == b"the other one"
    assert (mixed_env / "share" / "large.bin").stat().st_size == 4_000_000
    rebuild(capture(mixed_env, both), tmp_path / "again")
    assert (tmp_path / "again" / "share" / "large.bin").stat().st_size == 4_000_000
