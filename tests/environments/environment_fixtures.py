"""What tests of real environments share: comparing states, a package index, small packages."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import filelock
import pytest

import carrel
from carrel.core.progress import Progress
from carrel.environments import Change, Plan, Sources, Spec, apply, plan
from carrel.testing.artifacts import Artifact


def contents(prefix: Path) -> dict[str, Any]:
    """Every file of an environment with its bytes; compiled files and our own records left out."""
    found: dict[str, Any] = {}
    for path in sorted(prefix.rglob("*")):
        relative = path.relative_to(prefix).as_posix()
        if relative.startswith(".carrel") or "__pycache__" in relative or relative in (".lock", "conda-meta/history"):
            continue
        if path.is_symlink():
            found[relative] = ("link", str(path.readlink()))
        elif relative.startswith("conda-meta/") and path.suffix == ".json":
            found[relative] = json.loads(path.read_bytes())
        elif path.is_file():
            found[relative] = (path.stat().st_mode & 0o111, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the paths that differ: what an assertion shows instead of two states of thousands of files."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def freeze(prefix: Path) -> list[str]:
    """Return what the environment's own Python says is installed."""
    code = "import importlib.metadata as m; print('\\n'.join(sorted(f'{d.name}=={d.version}' for d in m.distributions())))"
    return subprocess.run([prefix / "bin" / "python", "-I", "-c", code], check=True, capture_output=True, text=True).stdout.split()


def python_says(prefix: Path, code: str) -> str:
    """Return what *code* prints in the environment."""
    return subprocess.run([prefix / "bin" / "python", "-I", "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def change(prefix: Path, sources: Sources, *add: Spec, remove: Sequence[str] = (), update: Sequence[str] = ()) -> Plan:
    """Plan and apply; return the plan."""
    made = plan(prefix, Change(tuple(add), tuple(remove), tuple(update)), sources)
    apply(made)
    return made


def run_as(
    user: int, python: Path, arguments: Sequence[object], home: Path, *, group: int | None = None, **variables: object
) -> subprocess.CompletedProcess[str]:
    """Run *python*, of a prefix that others may read, with this project's code as another user whose home is *home*."""
    packages = [Path(carrel.__file__).parents[1], Path(filelock.__file__).parents[1]]
    if not all(folder.stat().st_mode & 0o005 == 0o005 for package in packages for folder in [package, *package.parents]):
        pytest.skip("other users may not read this project's code here")
    own = {"HOME": home, "CARREL_CACHE_DIR": home / "cache", "CARREL_DATA_DIR": home / "data", "UV_CACHE_DIR": home / "uv", **variables}
    environment = {**os.environ, **{key: str(value) for key, value in own.items()}, "PYTHONPATH": os.pathsep.join(map(str, packages))}
    return subprocess.run(
        [python, *map(str, arguments)],
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        user=user,
        group=user if group is None else group,
        extra_groups=[],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class CancelWhen:
    """A cancel signal that a progress report sets off."""

    def __init__(self, stage: str, done: int = 0) -> None:
        self.stage, self.done = stage, done
        self.fired = False

    def is_set(self) -> bool:
        return self.fired

    def __call__(self, event: Progress) -> None:
        if event.stage == self.stage and event.done >= self.done:
            self.fired = True


class PackageIndex(ThreadingHTTPServer):
    """A PyPI-like index (PEP 691) of wheels in memory, optionally behind Basic authentication."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, artifacts: Sequence[Artifact], password: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _IndexHandler)
        self.artifacts = {artifact.filename: artifact.data for artifact in artifacts}
        self.served = dict(self.artifacts)
        self.password = password
        self.delay = 0.0
        self.padding = 0
        self.uploaded: dict[str, str] = {}
        self.requests: list[str] = []
        self.authorizations: list[str] = []

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    @property
    def url(self) -> str:
        return f"{self.root}simple/"


class _IndexHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PackageIndex

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        self.server.authorizations.append(self.headers.get("Authorization", ""))
        given = self.headers.get("Authorization", "").partition(" ")[2]
        if self.server.password and base64.b64decode(given).decode().partition(":")[2] != self.server.password:
            self._send(401, b"sign in", "text/plain")
            return
        kind, _, name = self.path.strip("/").partition("/")
        if kind == "files" and name in self.server.served:
            time.sleep(self.server.delay)
            self._send(200, self.server.served[name], "application/octet-stream")
            return
        if kind == "files" and name.removesuffix(".metadata") in self.server.artifacts:
            self._send(200, _metadata(self.server.artifacts[name.removesuffix(".metadata")]), "text/plain")
            return
        if kind == "simple" and not name:
            projects = sorted({f.split("-")[0].replace("_", "-") for f in self.server.artifacts})
            listing = {
                "meta": {"api-version": "1.1", "padding": " " * self.server.padding},
                "projects": [{"name": project} for project in projects],
            }
            self._send(200, json.dumps(listing).encode(), "application/vnd.pypi.simple.v1+json")
            return
        files = [
            {
                "filename": f,
                "url": f"../../files/{f}",
                "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                "size": len(data),
                "core-metadata": True,
                **({"upload-time": self.server.uploaded[f]} if f in self.server.uploaded else {}),
            }
            for f, data in self.server.artifacts.items()
            if f.split("-")[0].replace("_", "-") == name.strip("/")
        ]
        if kind != "simple" or not files:
            self._send(404, b"no such project", "text/plain")
            return
        page = {"meta": {"api-version": "1.1"}, "name": name.strip("/"), "files": files, "versions": []}
        self._send(200, json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Basic")
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(ConnectionError):  # who cancels hangs up
                self.wfile.write(body)


def _metadata(wheel: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")))


@contextlib.contextmanager
def package_index(artifacts: Sequence[Artifact], password: str | None = None) -> Iterator[PackageIndex]:
    """Serve *artifacts* while the block runs."""
    server = PackageIndex(artifacts, password)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
