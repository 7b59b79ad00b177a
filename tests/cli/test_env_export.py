"""``carrel env export``: real environments, in every format, read again by what reads them."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cli_process import QuickCarrel
from environment_fixtures import PackageIndex, package_index

from carrel.environments.locations import current_platform
from carrel.environments.pypi import uv
from carrel.formats.environment import load_lock, notebook_metadata, script
from carrel.testing.artifacts import build_conda, build_notebook, build_wheel
from carrel.testing.conda_channel import ChannelServer, index, serve

HERE = current_platform()


@pytest.fixture(scope="module")
def packages() -> Iterator[PackageIndex]:
    with package_index([build_wheel("tide", "1.0", requires=["wave"]), build_wheel("wave", "1.0"), build_wheel("wave", "2.0")]) as running:
        yield running


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory, packages: PackageIndex) -> Path:
    prefix = tmp_path_factory.mktemp("exported") / "plain"
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", prefix], check=True)
    install = [uv.executable(), "pip", "install", "--quiet", "--no-config", "--python", prefix / "bin" / "python"]
    subprocess.run([*install, "--default-index", packages.url, "tide", "wave==1.0"], check=True)
    return prefix


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    folder = tmp_path_factory.mktemp("channel")
    (folder / HERE).mkdir()
    for made in (build_conda("tool", "1.0", subdir=HERE, depends=["lib >=2"]), build_conda("lib", "2.1", subdir=HERE)):
        (folder / HERE / made.filename).write_bytes(made.data)
    index(folder)
    with serve(folder) as server:
        yield server


@pytest.fixture
def conda(quick: QuickCarrel, channel: ChannelServer) -> Path:
    prefix = quick.home / "tools"
    (prefix / "conda-meta").mkdir(parents=True)
    quick.ok("env", "install", "tool", "--prefix", prefix, "--channel", channel.url, "--yes")
    return prefix


def test_a_venv_as_requirements_that_uv_enforces(quick: QuickCarrel, venv: Path, packages: PackageIndex, tmp_path: Path) -> None:
    told = quick.json("env", "export", venv, "--index", packages.url, "-o", quick.home / "requirements.txt")
    assert (told["format"], told["pypi"], told["conda"], told["problems"], told["content"]) == ("requirements.txt", 2, 0, [], None)
    lines = (quick.home / "requirements.txt").read_text().splitlines()
    assert [line.partition(" --hash")[0] for line in lines[-2:]] == ["tide==1.0", "wave==1.0"]
    target = tmp_path / "again"
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", target], check=True)
    install = [uv.executable(), "pip", "install", "--quiet", "--no-config", "--python", target / "bin" / "python", "--require-hashes", "-r"]
    subprocess.run([*install, quick.home / "requirements.txt"], check=True)
    again = quick.json("env", "export", target, "--format", "pylock.toml", "--index", packages.url)
    assert again["digest"] == told["digest"]
    digest = lines[-1].partition("sha256:")[2]
    (quick.home / "wrong.txt").write_text((quick.home / "requirements.txt").read_text().replace(digest, "0" * 64))
    refused = subprocess.run([*install, quick.home / "wrong.txt", "--reinstall"], check=False, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "mismatch" in refused.stderr.lower()


def test_a_venv_in_the_other_formats(quick: QuickCarrel, venv: Path, packages: PackageIndex) -> None:
    def content(form: str, *options: str) -> str:
        return str(quick.json("env", "export", venv, "--format", form, "--index", packages.url, *options)["content"])

    lock = load_lock("pylock.toml", content("pylock.toml").encode())
    assert [(item.name, item.version) for item in lock.pypi] == [("tide", "1.0"), ("wave", "1.0")]
    document = yaml.safe_load(content("environment.yml", "--name", "mine"))
    assert (document["name"], document["dependencies"][-1]) == ("mine", {"pip": ["tide==1.0", "wave==1.0"]})
    assert script.read(content("script").encode()).pip == ("tide==1.0", "wave==1.0")
    assert tomllib.loads(content("pixi.toml"))["pypi-dependencies"]["tide"] == "==1.0"
    for form in ("explicit", "pixi.lock"):
        refused = quick("env", "export", venv, "--format", form, "--index", packages.url)
        assert refused.code == 1
        assert "pylock.toml" in refused.err


def test_python_packages_as_they_were_asked_for(quick: QuickCarrel, packages: PackageIndex) -> None:
    prefix = quick.home / "mine"
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", prefix], check=True)
    quick.variables |= {"CARREL_INDEXES": packages.url}

    def asked(form: str = "requirements.txt") -> list[str]:
        content = quick.json("env", "export", prefix, "--format", form, "--from-history")["content"]
        return [line for line in content.splitlines() if line.startswith(("tide", "wave"))]

    def change(*words: str) -> None:
        quick.ok("env", *words, "--prefix", prefix, "--yes")

    change("install", "tide", "wave>=1,<2")
    assert asked() == ["tide", "wave<2,>=1"]
    assert quick.json("env", "lock", prefix)["locks"]  # what is asked for in a lock is understood again
    change("install", "wave[fast]!=1.5")
    assert asked() == ["tide", "wave[fast]!=1.5"]
    change("install", "wave==1.0")
    assert asked() == ["tide", "wave==1.0"]
    change("update", "wave")
    assert asked() == ["tide", "wave"]
    change("undo", "1")
    assert asked() == ["tide", "wave<2,>=1"]
    change("remove", "tide")
    assert asked() == ["wave<2,>=1"]
    # what another program made of it is not what was asked for
    install = [uv.executable(), "pip", "install", "--quiet", "--no-config", "--python", prefix / "bin" / "python"]
    subprocess.run([*install, "--default-index", packages.url, "wave==2.0"], check=True)
    assert asked() == ["wave==2.0"]


def test_wishes_are_known_from_the_beginning_and_in_copies(quick: QuickCarrel, packages: PackageIndex) -> None:
    quick.variables |= {"CARREL_INDEXES": packages.url}
    quick.ok("env", "create", "--prefix", "made", "--pypi", "tide", "wave<2")
    quick.ok("env", "create", "--prefix", "copy", "--clone", "made")
    quick.ok("env", "lock", "copy", "-o", "pylock.toml")
    quick.ok("env", "reproduce", "pylock.toml", "--prefix", "again")
    for prefix in ("made", "copy", "again"):
        quick.ok("env", "export", "--prefix", prefix, "--from-history", "-o", "requirements.txt")
        lines = (quick.home / "requirements.txt").read_text().splitlines()
        assert [line for line in lines if line.startswith(("tide", "wave"))] == ["tide", "wave<2"], prefix


def test_into_a_script_and_a_notebook(quick: QuickCarrel, venv: Path, packages: PackageIndex) -> None:
    analysis = quick.home / "analysis.py"
    analysis.write_bytes(b"#!/usr/bin/env python\r\nimport tide\r\n")
    told = quick.json("env", "export", venv, "--into", analysis, "--index", packages.url)
    assert (told["format"], told["file"]) == ("script", str(analysis))
    assert analysis.read_bytes().startswith(b"#!/usr/bin/env python\r\n# /// script\r\n")
    assert analysis.read_bytes().endswith(b"\r\n\r\nimport tide\r\n")

    notebook = quick.home / "analysis.ipynb"
    notebook.write_bytes(build_notebook().data)
    before = json.loads(notebook.read_bytes())
    quick.ok("env", "export", venv, "--into", notebook, "--index", packages.url)
    quick.ok("env", "export", venv, "--into", notebook, "--index", packages.url, "--as", "nteract", "--from-history")
    found = {one.form: one.spec.pip for one in notebook_metadata.find_all(notebook.read_bytes())}
    assert found == {"script": ("tide==1.0", "wave==1.0"), "nteract": ("tide==1.0", "wave==1.0")}
    assert json.loads(notebook.read_bytes())["cells"][1:] == before["cells"]
    other = quick.home / "other.ipynb"
    quick.ok("env", "export", venv, "--into", notebook, "-o", other, "--index", packages.url, "--as", "thoth")
    assert "requirements" in json.loads(other.read_bytes())["metadata"]
    assert "requirements" not in json.loads(notebook.read_bytes())["metadata"]


def test_into_a_link_to_a_program(quick: QuickCarrel, venv: Path, packages: PackageIndex) -> None:
    program, link = quick.home / "program.py", quick.home / "link.py"
    program.write_text("import tide\n")
    program.chmod(0o750)
    link.symlink_to(program.name)
    quick.ok("env", "export", venv, "--into", link, "--index", packages.url)
    assert link.is_symlink()
    assert "# /// script" in program.read_text()
    assert program.stat().st_mode & 0o777 == 0o750
    saved = program.stat().st_mtime_ns, program.stat().st_ino
    quick.ok("env", "export", venv, "--into", link, "--index", packages.url)
    assert (program.stat().st_mtime_ns, program.stat().st_ino) == saved


def test_a_conda_environment(quick: QuickCarrel, conda: Path, channel: ChannelServer) -> None:
    def content(*options: str) -> str:
        return str(quick.json("env", "export", conda, *options)["content"])

    assert yaml.safe_load(content())["dependencies"] == ["lib=2.1=0", "tool=1.0=0"]
    assert yaml.safe_load(content("--no-builds"))["dependencies"] == ["lib=2.1", "tool=1.0"]
    assert yaml.safe_load(content("--from-history"))["dependencies"] == ["tool"]
    lines = content("--format", "explicit").splitlines()
    assert lines[:2] == [f"# platform: {HERE}", "@EXPLICIT"]
    assert [line.rpartition("/")[2].partition("#")[0] for line in lines[2:]] == ["lib-2.1-0.conda", "tool-1.0-0.conda"]
    digest = quick.json("env", "export", conda)["digest"]
    for name in ("conda-lock.yml", "pixi.lock", "explicit.txt"):
        quick.ok("env", "export", conda, "-o", quick.home / name)
        found = load_lock(name, (quick.home / name).read_bytes(), HERE)
        assert (found.digest, found.channels) == (digest, (channel.url,))
    assert tomllib.loads(content("--format", "pixi.toml"))["dependencies"]["tool"]
    refused = quick("env", "export", conda, "--format", "requirements.txt")
    assert refused.code == 1
    assert "conda-lock" in refused.err


def test_calls_that_make_no_sense(quick: QuickCarrel, venv: Path, tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    for words in (
        ("-o", tmp_path / "README.md"),
        ("--into", tmp_path / "missing.py"),
        ("--into", tmp_path / "a.py", "--format", "conda-lock"),
        ("--as", "conda", "--format", "script"),
        ("--format", "Dockerfile"),
        ("--prefix", venv),
    ):
        assert quick("env", "export", venv, *words).code == 2, words
