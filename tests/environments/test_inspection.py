"""What is told of environments of every make, from disk alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from environment_fixtures import PackageIndex, change

from carrel.core.errors import Unprocessable
from carrel.environments import Change, Installed, Sources, Spec, capture, inspect, installed, plan
from carrel.environments.locations import current_platform
from carrel.environments.pypi import uv

BACKEND = """
import os, zipfile
FILES = {"sea/__init__.py": "", "sea-3.dist-info/METADATA": "Metadata-Version: 2.1\\nName: sea\\nVersion: 3\\n",
         "sea-3.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}

def write(folder, files):
    rows = "".join(f"{name},,\\n" for name in [*files, "sea-3.dist-info/RECORD"])
    with zipfile.ZipFile(os.path.join(folder, "sea-3-py3-none-any.whl"), "w") as archive:
        for name, text in {**files, "sea-3.dist-info/RECORD": rows}.items():
            archive.writestr(name, text)
    return "sea-3-py3-none-any.whl"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return write(folder, FILES)

def build_editable(folder, config_settings=None, metadata_directory=None):
    here = os.path.dirname(os.path.abspath(__file__))
    return write(folder, {**{k: v for k, v in FILES.items() if "info" in k}, "_sea.pth": os.path.join(here, "src") + "\\n"})

def get_requires_for_build_wheel(config_settings=None): return []
def get_requires_for_build_editable(config_settings=None): return []
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Sources of a package, in a repository."""
    folder = tmp_path / "project"
    (folder / "src" / "sea").mkdir(parents=True)
    (folder / "src" / "sea" / "__init__.py").touch()
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "sea"\nversion = "3"\n'
    )
    git = ["git", "-C", folder, "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    return folder


def pip_install(prefix: Path, *words: str) -> None:
    subprocess.run(
        [uv.executable(), "pip", "install", "-q", "--offline", "--python", prefix / "bin" / "python", *words],
        check=True,
        capture_output=True,
    )


def one(prefix: Path, name: str) -> Installed:
    (found,) = [package for package in installed(prefix) if package.name == name]
    return found


def write_distribution(site: Path, name: str, version: str, files: Mapping[str, str] = {}, **extra: str) -> Path:
    """Write an installed distribution by hand."""
    folder = site / f"{name}-{version}.dist-info"
    contents = {
        f"{folder.name}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n",
        **{f"{folder.name}/{file}": text for file, text in extra.items()},
        **files,
    }
    for file, text in contents.items():
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(text)
    (folder / "RECORD").write_text("".join(f"{file},,{len(text)}\n" for file, text in contents.items()) + f"{folder.name}/RECORD,,\n")
    return folder


def test_editable_and_repository_are_told_with_commit_and_folder(venv: Path, project: Path) -> None:
    pip_install(venv, "-e", str(project))
    editable = one(venv, "sea")
    assert (editable.installer, editable.location, editable.import_names) == ("uv", str(project), ("sea",))
    assert editable.origin == project.as_uri()
    pip_install(venv, f"git+{project.as_uri()}")
    commit = subprocess.run(["git", "-C", project, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    of_repository = one(venv, "sea")
    assert of_repository.origin == f"git+{project.as_uri()}@{commit}"
    assert (of_repository.location, of_repository.requested, of_repository.import_names) == (None, True, ("sea",))


def test_origins_hold_no_credentials(venv: Path) -> None:
    (site,) = venv.glob("lib/python3*/site-packages")
    origin = {"url": "https://user:secret@git.example/x", "vcs_info": {"vcs": "git", "commit_id": "abc"}, "subdirectory": "py"}
    write_distribution(site, "one", "1", **{"direct_url.json": json.dumps(origin), "INSTALLER": "pip\n"})
    archive = {"url": "https://example.org/t/abcdefgh/two-2.zip?token=secret", "archive_info": {}}
    write_distribution(site, "two", "2", **{"direct_url.json": json.dumps(archive), "INSTALLER": "pip\n"})
    assert one(venv, "one").origin == "git+https://git.example/x@abc#subdirectory=py"
    assert one(venv, "two").origin == "https://example.org/two-2.zip"
    assert {package.channel for package in installed(venv)} == {""}


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"url": 3}', '{"url": "http://[x"}', '{"url": "https://a:b/c", "vcs_info": 7, "dir_info": "x"}']
)
def test_strange_origins_are_no_origins(venv: Path, text: str) -> None:
    (site,) = venv.glob("lib/python3*/site-packages")
    finder = {"__editable___odd_finder.py": "MAPPING = {'odd': 'relative', 'other': '/x'}\n"}
    write_distribution(site, "odd", "1", finder, **{"direct_url.json": text, "INSTALLER": "\0\n", "WHEEL": "Tag"})
    (site / "half-1.dist-info").mkdir()
    (site / "binary-1.dist-info").mkdir()
    (site / "binary-1.dist-info" / "METADATA").write_bytes(bytes(range(256)))
    (site / "RECORD-1.dist-info" / "METADATA").mkdir(parents=True)
    assert (one(venv, "odd").origin, one(venv, "odd").location) == ("", None)


def test_old_editable_installations(venv: Path, tmp_path: Path) -> None:
    (site,) = venv.glob("lib/python3*/site-packages")
    for name in ("linked", "found"):
        (tmp_path / name / name).mkdir(parents=True)
        (tmp_path / name / name / "__init__.py").touch()
    (tmp_path / "linked" / "setup.py").touch()
    (tmp_path / "linked" / "linked.egg-info").mkdir()
    (tmp_path / "linked" / "linked.egg-info" / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: linked\nVersion: 0.1\n")
    (site / "linked.egg-link").write_text(f"{tmp_path / 'linked'}\n.")
    finder = f"from x import y\nMAPPING: dict[str, str] = {{'found': {str(tmp_path / 'found' / 'found')!r}}}\nNAMESPACES = {{}}\n"
    pointers = {"__editable___found_2_finder.py": finder, "__editable__.found-2.pth": "import __editable___found_2_finder"}
    write_distribution(site, "found", "2", pointers, INSTALLER="pip\n")
    linked, found = one(venv, "linked"), one(venv, "found")
    assert (linked.location, linked.import_names, linked.installer) == (str(tmp_path / "linked"), ("linked",), "setuptools")
    assert (found.location, found.import_names) == (str(tmp_path / "found"), ("found",))


def test_who_made_it(venv: Path, tmp_path: Path) -> None:
    assert (inspect(venv).kind, inspect(venv).made_by) == ("venv", "venv")
    by_uv = tmp_path / "project" / ".venv"
    subprocess.run([uv.executable(), "venv", "-q", "--python", sys.executable, by_uv], check=True)
    assert (inspect(by_uv).made_by, inspect(by_uv).name) == ("uv", "project")
    assert inspect(by_uv).python_version.split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    (tmp_path / "old" / "bin").mkdir(parents=True)
    (tmp_path / "old" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "old" / "pyvenv.cfg").write_text(
        "home = /usr/bin\nimplementation = CPython\nversion_info = 3.10.4.final.0\nvirtualenv = 20.1\n"
    )
    assert (inspect(tmp_path / "old").made_by, inspect(tmp_path / "old").python_version) == ("virtualenv", "3.10.4")
    pixi = tmp_path / "tides" / ".pixi" / "envs" / "test"
    (pixi / "conda-meta").mkdir(parents=True)
    note = {"manifest_path": str(tmp_path / "tides" / "pixi.toml"), "environment_name": "test", "pixi_version": "0.50.0"}
    (pixi / "conda-meta" / "pixi").write_text(json.dumps(note))
    described = inspect(pixi)
    assert (described.kind, described.made_by, described.name, described.platform) == ("conda", "pixi", "tides:test", current_platform())
    assert installed(pixi) == []
    base = Path(sys.base_prefix)
    assert (inspect(base).kind, inspect(base).made_by) == ("system", "")


def test_conda_and_pip_side_by_side(conda_env: Path, sources: Sources, wheels: PackageIndex) -> None:
    change(conda_env, sources, Spec("beta"))
    pip_install_from(conda_env, wheels, "alpha==1.0")
    found = {package.name: package for package in installed(conda_env)}
    assert (found["beta"].source, found["beta"].installer, found["beta"].channel) == ("conda", "conda", sources.channels[0])
    assert (found["alpha"].source, found["alpha"].installer, found["alpha"].origin) == ("pypi", "uv", "")
    assert found["alpha"].size > 0
    assert found["python"].requested


def pip_install_from(prefix: Path, index: PackageIndex, *words: str) -> None:
    subprocess.run(
        [uv.executable(), "pip", "install", "-q", "--default-index", index.url, "--python", prefix / "bin" / "python", *words],
        check=True,
        capture_output=True,
    )


def test_a_damaged_record_hides_nothing_and_stops_every_change(conda_env: Path, sources: Sources) -> None:
    change(conda_env, sources, Spec("alpha", "2.0"))
    names = [package.name for package in installed(conda_env)]
    (record,) = (conda_env / "conda-meta").glob("alpha-*.json")
    text = record.read_text()
    for damage in ("", text[: len(text) // 2], "[]", '{"name": "alpha"}', '{"name": 3, "version": "1"}', "\0" * 50):
        record.unlink()
        record.write_text(damage)
        found = {package.name: package for package in installed(conda_env)}
        assert sorted(found) == sorted(names), damage
        assert (found["alpha"].version, found["alpha"].source) == ("2.0", "conda")
        assert inspect(conda_env).python_version
        for refused in (lambda: plan(conda_env, Change(remove=("beta",)), sources), lambda: capture(conda_env, sources)):
            with pytest.raises(Unprocessable, match="carrel env doctor") as error:
                refused()
            assert error.value.code == "damaged_environment"


def test_hundreds_of_packages_are_read_at_once(tmp_path: Path) -> None:
    prefix = tmp_path / "large"
    (prefix / "conda-meta").mkdir(parents=True)
    for number in range(300):
        name = f"package{number}"
        files = [f"lib/python3.11/site-packages/{name}/part{n % 9}/module{n}.py" for n in range(200)]
        files.append(f"lib/python3.11/site-packages/{name}-1.0.dist-info/METADATA")
        record = {
            "name": name,
            "version": "1.0",
            "build": "0",
            "files": files,
            "depends": [],
            "url": f"https://example.org/c/linux-64/{name}-1.0-0.conda",
            "paths_data": {"paths": [{"_path": file, "sha256": "0" * 64, "size_in_bytes": 5, "path_type": "hardlink"} for file in files]},
        }
        (prefix / "conda-meta" / f"{name}-1.0-0.json").write_text(json.dumps(record, indent=2))
    before = time.process_time()
    assert inspect(prefix).kind == "conda"
    assert len(installed(prefix)) == 300
    # time of the processor: the clock on the wall also measures what else runs here
    assert time.process_time() - before < 0.4
    before = time.process_time()
    assert len(installed(prefix)) == 300
    assert time.process_time() - before < 0.1
    assert [path.name for path in prefix.iterdir()] == ["conda-meta"]
