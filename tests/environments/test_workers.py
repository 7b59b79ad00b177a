"""The conda workers: kept for the next who asks, never for somebody in other surroundings, gone with whoever started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from environment_fixtures import change

from carrel.core.errors import Unsolvable
from carrel.core.progress import NeverCancelled
from carrel.environments import Change, Sources, Spec, apply, plan
from carrel.environments.conda import workers
from carrel.environments.locks import is_held


@pytest.fixture(autouse=True)
def no_others() -> Iterator[None]:
    workers.close()
    yield
    workers.close()


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def running(process: psutil.Process | None = None) -> list[int]:
    found = []
    for child in (process or psutil.Process()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # ended meanwhile, or about to be
            if any("conda.worker" in word for word in child.cmdline()):
                found.append(child.pid)
    return found


def test_one_worker_makes_a_plan_and_carries_it_out(conda_env: Path, sources: Sources) -> None:
    workers.close()
    seen: set[int] = set()
    made = plan(conda_env, Change(add=(Spec("alpha"),)), sources, on_event=lambda _: seen.update(running()))
    (kept,) = running()
    apply(made, on_event=lambda _: seen.update(running()))
    assert seen == {kept}
    assert running() == [kept]


def test_what_cannot_be_solved_does_not_end_the_worker(conda_env: Path, sources: Sources) -> None:
    with pytest.raises(Unsolvable):
        plan(conda_env, Change(add=(Spec("alpha", "77"),)), sources, find_ways_out=False)
    (kept,) = running()
    change(conda_env, sources, Spec("alpha"))
    assert running() == [kept]


def test_other_surroundings_get_another_worker(conda_env: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    (first,) = running()
    monkeypatch.setenv("CARREL_NETWORK_TIMEOUT", "17")
    plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    (second,) = running()
    assert second != first


def test_a_worker_that_died_while_it_waited_is_not_missed(conda_env: Path, sources: Sources) -> None:
    plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    (kept,) = running()
    psutil.Process(kept).kill()
    psutil.wait_procs([psutil.Process(kept)])
    change(conda_env, sources, Spec("alpha"))
    assert kept not in running()


def test_a_worker_does_not_wait_for_ever(conda_env: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    workers.close()
    monkeypatch.setattr(workers, "_KEPT_SECONDS", 1.0)
    plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    wait_until(lambda: not running())


_PLANS = """
import sys, time
import psutil
from carrel.environments import Change, Sources, Spec, apply, plan
made = plan(sys.argv[1], Change(add=(Spec("many"),)), Sources(channels=(sys.argv[2],)))
print("planned", flush=True)
if sys.argv[3] == "wait":
    time.sleep(60)
def stop(event):
    if event.stage == "link":
        if sys.argv[3] == "suspend":
            psutil.Process().children()[0].suspend()
        print("linking", flush=True)
        time.sleep(60)
apply(made, on_event=stop)
"""


def start(conda_env: Path, sources: Sources, what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _PLANS, str(conda_env), sources.channels[0], what]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("what", "said"), [("wait", "planned"), ("apply", "linking")])
def test_workers_end_with_whoever_started_them(conda_env: Path, sources: Sources, what: str, said: str) -> None:
    with start(conda_env, sources, what) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != said:
            assert process.poll() is None
        (worker,) = running(psutil.Process(process.pid))
        process.kill()
    wait_until(lambda: not psutil.pid_exists(worker))


@pytest.mark.skipif(os.name != "posix", reason="locks are inherited where there are file descriptors")
def test_the_locks_of_the_work_are_held_until_the_worker_is_gone(conda_env: Path, sources: Sources) -> None:
    lock = conda_env / ".carrel" / "work.lock"
    with start(conda_env, sources, "suspend") as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "linking":
            assert process.poll() is None
        (worker,) = running(psutil.Process(process.pid))
        process.kill()  # and the worker does not notice
        process.wait()
        try:
            assert is_held(lock)
        finally:
            psutil.Process(worker).kill()
    wait_until(lambda: not is_held(lock))
    change(conda_env, sources, Spec("alpha"))


def nonsense() -> dict[str, object]:
    return workers.ask({"command": "nonsense"}, lambda _: None, NeverCancelled())


def test_a_worker_that_failed_to_fetch_or_link_is_not_kept(conda_env: Path, sources: Sources) -> None:
    plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    (kept,) = running()
    request = {"command": "link", "prefix": str(conda_env), "records": [{"name": "alpha"}], "cache": str(conda_env / "cache")}
    assert workers.ask(request, lambda _: None, NeverCancelled())["type"] == "error"
    assert not psutil.pid_exists(kept)  # what its threads began cannot go on beside the undoing
    assert running() == []


_FORKS = """
import os, sys
from carrel.core.progress import NeverCancelled
from carrel.environments.conda import workers
def ask():
    return workers.ask({"command": "nonsense"}, print, NeverCancelled())["message"]
ask()
(parents,) = [worker for worker, _ in workers._waiting]
child = os.fork()
if not child:
    print(ask(), flush=True)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert parents.is_usable()
print(ask(), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_child_has_workers_of_its_own() -> None:
    with subprocess.Popen([sys.executable, "-c", _FORKS], stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            said, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert said.splitlines() == ["unknown command 'nonsense'"] * 2
    assert process.returncode == 0


def test_who_is_kept_while_an_old_one_ends_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_KEPT_SECONDS", 0.5)
    end, came = workers._Worker.end, threading.Event()

    def end_slowly(worker: workers._Worker) -> None:
        if not came.is_set():
            came.set()
            nonsense()
        end(worker)

    monkeypatch.setattr(workers._Worker, "end", end_slowly)
    nonsense()
    assert came.wait(10)
    wait_until(lambda: not running())


_SPEAKS = """
import sys
import threading
for number, _ in enumerate(sys.stdin):
    if number:
        sys.stdout.write('{"type": "result", "val')
        sys.stdout.flush()
        sys.exit(7)
    print('{"type": "result", "value": 1}', flush=True)
"""


def test_a_worker_that_dies_while_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "speaks.py").write_text(_SPEAKS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(workers, "_MODULE", "speaks")
    assert nonsense()["value"] == 1
    ((worker, _),) = workers._waiting
    worker._child._lines.put(("stderr", "secret of the first\n"))  # what came after its answer
    with pytest.raises(workers.WorkerDied) as caught:
        nonsense()
    assert caught.value.returncode == 7
    assert "secret" not in caught.value.stderr
