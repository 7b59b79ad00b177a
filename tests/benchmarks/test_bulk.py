"""Rows 5 and 7: large bodies in and out."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import REPEATS, Client, cpu_per_request, cpu_seconds, loaded_hub, median, memory_mb, report, timed

from carrel.testing.hub import HubProcess
from carrel.testing.processes import free_port

pytestmark = pytest.mark.benchmark

MEGABYTE = 1_000_000
_HERE = "tests/benchmarks/test_bulk.py"
_NGINX = shutil.which("nginx")
_CONFIGURATION = """
{user} daemon off; worker_processes 1; error_log stderr error; pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on; keepalive_requests 1000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        location /static/ {{ alias {blobs}/; }}
        location /blobs/ {{ internal; alias {blobs}/; }}
        location / {{ proxy_pass http://127.0.0.1:{hub}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


def write_random(path: Path, size: int) -> None:
    """Fill a file with bytes that no disk makes smaller."""
    with path.open("wb") as file:
        for start in range(0, size, 8 * MEGABYTE):
            file.write(os.urandom(min(8 * MEGABYTE, size - start)))


def send(hub: HubProcess, token: str, path: Path, version: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=300, blocksize=1 << 20)
    address = f"/api/v1/namespaces/alice/files/{path.name}?package=bulk&version={version}&visibility=public"
    with path.open("rb") as file:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Length": str(path.stat().st_size),
            "Content-Type": "application/octet-stream",
        }
        connection.request("PUT", address, file, headers)
        response = connection.getresponse()
        assert response.status == 201, response.read()
    connection.close()


def keep_alone(source: Path, target: Path) -> None:
    """Read, hash with both digests, write and make durable: what an upload cannot do without."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(1 << 20):
            sha256.update(chunk)
            md5.update(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    target.unlink()


def test_row_5(tmp_path: Path) -> None:
    size = 500
    path = tmp_path / "bulk.bin"
    with loaded_hub(tmp_path) as (hub, token):
        write_random(path, MEGABYTE)
        send(hub, token, path, 1)  # what is imported late is imported now
        rates, alone = [], []
        before = memory_mb(hub.pid)
        Path(f"/proc/{hub.pid}/clear_refs").write_text("5")  # the highest so far was the hash of a password
        for version in range(2, 5):
            write_random(path, size * MEGABYTE)  # other bytes: those that are known need not be written
            alone.append(size / timed(lambda: keep_alone(path, tmp_path / "copy")) * 1000)
            rates.append(size / timed(partial(send, hub, token, path, version)) * 1000)
        grown = memory_mb(hub.pid, "VmHWM") - before
        told: dict[str, Any] = {"test": f"{_HERE} -k row_5"}
        peer: dict[str, Any] = {"peer": "reading, both digests and a durable file", "peer_value": median(alone)}
        report(5, f"upload of {size} MB", median(rates), "MB/s", bar=200, at_least=True, **peer, **told)
        report(5, f"memory growth in uploads of {size} MB", grown, "MB", bar=20, **told)


@contextmanager
def nginx(folder: Path, blobs: Path, hub: int) -> Iterator[tuple[int, psutil.Process]]:
    """Run nginx over the blob folder and before the hub; yield its port and its worker."""
    port = free_port()
    configuration = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # the worker is somebody else otherwise, and the folder is ours alone
    configuration.write_text(_CONFIGURATION.format(user=user, folder=folder, port=port, blobs=blobs, hub=hub))
    process = subprocess.Popen([str(_NGINX), "-c", str(configuration)])
    try:
        main = psutil.Process(process.pid)
        for _ in range(100):
            if (folder / "nginx.pid").exists() and main.children():
                break
            subprocess.run(["sleep", "0.05"], check=True)
        yield port, main.children()[0]
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.skipif(_NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize(("size", "bar", "requests"), [(1, 2.0, 400), (100, 1.2, 8)])
def test_row_7(tmp_path: Path, size: int, bar: float, requests: int) -> None:
    path = tmp_path / "bulk.bin"
    write_random(path, size * MEGABYTE)
    address = f"/api/v1/packages/alice/bulk/releases/1/files/{path.name}/content"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    plain, behind, theirs = [], [], []
    with loaded_hub(tmp_path) as (hub, token):
        send(hub, token, path, 1)
        blob = next(found for found in hub.data_dir.rglob(f"*{digest}*") if found.is_file())
        blobs = blob.parent.parent
        with nginx(tmp_path, blobs, hub.port) as (port, worker):
            peer, ours = Client(port), Client(hub.port)
            for _ in range(REPEATS):
                theirs.append(cpu_per_request(worker.pid, lambda: peer.get(f"/static/{blob.relative_to(blobs)}"), requests))
                plain.append(cpu_per_request(hub.pid, lambda: ours.get(address), requests))
            hub.restart("--accel-prefix=/blobs")
            for _ in range(REPEATS):
                before = cpu_seconds(hub.pid)
                behind.append(cpu_per_request(worker.pid, lambda: peer.get(address), requests))
                behind[-1] += 1000 * (cpu_seconds(hub.pid) - before) / requests
    base = max(median(theirs), 0.01)
    told: dict[str, Any] = {"peer": "nginx", "peer_value": base, "test": f"{_HERE} -k row_7"}
    report(7, f"CPU per GET of {size} MB, plain process", median(plain), "ms", bar=3 * base, **told)
    report(7, f"CPU per GET of {size} MB, nginx before the hub, both", median(behind), "ms", bar=bar * base, **told)
