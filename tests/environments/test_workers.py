"""The conda workers: kept for the next who asks, never for somebody in other surroundings, gone with whoever started them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from environment_fixtures import change

from carrel.core.errors import Unsolvable
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
    children = (process or psutil.Process()).children(recursive=True)
    return [child.pid for child in children if any("conda.worker" in word for word in child.cmdline())]


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
