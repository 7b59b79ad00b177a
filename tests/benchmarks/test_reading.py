"""Rows 6, 8 and 15: what reading costs the server, the simple index, memory and start."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgpack
import pytest
import requests
import zstandard
from harness import FULL, REPEATS, Client, cpu_per_request, loaded_hub, median, memory_mb, report, timed
from seeds import load_conda

from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.hub import HubProcess
from carrel.testing.processes import free_port

pytestmark = pytest.mark.benchmark

_HERE = "tests/benchmarks/test_reading.py"
_REQUESTS = 400
_PEER = """
import sys, tornado.ioloop, tornado.web
app = tornado.web.Application([(r"/(.*)", tornado.web.StaticFileHandler, {"path": sys.argv[2]})], log_function=lambda handler: None)
app.listen(int(sys.argv[1]), "127.0.0.1")
print("ready", flush=True)
tornado.ioloop.IOLoop.current().start()
"""


@contextmanager
def static_peer(folder: Path) -> Iterator[tuple[int, int]]:
    """Serve a folder with nothing but Tornado's StaticFileHandler; yield port and process id."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", _PEER, str(port), str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def put(client: Client, filename: str, data: bytes) -> None:
    status, body, _ = client.request("PUT", f"/api/v1/namespaces/alice/files/{filename}?visibility=public", data)
    assert status == 201, body


def test_row_6(tmp_path: Path) -> None:
    artifact = build_conda("small", files={"share/x": hashlib.sha256(b"x").hexdigest() * 20})
    static = tmp_path / "static"
    static.mkdir()
    (static / "small").write_bytes(artifact.data)
    with loaded_hub(tmp_path) as (hub, token), static_peer(static) as (port, pid):
        signed_in = Client(hub.port, {"Authorization": f"Bearer {token}"})
        put(signed_in, artifact.filename, artifact.data)
        index = signed_in.get("/conda/alice/linux-64/repodata_shards.msgpack.zst")
        digest = msgpack.unpackb(zstandard.decompress(index))["shards"]["small"].hex()
        peer = Client(port)
        paths = {
            "package of 2 kB": f"/conda/alice/linux-64/{artifact.filename}",
            "shard": f"/conda/alice/linux-64/shards/{digest}.msgpack.zst",
        }
        ours: dict[str, list[float]] = {what: [] for what in paths}
        theirs: list[float] = []
        for _ in range(REPEATS):
            theirs.append(cpu_per_request(pid, lambda: peer.get("/small"), _REQUESTS))
            for what, path in paths.items():
                ours[what].append(cpu_per_request(hub.pid, lambda path=path: signed_in.get(path), _REQUESTS))
        told = {"peer": "Tornado StaticFileHandler", "peer_value": median(theirs), "test": f"{_HERE} -k row_6"}
        for what in paths:
            report(6, f"CPU per GET of a {what}, with a token", median(ours[what]), "ms", bar=0.5, **told)


def test_row_8(tmp_path: Path) -> None:
    with loaded_hub(tmp_path) as (hub, token):
        client = Client(hub.port, {"Authorization": f"Bearer {token}"})
        json_type = {"Accept": "application/vnd.pypi.simple.v1+json"}
        answered, visible = [], []
        for number in range(3 * REPEATS):
            wheel = build_wheel("tool", f"1.{number}")
            answered.append(timed(lambda wheel=wheel: put(client, wheel.filename, wheel.data)))
            page: list[bytes] = []
            visible.append(timed(lambda page=page: page.append(client.request("GET", "/pypi/alice/simple/tool/", None, json_type)[1])))
            assert wheel.filename.encode() in page[0]
        told = {"test": f"{_HERE} -k row_8"}
        report(8, "PyPI upload answered", median(answered), "ms", **told)
        report(8, "answered PyPI upload → project page read", median(visible), "ms", bar=8, **told)
        _, _, etag = client.request("GET", "/pypi/alice/simple/tool/", None, json_type)
        assert client.request("GET", "/pypi/alice/simple/tool/", None, {**json_type, "If-None-Match": etag})[0] == 304
        anonymous = Client(hub.port)
        static = tmp_path / "static"
        static.mkdir()
        (static / "page").write_bytes(page[0])
        with static_peer(static) as (port, pid):
            peer = Client(port)
            known = {"If-None-Match": peer.request("GET", "/page")[2]}
            for what, headers, theirs in (("", {}, {}), (", 304", {"If-None-Match": etag}, known)):
                given = {**json_type, **headers}
                used, compared = [], []
                for _ in range(REPEATS):
                    compared.append(cpu_per_request(pid, lambda theirs=theirs: peer.request("GET", "/page", None, theirs), _REQUESTS))
                    used.append(
                        cpu_per_request(
                            hub.pid, lambda given=given: anonymous.request("GET", "/pypi/alice/simple/tool/", None, given), _REQUESTS
                        )
                    )
                beside = {"peer": "Tornado StaticFileHandler", "peer_value": median(compared)}
                report(8, f"CPU per GET of a project page{what}", median(used), "ms", bar=0.35, **beside, **told)


@pytest.mark.parametrize("size", [0, 50_000, *([1_000_000] if FULL else [])])
def test_row_15(tmp_path: Path, size: int) -> None:
    def load(connection, namespace_id: int) -> None:
        if size:
            load_conda(connection, namespace_id, size)

    with loaded_hub(tmp_path, load) as (hub, _):
        starts = []
        for _ in range(5):
            hub.stop()
            starts.append(timed(partial(_start, hub)) / 1000)
        told = {"test": f"{_HERE} -k row_15"}
        what = f"{size:,} packages"
        bare, memory = bare_tornado(tmp_path)
        report(15, f"start until the first answer, {what}", median(starts), "s", bar=1.5, peer="Tornado alone", peer_value=bare, **told)
        time.sleep(1)
        report(15, f"memory idle, {what}", memory_mb(hub.pid), "MB", bar=100, peer="Tornado alone", peer_value=memory, **told)
        client = Client(hub.port)
        if size:
            client.get("/conda/alice/linux-64/repodata_shards.msgpack.zst")
            client.get("/conda/alice/linux-64/repodata.json.zst")
            client.get("/conda/alice/linux-64/repodata.json")
            bar = 200 if size <= 50_000 else 400
            report(15, f"memory at most, after all indexes were read, {what}", memory_mb(hub.pid, "VmHWM"), "MB", bar=bar, **told)


def bare_tornado(folder: Path) -> tuple[float, float]:
    """Return how long Tornado takes to start and answer (median, seconds), and its memory (MB)."""
    (folder / "bare").mkdir()
    (folder / "bare" / "page").write_bytes(b"here")
    starts = []
    for _ in range(5):
        started = time.perf_counter()
        with static_peer(folder / "bare") as (port, pid):
            assert requests.get(f"http://127.0.0.1:{port}/page", timeout=30).ok
            starts.append(time.perf_counter() - started)
            memory = memory_mb(pid)
    return median(starts), memory


def _start(hub: HubProcess) -> None:
    hub.start()
    assert requests.get(f"{hub.url}/api/v1/", timeout=30).ok
