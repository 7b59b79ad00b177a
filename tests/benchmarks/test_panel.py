"""Row 10: the panel's list of installed packages and its first search results, from a real Jupyter server.

An environment of 300 packages is made of what installers write down, without the packages' own files; the hub has 10,000
packages with releases. Reading anew is brought about by new times of the records: nothing that the server keeps of them holds.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness import Client, cpu_per_request, loaded_hub, median, percentile, report, stall_probe, timed
from search_rows import load, queries
from sqlalchemy import Connection, insert

from carrel.core.clock import now
from carrel.environments import environment_id
from carrel.hub.labels.models import file_label
from carrel.hub.packages.models import blob, file, release
from carrel.testing.hub import HubProcess
from carrel.testing.jupyter import JupyterLab, run_jupyter_lab
from carrel.testing.rows import Rows

pytestmark = pytest.mark.benchmark

TEST = "tests/benchmarks/test_panel.py"
CONDA, PIP, HUB_PACKAGES, VERSIONS = 200, 100, 10_000, 3
REPEATS = 9

_METADATA_LISTING = """
import importlib.metadata, sys, time
started, used = time.perf_counter(), time.process_time()
found = [(d.metadata["Name"], d.version, d.metadata["Summary"]) for d in importlib.metadata.distributions(path=[sys.argv[1]])]
print(1000 * (time.perf_counter() - started), 1000 * (time.process_time() - used), len(found))
"""


def make_environment(prefix: Path) -> Path:
    """Write what conda and pip would have noted down of 300 packages: half a million paths would add nothing."""
    generator = random.Random(3)
    site_packages = prefix / "lib/python3.11/site-packages"
    site_packages.mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin/python").symlink_to(sys.executable)
    (prefix / "conda-meta").mkdir()
    _write_record(prefix, "python", "3.11.9", [f"lib/python3.11/module{n}.py" for n in range(6000)])
    for number in range(CONDA + PIP - 1):
        name, version = f"package-{number}", f"1.{number}"
        paths = [f"package_{number}/part{n}.py" for n in range(generator.choice([8, 20, 40, 80, 400]))]
        listed = _write_distribution(site_packages, name, version, paths)
        if number < CONDA - 1:
            _write_record(prefix, name, version, [f"lib/python3.11/site-packages/{path}" for path in listed])
    return prefix


def _write_distribution(site_packages: Path, name: str, version: str, paths: list[str]) -> list[str]:
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    listed = [*paths, *(f"{folder}/{part}" for part in ("METADATA", "RECORD", "INSTALLER", "WHEEL"))]
    (site_packages / folder).mkdir()
    headers = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: What {name} does\n"
    requires = "".join(f"Requires-Dist: package-{n} (>=1.0)\n" for n in range(12))
    (site_packages / folder / "METADATA").write_text(f"{headers}{requires}\n" + "A long description.\n" * 250)
    (site_packages / folder / "RECORD").write_text("".join(f"{path},sha256={'x' * 43},1234\n" for path in listed))
    (site_packages / folder / "INSTALLER").write_text("pip\n")
    (site_packages / folder / "WHEEL").write_text("Wheel-Version: 1.0\nTag: py3-none-any\n")
    return listed


def _write_record(prefix: Path, name: str, version: str, files: list[str]) -> None:
    record = {
        "name": name,
        "version": version,
        "build": "py_0",
        "build_number": 0,
        "subdir": "noarch",
        "channel": "https://conda.example.org/main",
        "url": f"https://conda.example.org/main/noarch/{name}-{version}-py_0.conda",
        "sha256": "0" * 64,
        "md5": "0" * 32,
        "size": 12345,
        "depends": ["python >=3.9"],
        "files": files,
        "paths_data": {"paths_version": 1, "paths": [{"_path": path, "path_type": "hardlink", "sha256": "0" * 64} for path in files]},
    }
    (prefix / "conda-meta" / f"{name}-{version}-py_0.json").write_text(json.dumps(record, indent=1))


def make_anew(prefix: Path) -> None:
    """Give every record another time, so that all of them are read again."""
    for path in [*prefix.glob("conda-meta/*.json"), *prefix.glob("lib/python3.11/site-packages/*.dist-info/RECORD")]:
        os.utime(path)
    (prefix / "conda-meta" / "touched").write_text("")
    (prefix / "conda-meta" / "touched").unlink()


def load_hub(connection: Connection, namespace_id: int) -> None:
    """Write packages as the benchmark of the hub's search does, each with releases of a conda file."""
    load(connection, namespace_id, count=HUB_PACKAGES)
    label, at = Rows(connection).label(namespace_id, "main"), now()
    names = dict(tuple(row) for row in connection.exec_driver_sql("SELECT id, name FROM package"))
    releases, blobs, files = [], [], []
    for key, name in names.items():
        for number in range(VERSIONS):
            row, digest = key * VERSIONS + number, f"{key * VERSIONS + number:064x}"
            version, filename = f"{number + 1}.0", f"{name}-{number + 1}.0-py_0.conda"
            state = {"state": "published", "created_at": at, "published_at": at}
            releases.append({"id": row, "package_id": key, "version": version, **state})
            blobs.append({"sha256": digest, "md5": digest[:32], "size": 1000, "created_at": at})
            record = {"name": name, "version": version, "build": "py_0", "subdir": "noarch", "depends": ["python >=3.9", "numpy >=1.22"]}
            files.append(
                {
                    "id": row,
                    "release_id": row,
                    "package_id": key,
                    "namespace_id": namespace_id,
                    "kind": "conda",
                    "filename": filename,
                    "subdir": "noarch",
                    "unique_key": f"conda/noarch/{filename}",
                    "sha256": digest,
                    "attributes": {"index": record},
                    "import_names": [name.replace("-", "_")],
                    "uploaded_at": at,
                }
            )
    for table, rows in ((release, releases), (blob, blobs), (file, files)):
        connection.execute(insert(table), rows)
    connection.execute(insert(file_label), [{"file_id": row["id"], "label_id": label} for row in files])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubProcess, str]]:
    with loaded_hub(tmp_path_factory.mktemp("hub"), load_hub) as running:
        yield running


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("envs") / "analysis")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, hub: tuple[HubProcess, str], prefix: Path) -> Iterator[JupyterLab]:
    folder = tmp_path_factory.mktemp("lab")
    kernel = folder / "profile/data/kernels/analysis"
    kernel.mkdir(parents=True)
    argv = [str(prefix / "bin/python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Analysis", "language": "python"}))
    running, token = hub
    settings: dict[str, object] = {"channels": [], "indexes": []}
    with run_jupyter_lab(folder, hub_url=running.url, env={"CARREL_TOKEN": token}, extension=settings) as started:
        yield started


def connect(lab: JupyterLab) -> Client:
    return Client(int(lab.url.rpartition(":")[2]), {"Authorization": f"token {lab.token}"})


def test_row_10_installed(lab: JupyterLab, prefix: Path) -> None:
    client, path = connect(lab), f"/carrel/environments/{environment_id(prefix)}/packages"
    command = [sys.executable, "-I", "-c", _METADATA_LISTING, str(prefix / "lib/python3.11/site-packages")]
    cold, warm, peers, peers_cpu = [], [], [], []
    for _ in range(REPEATS):
        make_anew(prefix)
        cold.append(timed(lambda: client.get(path)))
        warm.append(timed(lambda: client.get(path)))
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        peers.append(float(said[0]))
        peers_cpu.append(float(said[1]))
        assert int(said[2]) == CONDA + PIP - 1
    status, body, tag = client.request("GET", path)
    assert (status, len(json.loads(body)["items"])) == (200, CONDA + PIP)
    assert client.request("GET", path, None, {"If-None-Match": tag})[0] == 304
    peer = {"peer": "importlib.metadata in the environment", "peer_value": median(peers)}
    cpu_peer = {"peer": "importlib.metadata, CPU", "peer_value": median(peers_cpu)}
    select = f"{TEST} -k installed"
    print(f"\nload {os.getloadavg()[0]:.1f}")
    report(10, "installed list of 300 packages, read anew", median(cold), "ms", bar=300, test=select, **peer)
    report(10, "installed list of 300 packages, again", median(warm), "ms", bar=300, test=select, **peer)
    report(10, "installed list, its size", len(body) / 1000, "kB", test=select)

    def anew() -> None:
        make_anew(prefix)
        client.get(path)

    report(10, "installed list, CPU of the server, read anew", cpu_per_request(lab.process.pid, anew, 20), "ms", test=select, **cpu_peer)
    report(
        10, "installed list, CPU of the server, again", cpu_per_request(lab.process.pid, lambda: client.get(path), 50), "ms", test=select
    )


def test_row_10_search(lab: JupyterLab, prefix: Path, hub: tuple[HubProcess, str]) -> None:
    client, direct = connect(lab), Client(hub[0].port, {"Authorization": f"Bearer {hub[1]}"})
    environment = environment_id(prefix)
    client.get(f"/carrel/environments/{environment}/packages")
    words = [text for text in dict.fromkeys(queries(400)) if len(text) > 2 and " " not in text][:40]
    client.get(f"/carrel/search?q=warm&environment={environment}")
    times, sizes, peers, found = [], [], [], 0
    for text in words:
        bodies: list[bytes] = []
        times.append(
            timed(lambda text=text, bodies=bodies: bodies.append(client.get(f"/carrel/search?q={text}&environment={environment}")))
        )
        peers.append(timed(lambda text=text: direct.get(f"/api/v1/search?q={text}&kind=conda&kind=pypi&limit=30")))
        answer = json.loads(bodies[0])
        assert all(source["ok"] for source in answer["sources"]), answer["sources"]
        sizes.append(len(bodies[0]) / 1000)
        found += bool(answer["items"])
    assert found > len(words) / 2
    select, peer = f"{TEST} -k row_10_search", "the hub's own search"
    print(f"\nload {os.getloadavg()[0]:.1f}")
    report(10, "first search results", median(times), "ms", bar=200, test=select, peer=peer, peer_value=median(peers))
    report(10, "first search results, p95", percentile(times, 95), "ms", bar=200, test=select, peer=peer, peer_value=percentile(peers, 95))
    report(10, "first search results, largest answer", max(sizes), "kB", bar=50, test=select)
    used = cpu_per_request(lab.process.pid, lambda: client.get(f"/carrel/search?q=numpy-&environment={environment}"), 30)
    report(10, "search, CPU of the Jupyter server", used, "ms", test=select)


def test_row_10_stalls(lab: JupyterLab, prefix: Path) -> None:
    environment, port = environment_id(prefix), int(lab.url.rpartition(":")[2])
    words = [text for text in dict.fromkeys(queries(600)) if len(text) > 2 and " " not in text][-60:]

    def search() -> None:
        client = connect(lab)
        for text in words:
            client.get(f"/carrel/search?q={text}&environment={environment}")

    def listing() -> None:
        client = connect(lab)
        for _ in range(10):
            make_anew(prefix)
            client.get(f"/carrel/environments/{environment}/packages")

    def idle() -> None:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(5)"], check=True)

    def probed(*work: Callable[[], None]) -> list[float]:
        with stall_probe(port, "/api") as stalls, ThreadPoolExecutor(len(work)) as pool:
            for running in [pool.submit(one) for one in work]:
                running.result()
        return stalls

    without, during = probed(idle), probed(search, listing)
    print(f"\nload {os.getloadavg()[0]:.1f}, {len(during)} probes")
    for name, percent in (("p99", 99.0), ("longest", 100.0)):
        value, peer = percentile(during, percent), percentile(without, percent)
        bar = {"bar": 50.0} if percent == 100 else {}
        select = f"{TEST} -k stalls"
        report(
            10,
            f"GET of the Jupyter server while searching and listing, {name}",
            value,
            "ms",
            test=select,
            peer="idle",
            peer_value=peer,
            **bar,
        )
