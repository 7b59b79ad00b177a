"""Rows 11 and 12: solving, installing and rebuilding beside py-rattler and uv alone.

Times of a busy machine say little, CPU times and what was measured in turn do. The peers run in a process of their own, as
the engine's workers do; for row 12 the peer is the linking alone, without the start of its process.
"""

from __future__ import annotations

import json
import os
import py_compile
import random
import resource
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from harness import FULL, median, report

from carrel.core.progress import Progress
from carrel.environments import Change, Sources, Spec, apply, capture, plan, rebuild
from carrel.environments.conda import workers
from carrel.environments.pypi import uv
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import build_channel, index
from carrel.testing.processes import Process, free_port

pytestmark = pytest.mark.benchmark

TEST = "tests/benchmarks/test_environments.py"
PACKAGES, WHEELS = 150, 60
REPEATS = 7 if FULL else 5

_SERVER = """
import functools, http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *arguments): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
Server(("127.0.0.1", int(sys.argv[1])), functools.partial(Handler, directory=sys.argv[2])).serve_forever()
"""
_RAW_LINK = """
import asyncio, json, os, sys, time
from pathlib import Path
from rattler import install
from carrel.environments.conda.records import from_json
records = from_json(json.loads(Path(sys.argv[2]).read_text()))
wall, cpu = time.perf_counter(), time.process_time()
asyncio.run(install(records, sys.argv[1], Path(sys.argv[3]), execute_link_scripts=False, show_progress=False))
print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)
os._exit(0)
"""
_RAW_INSTALL = """
import asyncio, json, os, sys
from pathlib import Path
from rattler import Channel, Gateway, VirtualPackage, install, solve
prefix, cache, channel, *names = sys.argv[1:]
async def main():
    gateway = Gateway(cache_dir=Path(cache) / "repodata")
    records = await solve([Channel(channel)], names, gateway=gateway, virtual_packages=VirtualPackage.detect())
    await install(records, prefix, Path(cache) / "pkgs", execute_link_scripts=False, show_progress=False)
asyncio.run(main())
os._exit(0)
"""


class Cost:
    """Wall and CPU time of what runs inside the block, of this process and its ended children."""

    def __enter__(self) -> Cost:
        self._started, self._used = time.perf_counter(), _used()
        return self

    def __exit__(self, *_: object) -> None:
        workers.close()  # until they have ended, the system does not count them
        self.seconds, self.cpu = time.perf_counter() - self._started, _used() - self._used


def _used() -> float:
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


class Stages:
    """When each stage of a piece of work began."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}

    def __call__(self, event: Progress) -> None:
        self.begun.setdefault(event.stage, time.perf_counter())


def small_package(number: int) -> tuple[str, dict[str, str]]:
    """Return name and files of a package of twenty modules."""
    name = f"small{number}"
    files = {f"{name}/{module}.py": f"VALUE = {number * 100 + part}\n" * 20 for part, module in enumerate(_modules())}
    return name, files


def real_package(number: int) -> tuple[str, dict[str, str]]:
    """Return name and files of a package of a real one's size."""
    name = f"real{number}"
    contents = real_contents(number, 1000 * REAL_SIZES[number % len(REAL_SIZES)])
    return name, {f"{name}/{path}": content for path, content in contents.items()}


def _modules() -> list[str]:
    return ["__init__", *(f"part{part}" for part in range(19))]


# kB of the newest builds of 3,859 packages of conda-forge (index of 2018), each thirtieth
REAL_SIZES = (4, 7, 10, 13, 17, 22, 28, 36, 48, 65, 85, 115, 152, 201, 253, 338, 389, 416, 493, 604)
REAL_SIZES += (772, 998, 1250, 1652, 2144, 2458, 3343, 4808, 9999, 31484)


def real_contents(number: int, size: int) -> dict[str, str]:
    """Return files that compress to about *size* bytes, some 20 kB each, as they are in packages."""
    chosen = random.Random(number)
    return {f"part{part // 50}/module{part}.py": "".join(chosen.choices(_lines(), k=500)) for part in range(1 + size // 5_200)}


@cache
def _lines() -> list[str]:
    chosen = random.Random(0)
    words = ["".join(chosen.choices("etaoinshrdlu_", k=chosen.randint(2, 9))) for _ in range(3000)]
    return [f"    {' '.join(chosen.choices(words, k=6))}\n" for _ in range(40_000)]


def _compiled_library() -> dict[str, bytes]:
    """Return bytecode of what a kernel's start imports of the standard library: packages of Python bring it."""
    code = "import ipykernel, sys; print('\\n'.join(getattr(m, '__file__', None) or '' for m in list(sys.modules.values())))"
    loaded = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True).stdout.split()
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
    found = {}
    for path in map(Path, loaded):
        if path.suffix != ".py" or not path.is_relative_to(library) or "site-packages" in path.parts:
            continue
        target = path.relative_to(library)
        compiled = target.parent / "__pycache__" / f"{target.stem}.{sys.implementation.cache_tag}.pyc"
        scratch = Path(os.environ["CARREL_CACHE_DIR"], "compiled.pyc")
        py_compile.compile(str(path), str(scratch), dfile=str(target), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        found[f"lib/{library.name}/{compiled.as_posix()}"] = scratch.read_bytes()
    return found


@pytest.fixture(scope="module", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CARREL_CACHE_DIR", "CARREL_DATA_DIR", "UV_CACHE_DIR"):
            (folder / name).mkdir()
            patch.setenv(name, str(folder / name))
        yield folder


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A channel with a real Python and ipykernel, filled up with small packages, and the names of all."""
    return make_channel(tmp_path_factory.mktemp("channel") / "c", small_package)


@pytest.fixture(scope="module")
def real_channel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The same with packages as large as those of a real channel."""
    return make_channel(tmp_path_factory.mktemp("channel") / "c", real_package)


def make_channel(folder: Path, package: Callable[[int], tuple[str, dict[str, str]]]) -> tuple[Path, list[str]]:
    """Write a channel of packages to *folder*; return it with the names."""
    built = build_channel(folder, ["ipykernel"])
    names = [path.split("/")[1].rsplit("-", 2)[0] for path in built.packages]
    artifacts = [build_conda("python-compiled", depends=["python"], subdir=built.subdir, files=_compiled_library())]
    for number in range(PACKAGES - len(names) - 1):
        name, files = package(number)
        placed = {f"site-packages/{path}": content for path, content in files.items()}
        placed[f"site-packages/{name}-1.0.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\n"
        artifacts.append(build_conda(name, noarch="python", depends=["python"], files=placed))
    for artifact in artifacts:
        subdir = built.subdir if artifact.filename.startswith("python-compiled-") else "noarch"
        (folder / subdir / artifact.filename).write_bytes(artifact.data)
    index(folder)
    return folder, [*names, *(artifact.filename.rsplit("-", 2)[0] for artifact in artifacts)]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve *folder* by a process of its own, whose CPU time is nobody's; yield the address."""
    port = free_port()
    process = Process([sys.executable, "-c", _SERVER, str(port), str(folder)], folder / "server.log")
    try:
        process.wait_until(lambda: requests.get(f"http://127.0.0.1:{port}/", timeout=5).ok)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


def new_prefix(folder: Path, name: str) -> Path:
    """Return the folder of an empty conda environment, in place of what was there."""
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name / "conda-meta").mkdir(parents=True)
    return folder / name


def cold(folder: Path, variable: str) -> Path:
    """Return a new cache folder, which the engine uses from now on."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.environ[variable] = str(folder)
    return folder


def show(row: int, what: str, ours: list[Cost], peers: list[tuple[float, float]], peer: str, select: str, **bars: Any) -> None:
    """Report times and CPU times beside those of the peer."""
    seconds, cpu = median([peer_seconds for peer_seconds, _ in peers]), median([peer_cpu for _, peer_cpu in peers])
    ratio = bars.pop("ratio", None)
    bar = {"bar": ratio * seconds} if ratio else bars
    test = f"{TEST} -k {select}"
    print(f"\nload {os.getloadavg()[0]:.1f}")
    report(row, what, median([cost.seconds for cost in ours]), "s", test=test, peer=peer, peer_value=seconds, **bar)
    bar = {"bar": ratio * cpu} if ratio else {}
    report(row, f"{what}, CPU", median([cost.cpu for cost in ours]), "s", test=test, peer=f"{peer}, CPU", peer_value=cpu, **bar)


def test_row_12(tmp_path: Path, channel: tuple[Path, list[str]], caches: Path) -> None:
    folder, names = channel
    source = new_prefix(tmp_path, "source")
    with served(folder) as url:
        apply(plan(source, Change(tuple(Spec(name, None, "conda") for name in names)), Sources((url,))))
    lock = capture(source, Sources())
    assert len(lock.conda) == PACKAGES
    records = tmp_path / "records.json"
    found = [json.loads(path.read_bytes()) for path in (source / "conda-meta").glob("*.json")]
    # what is only known of installed packages is no part of the records
    kept = {"files", "paths_data", "link", "extracted_package_dir", "package_tarball_full_path", "requested_spec", "requested_specs"}
    records.write_text(json.dumps([{key: value for key, value in record.items() if key not in kept} for record in found]))
    ours, peers, starts = [], [], []
    for _ in range(REPEATS):
        stages = Stages()
        with Cost() as cost:
            rebuild(lock, tmp_path / "again", on_event=stages)
        ours.append(cost)
        starts.append(time.perf_counter() - stages.begun["verify"])
        shutil.rmtree(tmp_path / "again")
        prefix = new_prefix(tmp_path, "raw")
        command = [sys.executable, "-c", _RAW_LINK, prefix, records, caches / "CARREL_CACHE_DIR" / "conda" / "pkgs"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        peers.append((float(said[0]), float(said[1])))
    show(12, f"rebuild of {PACKAGES} cached packages", ours, peers, "py-rattler's linking alone", "row_12", bar=2)
    report(12, "of it, the interpreter's first start and import of ipykernel", median(starts), "s", test=f"{TEST} -k row_12")


@pytest.mark.parametrize("which", ["real_channel", "channel"], ids=["real", "tiny"])
def test_row_11_conda(which: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, names = request.getfixturevalue(which)
    megabytes = sum(path.stat().st_size for path in folder.rglob("*.conda")) >> 20
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path))
    ours, peers, starts = [], [], []
    with served(folder) as url:
        for _ in range(REPEATS):
            cold(tmp_path / "cache", "CARREL_CACHE_DIR")
            prefix, stages = new_prefix(tmp_path, "engine"), Stages()
            with Cost() as cost:
                made = plan(prefix, Change(tuple(Spec(name, None, "conda") for name in names)), Sources((url,)))
                apply(made, on_event=stages, compile_files=False)  # the peers do not compile either
            ours.append(cost)
            starts.append(time.perf_counter() - stages.begun["verify"])
            raw, raw_cache = new_prefix(tmp_path, "raw"), cold(tmp_path / "raw-cache", "_UNUSED")
            peers.append(_cost_of([sys.executable, "-c", _RAW_INSTALL, raw, raw_cache, url, *names]))
            assert len(list((prefix / "conda-meta").glob("*.json"))) == len(list((raw / "conda-meta").glob("*.json")))
    what = f"solve and install {PACKAGES} conda packages of {megabytes} MB, nothing cached"
    show(11, what, ours, peers, "py-rattler", f"row_11_conda[{request.node.callspec.id}]", ratio=1.1)
    report(11, "of it, the interpreter's first start", median(starts), "s", test=f"{TEST} -k row_11_conda")


@pytest.mark.parametrize("package", [real_package, small_package], ids=["real", "tiny"])
def test_row_11_pypi(
    package: Callable[[int], tuple[str, dict[str, str]]], tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    root, size = tmp_path / "index", 0
    contents = [package(number) for number in range(WHEELS)]
    wanted = contents[0][0]
    for name, files in contents:
        wheel = build_wheel(name, files=files, requires=[other for other, _ in contents[1:]] if name == wanted else [])
        page = root / "simple" / name / "index.html"
        page.parent.mkdir(parents=True)
        (root / wheel.filename).write_bytes(wheel.data)
        with zipfile.ZipFile(root / wheel.filename) as archive:  # told beside the wheel, as large indexes do (PEP 658)
            (root / f"{wheel.filename}.metadata").write_bytes(archive.read(f"{name}-1.0.dist-info/METADATA"))
        link = f'<a href="../../{wheel.filename}#sha256={wheel.sha256}" data-core-metadata="true">{wheel.filename}</a>'
        page.write_text(link)
        size += len(wheel.data)
    command = [uv.executable(), "pip", "install", "--python", tmp_path / "venv" / "bin" / "python", "--quiet", wanted]
    ours, peers = [], []
    with served(root) as url:
        sources = Sources(indexes=(f"{url}/simple/",))
        wish = Change((Spec(wanted, None, "pypi"),))
        for _ in range(REPEATS):
            ours.append(_in_venv(tmp_path, lambda python: apply(plan(python.parents[1], wish, sources), compile_files=False)))
            cost = _in_venv(tmp_path, lambda _: subprocess.run(command, check=True, env=uv.variables(sources)))
            peers.append((cost.seconds, cost.cpu))
    what = f"solve and install {WHEELS} wheels of {size >> 20} MB, nothing cached"
    show(11, what, ours, peers, "uv", f"row_11_pypi[{request.node.callspec.id}]", ratio=1.1)


def _in_venv(folder: Path, work: Callable[[Path], object]) -> Cost:
    cold(folder / "uv-cache", "UV_CACHE_DIR")
    shutil.rmtree(folder / "venv", ignore_errors=True)
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    with Cost() as cost:
        work(folder / "venv" / "bin" / "python")
    assert len(list((folder / "venv").glob("lib/python3*/site-packages/*.dist-info"))) == WHEELS
    return cost


def _cost_of(command: list[Any]) -> tuple[float, float]:
    with Cost() as cost:
        subprocess.run(command, check=True)
    return cost.seconds, cost.cpu
