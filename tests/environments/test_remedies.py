"""What exists on one machine alone is brought to a hub, and the environment can be rebuilt without that machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from environment_fixtures import change, package_index, python_says

from carrel.client.hub import HubClient
from carrel.core.errors import Conflict, NotFound, Unavailable, Unprocessable
from carrel.environments import Sources, Spec, capture, inspection, rebuild, wheels
from carrel.environments.remedies import Remedied, can_be_carried_out, carry_out
from carrel.formats.environment import dump_lock, load_lock
from carrel.formats.environment.lock import Lock, LockProblem
from carrel.testing.artifacts import build_wheel
from carrel.testing.hub import HubProcess

_numbers = count(1)
_BACKEND = """
import base64, hashlib, os, zipfile
VERSION = "1.0"
def _wheel(folder, files):
    name = f"mine-{VERSION}-py3-none-any.whl"
    info = f"mine-{VERSION}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: mine\\nVersion: {VERSION}\\nRequires-Dist: beta\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/entry_points.txt": "[console_scripts]\\nmine = mine:main\\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\\n"}.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return name
def build_wheel(folder, settings=None, metadata=None):
    return _wheel(folder, {"mine.py": open("mine.py").read()})
def build_editable(folder, settings=None, metadata=None):
    return _wheel(folder, {"mine.pth": os.getcwd() + "\\n"})
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Sources that are built with what they bring themselves."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n')
    (folder / "backend.py").write_text(_BACKEND)
    (folder / "mine.py").write_text("ANSWER = 42\ndef main(): print(ANSWER)\n")
    return folder


@dataclass(frozen=True)
class Person:
    """A user of the hub."""

    name: str
    client: HubClient
    token: str

    def sources(self, others: Sources) -> Sources:
        """Their namespace before *others*."""
        hub = self.client.base_url
        headers = {f"{hub}/": {"Authorization": f"Bearer {self.token}"}}
        return Sources((f"{hub}/conda/{self.name}", *others.channels), (f"{hub}/pypi/{self.name}/simple/", *others.indexes), headers)

    def carry_out(self, problem: LockProblem, prefix: Path, **options: Any) -> Remedied:
        return carry_out(problem, prefix, self.client, self.name, **options)

    def remedy_all(self, prefix: Path, lock: Lock) -> dict[str, str]:
        return {problem.name: self.carry_out(problem, prefix).how for problem in lock.problems if can_be_carried_out(problem)}


@pytest.fixture
def ada(hub: HubProcess) -> Person:
    name = f"ada{next(_numbers)}"
    token = hub.create_user(name)
    return Person(name, HubClient(hub.url, token), token)


def install(prefix: Path, *what: object, indexes: Sources | None = None) -> None:
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "--quiet", "--no-config", "--no-deps", "--python", prefix / "bin" / "python", *what]
    command += ["--index-url", indexes.indexes[0]] if indexes else ["--offline"]
    subprocess.run(command, check=True)


def test_everything_local_becomes_rebuildable(venv: Path, pypi: Sources, project: Path, ada: Person, tmp_path: Path) -> None:
    wheel = build_wheel("local-one", "1.0", files={"local_one.py": "X = 1\n"}, entry_points={"one": "local_one:X"})
    (tmp_path / wheel.filename).write_bytes(wheel.data)
    with package_index([build_wheel("vanished", "3.0")]) as gone:
        install(venv, "vanished", indexes=Sources(indexes=(gone.url,)))
    install(venv, tmp_path / wheel.filename)
    install(venv, "-e", project)
    change(venv, pypi, Spec("beta", "1.0", source="pypi"))
    sources = ada.sources(pypi)

    before = capture(venv, sources)
    remedies = {problem.name: (problem.code, problem.remedy) for problem in before.problems}
    assert remedies == {
        "mine": ("editable", "build_wheel"),
        "local-one": ("local_wheel", "upload_wheel"),
        "vanished": ("not_on_index", "upload_wheel"),
    }
    kept = load_lock(*dump_lock(before))
    assert kept.problems == before.problems

    assert ada.remedy_all(venv, before) == {"mine": "built", "local-one": "taken", "vanished": "repacked"}
    assert {ada.client.package(ada.name, name).visibility for name in ("mine", "local-one", "vanished")} == {"private"}
    after = capture(venv, sources)
    assert after.problems == ()
    assert {item.name: item.index for item in after.pypi} == {
        "beta": pypi.indexes[0], "local-one": sources.indexes[0], "mine": sources.indexes[0], "vanished": sources.indexes[0]
    }  # fmt: skip
    assert all(item.sha256 and item.size for item in after.pypi)

    # another machine has neither the folder nor the file, and knows the hub's token
    shutil.rmtree(project)
    (tmp_path / wheel.filename).unlink()
    elsewhere = tmp_path / "elsewhere"
    rebuild(load_lock(*dump_lock(after)), elsewhere, sources=Sources(headers=sources.headers))
    assert python_says(elsewhere, "import mine, local_one, vanished; print(mine.ANSWER)") == "42"
    assert subprocess.run([elsewhere / "bin" / "mine"], capture_output=True, text=True, check=True).stdout == "42\n"


def test_changed_sources_are_another_wheel(venv: Path, pypi: Sources, project: Path, ada: Person) -> None:
    install(venv, "-e", project)
    sources = ada.sources(pypi)
    first = ada.carry_out(capture(venv, sources).problems[0], venv)
    assert capture(venv, sources).problems == ()
    (project / "__pycache__").mkdir(exist_ok=True)
    (project / "__pycache__" / "mine.pyc").touch()
    assert capture(venv, sources).problems == ()

    (project / "mine.py").write_text("ANSWER = 43\n")
    changed = capture(venv, sources).problems
    assert [problem.code for problem in changed] == ["editable"]
    second = ada.carry_out(changed[0], venv)
    # the name of the first wheel stays with its bytes
    assert (first.version, second.version[:4]) == ("1.0", "1.0+")
    again = capture(venv, sources)
    assert again.problems == ()
    locked = again.pypi[0]
    assert (locked.version, locked.sha256) == (second.version, second.sha256)
    # an index that never got it knows nothing, whatever was noted down
    assert [problem.code for problem in capture(venv, pypi).problems] == ["editable"]


def test_a_folder_that_was_installed_is_put_together_again(venv: Path, pypi: Sources, project: Path, ada: Person) -> None:
    install(venv, project)
    shutil.rmtree(project)
    problem = capture(venv, ada.sources(pypi)).problems[0]
    assert (problem.code, problem.remedy) == ("local_folder", "build_wheel")
    made = ada.carry_out(problem, venv)
    assert made.how == "repacked"
    assert capture(venv, ada.sources(pypi)).problems == ()


def test_repacked_wheels_are_what_was_installed(venv: Path, tmp_path: Path) -> None:
    wheel = build_wheel(
        "tool-kit", "2.0", files={"tool_kit/__init__.py": "", "tool_kit/data.bin": b"\0\1"}, entry_points={"kit": "tool_kit:x"}
    )
    (tmp_path / wheel.filename).write_bytes(wheel.data)
    install(venv, tmp_path / wheel.filename)
    subprocess.run([venv / "bin" / "python", "-c", "import tool_kit"], check=True)
    distribution = inspection.python_distributions(venv)[0]
    (tmp_path / "out").mkdir()
    made = wheels.repack(distribution, tmp_path / "out")
    assert made.name == wheel.filename
    assert made.read_bytes() == wheels.repack(distribution, tmp_path / "out").read_bytes()
    with zipfile.ZipFile(made) as ours, zipfile.ZipFile(tmp_path / wheel.filename) as theirs:
        assert sorted(ours.namelist()) == sorted(theirs.namelist())
        different = [name for name in ours.namelist() if ours.read(name) != theirs.read(name)]
        assert [name for name in different if not name.endswith("RECORD")] == []
    assert wheels.holds_the_same(tmp_path / wheel.filename, distribution)

    (distribution.site_packages / "tool_kit" / "__init__.py").write_text("changed = True\n")
    with pytest.raises(Conflict) as caught:
        wheels.repack(distribution, tmp_path / "out")
    assert caught.value.code == "changed_since_installed"
    assert caught.value.fields["files"] == ["tool_kit/__init__.py"]
    assert wheels.holds_the_same(tmp_path / wheel.filename, distribution)  # the record, not the files


def test_what_cannot_be_built_says_why(
    venv: Path, pypi: Sources, project: Path, ada: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))  # that of all tests may have the build tool
    install(venv, "-e", project)
    problem = capture(venv, pypi).problems[0]
    (project / "backend.py").write_text("raise RuntimeError('the compiler is missing')\n")
    with pytest.raises(Unavailable) as caught:
        ada.carry_out(problem, venv)
    assert caught.value.code == "build_failed"
    assert "the compiler is missing" in caught.value.fields["log"]
    (project / "pyproject.toml").write_text('[build-system]\nrequires = ["gamma"]\nbuild-backend = "backend"\nbackend-path = ["."]\n')
    (project / "backend.py").write_text(_BACKEND)
    with pytest.raises(Unavailable, match="Nothing was fetched"):
        ada.carry_out(problem, venv, sources=pypi)
    assert ada.carry_out(problem, venv, sources=pypi, network=True).how == "built"
    shutil.rmtree(project)
    with pytest.raises(NotFound) as gone:
        ada.carry_out(problem, venv)
    assert gone.value.code == "sources_gone"
    with pytest.raises(Unprocessable):
        ada.carry_out(LockProblem("no_index", "Add the index.", "beta", "add_index"), venv)


def test_conda_packages_of_a_folder_are_copied(conda_env: Path, channel: Path, sources: Sources, ada: Person, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(channel, own, copy_function=lambda a, b: Path(b).hardlink_to(a))
    change(conda_env, Sources(channels=(own.as_uri(),)), Spec("gamma"))
    wider = ada.sources(sources)
    nobody = Sources((wider.channels[0],), headers=wider.headers)
    # the namespace is known, and lately read
    ada.client.upload_file(ada.name, next(channel.glob("noarch/beta-1.0-*")), next(channel.glob("noarch/beta-1.0-*")).name)
    before = capture(conda_env, nobody)
    local = {problem.name for problem in before.problems}
    assert {"gamma", "alpha"} <= local
    assert {problem.remedy for problem in before.problems} == {"copy_package"}
    # another channel has the same bytes: nothing needs to be copied
    assert capture(conda_env, sources).problems == ()

    assert ada.remedy_all(conda_env, before) == dict.fromkeys(local, "copied")
    after = capture(conda_env, nobody)
    assert after.problems == ()
    assert {item.channel for item in after.conda if item.name in local} == {wider.channels[0]}
    assert after.digest == before.digest
    shutil.rmtree(own)
    rebuild(after, tmp_path / "elsewhere", sources=Sources(headers=wider.headers))
    assert python_says(tmp_path / "elsewhere", "import gamma, alpha; print(alpha.__version__)") == "1.0"


def test_an_archive_that_is_gone_is_not_made_up(conda_env: Path, channel: Path, ada: Person, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(channel, own, copy_function=lambda a, b: Path(b).hardlink_to(a))
    change(conda_env, Sources(channels=(own.as_uri(),)), Spec("beta", "1.0"))
    problem = next(one for one in capture(conda_env, Sources()).problems if one.name == "beta")
    archive = next(own.glob("noarch/beta-1.0-*"))
    archive.unlink()
    archive.write_bytes(b"something else")
    with pytest.raises(NotFound) as caught:
        ada.carry_out(problem, conda_env)
    assert caught.value.code == "archive_gone"
