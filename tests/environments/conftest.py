"""Real environments: conda prefixes from a channel made on the spot, venvs, an index of wheels."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import planning_lab
import pytest
from environment_fixtures import PackageIndex, change, package_index

from carrel.environments import Sources, Spec
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import Channel, ChannelServer, build_channel, index, serve


@pytest.fixture(scope="session", autouse=True)
def _private_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the person's caches out: the same file names stand for other bytes in every run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARREL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CARREL_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.setenv("UV_CACHE_DIR", str(tmp_path_factory.mktemp("uv-cache")))
        yield


@pytest.fixture(scope="session")
def channel(conda_channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real Python and ipykernel, and small packages in several versions."""
    folder = tmp_path_factory.mktemp("channel")
    build_channel(folder / "c", ["ipykernel", "numpy"])
    folder = folder / "c"
    noise = random.Random(7)
    for artifact, subdir in [
        (build_conda("alpha", "1.0", noarch="python", depends=["python"], files=_module("alpha", "1.0")), "noarch"),
        (build_conda("alpha", "2.0", noarch="python", depends=["python", "beta >=2"], files=_module("alpha", "2.0")), "noarch"),
        (build_conda("beta", "1.0", noarch="python", depends=["python"], files=_module("beta", "1.0")), "noarch"),
        (build_conda("beta", "2.0", noarch="python", depends=["python"], files=_module("beta", "2.0")), "noarch"),
        (build_conda("gamma", "1.0", noarch="python", depends=["python", "alpha <2"], files=_module("gamma", "1.0")), "noarch"),
        (build_conda("large", "1.0", files={"share/large.bin": noise.randbytes(4_000_000)}), "linux-64"),
        (build_conda("many", "1.0", files={f"share/many/{n % 50}/{n}.txt": f"one {n}" for n in range(6000)}), "linux-64"),
        (build_conda("many", "2.0", files={f"share/many/{n % 50}/{n}.txt": f"two {n}" for n in range(6500)}), "linux-64"),
        (
            build_conda("broken", "1.0", noarch="python", depends=["python"], files={"site-packages/x.pth": "import os; os._exit(3)\n"}),
            "noarch",
        ),
    ]:
        (folder / subdir / artifact.filename).write_bytes(artifact.data)
    index(folder)
    return folder


def _module(name: str, version: str) -> dict[str, str]:
    return {
        f"site-packages/{name}/__init__.py": f"__version__ = {version!r}\n",
        f"site-packages/{name}/only_in_{version[0]}.py": "",
        f"site-packages/{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n",
        f"site-packages/{name}-{version}.dist-info/INSTALLER": "conda\n",
    }


@pytest.fixture
def server(channel: Path) -> Iterator[ChannelServer]:
    with serve(channel) as running:
        yield running


@pytest.fixture
def sources(server: ChannelServer) -> Sources:
    return Sources(channels=(server.url,))


@pytest.fixture
def conda_env(tmp_path: Path, sources: Sources) -> Path:
    """An environment with Python alone."""
    prefix = tmp_path / "analysis"
    (prefix / "conda-meta").mkdir(parents=True)
    change(prefix, sources, Spec("python"))
    return prefix


@pytest.fixture
def fresh_cache(conda_env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds nothing of what is about to be installed."""
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "fresh-cache"))
    return tmp_path / "fresh-cache"


@pytest.fixture(scope="session")
def wheels() -> Iterator[PackageIndex]:
    artifacts = [
        build_wheel("alpha", "1.0", requires=["beta"]),
        build_wheel("alpha", "2.0", requires=["beta>=2"]),
        build_wheel("beta", "1.0"),
        build_wheel("beta", "2.0"),
        build_wheel("gamma", "1.0", requires=["beta<2"]),
    ]
    with package_index(artifacts) as running:
        yield running


@pytest.fixture
def pypi(wheels: PackageIndex) -> Sources:
    return Sources(indexes=(wheels.url,))


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An empty virtual environment."""
    prefix = tmp_path / "plain"
    base = Path(getattr(sys, "_base_executable", sys.executable))
    subprocess.run([base, "-m", "venv", "--without-pip", prefix], check=True)
    return prefix


@pytest.fixture(scope="session")
def lab(channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[planning_lab.Lab]:
    """An environment of both installers that plans are made for; nothing may be applied to it."""
    with package_index(planning_lab.wheels()) as running:
        yield planning_lab.build(tmp_path_factory.mktemp("lab"), channel, running)
