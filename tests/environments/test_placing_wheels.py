"""What is moved into place is what uv would have installed there itself."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from environment_fixtures import CancelWhen, change, contents, differences, package_index, python_says

from carrel.core.errors import Cancelled, CarrelError
from carrel.environments import Change, Sources, Spec, apply, applying, history, plan, restore
from carrel.environments.pypi import staging, uv
from carrel.testing.artifacts import Artifact, build_wheel


def tool(version: str = "1.0") -> Artifact:
    return build_wheel(
        "tool",
        version,
        files={
            "tool/__init__.py": f"def main():\n    print({version!r})\n",
            f"tool-{version}.data/data/share/tool/settings.txt": version,
            f"tool-{version}.data/scripts/tool-script": "#!python\nimport tool\ntool.main()\n",
            f"tool-{version}.data/headers/tool.h": "// header\n",
            f"tool-{version}.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
        },
    )


def wheel(name: str, version: str | None = None) -> Spec:
    return Spec(name, version, source="pypi")


def make_venv(prefix: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    return prefix


def tree(prefix: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and bytes of all files but our own and Python's, the name of the environment left out."""
    name = os.fsencode(str(prefix))
    found = {}
    for path in sorted(prefix.rglob("*")):
        relative = path.relative_to(prefix).as_posix()
        of_venv = relative.startswith((".carrel/", "bin/python", "bin/activate", "bin/Activate", "pyvenv.cfg"))
        if path.is_file() and path.suffix != ".pyc" and not of_venv:
            data = path.read_bytes().replace(name, b"PREFIX")
            if path.name == "RECORD":  # scripts name the environment, so their digests differ
                data = b"\n".join(sorted(row[0].encode() for row in csv.reader(data.decode().splitlines())))
            found[relative] = (path.stat().st_mode, data)
    return found


@pytest.mark.parametrize("folder", ["plain", "with space", "ümläut"])
def test_the_same_files_as_uv_installs(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    ours, uvs = make_venv(tmp_path / folder / "a"), make_venv(tmp_path / folder / "b")
    with package_index([tool()]) as index:
        sources = Sources(indexes=(index.url,))
        change(ours, sources, wheel("tool"))
        command = [uv.executable(), "pip", "install", "--quiet", "--python", uvs / "bin" / "python", "tool"]
        subprocess.run(command, check=True, env=uv.variables(sources))
    assert tree(ours) == tree(uvs)
    for script in ("tool", "tool-script"):
        assert subprocess.run([ours / "bin" / script], check=True, capture_output=True, text=True).stdout == "1.0\n"


def test_conda_environments_get_scripts_and_data_too(conda_env: Path) -> None:
    before = contents(conda_env)
    with package_index([tool(), tool("2.0")]) as index:
        sources = Sources(indexes=(index.url,))
        change(conda_env, sources, wheel("tool", "1.0"))
        change(conda_env, sources, update=["tool"])
    for script in ("tool", "tool-script"):
        assert subprocess.run([conda_env / "bin" / script], check=True, capture_output=True, text=True).stdout == "2.0\n"
    assert (conda_env / "share/tool/settings.txt").read_text() == "2.0"
    restore(conda_env, history(conda_env)[2].number)
    assert differences(before, contents(conda_env)) == []
    assert not (conda_env / "bin/tool").exists()
    assert not (conda_env / "share/tool").exists()


def test_nothing_stays_aside(venv: Path, pypi: Sources) -> None:
    change(venv, pypi, wheel("alpha", "1.0"))
    made = plan(venv, Change(update=("alpha",)), pypi)
    cancel = CancelWhen("link")
    with pytest.raises(Cancelled):
        apply(made, on_event=cancel, cancel=cancel)
    assert not (venv / ".carrel" / "staged").exists()


def test_what_a_dead_process_left_aside_is_not_placed(venv: Path, pypi: Sources) -> None:
    (venv / ".carrel/staged/lib/python3.99").mkdir(parents=True)
    (venv / ".carrel/staged/lib/stranger.txt").write_text("left")
    change(venv, pypi, wheel("alpha"))
    assert not (venv / "lib/stranger.txt").exists()
    assert not (venv / ".carrel/staged").exists()


def install_as_long_ago(library: Path) -> Path:
    old = library / "alpha-0.1-py3.egg-info"
    old.mkdir()
    (old / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: alpha\nVersion: 0.1\n")
    (old / "top_level.txt").write_text("alpha\n")
    (old / "installed-files.txt").write_text("../alpha/__init__.py\n../alpha/old.py\nPKG-INFO\n")
    (library / "alpha").mkdir()
    for name in ("__init__.py", "old.py"):
        (library / "alpha" / name).write_text("VERSION = '0.1'\n")
    return old


def develop_as_long_ago(library: Path, project: Path) -> None:
    (project / "alpha.egg-info").mkdir(parents=True)
    (project / "alpha.egg-info" / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: alpha\nVersion: 0.1\n")
    (project / "alpha.py").write_text("VERSION = '0.1'\n")
    (library / "alpha.egg-link").write_text(f"{project}\n.")
    (library / "easy-install.pth").write_text(f"{project}\n")


@pytest.mark.parametrize("how", ["installed", "developed"])
def test_what_setuptools_installed_long_ago_is_back_after_a_cancel(venv: Path, pypi: Sources, tmp_path: Path, how: str) -> None:
    (library,) = venv.glob("lib/python3*/site-packages")
    if how == "installed":
        install_as_long_ago(library)
    else:
        develop_as_long_ago(library, tmp_path / "project")
    before = contents(venv)
    made = plan(venv, Change((wheel("alpha", "2.0"),)), pypi)
    cancel = CancelWhen("verify")
    with pytest.raises(Cancelled):
        apply(made, on_event=cancel, cancel=cancel)
    assert differences(before, contents(venv)) == []
    apply(made)
    assert differences(before, contents(venv)) != []
    if how == "installed":
        restore(venv, history(venv)[1].number)
        assert differences(before, contents(venv)) == []


def test_what_setuptools_installed_long_ago_is_replaced(venv: Path, pypi: Sources) -> None:
    (library,) = venv.glob("lib/python3*/site-packages")
    old = install_as_long_ago(library)
    change(venv, pypi, wheel("alpha", "2.0"))
    assert python_says(venv, "import importlib.metadata as m; print(m.version('alpha'))").strip() == "2.0"
    assert not (library / "alpha/old.py").exists()
    assert not old.exists()


def test_a_library_on_another_file_system(venv: Path, pypi: Sources) -> None:
    others = [folder for folder in map(Path, ("/dev/shm", "/var/tmp")) if folder.is_dir() and folder.stat().st_dev != venv.stat().st_dev]
    if not others:
        pytest.skip("there is one file system only")
    with tempfile.TemporaryDirectory(dir=others[0]) as other:
        (library,) = venv.glob("lib/python3*/site-packages")
        library.rmdir()
        library.symlink_to(other, target_is_directory=True)
        change(venv, pypi, wheel("alpha"))
        assert python_says(venv, "import alpha; print(alpha.__file__)").startswith(str(library))


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_in_the_way_stays_and_is_named(venv: Path, what: str) -> None:
    (library,) = venv.glob("lib/python3*/site-packages")
    mine = library / "single.py" / "mine.txt" if what == "folder" else library / "package"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    before = contents(venv)
    single = build_wheel("single", files={"single.py": "VALUE = 1\n", "package/__init__.py": ""})
    with package_index([single]) as index, pytest.raises(CarrelError, match="as it was before") as caught:
        change(venv, Sources(indexes=(index.url,)), wheel("single"))
    assert str(mine.parent if what == "folder" else mine) in caught.value.detail
    assert differences(before, contents(venv)) == []
    assert mine.read_text() == "mine"


def test_only_new_files_are_written_when_marks_are_corrected(venv: Path, pypi: Sources) -> None:
    """What uv has in its cache may be the same file."""
    change(venv, pypi, wheel("alpha"))
    (record,) = venv.glob("lib/python3*/site-packages/beta-*.dist-info/RECORD")
    kept = record.with_name("kept")
    os.link(record, kept)
    text = kept.read_text()
    (record.parent / "REQUESTED").touch()
    record.write_text(text + f"{record.parent.name}/REQUESTED,,\n")
    os.link(record, other := record.with_name("other"))
    staging.mark_requested(venv, ["beta"], [])
    assert record.read_text() == text
    assert "REQUESTED" in other.read_text()


def test_what_is_unpacked_only_during_the_change_goes_with_it_too(conda_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "has_python", lambda *_: False)  # as when the Python that wheels are for comes in the same change
    mine = conda_env / "share/tool/settings.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    before = contents(conda_env)
    with package_index([tool()]) as index:
        made = plan(conda_env, Change((wheel("tool"),)), Sources(indexes=(index.url,)))
        cancel = CancelWhen("verify")
        with pytest.raises(Cancelled):
            apply(made, on_event=cancel, cancel=cancel)
    assert differences(before, contents(conda_env)) == []
    assert mine.read_text() == "mine"
