from __future__ import annotations

import json
import logging
import threading
import time

import pytest

from carrel.core.errors import NotFound, Unsolvable
from carrel.core.progress import Progress
from carrel.extension.jobs import JobManager

LOG = logging.getLogger("test")


@pytest.fixture
def manager(tmp_path):
    manager = JobManager(tmp_path / "jobs", 4, LOG)
    yield manager
    manager.shutdown()


def wait(job, seconds=5):
    until = time.monotonic() + seconds
    while not job.finished:
        assert time.monotonic() < until, job
        time.sleep(0.01)
    return job


def test_a_job_runs_and_reports(manager):
    def work(context):
        context.progress(Progress("download", 5, 10, "bytes", "half"))
        context.log("a line")
        return {"answer": 42}

    job = wait(manager.submit("plan", "Plan", work))
    assert job.to_json()["state"] == "done"
    assert job.to_json()["result"] == {"answer": 42}
    lines = job.lines_after(0)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["type"] for line in lines] == ["state", "state", "progress", "log", "state"]
    assert [line["state"] for line in lines if line["type"] == "state"] == ["queued", "running", "done"]
    assert job.lines_after(3) == lines[3:]


def test_expected_and_unexpected_failures(manager):
    def unsolvable(context):
        raise Unsolvable("numba needs numpy <2.3", field="x")

    def bug(context):
        raise ZeroDivisionError("secret detail")

    assert wait(manager.submit("plan", "Plan", unsolvable)).error == {
        "code": "unsolvable",
        "message": "numba needs numpy <2.3",
        "detail": "numba needs numpy <2.3",
        "field": "x",
    }
    job = wait(manager.submit("plan", "Plan", bug))
    assert job.error["code"] == "internal_error"
    assert "secret detail" not in json.dumps(job.to_json())


def test_jobs_with_one_key_run_one_after_the_other_in_order(manager):
    running, order, most = [], [], []

    def work(number):
        def run(context):
            running.append(number)
            most.append(len(running))
            time.sleep(0.03)
            running.remove(number)
            order.append(number)

        return run

    jobs = [manager.submit("apply", str(n), work(n), key="env") for n in range(5)]
    for job in jobs:
        wait(job)
    assert order == list(range(5))
    assert max(most) == 1


def test_jobs_with_other_keys_run_at_the_same_time(manager):
    barrier = threading.Barrier(2, timeout=5)
    jobs = [manager.submit("apply", key, lambda context: barrier.wait() is not None, key=key) for key in "ab"]
    assert [wait(job).state for job in jobs] == ["done", "done"]


def test_cancelling_a_running_and_a_queued_job(manager):
    from carrel.core.errors import Cancelled

    started = threading.Event()

    def work(context):
        started.set()
        assert context.cancel.wait(5)
        raise Cancelled("The work was cancelled.")

    first = manager.submit("apply", "first", work, key="env")
    second = manager.submit("apply", "second", work, key="env")
    assert started.wait(5)
    manager.cancel(second.id)
    assert second.state == "cancelled"
    assert first.state == "running"
    manager.cancel(first.id)
    assert wait(first).state == "cancelled"
    manager.cancel(first.id)  # ending an ended job changes nothing
    assert first.state == "cancelled"


def test_a_restart_shows_how_jobs_ended(tmp_path):
    folder = tmp_path / "jobs"
    first = JobManager(folder, 2, LOG)
    done = wait(first.submit("plan", "Plan", lambda context: {"n": 1}, environment="e"))
    first.shutdown()
    second = JobManager(folder, 2, LOG)
    again = second.get(done.id)
    assert again.to_json() == done.to_json()
    assert again.lines_after(1) == done.lines_after(1)
    with pytest.raises(NotFound):
        second.get("0" * 16)


def test_a_job_that_died_with_its_server_has_failed(tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    header = {
        "type": "header",
        "id": "ab",
        "kind": "apply",
        "title": "t",
        "environment": None,
        "created_at": "2026-01-01T00:00:00Z",
        "pid": 2**22 - 7,
        "started": 1.0,
    }
    lines = [header, {"seq": 1, "type": "state", "state": "running", "result": None, "error": None}]
    (folder / "ab.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "damaged.jsonl").write_text("{not json")
    manager = JobManager(folder, 2, LOG)
    job = manager.get("ab")
    assert (job.state, job.error["code"]) == ("failed", "interrupted")
    assert job.finished_at


def test_a_running_job_of_another_server_is_left_alone(tmp_path):
    import psutil

    folder = tmp_path / "jobs"
    folder.mkdir()
    process = psutil.Process()
    header = {
        "type": "header",
        "id": "ab",
        "kind": "apply",
        "title": "t",
        "environment": None,
        "created_at": "x",
        "pid": process.pid,
        "started": process.create_time(),
    }
    text = json.dumps(header) + "\n"
    (folder / "ab.jsonl").write_text(text)
    manager = JobManager(folder, 2, LOG)
    assert manager.list() == []
    assert (folder / "ab.jsonl").read_text() == text


def test_logs_are_private_and_hold_no_tokens(manager, tmp_path):
    token = "ca-" + "a2" * 16

    def work(context):
        context.log(f"using {token}")
        context.progress(Progress("x", message=f"fetch http://h/t/{token}/c"))

    job = wait(manager.submit("plan", "Plan", work))
    file = tmp_path / "jobs" / f"{job.id}.jsonl"
    assert token not in file.read_text() + json.dumps(job.lines_after(0))
    assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0


def test_quick_reports_are_thinned_out_but_the_last_is_kept(manager):
    def work(context):
        for done in range(1, 10_001):
            context.progress(Progress("download", done, 10_000, "bytes"))

    job = wait(manager.submit("plan", "Plan", work))
    reports = [line for line in job.lines_after(0) if line["type"] == "progress"]
    assert len(reports) < 100
    assert reports[-1]["done"] == 10_000


def test_the_oldest_jobs_are_forgotten_with_their_logs(manager, tmp_path):
    held = threading.Event()
    running = manager.submit("apply", "Running", lambda _context: held.wait(30))
    jobs = [wait(manager.submit("plan", str(number), lambda _context: None)) for number in range(130)]
    kept = manager.list()
    held.set()
    assert len(kept) == len(list((tmp_path / "jobs").iterdir())) == 100
    assert {running.id, jobs[-1].id} <= {job.id for job in kept}
    with pytest.raises(NotFound, match="too long ago"):
        manager.get(jobs[0].id)
