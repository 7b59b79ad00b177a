"""Caches that several processes and several users use at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from environment_fixtures import change, run_as

from carrel.core.errors import Forbidden, Locked
from carrel.environments import Sources, Spec, locks
from carrel.environments.conda.cache import PackageStore, temporary
from carrel.environments.locations import conda_cache_folder, shared_archives_folder
from carrel.testing.conda_channel import ChannelServer

_FETCH = """
import json, sys
from carrel.core.progress import NeverCancelled, ignore_progress
from carrel.environments.conda import engine
engine.fetch(json.load(open(sys.argv[1])), headers={}, on_event=ignore_progress, cancel=NeverCancelled())
print("fetched")
"""
_NAMES = ("large", "alpha", "beta", "gamma")
_ADA, _EVE, _GROUP = 65533, 65534, 65532

as_root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="becomes two other users")


def records(server: ChannelServer) -> list[dict[str, Any]]:
    """The records of some packages of the channel, as a solver would give them."""
    found = []
    for subdir in ("noarch", "linux-64"):
        index = json.loads((server.root / subdir / "repodata.json").read_bytes())
        for filename, record in index["packages.conda"].items():
            if record["name"] in _NAMES:
                found.append({**record, "fn": filename, "url": f"{server.url}/{subdir}/{filename}", "channel": server.url})
    return found


@pytest.fixture
def wanted(server: ChannelServer, tmp_path: Path) -> Path:
    path = tmp_path / "records.json"
    path.write_text(json.dumps(records(server)))
    return path


def test_many_processes_fetch_each_archive_once(
    server: ChannelServer, wanted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "cache"))
    server.faults.delay = 0.01
    processes = [subprocess.Popen([sys.executable, "-c", _FETCH, wanted], stdout=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[0] for process in processes] == [b"fetched\n"] * 4
    assert {record["fn"]: server.requested(record["fn"]) for record in records(server)} == {record["fn"]: 1 for record in records(server)}
    store = PackageStore(conda_cache_folder())
    assert all(store.holds(record) for record in records(server))


def test_one_of_many_is_killed_and_the_others_go_on(
    server: ChannelServer, wanted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "cache"))
    server.faults.delay = 0.02
    first = subprocess.Popen([sys.executable, "-c", _FETCH, wanted], stdout=subprocess.PIPE)
    while not server.requested("large-1.0-0.conda"):
        time.sleep(0.02)
    others = [subprocess.Popen([sys.executable, "-c", _FETCH, wanted], stdout=subprocess.PIPE) for _ in range(3)]
    time.sleep(0.3)
    first.send_signal(signal.SIGKILL)
    assert [process.communicate()[0] for process in others] == [b"fetched\n"] * 3
    first.communicate()
    assert max(server.requested(record["fn"]) for record in records(server)) <= 2
    store = PackageStore(conda_cache_folder())
    assert all(store.holds(record) for record in records(server))
    deadline = time.monotonic() + 20
    while list(store.folder.glob(".carrel-*")) and time.monotonic() < deadline:
        time.sleep(0.1)  # the child that did the killed one's work notices a moment later that it is alone
        store.sweep()
    assert list(store.folder.glob(".carrel-*")) == []


class Users:
    """Two users of one group with homes of their own, and a folder of caches that they share."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self.python, self.caches = folder, python, folder / "caches"
        self.caches.mkdir()
        os.chown(self.caches, _ADA, _GROUP)
        self.caches.chmod(0o2770)
        for user in (_ADA, _EVE):
            (folder / str(user)).mkdir(mode=0o700)
            os.chown(folder / str(user), user, _GROUP)

    def run(self, user: int, *arguments: object) -> subprocess.CompletedProcess[str]:
        home = self.folder / str(user)
        return run_as(user, self.python, arguments, home, group=_GROUP, CARREL_CACHE_DIR=self.caches)

    def fetch(self, user: int, described: list[dict[str, Any]]) -> str:
        path = self.folder / f"{user}.json"
        path.write_text(json.dumps(described))
        done = self.run(user, "-c", _FETCH, path)
        assert done.stdout == "fetched\n", done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def shared_python(channel: Path) -> Iterator[Path]:
    """An interpreter that every user may start."""
    folder = Path(tempfile.mkdtemp(prefix="carrel-users-"))
    folder.chmod(0o755)
    (folder / "python" / "conda-meta").mkdir(parents=True)
    change(folder / "python", Sources((channel.as_uri(),)), Spec("python"))
    yield folder / "python" / "bin" / "python"
    shutil.rmtree(folder)


@pytest.fixture
def users(shared_python: Path) -> Users:
    folder = Path(tempfile.mkdtemp(dir=shared_python.parents[2]))
    folder.chmod(0o755)
    return Users(folder, shared_python)


@as_root
def test_two_users_share_archives_and_nothing_else(server: ChannelServer, users: Users) -> None:
    server.faults.delay = 0.01
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda user: users.fetch(user, records(server)), (_ADA, _EVE)))
    assert {record["fn"]: server.requested(record["fn"]) for record in records(server)} == {record["fn"]: 1 for record in records(server)}
    for user in (_ADA, _EVE):
        own = users.caches / "conda" / f"of-user-{user}"
        assert stat.S_IMODE(own.stat().st_mode) & 0o077 == 0
        assert {path.lstat().st_uid for path in own.rglob("*")} == {user}
        assert len([path for path in (own / "pkgs").iterdir() if path.is_dir()]) == len(records(server))
    archives = users.caches / "conda" / "archives"
    assert {path.stem.split(".")[0] for path in archives.iterdir()} == {record["sha256"] for record in records(server)}
    assert all(path.stat().st_gid == _GROUP and path.stat().st_mode & 0o040 for path in archives.iterdir())


@as_root
def test_what_another_user_put_there_is_not_believed(server: ChannelServer, users: Users) -> None:
    described = records(server)
    users.fetch(_EVE, described)
    alpha, beta = (next(record for record in described if record["name"] == name) for name in ("alpha", "beta"))
    archives = users.caches / "conda" / "archives"
    # other bytes under the digest, and a pipe that nobody writes to
    forge = (
        "import os, sys; a, b = sys.argv[1:]; os.chmod(a, 0o600); open(a, 'ab').write(b'!'); os.chmod(a, 0o440); os.unlink(b); os.mkfifo(b)"
    )
    done = users.run(_EVE, "-c", forge, archives / f"{alpha['sha256']}.conda", archives / f"{beta['sha256']}.conda")
    assert done.returncode == 0, done.stderr
    before = {record["fn"]: server.requested(record["fn"]) for record in described}
    users.fetch(_ADA, described)
    again = {record["fn"] for record in described if server.requested(record["fn"]) > before[record["fn"]]}
    assert again == {alpha["fn"], beta["fn"]}
    module = next((users.caches / "conda" / f"of-user-{_ADA}" / "pkgs").glob(f"alpha-{alpha['version']}-*/site-packages/alpha/__init__.py"))
    assert module.read_text() == f"__version__ = {alpha['version']!r}\n"


@as_root
def test_nobody_removes_what_another_user_left(server: ChannelServer, users: Users) -> None:
    users.fetch(_ADA, records(server)[:1])
    archives = users.caches / "conda" / "archives"
    name = temporary(archives, "left").name.replace(str(os.getpid()), "999999999")
    for user in (_ADA, _EVE):
        (archives / f"{name}-{user}").touch()
        os.chown(archives / f"{name}-{user}", user, _GROUP)
    users.fetch(_EVE, records(server)[1:])
    assert (archives / f"{name}-{_ADA}").exists()
    assert not (archives / f"{name}-{_EVE}").exists()
    theirs = next(path for path in archives.glob("*.conda") if path.stat().st_uid == _ADA)
    done = users.run(_EVE, "-c", "import sys, os; os.unlink(sys.argv[1])", theirs)
    assert "PermissionError" in done.stderr or "Operation not permitted" in done.stderr


@as_root
def test_a_lock_of_another_user(users: Users) -> None:
    try_it = "import sys\nfrom pathlib import Path\nfrom carrel.environments import locks\n"
    try_it += "with locks.locked(Path(sys.argv[1]), 'it'): print('held')"
    lock = users.caches / "lock"
    assert users.run(_ADA, "-c", try_it, lock).stdout == "held\n"
    assert lock.stat().st_uid == _ADA
    assert users.run(_EVE, "-c", try_it, lock).stdout == "held\n"
    with locks.locked(lock, "it"):
        assert "Another process is working on it" in users.run(_EVE, "-c", try_it, lock).stderr
    lock.chmod(0o600)
    told = users.run(_EVE, "-c", try_it, lock).stderr
    assert "belongs to" in told
    assert "chmod g+rw" in told


@as_root
def test_a_folder_that_somebody_else_made_in_ones_place_is_refused(users: Users) -> None:
    (users.caches / "conda" / f"of-user-{_EVE}").mkdir(parents=True)
    for made in (users.caches / "conda", users.caches / "conda" / f"of-user-{_EVE}"):
        os.chown(made, _ADA, _GROUP)
        made.chmod(0o2770)
    done = users.run(_EVE, "-c", "from carrel.environments.locations import conda_cache_folder; conda_cache_folder()")
    assert "should be a folder of yours" in done.stderr


def test_a_folder_of_ones_own_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "cache"))
    assert conda_cache_folder() == tmp_path / "cache" / "conda"
    assert shared_archives_folder() is None


def test_only_a_lock_that_nobody_holds_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = locks.acquire(path)
    assert first is not None
    assert not locks.discard(path)
    first()
    assert locks.discard(path)
    assert not path.exists()
    with locks.locked(path, "it"), pytest.raises(Locked), locks.locked(path, "it", wait=0.1):
        pass
    if os.getuid() != 0:
        (tmp_path / "sealed").mkdir(mode=0o500)
        with pytest.raises(Forbidden):
            locks.acquire(tmp_path / "sealed" / "lock")
