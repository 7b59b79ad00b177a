"""Locks, packages and folders of people who mean harm: nothing outside of what is ours is read over, written or removed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from carrel.core.errors import BadRequest, CarrelError, Conflict, InvalidFile
from carrel.core.progress import NeverCancelled, ignore_progress
from carrel.environments import (
    Change,
    Policy,
    Spec,
    building,
    conda_meta,
    distributions,
    files,
    housekeeping,
    locks,
    processes,
    remedy_notes,
    repair,
    revisions,
    transactions,
)
from carrel.environments.cloning import clone
from carrel.environments.conda import engine
from carrel.environments.conda.cache import PackageStore, contents
from carrel.environments.keeping import Store
from carrel.environments.locations import current_platform, environments_folder
from carrel.environments.rebuilding import rebuild
from carrel.formats.environment.lock import Lock, LockedConda
from carrel.testing.artifacts import build_conda


def test_a_lock_cannot_name_a_folder_outside_of_the_package_cache(tmp_path: Path) -> None:
    """The build of a package is any text in some formats: what lies where it leads would be taken for an old entry and removed."""
    package = build_conda("mine", "1.0", files={"share/mine.txt": "mine"})
    archive = tmp_path / package.filename
    archive.write_bytes(package.data)
    store = PackageStore(tmp_path / "cache")
    precious = tmp_path / "precious" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    (store.folder / "mine-1.0-0").mkdir()
    described = {"name": "mine", "version": "1.0", "build": "0/../../../precious", "sha256": hashlib.sha256(package.data).hexdigest()}
    extracted = tmp_path / "extracted"
    extracted.mkdir()
    with pytest.raises(InvalidFile, match="not the name"):
        store.place(extracted, described)
    locked = LockedConda("mine", "1.0", "0/../../../precious", archive.as_uri(), sha256=described["sha256"])
    with pytest.raises(InvalidFile, match="not the name"):
        rebuild(Lock(current_platform(), conda=(locked,)), tmp_path / "environment")
    assert precious.read_text() == "years of work"
    assert not (tmp_path / "environment").exists()


@pytest.mark.parametrize("path", ["../../outside.txt", "/{outside}", "share/../../outside.txt"])
def test_a_package_that_would_write_outside_of_the_environment_never_comes_into_the_cache(tmp_path: Path, path: str) -> None:
    """Its list of files is believed when files are kept, replaced and removed."""
    listed = path.replace("{outside}", str(tmp_path / "outside.txt").lstrip("/"))
    paths = {"paths": [{"_path": listed, "path_type": "hardlink", "size_in_bytes": 1}], "paths_version": 1}
    package = build_conda("harmful", "1.0", build=f"h{len(path)}", files={"share/x": "x"}, info={"paths.json": json.dumps(paths)})
    archive = tmp_path / package.filename
    archive.write_bytes(package.data)
    record = {
        "name": "harmful",
        "version": "1.0",
        "build": f"h{len(path)}",
        "url": archive.as_uri(),
        "sha256": hashlib.sha256(package.data).hexdigest(),
        "subdir": "linux-64",
    }
    with pytest.raises(InvalidFile, match="would write outside"):
        engine.fetch([record], headers={}, on_event=ignore_progress, cancel=NeverCancelled(), locked=True)


def test_entry_points_cannot_lead_out_of_the_environment(tmp_path: Path) -> None:
    """They become files in its folder of programs."""
    (tmp_path / "info").mkdir()
    (tmp_path / "info" / "paths.json").write_text(json.dumps({"paths": []}))
    (tmp_path / "info" / "link.json").write_text(json.dumps({"noarch": {"type": "python", "entry_points": ["../../x = a:b"]}}))
    with pytest.raises(InvalidFile, match="would write outside"):
        contents(tmp_path)


def test_a_record_owns_nothing_outside_of_its_environment(tmp_path: Path) -> None:
    """Whatever it lists: removing the package would remove it."""
    record = tmp_path / "env" / "conda-meta" / "a-1-0.json"
    record.parent.mkdir(parents=True)
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    listed = ["share/a", "../outside.txt", str(outside), "share/../../outside.txt"]
    record.write_text(json.dumps({"name": "a", "version": "1", "build": "0", "files": listed}))
    assert conda_meta.files_of(record) == ("share/a",)
    files.remove_files([tmp_path / "env" / name for name in listed], tmp_path / "env")
    assert outside.read_text() == "mine"


def test_a_file_is_never_replaced_by_itself(tmp_path: Path) -> None:
    """Keeping it under its own name would remove it first."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("mine")
    (tmp_path / "link").symlink_to("real")
    files.link_or_copy(tmp_path / "real" / "a", tmp_path / "link" / "a")
    assert (tmp_path / "real" / "a").read_text() == "mine"


def test_modules_that_a_distribution_names_are_modules(tmp_path: Path) -> None:
    """What came into their folders is swept away when a change fails."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    info = site / "bad-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n\n")
    (info / "RECORD").write_text("bad-1.0.dist-info/METADATA,,\n")
    (info / "top_level.txt").write_text(f"../../../..\n{tmp_path}\nbad\n")
    (tmp_path / "env" / ".carrel").mkdir()
    transactions.begin(tmp_path / "env", (), {"bad"}, ())
    (tmp_path / "written-meanwhile.txt").write_text("mine")
    transactions.roll_back(tmp_path / "env")
    assert (tmp_path / "written-meanwhile.txt").exists()
    assert [one.import_names for one in distributions.read_distributions(tmp_path / "env")] == [("bad",)]


def test_removing_a_folder_changes_nothing_that_its_links_lead_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only folder is opened for it; the key that a link in there leads to stays as private as it was."""
    secret = tmp_path / "id_ed25519"
    secret.write_text("secret")
    secret.chmod(0o600)
    doomed = tmp_path / "doomed" / "closed"
    doomed.mkdir(parents=True)
    (doomed / "key").symlink_to(secret)
    doomed.chmod(0o555)
    real = os.unlink

    def unlink(path: str, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None and not os.fstat(dir_fd).st_mode & 0o200:  # what root is spared
            raise PermissionError(13, "Permission denied")
        real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink)
    files.remove_tree(tmp_path / "doomed")
    assert not (tmp_path / "doomed").exists()
    assert secret.stat().st_mode & 0o777 == 0o600


def test_no_link_waits_where_a_file_is_written(tmp_path: Path) -> None:
    """In a folder that others may write to, they would choose what is overwritten."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / f".mark.{os.getpid()}.tmp").symlink_to(victim)
    files.write_json(tmp_path / "mark", {"a": 1})
    assert victim.read_text() == "mine"
    assert json.loads((tmp_path / "mark").read_bytes()) == {"a": 1}


def test_a_ruin_is_only_what_its_owner_marked(tmp_path: Path) -> None:
    """A marker that somebody else puts beside a folder, in a place for all, must not get it removed."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "data.csv").write_text("1,2")
    marker = building.partial(folder)
    marker.symlink_to(tmp_path / "nothing")
    assert (building.is_ruin(folder), building.sweep(tmp_path)) == (False, [])
    marker.unlink()
    (tmp_path / "..partial").write_text("{}")  # that of a folder without a name: this one
    assert building.sweep(tmp_path) == []
    if hasattr(os, "getuid") and os.getuid() == 0:
        marker.write_text("{}")
        os.chown(marker, 65533, -1)
        assert building.sweep(tmp_path) == []
    assert (folder / "data.csv").exists()


def test_a_repair_leaves_other_ruins_alone(tmp_path: Path) -> None:
    """Who repairs one environment has not agreed to more."""
    for name in ("one", "other"):
        (tmp_path / name / "conda-meta").mkdir(parents=True)
        building.partial(tmp_path / name).write_text("{}")
    assert [one.problem.code for one in repair(tmp_path / "one")] == ["half_built"]
    assert not (tmp_path / "one").exists()
    assert (tmp_path / "other").is_dir()


def test_environments_inside_are_not_removed_with_their_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_DATA_DIR", str(tmp_path))
    base = environments_folder() / "base"
    inner = base / "envs" / "analysis"
    (inner / "conda-meta").mkdir(parents=True)
    (base / "conda-meta").mkdir()
    with pytest.raises(Conflict) as refused:
        housekeeping.remove(base, kernel_folders=())
    assert (refused.value.code, refused.value.fields["prefixes"]) == ("contains_environments", [str(inner)])
    lock = Lock(current_platform())
    files.write_json(base / ".carrel" / "environment.json", {"digest": "another"})
    with pytest.raises(Conflict, match="Other environments"):
        rebuild(lock, base, replace_changed=True)
    assert inner.is_dir()


def test_a_history_holds_no_credentials(tmp_path: Path) -> None:
    """Whoever may read the environment may read it."""
    spec = Spec("a", "1", "pypi", url="https://me:secret-word@example.org/a-1-py3-none-any.whl?sig=secret-word")
    other = Spec("b", channel="https://example.org/t/secret-word/channel")
    (line, second) = revisions.request_of(Change(add=(spec, other)))
    assert "a 1 @ https://example.org/a-1-py3-none-any.whl" in line
    assert "example.org/channel::b" in second
    assert "secret-word" not in line + second
    site = tmp_path / "lib" / "python3.11" / "site-packages" / "a-1.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: a\nVersion: 1\n\n")
    wheel = {"url": "https://me:secret-word@example.org/t/secret-word/a-1-py3-none-any.whl", "hashes": {"sha256": "0"}}
    archives = {"a": {"name": "a", "version": "1", "index": "https://me:secret-word@example.org/simple", "wheels": [wheel]}}
    policy = Policy(allowed=("https://example.org/t/secret-word/channel",))
    revisions.record(tmp_path, "change", "installed a", policy=policy, archives=archives)
    kept = revisions.state_of(tmp_path, 0)
    assert next(iter(kept.pypi.values())).archive["wheels"][0]["url"] == "https://example.org/a-1-py3-none-any.whl"
    assert "secret-word" not in f"{kept} {revisions.get(tmp_path, 0)}"


def test_a_damaged_header_of_a_revision_is_named(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    revisions.record(tmp_path, "found", "as it was found")
    (tmp_path / ".carrel" / "revisions" / "0.json").write_text('{"number": 0')
    with pytest.raises(InvalidFile, match="Revision 0 cannot be read"):
        revisions.history(tmp_path)


def test_who_died_while_keeping_does_not_keep_the_next_one_from_it(tmp_path: Path) -> None:
    """What was kept before is moved out of the way, and may still lie there."""
    store = Store(tmp_path, tmp_path / ".carrel")
    (tmp_path / "a").write_text("first")
    store.keep("key", ["a"], [])
    (tmp_path / ".carrel" / "kept" / ".old-key" / "files").mkdir(parents=True)
    (tmp_path / "a").unlink()
    (tmp_path / "a").write_text("second, longer")
    store.keep("key", ["a"], [])
    (tmp_path / "a").unlink()
    store.put_back("key")
    assert (tmp_path / "a").read_text() == "second, longer"


def test_pipes_among_sources_are_passed_over(tmp_path: Path) -> None:
    """Reading one would wait for a writer without end."""
    (tmp_path / "module.py").write_text("")
    os.mkfifo(tmp_path / "pipe")
    assert [path.name for path in remedy_notes.sources_in(tmp_path)] == ["module.py"]


def test_a_server_that_a_program_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    """It holds the streams of its starter: those of compiler caches live for minutes."""
    pid = tmp_path / "pid"
    started = time.monotonic()
    code = "import os, subprocess; print('done', flush=True); "
    code += f"open({str(pid)!r}, 'w').write(str(subprocess.Popen(['sleep', '60'], start_new_session=True).pid))"
    finished = processes.run([sys.executable, "-c", code], cancel=NeverCancelled())
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert (finished.returncode, finished.stdout) == (0, "done\n")
    assert time.monotonic() - started < 30


def test_a_lock_cannot_name_a_device(tmp_path: Path) -> None:
    """Most of them never end."""
    locked = LockedConda("zero", "1.0", "0", "file:///dev/null", sha256="0" * 64)
    with pytest.raises(CarrelError, match="is not a file"):
        rebuild(Lock(current_platform(), conda=(locked,)), tmp_path / "environment")


def test_a_link_to_a_folder_comes_back_as_any_file_does(tmp_path: Path) -> None:
    """A package that brings something of its name replaces it."""
    prefix, data = tmp_path / "env", tmp_path / "data"
    data.mkdir()
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "share").mkdir()
    (prefix / "share" / "data").symlink_to(data)
    transactions.begin(prefix, (), (), ["share/data"])
    (prefix / "share" / "data").unlink()
    (prefix / "share" / "data").write_text("of the package")
    transactions.roll_back(prefix)
    assert (prefix / "share" / "data").readlink() == data


def test_the_lock_of_a_dead_process_is_waited_for_a_moment(tmp_path: Path) -> None:
    """A child that it was starting when it was killed still has its files."""
    release = locks.acquire(tmp_path / "lock")
    assert release is not None
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "lock.holder.json").write_text(json.dumps({"pid": dead.pid, "user": "me", "since": "2026-01-01T00:00:00Z"}))
    threading.Timer(0.2, release).start()
    with locks.locked(tmp_path / "lock", "it"):
        assert json.loads((tmp_path / "lock.holder.json").read_bytes())["pid"] == os.getpid()


def test_a_copy_is_not_made_inside_its_original_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "env" / "conda-meta").mkdir(parents=True)
    (tmp_path / "env" / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "env" / "share")
    with pytest.raises(BadRequest) as refused:
        clone(tmp_path / "env", tmp_path / "link" / "copy")
    assert refused.value.code == "copy_inside"


def test_who_shares_an_environment_may_take_each_of_its_locks(tmp_path: Path) -> None:
    """The first one to change it must not make files that lock the others of the group out."""
    prefix = tmp_path / "env"
    (prefix / ".carrel").mkdir(parents=True)
    (prefix / ".carrel").chmod(0o2775)
    before = os.umask(0o022)
    try:
        with transactions.exclusive(prefix):
            modes = {path.name: path.stat().st_mode & 0o060 for path in (prefix / ".carrel").glob("*lock")}
    finally:
        os.umask(before)
    assert modes == {"lock": 0o060, "work.lock": 0o060}
