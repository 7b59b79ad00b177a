"""Cancelling and killing at every stage: the environment ends as it was, or whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from environment_fixtures import CancelWhen, change, contents, differences, freeze

from carrel.core.errors import Cancelled, CarrelError, Locked
from carrel.core.progress import Progress
from carrel.environments import Change, Sources, Spec, apply, history, plan, restore, transactions
from carrel.environments.locations import conda_cache_folder
from carrel.testing.conda_channel import ChannelServer, serve


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if any("conda.worker" in word for word in child.cmdline())]


@pytest.fixture
def changed_env(conda_env: Path, sources: Sources) -> Path:
    """An environment in which an update replaces thousands of files."""
    change(conda_env, sources, Spec("many", "1.0"), Spec("alpha", "1.0"), Spec("beta", "1.0"))
    return conda_env


def test_cancel_while_solving(conda_env: Path, sources: Sources) -> None:
    cancel = CancelWhen("solve")
    with pytest.raises(Cancelled):
        plan(conda_env, Change(add=(Spec("alpha"),)), sources, on_event=cancel, cancel=cancel)
    assert not workers()


def test_cancel_in_the_middle_of_a_download(conda_env: Path, server: ChannelServer, sources: Sources, fresh_cache: Path) -> None:
    before, frozen = contents(conda_env), freeze(conda_env)
    made = plan(conda_env, Change(add=(Spec("numpy"),)), sources)
    server.faults.delay = 0.05
    cancel = CancelWhen("download", done=100_000)
    with pytest.raises(Cancelled):
        apply(made, on_event=cancel, cancel=cancel)
    assert cancel.fired
    assert not workers()
    assert differences(before, contents(conda_env)) == []
    assert freeze(conda_env) == frozen
    assert not (conda_env / ".carrel" / "transaction.json").exists()
    server.faults.delay = 0
    apply(plan(conda_env, Change(add=(Spec("numpy"),)), sources))
    assert not list((conda_cache_folder() / "pkgs").glob(".carrel-*"))


@pytest.mark.parametrize("done", [0, 1])
def test_cancel_in_the_middle_of_linking(changed_env: Path, sources: Sources, done: int) -> None:
    before, frozen = contents(changed_env), freeze(changed_env)
    made = plan(changed_env, Change(update=("many", "alpha"), add=(Spec("large"),)), sources)
    cancel = CancelWhen("link", done=done)
    with pytest.raises(Cancelled, match="as it was before"):
        apply(made, on_event=cancel, cancel=cancel)
    assert not workers()
    assert differences(before, contents(changed_env)) == []
    assert freeze(changed_env) == frozen


def test_a_killed_worker_changes_nothing(changed_env: Path, sources: Sources) -> None:
    before = contents(changed_env)
    made = plan(changed_env, Change(update=("many",)), sources)
    killed = []

    def kill(event: Progress) -> None:
        if event.stage == "link" and not killed:
            for worker in workers():
                killed.append(worker.pid)
                worker.kill()

    with pytest.raises(CarrelError) as caught:
        apply(made, on_event=kill)
    assert killed
    assert caught.value.code == "engine_crashed"
    assert differences(before, contents(changed_env)) == []


_SERVER_THAT_DIES = """
import os, signal, sys
from carrel.environments import Change, Sources, apply, plan
made = plan(sys.argv[1], Change(update=("many", "alpha")), Sources(channels=(sys.argv[2],)))
def die(event):
    if event.stage == "link" and event.done >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
apply(made, on_event=die)
"""


@pytest.mark.parametrize("done", [0, 1])
def test_the_next_one_repairs_what_a_dead_process_left(changed_env: Path, sources: Sources, done: int) -> None:
    before = contents(changed_env)
    command = [sys.executable, "-c", _SERVER_THAT_DIES, str(changed_env), sources.channels[0], str(done)]
    finished = subprocess.run(command, check=False, capture_output=True, text=True)
    assert finished.returncode == -signal.SIGKILL, finished.stderr
    assert (changed_env / ".carrel" / "transaction.json").exists()
    made = plan(changed_env, Change(update=("many",)), sources)
    assert differences(before, contents(changed_env)) == []
    apply(made)
    assert {path.read_text().split()[0] for path in (changed_env / "share" / "many").rglob("*.txt")} == {"two"}


def test_only_one_at_a_time(changed_env: Path, sources: Sources) -> None:
    first = plan(changed_env, Change(update=("many",)), sources)
    second = plan(changed_env, Change(update=("alpha",)), sources)
    caught: list[CarrelError] = []

    def interfere(event: Progress) -> None:
        if event.stage == "link" and not caught:
            with pytest.raises(Locked) as locked:
                apply(second)
            caught.append(locked.value)

    apply(first, on_event=interfere)
    assert caught[0].fields["pid"] == os.getpid()
    assert "Another process is working on the environment analysis" in caught[0].detail


def test_a_cancelled_undo_undoes_nothing(changed_env: Path, sources: Sources) -> None:
    change(changed_env, sources, update=["many"])
    before = contents(changed_env)
    cancel = threading.Event()

    def on_event(event: Progress) -> None:
        if event.stage == "link":
            cancel.set()

    with pytest.raises(Cancelled):
        restore(changed_env, history(changed_env)[1].number, on_event=on_event, cancel=cancel)
    assert differences(before, contents(changed_env)) == []


def test_files_lost_behind_an_intact_record_come_back(conda_env: Path, sources: Sources) -> None:
    """A package killed while it was unlinked still has its record, but not all of its files."""
    change(conda_env, sources, Spec("alpha", "1.0"))
    before = contents(conda_env)
    with transactions.exclusive(conda_env):
        transactions.begin(conda_env, ["alpha"], [], ["share/new.txt"])
        next((conda_env / "lib").rglob("only_in_1.py")).unlink()
        (conda_env / "share").mkdir(exist_ok=True)
        (conda_env / "share" / "new.txt").touch()
        transactions.roll_back(conda_env)
    assert differences(before, contents(conda_env)) == []


def test_a_worker_ends_with_its_parent(channel: Path, tmp_path: Path) -> None:
    with serve(channel) as slow:
        slow.faults.delay = 30
        request = {"command": "solve", "prefix": None, "channels": [slow.url], "add": ["alpha"], "cache": str(tmp_path), "headers": {}}
        command = [sys.executable, "-P", "-m", "carrel.environments.conda.worker"]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
        assert json.loads(worker.stdout.readline())["stage"] == "solve"
        worker.stdin.close()
        assert worker.wait(timeout=15) == 3
        worker.stdout.close()


def test_a_link_that_was_only_tried_does_not_stay(conda_env: Path, sources: Sources) -> None:
    """The library makes it before it links, and removes it at once, if it lives."""
    before = contents(conda_env)
    cancel = CancelWhen("verify")

    def at_work(event: Progress) -> None:
        if event.stage == "verify":
            (conda_env / "symtest_7502ac63-66f4-4ea6-beb1-2f0a6068b5eb").symlink_to("./")
        cancel(event)

    with pytest.raises(Cancelled):
        apply(plan(conda_env, Change(add=(Spec("alpha"),)), sources), on_event=at_work, cancel=cancel)
    assert differences(before, contents(conda_env)) == []
