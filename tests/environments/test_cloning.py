"""Private copies: the same environment at another place, working there, and apart from what it was made of."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from environment_fixtures import CancelWhen, PackageIndex, change, contents, differences, freeze, python_says, run_as

from carrel.core.errors import BadRequest, Cancelled, Conflict, Forbidden, NotFound, Unprocessable
from carrel.core.progress import Progress
from carrel.environments import Change, Sources, Spec, clone, inspect, installed, plan, sweep
from carrel.environments.distributions import record_rows
from carrel.environments.locations import conda_cache_folder
from carrel.environments.pypi import uv
from carrel.testing.artifacts import build_wheel
from carrel.testing.conda_channel import index
from carrel.testing.conda_channel.packages import PLACEHOLDER, Member, Package, write_package

_NOBODY = 65534
_LIBRARY = f"lib={PLACEHOLDER}/lib:{PLACEHOLDER}/share\0rest\0".encode()


@pytest.fixture(scope="session")
def compiled_channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose files hold the prefix: in text, in a script, and in a binary file."""
    folder = tmp_path_factory.mktemp("compiled")
    members = (
        Member("lib/libcompiled.so", b"\x7fELF\0" + _LIBRARY),
        Member("lib/pkgconfig/compiled.pc", f"prefix={PLACEHOLDER}\nlibs=-L{PLACEHOLDER}/lib\n".encode()),
        Member("bin/compiled", f"#!{PLACEHOLDER}/bin/python\nimport sys; print(sys.prefix)\n".encode(), executable=True),
        Member("share/same.txt", b"nothing of the prefix\n"),
        Member("share/link", link_target="same.txt"),
    )
    write_package(Package("compiled", "1.0", members, subdir="linux-64"), folder)
    (folder / "noarch").mkdir(exist_ok=True)
    index(folder)
    return folder


@pytest.fixture(scope="session")
def original(channel: Path, compiled_channel: Path, wheels: PackageIndex) -> Iterator[tuple[Path, Path]]:
    """A conda environment with a kernel, compiled packages, a package from an index, an editable one and files of its own.

    Nobody may change it, and every user may read it.
    """
    folder = Path(tempfile.mkdtemp(prefix="carrel-original-"))
    folder.chmod(0o755)
    prefix, project = folder / "original", folder / "project"
    (prefix / "conda-meta").mkdir(parents=True)
    sources = Sources((channel.as_uri(), compiled_channel.as_uri()), (wheels.url,))
    change(prefix, sources, Spec("python"), Spec("ipykernel"), Spec("compiled"), Spec("gamma"))
    change(prefix, sources, Spec("beta", "2.0", "pypi"))
    script = build_wheel("tool", "1.0", entry_points={"tool": "tool:main"}, files={"tool/__init__.py": "def main(): print('tool')\n"})
    (folder / script.filename).write_bytes(script.data)
    (project / "src" / "edited").mkdir(parents=True)
    (project / "src" / "edited" / "__init__.py").write_text("")
    site = next(prefix.glob("lib/python3*/site-packages"))
    uv.run(
        ["pip", "install", "--python", prefix / "bin" / "python", "--no-deps", folder / script.filename],
        sources=Sources(),
        cancel=CancelWhen("-"),
    )
    (site / "project.pth").write_text(f"{project / 'src'}\n{prefix / 'extra'}\n")
    (prefix / "extra").mkdir()
    (prefix / "extra" / "here.py").write_text("WHERE = __file__\n")
    (prefix / "data.bin").write_bytes(os.urandom(3_000_000))
    (prefix / "settings.ini").write_text(f"home={prefix}/etc\nother={prefix}2/etc\n")
    (prefix / "to-data").symlink_to(prefix / "data.bin")
    (prefix / "conda-meta" / "frozen").write_text("{}")
    yield prefix, folder
    shutil.rmtree(folder)


def listed(prefix: Path) -> list[object]:
    return [(p.name, p.version, p.build, p.source, p.channel, p.requested, p.installer) for p in installed(prefix)]


def names(prefix: Path, text: Path) -> list[str]:
    """Files of *prefix* that hold the path *text*; compiled files and our own records left out."""
    found = subprocess.run(
        ["grep", "-rlF", "--exclude-dir=__pycache__", "--exclude-dir=.carrel", "--", f"{text}/", prefix],
        capture_output=True,
        text=True,
        check=False,
    )
    return sorted(Path(line).relative_to(prefix).as_posix() for line in found.stdout.splitlines())


@pytest.mark.parametrize("cached", ["all", "all but Python", "nothing"])
def test_a_copy_of_a_conda_environment_works_and_is_the_same(
    original: tuple[Path, Path], cached: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _ = original
    if cached != "all":
        cache = conda_cache_folder()
        monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "cache"))
        if cached == "all but Python":
            shutil.copytree(cache, conda_cache_folder(), symlinks=True, ignore=shutil.ignore_patterns("python-3*"))
    before = contents(source)
    seen: list[Progress] = []
    made = clone(source, tmp_path / "mine", on_event=seen.append)
    assert (made.kind, made.writable, made.python_version) == ("conda", True, inspect(source).python_version)
    assert differences(before, contents(source)) == []
    assert listed(made.prefix) == listed(source)
    assert freeze(made.prefix) == freeze(source)
    # nothing leads back
    assert [name for name in names(made.prefix, source) if name != "conda-meta/history"] == []
    assert [path for path in made.prefix.rglob("*") if path.is_symlink() and str(path.readlink()).startswith(str(source))] == []
    # what holds the prefix works at its new place
    assert subprocess.run([made.prefix / "bin" / "compiled"], capture_output=True, text=True, check=True).stdout.strip() == str(made.prefix)
    assert subprocess.run([made.prefix / "bin" / "tool"], capture_output=True, text=True, check=True).stdout == "tool\n"
    assert python_says(made.prefix, "import here, edited; print(here.WHERE)") == str(made.prefix / "extra" / "here.py")
    new = str(made.prefix)
    text = f"lib={new}/lib:{new}/share".encode()
    library = (made.prefix / "lib" / "libcompiled.so").read_bytes()
    assert library == (b"\x7fELF\0" + text).ljust(len(b"\x7fELF\0" + _LIBRARY) - len(b"\0rest\0"), b"\0") + b"\0rest\0"
    assert (made.prefix / "settings.ini").read_text() == f"home={new}/etc\nother={source}2/etc\n"
    assert (made.prefix / "to-data").resolve() == made.prefix / "data.bin"
    # the record of a carried distribution knows its rewritten script
    site = next(made.prefix.glob("lib/python3*/site-packages"))
    rows = {row[0]: row for row in record_rows(site / "tool-1.0.dist-info")}
    script = next(name for name in rows if name.endswith("bin/tool"))
    data = (site / script).resolve().read_bytes()
    assert rows[script][1:] == [f"sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')}", str(len(data))]
    if cached != "nothing":
        kept = next((conda_cache_folder() / "pkgs").glob("compiled-1.0-*/share/same.txt"))
        assert kept.samefile(made.prefix / "share" / "same.txt")
    # as many bytes were told of as files were copied
    copied = [event for event in seen if event.stage == "copy" and event.unit == "bytes"]
    assert copied[-1].done == copied[-1].total > 3_000_000
    assert sorted(event.done for event in copied) == [event.done for event in copied]


def test_a_copy_is_apart_from_the_original_and_can_be_changed(original: tuple[Path, Path], channel: Path, tmp_path: Path) -> None:
    source, _ = original
    with pytest.raises(Forbidden) as refused:
        plan(source, Change(add=(Spec("large"),)), Sources((channel.as_uri(),)))
    assert (refused.value.code, refused.value.fields["remedy"]) == ("read_only_environment", "clone")
    made = clone(source, tmp_path / "mine")
    own = {path.stat().st_ino for path in source.rglob("*") if path.is_file() and "pkgs" not in path.parts and path.stat().st_nlink == 1}
    assert not own & {path.stat().st_ino for path in made.prefix.rglob("*") if path.is_file()}
    before = contents(source)
    change(made.prefix, Sources((channel.as_uri(),)), Spec("large"), remove=("beta",))
    assert differences(before, contents(source)) == []
    assert "large" in {package.name for package in installed(made.prefix)}


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="becomes another user")
def test_somebody_elses_environment_can_be_copied(original: tuple[Path, Path]) -> None:
    """The copy is made by a user who may read the original and nothing else."""
    source, folder = original
    home = folder / "home"
    home.mkdir()
    os.chown(home, _NOBODY, _NOBODY)
    program = "import sys\nfrom carrel.environments import clone\nprint(clone(sys.argv[1], sys.argv[2]).writable)"
    done = run_as(_NOBODY, source / "bin" / "python", ["-c", program, source, home / "mine"], home)
    assert done.stdout.strip() == "True", done.stderr
    assert {path.lstat().st_uid for path in (home / "mine").rglob("*")} == {_NOBODY}
    assert listed(home / "mine") == listed(source)


@pytest.mark.parametrize("archive", ["there", "gone"])
def test_packages_of_which_nobody_noted_how_they_name_their_prefix(
    archive: str, compiled_channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old installers wrote down names of files alone: the package is fetched again, else its files are searched."""
    source = tmp_path / "theirs"
    (source / "conda-meta").mkdir(parents=True)
    change(source, Sources((compiled_channel.as_uri(),)), Spec("compiled"))
    record = next(source.glob("conda-meta/compiled-*.json"))
    data = json.loads(record.read_bytes())
    del data["paths_data"]
    data["url"] = data["url"] if archive == "there" else "file:///nowhere/linux-64/compiled.conda"
    record.write_text(json.dumps(data))
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "empty"))
    copy = clone(source, tmp_path / "mine").prefix  # a path just as long leaves room without a placeholder
    assert [name for name in names(copy, source) if name != "conda-meta/history"] == []
    assert f"lib={copy}/lib:{copy}/share\0".encode() in (copy / "lib" / "libcompiled.so").read_bytes()
    assert (copy / "bin" / "compiled").read_text().startswith(f"#!{copy}/bin/python\n")


def test_what_somebody_put_over_a_package_is_in_the_copy(original: tuple[Path, Path], channel: Path, tmp_path: Path) -> None:
    source = clone(original[0], tmp_path / "theirs").prefix
    site = next(source.glob("lib/python3*/site-packages"))
    changed = site / "alpha" / "__init__.py"
    text = changed.read_text()
    changed.unlink()
    changed.write_text(text + "PATCHED = True\n")
    (site / "alpha" / "only_in_1.py").unlink()
    copy = clone(source, tmp_path / "mine").prefix
    assert python_says(copy, "import alpha; print(alpha.PATCHED)") == "True"
    assert differences(contents(source), contents(copy))
    assert not (copy / site.relative_to(source) / "alpha" / "only_in_1.py").exists()


@pytest.mark.parametrize("made_by", ["venv", "uv", "uv --system-site-packages"])
def test_a_copy_of_a_virtual_environment(made_by: str, wheels: PackageIndex, tmp_path: Path) -> None:
    source = tmp_path / "theirs"
    base = getattr(sys, "_base_executable", sys.executable)
    if made_by == "venv":
        subprocess.run([base, "-m", "venv", "--without-pip", "--prompt", "special", source], check=True)
    else:
        uv.run(["venv", source, "--python", base, *made_by.split()[1:]], sources=Sources(), cancel=CancelWhen("-"))
    change(source, Sources(indexes=(wheels.url,)), Spec("alpha", "1.0", "pypi"))
    site = next(source.glob("lib/python3*/site-packages"))
    project = source / "src" / "inside"
    project.mkdir(parents=True)
    (project / "inside.py").write_text("WHERE = __file__\n")
    (site / "__editable___inside_finder.py").write_text(f"MAPPING = {{'inside': '{project / 'inside.py'}'}}\n")
    (site / "inside.pth").write_text(f"{project}\n")
    (source / "bin" / "say").write_text(f"#!{source}/bin/python\nimport sys, alpha; print(sys.prefix)\n")
    (source / "bin" / "say").chmod(0o755)
    made = clone(source, tmp_path / "mine")
    assert made.kind == "venv"
    assert freeze(made.prefix) == freeze(source)
    assert listed(made.prefix) == listed(source)
    assert subprocess.run([made.prefix / "bin" / "say"], capture_output=True, text=True, check=True).stdout.strip() == str(made.prefix)
    assert python_says(made.prefix, "import inside; print(inside.WHERE)") == str(made.prefix / "src" / "inside" / "inside.py")
    assert names(made.prefix, source) == []
    settings = (made.prefix / "pyvenv.cfg").read_text().lower()
    assert ("include-system-site-packages = true" in settings) == ("system" in made_by)
    assert ("special" in settings) == (made_by == "venv")
    shutil.rmtree(source)
    assert python_says(made.prefix, "import alpha, inside; print(1)") == "1"


def test_a_copy_of_a_systems_python_is_a_virtual_environment_with_its_packages(tmp_path: Path, channel: Path) -> None:
    """A prefix that is neither conda's nor a virtual environment: a Python with its packages."""
    source = tmp_path / "theirs"
    (source / "conda-meta").mkdir(parents=True)
    change(source, Sources((channel.as_uri(),)), Spec("python"), Spec("alpha", "1.0"))
    shutil.rmtree(source / "conda-meta")
    (source / "etc").mkdir(exist_ok=True)
    (source / "etc" / "large.conf").write_text("not the Python's\n")
    assert inspect(source).kind == "system"
    made = clone(source, tmp_path / "mine")
    assert made.kind == "venv"
    assert {(p.name, p.version) for p in installed(made.prefix)} == {(p.name, p.version) for p in installed(source)}
    assert python_says(made.prefix, "import alpha; print(alpha.__file__)").startswith(str(made.prefix))
    assert not (made.prefix / "etc").exists()


def test_a_virtual_environment_without_its_python_cannot_be_copied(venv: Path, tmp_path: Path) -> None:
    settings = (venv / "pyvenv.cfg").read_text()
    (venv / "pyvenv.cfg").write_text(
        "\n".join(
            f"home = {tmp_path}/gone" if line.startswith("home") else line for line in settings.splitlines() if "executable" not in line
        )
    )
    for program in (venv / "bin").glob("python*"):
        program.unlink()
    (venv / "bin" / "python").write_text("")
    with pytest.raises(NotFound) as caught:
        clone(venv, tmp_path / "mine")
    assert caught.value.code == "python_not_found"
    assert not (tmp_path / "mine").exists()


def test_a_cancelled_copy_leaves_nothing(original: tuple[Path, Path], tmp_path: Path) -> None:
    cancel = CancelWhen("copy", 1)
    with pytest.raises(Cancelled):
        clone(original[0], tmp_path / "mine", on_event=cancel, cancel=cancel)
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


_DIES = """
import os, signal, sys
from carrel.environments import clone
def die(event):
    if event.stage == "copy" and event.done:
        os.kill(os.getpid(), signal.SIGKILL)
clone(sys.argv[1], sys.argv[2], on_event=die)
"""


def test_what_a_dead_process_left_is_a_ruin(original: tuple[Path, Path], tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _DIES, original[0], tmp_path / "envs" / "mine"], check=False, capture_output=True)
    assert done.returncode == -9
    assert (tmp_path / "envs" / "mine").exists()
    assert sweep(tmp_path / "envs") == [tmp_path / "envs" / "mine"]
    assert not (tmp_path / "envs" / "mine").exists()


def test_refused_places(original: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    with pytest.raises(Conflict) as caught:
        clone(original[0], tmp_path / "taken")
    assert caught.value.code == "prefix_taken"
    assert (tmp_path / "taken" / "file").read_text() == "mine"
    with pytest.raises(BadRequest):
        clone(original[0], original[0] / "inside")
    with pytest.raises(NotFound):
        clone(tmp_path / "nowhere", tmp_path / "mine")


def test_a_path_that_a_binary_file_has_no_room_for(original: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "empty"))
    target = tmp_path.joinpath(*["a-long-folder-name-of-thirty-two"] * 8)
    with pytest.raises(Unprocessable) as caught:
        clone(original[0], target)
    assert caught.value.code == "prefix_too_long"
    assert "libcompiled.so" in caught.value.detail
    assert not target.exists()
