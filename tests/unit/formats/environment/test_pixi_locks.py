"""``pixi.lock`` of all versions, with what occurs in them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment import pixi_lock
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockSet

CHANNEL = "https://conda.example/forge"
CONDA = f"{CHANNEL}/linux-64/python-3.12.1-h1_0_cpython.conda"
OLD = """\
version: {version}
environments:
  default:
    channels:
    - url: {channel}/
    {indexes}
    packages:
      linux-64:
      - conda: {conda}
      - pypi: https://files.example/Six-1.17.0-py2.py3-none-any.whl
      - pypi: direct+https://code.example/click-8.1.7-py3-none-any.whl
      - pypi: git+ssh://git@code.example/flask@b90a4f
      - pypi: ./minimal
      - pypi: ./links/requests-2.31.0-py3-none-any.whl
packages:
- kind: conda
  name: python
  version: 3.12.1
  build: h1_0_cpython
  subdir: linux-64
  url: {conda}
  sha256: {a}
  md5: {b}
  depends:
  - libzlib >=1.2
  size: 123
  timestamp: 1699280294368
- {{kind: pypi, name: six, version: 1.17.0, url: 'https://files.example/Six-1.17.0-py2.py3-none-any.whl', sha256: {c},
   requires_python: '>=3', requires_dist: ['attrs ; extra == "x"']}}
- {{kind: pypi, name: click, version: 8.1.7, url: 'direct+https://code.example/click-8.1.7-py3-none-any.whl', sha256: {c}}}
- {{kind: pypi, name: flask, version: 3.1.dev0, url: 'git+ssh://git@code.example/flask@b90a4f'}}
- {{kind: pypi, name: minimal-project, version: 0.1, {place}: ./minimal, editable: true}}
- {{kind: pypi, name: requests, version: 2.31.0, {place}: ./links/requests-2.31.0-py3-none-any.whl}}
"""
FILL = {"channel": CHANNEL, "conda": CONDA, "a": "a" * 64, "b": "b" * 32, "c": "c" * 64}


@pytest.mark.parametrize(("version", "place"), [(4, "path"), (5, "path"), (5, "url")])
def test_old_versions(version: int, place: str) -> None:
    indexes = "indexes: ['https://index.example/simple']" if version == 5 else "# no indexes yet"
    (lock,) = pixi_lock.read(OLD.format(version=version, place=place, indexes=indexes, **FILL).encode()).locks
    assert lock.conda == (
        LockedConda("python", "3.12.1", "h1_0_cpython", CONDA, "a" * 64, "b" * 32, 123, "linux-64", CHANNEL, ("libzlib >=1.2",)),
    )
    assert (lock.python_version, lock.channels) == ("3.12.1", (CHANNEL,))
    six = next(item for item in lock.pypi if item.name == "six")
    assert (six.sha256, six.requires_python, six.requires_dist) == ("c" * 64, ">=3", ('attrs ; extra == "x"',))
    assert six.index == ("https://index.example/simple" if version == 5 else "")
    click = next(item for item in lock.pypi if item.name == "click")
    assert (click.url, click.index) == ("https://code.example/click-8.1.7-py3-none-any.whl", "")
    assert {item.name: item.code for item in lock.problems} == {
        "flask": "from_repository",
        "minimal-project": "editable",
        "requests": "local_wheel",
    }


NEW = f"""\
version: 7
platforms:
- name: linux-64
- name: linux-64-cuda
  subdir: linux-64
  virtual-packages: [__cuda=12.0=0]
- name: osx-arm64
environments:
  gpu:
    channels: [{{url: '{CHANNEL}/'}}]
    packages:
      linux-64-cuda:
      - conda: {CONDA}
  default:
    channels:
    - url: {CHANNEL}/
    indexes:
    - https://main.example/simple
    - https://other.example/simple
    options: {{strategy: lowest}}
    packages:
      linux-64-cuda:
      - conda: {CONDA}
      linux-64:
      - conda: {CONDA}
      - conda: ../output/noarch/mine-1-0.conda
      - conda_source: child[87dc0b8a] @ ./child
      - pypi: https://files.example/six-1.17.0.tar.gz
      - pypi: ./local
      osx-arm64: []
packages:
- conda: {CONDA}
  sha256: {"a" * 64}
  md5: {"b" * 32}
  version: 3.12.1+x
  channel: null
- conda: ../output/noarch/mine-1-0.conda
  subdir: noarch
- conda_source: child[87dc0b8a] @ ./child
  depends: [python]
- pypi: https://files.example/six-1.17.0.tar.gz
  name: six
  version: 1.17.0
  sha256: {"c" * 64}
  index: https://other.example/simple
- pypi: ./local
  name: local-pkg
"""


def test_version_7_names_platforms_and_indexes() -> None:
    assert pixi_lock.environments(NEW.encode()) == ("gpu", "default")
    locks = pixi_lock.read(NEW.encode())
    assert locks.platforms == ("linux-64", "osx-arm64")
    linux = locks.locks[0]
    assert linux.conda[0].version == "3.12.1+x"
    assert linux.pypi[0].index == "https://other.example/simple"
    assert {item.name: item.code for item in linux.problems} == {
        "mine": "local_channel",
        "child": "source_package",
        "local-pkg": "local_folder",
    }
    gpu = pixi_lock.read(NEW.encode(), "gpu").locks[0]
    assert (gpu.platform, gpu.virtual_packages) == ("linux-64", ("__cuda=12.0=0",))
    with pytest.raises(BadRequest) as caught:
        pixi_lock.read(NEW.encode(), "docs")
    assert caught.value.code == "unknown_environment"


LOCKS = LockSet(
    (
        Lock(
            platform="linux-64",
            python_version="3.12.1",
            channels=(CHANNEL,),
            conda=(
                LockedConda("python", "3.12.1", "h1_0_cpython", CONDA, "a" * 64, "b" * 32, 123, "linux-64", CHANNEL, ("libzlib >=1.2",)),
                LockedConda("tzdata", "2024a", "0", f"{CHANNEL}/noarch/tzdata-2024a-0.conda", "d" * 64, "", 5, "noarch", CHANNEL),
            ),
            pypi=(
                LockedPypi(
                    "six",
                    "1.17.0",
                    "https://files.example/six-1.17.0-py2.py3-none-any.whl",
                    "c" * 64,
                    0,
                    "https://index.example/simple",
                    ">=3",
                    ("attrs>=22 ; extra == 'x'",),
                ),
            ),
            virtual_packages=("__glibc=2.28=0",),
        ),
        Lock(platform="osx-arm64", channels=(CHANNEL,)),
    )
)


@pytest.mark.parametrize("version", [6, 7])
def test_locks_survive_their_file(version: int) -> None:
    read = pixi_lock.read(pixi_lock.write(LOCKS, version=version))  # type: ignore[arg-type]
    kept = LOCKS.locks if version == 7 else tuple(replace(lock, virtual_packages=()) for lock in LOCKS.locks)
    assert read.locks == kept


RATTLER = """
import os, sys
from rattler import LockFile
for path in sys.argv[1:]:
    for name, environment in LockFile.from_path(path).environments():
        for platform in environment.platforms():
            for item in environment.packages(platform) or []:
                digest = item.hashes.sha256.hex() if item.hashes and item.hashes.sha256 else ""
                print(name, platform.name, item.name, item.location, digest)
sys.stdout.flush()
os._exit(0)  # the library may crash when the interpreter ends
"""


def test_pixi_s_own_reader_takes_what_is_written(tmp_path: Path) -> None:
    paths = []
    for version in (6, 7):
        paths.append(tmp_path / f"{version}.lock")
        paths[-1].write_bytes(pixi_lock.write(LOCKS, version=version))  # type: ignore[arg-type]
    done = subprocess.run([sys.executable, "-c", RATTLER, *paths], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    linux = LOCKS.locks[0]
    expected = sorted(f"default linux-64 {item.name} {item.url} {item.sha256}" for item in (*linux.conda, *linux.pypi))
    assert sorted(done.stdout.splitlines()) == sorted(expected * 2)


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ("version: 7", "version: 8", ""),
        ("version: 7", "version: 3", ""),
        ("b" * 32, "b" * 33, ""),
        ("  index: https://other", "  index: https://u:p@other", ""),
        ("- pypi: ./local\n  name", "- pypi: ./elsewhere\n  name", "      - pypi: ./local"),
        ("subdir: linux-64", "subdir: linux_64", "      linux-64-cuda:"),
        ("name: six", "name: ../six", ""),
        (f"    - url: {CHANNEL}/", "    - url: [x]", ""),
        ("environments:", "environment:", "nowhere"),
    ],
)
def test_rejections_name_the_line(old: str, new: str, at: str) -> None:
    assert old in NEW
    text = NEW.replace(old, new, 1)
    line = text[: text.index(at or new)].count("\n") + 1 if at != "nowhere" else None
    with pytest.raises(InvalidFile) as caught:
        pixi_lock.read(text.encode(), "gpu" if "subdir" in old else "")
    assert caught.value.fields.get("line") == line, caught.value.detail
    assert line is None or caught.value.detail.startswith(f"Line {line}: ")
