"""What is found wrong in damaged environments, and what repairing them leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from environment_fixtures import PackageIndex, change, contents, differences, package_index, python_says

from carrel.core.errors import CarrelError, NotFound
from carrel.core.progress import Progress
from carrel.environments import Problem, Sources, Spec, building, history, installed, locks, problems, repair, repairs, transactions
from carrel.environments.pypi import uv
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import index, serve


@pytest.fixture(scope="session")
def pattern(channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with packages of conda; its channel is not served any more."""
    prefix = tmp_path_factory.mktemp("pattern") / "whole"
    (prefix / "conda-meta").mkdir(parents=True)
    with serve(channel) as server:
        change(prefix, Sources((server.url,)), Spec("python"), Spec("alpha", "2.0"), Spec("large"))
    return prefix


@pytest.fixture
def prefix(pattern: Path, tmp_path: Path) -> Path:
    """A copy of *pattern*: names are its own, bytes are shared, so tests replace files and never write into them."""
    target = tmp_path / "analysis"
    shutil.copytree(pattern, target, symlinks=True, copy_function=os.link)
    return target


def replace(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)


def codes(prefix: Path) -> list[str]:
    return [problem.code for problem in problems(prefix)]


def only(prefix: Path) -> Problem:
    (found,) = problems(prefix)
    return found


def record_of(prefix: Path, name: str) -> Path:
    (found,) = (prefix / "conda-meta").glob(f"{name}-[0-9]*.json")
    return found


def edit(path: Path, **members: object) -> None:
    replace(path, json.dumps({**json.loads(path.read_bytes()), **members}, indent=2))


def site(prefix: Path) -> Path:
    (found,) = prefix.glob("lib/python3*/site-packages")
    return found


def uv_install(prefix: Path, index: PackageIndex, *words: str) -> None:
    command = [uv.executable(), "pip", "install", "-q", "--default-index", index.url, "--python", prefix / "bin" / "python", *words]
    subprocess.run(command, check=True, capture_output=True)


def test_a_whole_environment_has_none(prefix: Path, venv: Path) -> None:
    assert problems(prefix) == ()
    assert problems(venv) == ()
    assert repair(prefix) == ()


def test_dependencies_of_conda_packages(prefix: Path) -> None:
    record = record_of(prefix, "alpha")
    whole = json.loads(record.read_bytes())["depends"]
    for depends, code, names in [
        (["gone >=1"], "missing_dependency", ("alpha", "gone")),
        (["beta >=3|<1"], "unsatisfied_dependency", ("alpha", "beta")),
        (["beta 2.0 *_7"], "unsatisfied_dependency", ("alpha", "beta")),
        (["__cuda >=99"], "unsatisfied_platform", ("alpha",)),
        (["beta >=1,<3", "beta 1.0|2.0", "beta * 0", "__unix", "python >=3.8,<4.0a0", "python_abi; if x"], None, ()),
    ]:
        edit(record, depends=[*whole, *depends])
        if code is None:
            assert problems(prefix) == ()
        else:
            found = only(prefix)
            assert (found.code, found.names) == (code, names)
            assert depends[0] in found.message
            assert found.remedy
    edit(record, depends=whole, constrains=["beta <2"])
    assert codes(prefix) == ["unsatisfied_dependency"]


def test_dependencies_of_python_packages(venv: Path) -> None:
    def write(name: str, version: str, *requires: str) -> None:
        folder = site(venv) / f"{name}-{version}.dist-info"
        folder.mkdir(exist_ok=True)
        lines = "".join(f"Requires-Dist: {text}\n" for text in requires)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}\n")
        (folder / "RECORD").write_text(f"{folder.name}/METADATA,,\n{folder.name}/RECORD,,\n")

    write("base", "1.0", "nothing; python_version < '3'", "windows-only; sys_platform == 'win32'", "plot; extra == 'plot'")
    assert problems(venv) == ()
    write("user", "1.0", "base[plot]>=1", "Base.Package ; extra == 'x' or python_version > '3'", "base<1; python_version > '3'")
    found = {problem.names: problem.code for problem in problems(venv)}
    assert found == {
        ("base", "plot"): "missing_dependency",
        ("user", "base-package"): "missing_dependency",
        ("user", "base"): "unsatisfied_dependency",
    }


def test_lost_files_come_back_without_a_network(prefix: Path) -> None:
    before = contents(prefix)
    (site(prefix) / "alpha" / "__init__.py").unlink()
    (prefix / "share" / "large.bin").unlink()
    found = problems(prefix)
    assert [(problem.code, problem.names) for problem in found] == [("missing_files", ("alpha",)), ("missing_files", ("large",))]
    assert "1 of its" in found[0].message
    assert "alpha/__init__.py" in found[0].message
    assert [one.action for one in repairs(prefix)] == ["install alpha 2.0 0 again", "install large 1.0 0 again"]
    assert differences(before, contents(prefix)) == ["lib/python3.11/site-packages/alpha/__init__.py", "share/large.bin"]
    assert len(repair(prefix)) == 2
    assert problems(prefix) == ()
    assert python_says(prefix, "import alpha; print(alpha.__version__)") == "2.0"
    assert [path for path in differences(before, contents(prefix)) if not path.startswith("conda-meta/")] == []
    assert history(prefix)[0].summary.startswith("repaired alpha, large")


def test_a_damaged_record_comes_back_to_the_byte(prefix: Path) -> None:
    record = record_of(prefix, "alpha")
    text = record.read_bytes()
    replace(record, "")
    assert (only(prefix).code, only(prefix).names) == ("damaged_record", ("alpha",))
    assert "empty" in only(prefix).message
    repair(prefix)
    assert record.read_bytes() == text
    assert problems(prefix) == ()


def test_a_damaged_record_that_nobody_kept_is_made_anew(prefix: Path) -> None:
    shutil.rmtree(prefix / ".carrel")
    record = record_of(prefix, "alpha")
    text = record.read_text()
    (site(prefix) / "alpha" / "only_in_2.py").unlink()
    replace(record, text.rstrip().rstrip("}"))
    assert codes(prefix) == ["damaged_record"]
    repair(prefix)
    assert problems(prefix) == ()
    again = json.loads(record_of(prefix, "alpha").read_bytes())
    whole = json.loads(text)
    assert [again[key] for key in ("name", "version", "sha256", "requested_specs")] == [
        whole[key] for key in ("name", "version", "sha256", "requested_specs")
    ]
    assert sorted(again["files"]) == sorted(whole["files"])
    # nothing is known: then nothing is guessed
    shutil.rmtree(prefix / ".carrel")
    replace(prefix / "conda-meta" / "history", "")
    replace(record_of(prefix, "beta"), "")
    assert codes(prefix) == ["damaged_record"]
    assert repairs(prefix) == ()


def test_two_records_of_one_package(prefix: Path) -> None:
    record = record_of(prefix, "beta")
    old = record.with_name("beta-1.0-0.json")
    described = json.loads(record.read_bytes())
    files = [file.replace("2", "1") if "2" in Path(file).name or "2.0" in file else file for file in described["files"]]
    replace(old, json.dumps({**described, "version": "1.0", "files": files}))
    assert "duplicate_record" in codes(prefix)
    repair(prefix)
    assert problems(prefix) == ()
    assert record_of(prefix, "beta") == record
    assert python_says(prefix, "import beta; print(beta.__version__)") == "2.0"


def test_pip_over_conda(prefix: Path, wheels: PackageIndex) -> None:
    uv_install(prefix, wheels, "beta==1.0")
    found = [problem for problem in problems(prefix) if problem.code == "pip_over_conda"]
    assert [problem.names for problem in found] == [("beta",)]
    assert "beta 1.0 was installed by uv over conda's beta 2.0" in found[0].message
    repair(prefix)
    assert problems(prefix) == ()
    assert {package.name: package.source for package in installed(prefix)}["beta"] == "conda"
    assert python_says(prefix, "import beta; print(beta.__version__)") == "2.0"


@pytest.fixture
def signed(prefix: Path, tmp_path: Path) -> Path:
    """*prefix* with two packages that bring a list of files; the second is signed by pip from the start."""
    channel = tmp_path / "signed"
    (channel / "noarch").mkdir(parents=True)
    for name, by in (("sigma", "conda"), ("rho", "pip")):
        folder = f"{name}-1.0.dist-info"
        files = {
            f"{name}/__init__.py": "by = 'conda'\n",
            f"{name}/only_of_conda.py": "",
            f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\n",
            f"{folder}/INSTALLER": f"{by}\n",
        }
        files[f"{folder}/RECORD"] = "".join(f"{file},,\n" for file in (*files, f"{folder}/RECORD"))
        inside = {f"site-packages/{file}": text for file, text in files.items()}
        artifact = build_conda(name, "1.0", noarch="python", depends=["python"], files=inside)
        (channel / "noarch" / artifact.filename).write_bytes(artifact.data)
    index(channel)
    with serve(channel) as server:
        change(prefix, Sources((server.url,)), Spec("sigma"), Spec("rho"))
    return prefix


@pytest.mark.parametrize("name", ["sigma", "rho"])
def test_pip_over_conda_in_the_same_version(signed: Path, name: str) -> None:
    assert problems(signed) == ()
    before = contents(signed)
    brought = {f"{name}/__init__.py": "by = 'pip'\n", f"{name}/only_of_pip.py": ""}
    with package_index([build_wheel(name, "1.0", files=brought)]) as wheels:
        uv_install(signed, wheels, "--reinstall", f"{name}==1.0")
    assert python_says(signed, f"import {name}; print({name}.by)") == "pip"
    found = [problem for problem in problems(signed) if problem.code == "pip_over_conda"]
    assert [(problem.names, problem.message) for problem in found] == [
        ((name,), f"{name} 1.0 was installed by uv over conda's {name}, in the same version.")
    ]
    damaged = contents(signed)
    with pytest.MonkeyPatch.context() as patch:  # a repair that fails leaves everything as it was

        def stumble(*_: object, **__: object) -> None:
            raise CarrelError("the interpreter stumbles")

        patch.setattr("carrel.environments.repairing.verifying.verify", stumble)
        with pytest.raises(CarrelError, match="stumbles"):
            repair(signed)
    assert differences(damaged, contents(signed)) == []
    assert f"remove {name} 1.0 and install {name} 1.0" in repairs(signed)[0].action
    repair(signed)
    assert problems(signed) == ()
    assert differences(before, contents(signed)) == []


def test_two_installations_and_leftovers_of_pip(venv: Path, wheels: PackageIndex) -> None:
    uv_install(venv, wheels, "beta==2.0")
    shadowed = site(venv) / "beta-1.0.dist-info"
    shadowed.mkdir()
    (shadowed / "METADATA").write_text("Metadata-Version: 2.1\nName: beta\nVersion: 1.0\n\n")
    (shadowed / "RECORD").write_text("beta.py,,99999\nbeta_of_old.py,,7\nbeta-1.0.dist-info/METADATA,,50\nbeta-1.0.dist-info/RECORD,,\n")
    (site(venv) / "~eta-0.9.dist-info").mkdir()
    (site(venv) / "~eta").mkdir()
    (site(venv) / "~eta" / "__init__.py").touch()
    assert sorted(set(codes(venv))) == ["duplicate_distribution", "leftover", "missing_files"]
    repair(venv)
    assert problems(venv) == ()
    assert [package.version for package in installed(venv)] == ["2.0"]
    assert python_says(venv, "import beta; print('there')") == "there"


def test_a_python_package_is_installed_again(venv: Path, wheels: PackageIndex) -> None:
    uv_install(venv, wheels, "gamma==1.0", "beta==1.0")
    (site(venv) / "beta.py").unlink(missing_ok=True)
    shutil.rmtree(site(venv) / "beta", ignore_errors=True)
    assert codes(venv) == ["missing_files"]
    with pytest.raises(NotFound, match="index"):
        repair(venv)
    (site(venv) / "~eta").mkdir()
    assert [one.problem.code for one in repair(venv)] == ["leftover"]  # what can be done is done
    assert codes(venv) == ["missing_files"]
    repair(venv, sources=Sources(indexes=(wheels.url,)))
    assert problems(venv) == ()
    assert {package.name: package.requested for package in installed(venv)} == {"beta": True, "gamma": True}


def test_what_is_broken_without_a_record(prefix: Path, venv: Path) -> None:
    (site(venv) / "lost-1.0.dist-info").mkdir()
    bare = site(venv) / "bare-1.0.dist-info"
    bare.mkdir()
    (bare / "METADATA").write_text("Metadata-Version: 2.1\nName: bare\nVersion: 1.0\n\n")
    assert [(problem.code, problem.names) for problem in problems(venv)] == [
        ("damaged_distribution", ("lost",)),
        ("no_file_list", ("bare",)),
    ]
    history_file = prefix / "conda-meta" / "history"
    history_file.unlink()
    assert codes(prefix) == ["no_history"]
    repair(prefix)
    assert problems(prefix) == ()


def test_interpreters_that_are_gone(venv: Path, tmp_path: Path) -> None:
    program = venv / "bin" / "python"
    for path in (venv / "bin").glob("python*"):
        path.unlink()
    program.symlink_to(tmp_path / "uninstalled" / "bin" / "python3.11")
    assert (only(venv).code, only(venv).names) == ("dangling_interpreter", ("python",))
    assert str(tmp_path / "uninstalled") in only(venv).message
    (tmp_path / "uninstalled" / "bin").mkdir(parents=True)
    (tmp_path / "uninstalled" / "bin" / "python3.11").symlink_to("python3.99")
    (tmp_path / "uninstalled" / "bin" / "python3.99").touch()
    assert codes(venv) == ["other_python"]


def test_an_interrupted_change_is_brought_back(prefix: Path) -> None:
    before = contents(prefix)
    transactions.begin(prefix, ["alpha"], [], ["share/new.txt"])
    (prefix / "share" / "new.txt").touch()
    shutil.rmtree(site(prefix) / "alpha")
    assert codes(prefix)[0] == "interrupted_change"
    done = repair(prefix)
    assert [one.problem.code for one in done] == ["interrupted_change"]
    assert problems(prefix) == ()
    assert differences(before, contents(prefix)) == []


def test_ruins_are_removed_and_what_is_being_built_is_not(prefix: Path) -> None:
    marker = building.partial(prefix)
    marker.write_text("{}")
    with locks.locked(building.lock_path(prefix), "it"):
        assert problems(prefix) == ()
        assert repair(prefix) == ()
    assert prefix.is_dir()
    assert codes(prefix) == ["half_built"]
    assert [one.problem.code for one in repair(prefix)] == ["half_built"]
    assert not prefix.exists()
    assert not marker.exists()


def test_looking_at_a_read_only_environment_writes_nothing(prefix: Path) -> None:
    (site(prefix) / "alpha" / "__init__.py").unlink()
    before = {path: path.stat().st_mtime_ns for path in [prefix, *prefix.rglob("*")]}
    assert codes(prefix) == ["missing_files"]
    assert repairs(prefix)
    installed(prefix)
    assert {path: path.stat().st_mtime_ns for path in [prefix, *prefix.rglob("*")]} == before


def test_a_repair_that_fails_changes_nothing(prefix: Path, wheels: PackageIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uv_install(prefix, wheels, "beta==1.0")
    shutil.rmtree(prefix / ".carrel")
    record = record_of(prefix, "alpha")
    replace(record, record.read_text().rstrip().rstrip("}"))
    before = contents_of_files(prefix)

    def stumble(*_arguments: object, **_options: object) -> None:
        raise CarrelError("It does not start.", code="verification_failed")

    with monkeypatch.context() as patch:
        patch.setattr("carrel.environments.repairing.verifying.verify", stumble)
        with pytest.raises(CarrelError, match="does not start"):
            repair(prefix)
    assert differences(before, contents_of_files(prefix)) == []
    cancelled = _CancelWhenLinking()
    with pytest.raises(CarrelError, match="cancelled"):
        repair(prefix, on_event=cancelled, cancel=cancelled)
    assert differences(before, contents_of_files(prefix)) == []
    # the packages are in no cache, and where they came from is not there any more
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(CarrelError):
        repair(prefix)
    assert differences(before, contents_of_files(prefix)) == []


@pytest.mark.parametrize("moment", ["begin", "link", "verify", "commit"])
def test_a_repair_that_is_killed_is_finished_by_the_next(prefix: Path, wheels: PackageIndex, moment: str) -> None:
    uv_install(prefix, wheels, "beta==1.0")
    shutil.rmtree(prefix / ".carrel")
    record = record_of(prefix, "alpha")
    replace(record, record.read_text().rstrip().rstrip("}"))
    where = {
        "begin": "transactions.begin",
        "link": "repairing.engine.link",
        "verify": "repairing.verifying.verify",
        "commit": "revisions.record",
    }[moment]
    code = f"""
import os, sys
from carrel.environments import repair, repairing, revisions, transactions
owner, _, name = {where!r}.rpartition(".")
owner = eval(owner)
real = getattr(owner, name)
def die(*arguments, **options):
    if {moment!r} != "commit" or arguments[1] == "change":
        if {moment!r} != "verify":
            real(*arguments, **options)
        os.kill(os.getpid(), 9)
    return real(*arguments, **options)
setattr(owner, name, die)
repair(sys.argv[1])
"""
    assert subprocess.run([sys.executable, "-c", code, prefix], check=False).returncode == -9
    repair(prefix)
    assert problems(prefix) == ()
    assert python_says(prefix, "import alpha, beta; print(alpha.__version__, beta.__version__)") == "2.0 2.0"


class _CancelWhenLinking:
    fired = False

    def is_set(self) -> bool:
        return self.fired

    def __call__(self, event: Progress) -> None:
        self.fired = self.fired or event.stage == "link"


def contents_of_files(prefix: Path) -> dict[str, bytes]:
    """Like ``contents``, records as they are, for some are damaged."""
    return {
        path.relative_to(prefix).as_posix(): path.read_bytes()
        for path in prefix.rglob("*")
        if path.is_file() and ".carrel" not in path.parts and "__pycache__" not in path.parts and path.name != ".lock"
    }


def test_hundreds_of_packages_are_judged_at_once(tmp_path: Path) -> None:
    prefix = tmp_path / "large"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").touch()
    for number in range(300):
        name, folder = f"package{number}", f"lib/python3.11/site-packages/package{number}"
        files = [f"{folder}/part{n % 3}/module{n}.py" for n in range(8)]
        for part in range(3):
            (prefix / folder / f"part{part}").mkdir(parents=True)
        for file in files:
            (prefix / file).touch()
        record = {
            "name": name,
            "version": "1.0",
            "build": "0",
            "build_number": 0,
            "subdir": "linux-64",
            "fn": f"{name}-1.0-0.conda",
            "channel": "https://example.org/c",
            "url": f"https://example.org/c/linux-64/{name}-1.0-0.conda",
            "files": files,
            "depends": [f"package{(number + step) % 300} >=0.9,<2.0a0" for step in range(8)],
            "paths_data": {"paths_version": 1, "paths": [{"_path": file, "path_type": "hardlink", "size_in_bytes": 0} for file in files]},
        }
        (prefix / "conda-meta" / f"{name}-1.0-0.json").write_text(json.dumps(record, indent=2))
    before = time.process_time()
    assert problems(prefix) == ()
    assert time.process_time() - before < 1
