"""What the formats write is read by the clients it is written for."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from uv import find_uv_bin

from carrel import formats
from carrel.core.digests import digest
from carrel.formats import environment
from carrel.formats.conda import index
from carrel.formats.environment.lock import Lock, LockedPypi, LockKind
from carrel.testing.artifacts import Artifact, build_conda, build_wheel

ARTIFACTS = [
    build_conda("foo", "1.2", depends=["bar >=0.1"], noarch="python", files={"site-packages/foo.py": ""}, run_exports=["foo >=1"]),
    build_conda("foo", "1.1", noarch="generic", index={"schema_version": 3}),
    build_conda("bar", "0.1", build="h1_0", fmt="tar.bz2", files={"lib/libbar.so": "x"}),
]

# In a process of its own, which ends without the exit handlers that py-rattler sometimes crashes in.
QUERY = """
import asyncio, json, os, sys
from rattler import Channel, Gateway, MatchSpec, SourceConfig

async def main(url, cache, sharded):
    gateway = Gateway(cache_dir=cache, default_config=SourceConfig(sharded_enabled=sharded, zstd_enabled=not sharded))
    found = await gateway.query([Channel(url)], ["linux-64", "noarch"], [MatchSpec("foo")], recursive=True)
    return sorted([r.file_name, r.url, r.sha256.hex(), r.md5.hex(), r.size, r.depends] for source in found for r in source)

print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] == "sharded"))))
sys.stdout.flush()
os._exit(0)
"""


class _Server:
    def __init__(self, root: Path) -> None:
        self.requested: list[str] = []
        server = self

        class Handler(SimpleHTTPRequestHandler):
            def log_request(self, code: object = "-", size: object = "-") -> None:
                server.requested.append(f"{self.path} {code}")

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[_Server]:
    root = tmp_path / "channel"
    by_subdir: dict[str, dict[str, dict[str, dict[str, object]]]] = {"noarch": {}, "linux-64": {}}
    for artifact in ARTIFACTS:
        metadata = formats.read(artifact.filename, artifact.open())
        digests = digest(artifact.data)
        record = index.repodata_record(
            metadata.attributes, sha256=digests.sha256, md5=digests.md5, size=digests.size, indexed_timestamp=1_767_225_600_000
        )
        by_subdir[metadata.subdir].setdefault(metadata.package, {})[artifact.filename] = record
    for subdir, packages in by_subdir.items():
        folder = root / subdir
        (folder / "shards").mkdir(parents=True)
        repodata = index.assemble_repodata(subdir, [index.fragments(packages[name], ["gone-1-0.conda"]) for name in sorted(packages)])
        (folder / "repodata.json").write_bytes(repodata)
        (folder / "repodata.json.zst").write_bytes(index.compress(repodata))
        shards = {}
        for name, records in packages.items():
            shard = index.shard(records, ["gone-1-0.conda"])
            (folder / "shards" / f"{shard.sha256}.msgpack.zst").write_bytes(shard.data)
            shards[name] = bytes.fromhex(shard.sha256)
        (folder / "repodata_shards.msgpack.zst").write_bytes(
            index.shard_index(subdir, shards, base_url="./", created_at="2026-01-01T00:00:00Z")
        )
    server = _Server(root)
    yield server
    server.close()


@pytest.mark.parametrize("way", ["sharded", "whole"])
def test_rattler_reads_the_indexes(channel: _Server, tmp_path: Path, way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUERY, channel.url, str(tmp_path / "cache"), way], capture_output=True, text=True, timeout=120, check=True
    )
    found = json.loads(done.stdout)
    expected = []
    for artifact, subdir, depends in ((ARTIFACTS[2], "linux-64", []), (ARTIFACTS[0], "noarch", ["bar >=0.1"])):
        digests = digest(artifact.data)
        url = f"{channel.url}/{subdir}/{artifact.filename}"
        expected.append([artifact.filename, url, digests.sha256, digests.md5, digests.size, depends])
    shown = [record for record in found if not record[0].startswith("foo-1.1")]  # of a newer schema: only in shards, or nowhere
    assert shown == sorted(expected)
    asked = " ".join(channel.requested)
    assert ("/shards/" in asked) == (way == "sharded")
    assert ("repodata.json.zst" in asked) == (way == "whole")


def test_uv_installs_from_a_lock(tmp_path: Path) -> None:
    wheel: Artifact = build_wheel("My-Tool", "1.0", requires_python=">=3.9")
    path = tmp_path / wheel.filename
    path.write_bytes(wheel.data)
    python = ".".join(map(str, sys.version_info[:3]))
    item = LockedPypi("My-Tool", "1.0", path.as_uri(), wheel.sha256, len(wheel.data), "https://index.example/simple/")
    filename, data = environment.dump_lock(Lock("linux-64", python, pypi=(item,), kind=LockKind.VENV))
    (tmp_path / filename).write_bytes(data)
    command = [find_uv_bin(), "pip", "install", "--no-config", "--offline", "--no-cache", "--python", sys.executable]
    command += ["--target", str(tmp_path / "target"), "-r", str(tmp_path / filename)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert (tmp_path / "target" / "my_tool.py").exists()

    (tmp_path / filename).write_bytes(re.sub(rb"[0-9a-f]{64}", hashlib.sha256(b"other").hexdigest().encode(), data))
    refused = subprocess.run([*command, "--reinstall"], check=False, capture_output=True, text=True, timeout=120)
    assert refused.returncode != 0
    assert "hash" in refused.stderr.lower()
