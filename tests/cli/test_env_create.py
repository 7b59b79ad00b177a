"""``carrel env create`` and ``carrel env reproduce``: from wishes, from files, from locks, from another environment."""

from __future__ import annotations

import getpass
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cli_process import QuickCarrel
from environment_fixtures import package_index

from carrel.environments import Sources, capture, environment_file
from carrel.environments.locations import current_platform
from carrel.formats.environment import dump_lock, load_lock
from carrel.formats.environment.lock import Lock, LockedPypi, LockKind
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import Channel, ChannelServer, index, serve

WHEEL = build_wheel("kappa", "1.0")
OTHER = "osx-arm64" if current_platform() != "osx-arm64" else "linux-64"


@pytest.fixture(scope="module")
def server(conda_channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    """A channel with a real Python, a package for two platforms and one for another platform alone; and a wheel."""
    folder = tmp_path_factory.mktemp("channel")
    for archive in conda_channel.packages:
        (folder / archive).parent.mkdir(exist_ok=True)
        try:
            (folder / archive).hardlink_to(conda_channel.path / archive)
        except OSError:
            (folder / archive).write_bytes((conda_channel.path / archive).read_bytes())
    here = conda_channel.subdir
    for artifact, subdir in [
        (build_conda("sigma", "2.0", subdir=OTHER, depends=["only-there"], index={"timestamp": 1}), OTHER),
        (build_conda("only-there", "1.0", subdir=OTHER, index={"timestamp": 1}), OTHER),
        (build_conda("sigma", "1.0", subdir=here, files={"share/sigma": "here"}, index={"timestamp": 1}), here),
    ]:
        (folder / subdir).mkdir(exist_ok=True)
        (folder / subdir / artifact.filename).write_bytes(artifact.data)
    (folder / WHEEL.filename).write_bytes(WHEEL.data)
    index(folder)
    with serve(folder) as running:
        yield running


@pytest.fixture(scope="module")
def shared_caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture
def create(quick: QuickCarrel, server: ChannelServer, shared_caches: Path) -> QuickCarrel:
    """The command with the channel as its only source."""
    quick.variables |= {"CARREL_CHANNELS": server.url, "CARREL_CACHE_DIR": str(shared_caches / "carrel")}
    quick.variables |= {"UV_CACHE_DIR": str(shared_caches / "uv"), "CARREL_INDEXES": "http://127.0.0.1:9/simple/"}
    return quick


def says(prefix: str, code: str) -> str:
    return subprocess.run([f"{prefix}/bin/python", "-I", "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_an_environment_is_made_of_wishes(create: QuickCarrel) -> None:
    made = create.json("env", "create", "analysis", "python", "packaging", "ipykernel", "--kernel")
    assert made["prefix"] == str(create.home / "data" / "envs" / "analysis")
    assert (made["kind"], made["built"], made["kernels"], made["problems"]) == ("conda", True, ["analysis"], [])
    assert says(made["prefix"], "import packaging, ipykernel, sys; print(sys.prefix)") == made["prefix"]
    requested = create.json("env", "show", made["prefix"], "--requested")
    assert {package["name"] for package in requested["packages"]} == {"python", "packaging", "ipykernel"}
    spec = json.loads((create.home / "jupyter" / "kernels" / "analysis" / "kernel.json").read_bytes())
    assert (spec["display_name"], spec["metadata"]["conda_env_path"]) == ("analysis", made["prefix"])

    # its history begins with that
    (first,) = create.json("env", "history", "-p", made["prefix"])["revisions"]
    assert (first["number"], first["kind"], first["program"], first["package_count"]) == (0, "created", "carrel env", made["packages"])
    assert (first["summary"], first["user"]) == ("created with python, packaging, ipykernel", getpass.getuser())
    assert first["request"] == ["install python", "install packaging", "install ipykernel"]
    assert "There is no change" in create("env", "undo", "-p", made["prefix"]).err

    # the same wishes again are there already; other wishes do not replace it
    assert create.json("env", "create", "analysis", "python", "packaging", "ipykernel")["built"] is False
    refused = create("env", "create", "analysis", "python", "--json")
    assert json.loads(refused.out)["error"]["code"] == "prefix_taken"
    assert says(made["prefix"], "import packaging; print('still')") == "still"

    # its lock makes it again in a place of its own, which the second time is there at once
    lock = capture(Path(made["prefix"]), Sources())
    filename, data = environment_file(lock)
    (create.home / filename).write_bytes(data)
    first = create.json("env", "reproduce", filename, "--kernel=Again")
    assert first["prefix"] == str(create.home / "data" / "envs" / lock.digest[:16])
    assert (first["built"], first["digest"], first["kernels"], first["solved"]) == (True, lock.digest, ["again"], None)
    began = time.monotonic()
    second = create.json("env", "reproduce", filename, "--kernel=Again")
    assert (second["built"], second["prefix"]) == (False, first["prefix"])
    assert time.monotonic() - began < 2
    mark = json.loads(Path(first["prefix"], ".carrel", "environment.json").read_bytes())
    assert [reference["to"] for reference in mark["references"]] == [str(create.home / filename)]
    (revision,) = create.json("env", "history", "-p", first["prefix"])["revisions"]
    assert revision["summary"] == f"rebuilt from {filename}"
    assert revision["request"] == [f"rebuild {create.home / filename}", "install ipykernel", "install packaging", "install python"]

    copy = create.json("env", "create", "--prefix", create.home / "copy", "--clone", made["prefix"])
    assert (copy["built"], copy["packages"]) == (True, made["packages"])
    assert says(copy["prefix"], "import packaging, sys; print(sys.prefix)") == str(create.home / "copy")
    (revision,) = create.json("env", "history", "-p", copy["prefix"])["revisions"]
    assert (revision["kind"], revision["summary"]) == ("created", f"copied from {made['prefix']}")
    assert (revision["request"], revision["program"]) == ([f"copy {made['prefix']}"], "carrel env")

    # what another program did since is undone
    shutil.rmtree(next(Path(copy["prefix"]).glob("lib/python3*/site-packages/packaging")))
    record = next(Path(copy["prefix"], "conda-meta").glob("packaging-*.json"))
    record.unlink()
    create.ok("env", "undo", "-p", copy["prefix"], "--yes")
    assert says(copy["prefix"], "import packaging; print('back')") == "back"


def test_an_environment_is_made_of_a_file(create: QuickCarrel, server: ChannelServer) -> None:
    (create.home / "environment.yml").write_text(
        f"name: station\nchannels:\n  - {server.url}\ndependencies:\n  - sigma\nvariables:\n  GAUGE: harbour\n"
    )
    made = create.json("env", "create", "--file", "environment.yml")
    assert made["prefix"] == str(create.home / "data" / "envs" / "station")
    assert (made["requested"], made["python_version"], made["packages"]) == (["sigma"], "", 1)
    (first,) = create.json("env", "history", "-p", made["prefix"])["revisions"]
    assert first["summary"] == "created from environment.yml"
    assert first["request"] == [f"create from {create.home / 'environment.yml'}", "install sigma"]
    state = json.loads(Path(made["prefix"], "conda-meta", "state").read_bytes())
    assert state["env_vars"] == {"GAUGE": "harbour"}
    told = create("env", "create", "--file", "environment.yml", "--prefix", "elsewhere", "--kernel")
    assert told.code == 0
    assert "no Python to start a kernel with" in told.err
    assert "conda activate" in told.out
    refused = create("env", "reproduce", "environment.yml", "--json")
    assert json.loads(refused.out)["error"]["code"] == "not_a_lock"


def test_an_environment_is_made_of_what_a_project_needs(create: QuickCarrel) -> None:
    (create.home / "pyproject.toml").write_text(
        "[project]\nname = 'harbour'\ndependencies = ['kappa>=1']\n[project.optional-dependencies]\nplot = ['lambda-plot']\n"
        "[dependency-groups]\ndev = ['mu']\ntest = [\n  'mu',\n  {include-group = 'gone'},\n]\n"
    )
    wheels = [WHEEL, build_wheel("lambda-plot", "1.0"), build_wheel("mu", "1.0")]
    with package_index(wheels) as packages:
        create.variables |= {"CARREL_INDEXES": packages.url}
        made = create.json("env", "create", "--file", "pyproject.toml")
        assert (made["prefix"], made["kind"]) == (str(create.home / "data" / "envs" / "harbour"), "venv")
        assert made["requested"] == ["kappa>=1", "mu"]
        assert made["warnings"] == ["harbour itself is not asked for, only what it needs.", *made["warnings"][1:]]
        assert any("plot" in text for text in made["warnings"])
        told = create.json("env", "lock", "pyproject.toml", "--extra", "plot", "--group", "dev", "-o", "pylock.toml")
        assert told["notes"] == [made["warnings"][0], "Left out are the groups test."]
        assert [item.name for item in load_lock("pylock.toml", (create.home / "pylock.toml").read_bytes()).pypi] == [
            "kappa",
            "lambda-plot",
            "mu",
        ]
        refused = create("env", "create", "--file", "pyproject.toml", "--group", "test")
        assert (refused.code, "Line 10: dependency-groups.test[1] includes the group 'gone'" in refused.err) == (1, True)
        refused = create("env", "create", "--file", "pyproject.toml", "--extra", "plots", "--json")
        assert json.loads(refused.out)["error"]["code"] == "unknown_extra"
        assert create("env", "create", "web", "kappa", "--extra", "plot").code == 2


def test_a_virtual_environment_is_made_of_a_lock_without_solving(create: QuickCarrel, server: ChannelServer) -> None:
    url, sha256 = f"{server.url}/{WHEEL.filename}", hashlib.sha256(WHEEL.data).hexdigest()
    version = ".".join(map(str, sys.version_info[:3]))
    lock = Lock(current_platform(), version, pypi=(LockedPypi("kappa", "1.0", url, sha256),), kind=LockKind.VENV)
    filename, data = dump_lock(lock)
    (create.home / filename).write_bytes(data)
    made = create.json("env", "create", "--prefix", "web", "--file", filename)
    assert (made["kind"], made["digest"], made["packages"]) == ("venv", lock.digest, 1)
    # where its packages are from is known from the beginning, though no index is there
    create.ok("env", "remove", "kappa", "--prefix", "web", "--yes")
    shutil.rmtree(create.home / "web" / ".carrel" / "kept", ignore_errors=True)
    create.ok("env", "undo", "--prefix", "web", "--yes")
    assert says(made["prefix"], "import importlib.metadata as m; print(m.version('kappa'))") == "1.0"


def test_a_lock_for_another_platform_is_solved_anew_when_that_is_agreed_to(create: QuickCarrel, server: ChannelServer) -> None:
    create.ok("env", "create", "--prefix", "made", "sigma")
    here = capture(create.home / "made", Sources())
    archive = server.root / OTHER / "sigma-2.0-0.conda"
    package = replace(
        here.conda[0],
        version="2.0",
        build="0",
        url=f"{server.url}/{OTHER}/{archive.name}",
        subdir=OTHER,
        sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
    )
    there = replace(here, platform=OTHER, conda=(package,), requested=("sigma",), channels=(server.url,))
    filename, data = dump_lock(there)
    (create.home / filename).write_bytes(data)
    assert load_lock(filename, data).platform == OTHER
    refused = json.loads(create("env", "reproduce", filename, "--json").out)["error"]
    assert (refused["code"], refused["solvable"], refused["platforms"]) == ("platform_mismatch", True, [OTHER])
    asked = create("env", "reproduce", filename, "--solve")
    assert asked.code == 2
    assert "~ sigma 2.0 → 1.0" in asked.err
    assert not (create.home / "solved").exists()
    made = create.json("env", "reproduce", filename, "--solve", "--yes", "--prefix", "solved")
    assert [(one["name"], one["from"], one["to"]) for one in made["solved"]["versions"]] == [("sigma", "2.0", "1.0")]
    assert (made["solved"]["captured_on"], made["solved"]["platform"]) == (OTHER, current_platform())
    assert (create.home / "solved" / "share" / "sigma").read_text() == "here"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("numpy>=2",), "The first word is the name"),
        (("a", "packaging", "--file", "environment.yml"), "not with several"),
        ((), "Name the environment"),
        (("../up", "packaging"), "is a package"),
        (("a b", "packaging"), "cannot be the name"),
    ],
)
def test_what_is_missing_is_told(create: QuickCarrel, words: tuple[str, ...], told: str) -> None:
    (create.home / "environment.yml").write_text("dependencies: [packaging]\n")
    answer = create("env", "create", *words)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
