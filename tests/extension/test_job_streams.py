from __future__ import annotations

import asyncio
import json
import threading

import pytest

from carrel.core.errors import Cancelled
from carrel.core.progress import Progress
from carrel.extension.handlers import jobs as handlers


@pytest.fixture
def manager(jp_serverapp):
    return jp_serverapp.web_app.settings["carrel_services"].jobs


class Reader:
    """A client that reads a response as it comes, as a browser does."""

    def __init__(self, port, path, token):
        self.received = []
        self.head = ""
        self._port, self._path, self._token = port, path, token
        self.task = asyncio.ensure_future(self._read())

    async def _read(self):
        reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        request = f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: token {self._token}\r\n"
        self.writer.write((request + "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n").encode())
        self.head = (await reader.readuntil(b"\r\n\r\n")).decode()
        while size := int(await reader.readline(), 16):
            self.received.append((await reader.readexactly(size)).decode())
            await reader.readexactly(2)
        self.writer.close()

    def leave(self):
        self.task.cancel()
        self.writer.transport.abort()


@pytest.fixture
def stream(jp_fetch, jp_base_url, jp_serverapp, http_server_port):
    """Read a job's log as it comes; ``received`` fills while the request runs."""

    def start(job, after=0):
        path = f"{jp_base_url}carrel/jobs/{job.id}/log?after={after}"
        reader = Reader(http_server_port[-1], path, jp_serverapp.identity_provider.token)
        return reader, reader.task, reader.received

    return start


def lines(received):
    return [json.loads(line) for line in "".join(received).splitlines() if line.strip()]


async def until(condition, seconds=5):
    for _ in range(int(seconds * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


async def test_lines_arrive_while_the_job_runs_and_the_stream_ends_with_it(manager, stream):
    gate = threading.Event()

    def work(context):
        context.log("first")
        assert gate.wait(10)
        return {"done": True}

    job = manager.submit("plan", "Plan", work)
    client, response, received = stream(job)
    await until(lambda: any(line.get("message") == "first" for line in lines(received)))
    assert not job.finished
    gate.set()
    await response
    assert "Content-Type: application/x-ndjson" in client.head
    assert "X-Accel-Buffering: no" in client.head
    assert lines(received)[-1] == {"seq": 4, "type": "state", "state": "done", "result": {"done": True}, "error": None}


async def test_a_stream_is_resumed_after_the_last_line_seen(manager, stream):
    def work(context):
        for number in range(5):
            context.log(str(number))

    job = manager.submit("plan", "Plan", work)
    await until(lambda: job.finished)
    _, response, all_lines = stream(job)
    await response
    _, response, rest = stream(job, after=4)
    await response
    assert lines(rest) == lines(all_lines)[4:]
    _, response, nothing = stream(job, after=1000)
    await response
    assert lines(nothing) == []


async def test_a_reader_that_leaves_does_no_harm(manager, stream, caplog):
    gate = threading.Event()
    job = manager.submit("plan", "Plan", lambda context: gate.wait(10))
    client, _response, received = stream(job)
    await until(lambda: received)
    client.leave()
    gate.set()
    await until(lambda: job.finished)
    await asyncio.sleep(0.1)
    assert "Uncaught exception" not in caplog.text
    assert not job._listeners


async def test_a_quiet_job_sends_heartbeats(manager, stream, monkeypatch):
    monkeypatch.setattr(handlers, "HEARTBEAT_SECONDS", 0.05)
    gate = threading.Event()
    job = manager.submit("plan", "Plan", lambda context: gate.wait(10))
    _, response, received = stream(job)
    await until(lambda: "\n\n" in "".join(received))
    gate.set()
    await response
    assert lines(received)[-1]["state"] == "done"


async def test_cancelling_through_the_api(manager, stream, fetch_json):
    def work(context):
        context.progress(Progress("download", 1, 10, "bytes"))
        assert context.cancel.wait(10)
        raise Cancelled("The work was cancelled.")

    job = manager.submit("apply", "Install", work, environment="0123456789abcdef")
    _, response, received = stream(job)
    await until(lambda: job.stage == "download")
    code, body = await fetch_json("DELETE", "jobs", job.id)
    assert (code, body["id"]) == (202, job.id)
    await response
    assert lines(received)[-1]["state"] == "cancelled"
    _, body = await fetch_json("GET", "jobs", job.id)
    assert body["state"] == "cancelled"
    assert body["finished_at"]
    _, listed = await fetch_json("GET", "jobs")
    assert [item["id"] for item in listed["items"]] == [job.id]


async def test_the_event_loop_goes_on_while_jobs_and_requests_run(manager, fetch_json):
    """Blocking work in a handler would make the ticks late."""
    late: list[float] = []

    async def tick():
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            late.append(loop.time() - before - 0.01)

    ticking = asyncio.ensure_future(tick())
    for path in ("status", "environments", "search", "jobs"):
        await fetch_json("GET", path, params={"q": "numpy"} if path == "search" else None)
    notebook = {"cells": [{"cell_type": "code", "id": "a", "metadata": {}, "source": "key = 1\n" * 5000, "outputs": []}], "metadata": {}}
    await fetch_json("POST", "publish/check", body={"path": "a.ipynb", "notebook": notebook, "environment": None})
    ticking.cancel()
    assert sorted(late)[int(len(late) * 0.9)] < 0.05
