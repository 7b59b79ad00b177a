"""``carrel env lock``: of environments and of files, for other platforms, with what is local brought to the hub."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cli_process import QuickCarrel
from environment_fixtures import PackageIndex, package_index

from carrel.environments.locations import current_platform
from carrel.formats.environment import conda_lock
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import ChannelServer, index, serve

HERE = current_platform()
OTHER = "win-64" if HERE != "win-64" else "osx-arm64"


@pytest.fixture(scope="module")
def packages() -> Iterator[PackageIndex]:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    tags = [f"{python}-{python}-{tag}" for tag in ("manylinux_2_17_x86_64", "macosx_11_0_arm64", "win_amd64")]
    artifacts = [build_wheel("tide", "1.0", tag=tag, requires=["wave"]) for tag in tags]
    with package_index([*artifacts, build_wheel("wave", "1.0"), build_wheel("wave", "2.0")]) as running:
        yield running


@pytest.fixture(scope="module")
def two_platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    folder = tmp_path_factory.mktemp("two")
    for subdir in (HERE, OTHER):
        (folder / subdir).mkdir()
        for version in ("3.11.4", "3.12.1"):
            made = build_conda("python", version, subdir=subdir)
            (folder / subdir / made.filename).write_bytes(made.data)
    (folder / "noarch").mkdir()
    made = build_conda("chart", "1.0", noarch="python", depends=["python <3.12"])
    (folder / "noarch" / made.filename).write_bytes(made.data)
    index(folder)
    with serve(folder) as server:
        yield server


@pytest.fixture
def environment(quick: QuickCarrel, packages: PackageIndex) -> Path:
    from carrel.core.progress import NeverCancelled
    from carrel.environments.pypi import uv

    prefix = quick.home / "env"
    uv.create_venv(prefix, Path(getattr(sys, "_base_executable", sys.executable)), cancel=NeverCancelled())
    quick.ok("env", "install", "tide", "wave==1.0", "--prefix", prefix, "--index", packages.url, "--yes")
    return prefix


def test_an_environment_is_locked_for_other_platforms(quick: QuickCarrel, environment: Path, packages: PackageIndex) -> None:
    folder = quick.home / "locks"
    folder.mkdir()
    told = quick.json("env", "lock", environment, "--index", packages.url, "--platform", OTHER, "-o", folder)
    assert [one["platform"] for one in told["locks"]] == [HERE, OTHER]
    assert told["problems"] == told["remedied"] == []
    assert told["locks"][1]["exclude_newer"]
    assert any(text.startswith("__") for text in told["locks"][0]["virtual_packages"])
    assert {Path(file).name for file in told["files"]} == {f"pylock.{HERE}.toml", f"pylock.{OTHER}.toml"}
    document = tomllib.loads((folder / f"pylock.{OTHER}.toml").read_text())
    locked = {package["name"]: (package["version"], package["wheels"][0]["name"]) for package in document["packages"]}
    assert locked["wave"] == ("1.0", "wave-1.0-py3-none-any.whl")
    assert "win_amd64" in locked["tide"][1] or "macosx" in locked["tide"][1]
    # two files cannot go to standard output
    assert quick("env", "lock", environment, "--index", packages.url, "--platform", OTHER).code == 2
    assert "wave" in quick.ok("env", "lock", "--prefix", environment, "--index", packages.url).out


def test_files_are_solved(quick: QuickCarrel, packages: PackageIndex, two_platforms: ChannelServer) -> None:
    file = quick.home / "environment.yml"
    file.write_text(f"channels: [{two_platforms.url}]\ndependencies:\n- python\n- chart\n- pip:\n  - wave<2\n")
    command = ["env", "lock", file, "--index", packages.url, "--platform", HERE, "--platform", OTHER, "-o", quick.home / "conda-lock.yml"]
    told = quick.json(*command)
    assert told["source"] == str(file)
    found = conda_lock.read_all((quick.home / "conda-lock.yml").read_bytes())
    assert found.platforms == (HERE, OTHER)
    for lock in found.locks:
        assert {item.name: item.version for item in (*lock.conda, *lock.pypi)} == {"python": "3.11.4", "chart": "1.0", "wave": "1.0"}
        assert lock.virtual_packages
    document = yaml.safe_load((quick.home / "conda-lock.yml").read_text())
    assert document["metadata"]["platforms"] == [HERE, OTHER]

    # nothing had been published then
    refused = quick(*command, "--exclude-newer", "2001-01-01")
    assert refused.code != 0
    assert HERE in refused.err
    assert "chart" in refused.err
    assert quick(*command, "--exclude-newer", "yesterday or so").code == 2
    assert quick("env", "lock", file, "--platform", "atari-st").code != 0


def test_scripts_and_requirements_are_solved(quick: QuickCarrel, packages: PackageIndex) -> None:
    (quick.home / "script.py").write_text('# /// script\n# dependencies = ["tide"]\n# ///\nimport tide\n')
    told = quick.json("env", "lock", quick.home / "script.py", "--index", packages.url)
    assert (told["kind"], told["pypi"], told["conda"]) == ("venv", 2, 0)
    assert {package["name"] for package in tomllib.loads(told["content"])["packages"]} == {"tide", "wave"}
    (quick.home / "requirements.txt").write_text(f"--index-url {packages.url}\n-r more.txt\nwave==1.0\n")
    (quick.home / "more.txt").write_text("tide\n")
    told = quick.json("env", "lock", quick.home / "requirements.txt", "--platform", OTHER, "-o", quick.home / "pylock.toml")
    assert (told["platform"], told["pypi"], told["files"]) == (OTHER, 2, [str(quick.home / "pylock.toml")])


def test_what_is_local_is_brought_to_the_hub(quick: QuickCarrel, eve: str, environment: Path, packages: PackageIndex) -> None:
    import subprocess

    from carrel.environments.pypi import uv

    wheel = build_wheel("own-tool", "1.0")
    (quick.home / wheel.filename).write_bytes(wheel.data)
    install = [uv.executable(), "pip", "install", "-q", "--no-config", "--offline", "--no-deps", "--python", environment / "bin" / "python"]
    subprocess.run([*install, quick.home / wheel.filename], check=True)
    command = ["env", "lock", environment, "--index", packages.url]
    before = quick.json(*command)
    assert [(one["name"], one["remedy"]) for one in before["problems"]] == [("own-tool", "upload_wheel")]
    assert "--remedy" in quick.ok(*command).err
    unasked = quick(*command, "--remedy", eve)
    assert unasked.code == 2
    assert "--yes" in unasked.err
    after = quick.json(*command, "--remedy", eve, "--yes")
    assert after["problems"] == []
    assert [(one["name"], one["how"]) for one in after["remedied"]] == [("own-tool", "taken")]
    assert f"/pypi/{eve}/" in after["content"]
    # from now on it is found without a word
    assert quick.json(*command)["problems"] == []
