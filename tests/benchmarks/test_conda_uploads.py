"""Rows 1–4: from an upload to what clients see, at any size of the channel, and what others notice of it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgpack
import pytest
import zstandard
from harness import FULL, REPEATS, Client, cpu_seconds, loaded_hub, median, percentile, report, stall_probe, timed
from seeds import load_conda, source

from carrel.testing.artifacts import Artifact, build_conda
from carrel.testing.hub import HubProcess

pytestmark = pytest.mark.benchmark

SIZES = (100, 10_000, 50_000)
SHARDS_BAR = {100: 15, 10_000: 15, 50_000: 25}
WHOLE_BAR = {100: 150, 10_000: 150, 50_000: 400}
RATE_BAR = {100: 100, 10_000: 100, 50_000: 50}
INDEX = "/conda/alice/linux-64/repodata_shards.msgpack.zst"
WHOLE = "/conda/alice/linux-64/repodata.json.zst"
_numbers = itertools.count()


@pytest.fixture(scope="module", params=SIZES)
def channel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, HubProcess, str]]:
    with loaded_hub(tmp_path_factory.mktemp("hub"), partial(_load, count=request.param)) as (hub, token):
        yield request.param, hub, token


def _load(connection, namespace_id: int, *, count: int) -> None:
    load_conda(connection, namespace_id, count)


def new_package() -> Artifact:
    number = next(_numbers)
    return build_conda(f"zz-new-{number}", files={"share/new": str(number)}, depends=["python >=3.9"])


def put(client: Client, artifact: Artifact) -> None:
    path = f"/api/v1/namespaces/alice/files/{artifact.filename}?visibility=public"
    status, body, _ = client.request("PUT", path, artifact.data)
    assert status == 201, body


def names(data: bytes) -> set[str]:
    return set(msgpack.unpackb(zstandard.decompress(data))["shards"])


def command(size: int) -> str:
    return f"tests/benchmarks/test_conda_uploads.py -k {size}"


def test_rows_1_and_2(channel: tuple[int, HubProcess, str], tmp_path: Path) -> None:
    size, hub, token = channel
    client = Client(hub.port, {"Authorization": f"Bearer {token}"})
    anonymous = Client(hub.port)
    anonymous.get(INDEX)
    anonymous.get(WHOLE)
    uploads, shards, wholes = [], [], []
    for _ in range(REPEATS):
        artifact = new_package()
        name = artifact.filename.rsplit("-", 2)[0]
        uploads.append(timed(lambda artifact=artifact: put(client, artifact)))
        found: list[bytes] = []

        def see(found: list[bytes] = found, name: str = name) -> None:
            found.append(anonymous.get(INDEX))
            digest = msgpack.unpackb(zstandard.decompress(found[0]))["shards"][name].hex()
            found.append(anonymous.get(f"/conda/alice/linux-64/shards/{digest}.msgpack.zst"))

        shards.append(timed(see))
        assert name in names(found[0])
        assert artifact.filename in msgpack.unpackb(zstandard.decompress(found[1]))["packages.conda"]
        whole: list[bytes] = []
        wholes.append(timed(lambda whole=whole: whole.append(anonymous.get(WHOLE))))
        assert artifact.filename in json.loads(zstandard.ZstdDecompressor().decompress(whole[0]))["packages.conda"]
    for path in (INDEX, WHOLE):
        _, _, etag = anonymous.request("GET", path)
        assert anonymous.request("GET", path, None, {"If-None-Match": etag})[0] == 304
    what = f"{size:,} packages ({source()})"
    peer = peer_seconds(tmp_path, size) if size <= 10_000 or FULL else None
    details = {"test": command(size)}
    report(1, f"upload answered, {what}", median(uploads), "ms", **details)
    told = {"peer": "py-rattler index_fs for +1", "peer_value": 1000 * peer} if peer else {}
    report(1, f"answered upload → index and shard read, {what}", median(shards), "ms", bar=SHARDS_BAR[size], **told, **details)
    report(2, f"answered upload → whole index read, {what}", median(wholes), "ms", bar=WHOLE_BAR[size], **told, **details)


def make_durable(folder: Path, artifact: Artifact) -> None:
    """Do to the disk what an upload does, and nothing else: one fsync for the bytes, one for the name, one for the log."""
    temporary = folder / "temporary"
    with temporary.open("wb") as file:
        file.write(artifact.data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / artifact.filename)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    with (folder / "log").open("ab") as log:
        log.write(b"x" * 40 * 4096)
        log.flush()
        os.fdatasync(log.fileno())


def test_rows_3_and_4(channel: tuple[int, HubProcess, str], tmp_path: Path) -> None:
    size, hub, token = channel
    client = Client(hub.port, {"Authorization": f"Bearer {token}"})
    artifacts = [new_package() for _ in range(200)]
    for artifact in artifacts[:10]:
        put(client, artifact)
    rates, floors = [], []
    used = cpu_seconds(hub.pid)
    for start in range(10, 110, 20):
        batch = artifacts[start : start + 20]
        floors.append(1000 * len(batch) / timed(lambda batch=batch: [make_durable(tmp_path, artifact) for artifact in batch]))
        rates.append(1000 * len(batch) / timed(lambda batch=batch: [put(client, artifact) for artifact in batch]))
    used = 1000 * (cpu_seconds(hub.pid) - used) / 100
    report(4, f"server CPU per upload, {size:,} packages", used, "ms", test=command(size))
    told = {"test": command(size), "peer": "the disk alone: a file, its folder and a log made durable"}
    what = f"uploads per second, one client, {size:,} packages"
    report(4, what, median(rates), "/s", bar=RATE_BAR[size], at_least=True, peer_value=median(floors), **told)
    with stall_probe(hub.port) as quiet:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(2)"], check=True)
    reader = Client(hub.port)
    with stall_probe(hub.port) as waits:
        for number, artifact in enumerate(artifacts[110:]):
            put(client, artifact)
            reader.get(INDEX)
            if number % 10 == 0:
                reader.get(WHOLE)
    told = {"test": command(size), "peer": "the same probe of an idle hub"}
    what = f"during uploads and index reads, {size:,} packages"
    report(3, f"GET beside, p99 {what}", percentile(waits, 99), "ms", bar=25, peer_value=percentile(quiet, 99), **told)
    report(3, f"GET beside, longest {what}", max(waits), "ms", bar=100, peer_value=max(quiet), **told)


def peer_seconds(folder: Path, size: int) -> float:
    """Return the median time that py-rattler takes to index a folder of *size* packages after one more came."""
    channel = folder / "channel" / "linux-64"
    channel.mkdir(parents=True)
    for number in range(size):
        artifact = build_conda(f"package-{number}", files={"share/x": str(number)})
        (channel / artifact.filename).write_bytes(artifact.data)
    script = """
import asyncio, os, resource, sys, time
from pathlib import Path
from rattler.index import index_fs

async def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # it opens very many files at once
    channel, times = Path(sys.argv[1]), []
    await index_fs(channel, write_zst=True, write_shards=True)
    for number, extra in enumerate(sorted(Path(sys.argv[2]).iterdir())):
        (channel / "linux-64" / extra.name).write_bytes(extra.read_bytes())
        started = time.perf_counter()
        await index_fs(channel, write_zst=True, write_shards=True)
        times.append(time.perf_counter() - started)
    print(sorted(times)[len(times) // 2], flush=True)
    os._exit(0)

asyncio.run(main())
"""
    extra = folder / "extra"
    extra.mkdir()
    for number in range(5):
        artifact = build_conda(f"extra-{number}")
        (extra / artifact.filename).write_bytes(artifact.data)
    done = subprocess.run([sys.executable, "-c", script, channel.parent, extra], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout.split()[-1])
