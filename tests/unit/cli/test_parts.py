"""Reading of kernels, findings; columns; Ctrl-C during work."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import click
import pytest

from carrel.cli.commands.download import choose, places
from carrel.cli.commands.publish import _environment_of
from carrel.cli.commands.upload import expand, package_and_version
from carrel.cli.decisions import Decider, describe
from carrel.cli.invocation import Invocation
from carrel.cli.output import cancellable, columns, cut
from carrel.cli.places import active_prefix
from carrel.client.models import File
from carrel.client.references import Reference
from carrel.core.errors import NotFound, Unprocessable
from carrel.environments import notebooks
from carrel.environments.live import KernelEnvironment


def file(name: str, subdir: str = "") -> File:
    url = f"https://hub.example/api/v1/packages/acme/tides/releases/1.0/files/{subdir}%2F{name}/content"
    return File(filename=name, kind="conda", sha256="", size=1, download_url=url, subdir=subdir)


def test_files_of_a_release() -> None:
    files = [file("a.conda", "linux-64"), file("a.conda", "osx-64"), file("b.conda", "noarch")]
    where = Reference("acme", "tides", "1.0")
    assert choose(files, (), where) == files
    assert choose(files, ("osx-64/*",), where) == [files[1]]
    assert choose(files, ("b.*", "linux-64/a.conda"), where) == [files[0], files[2]]
    with pytest.raises(NotFound, match=r"b\.conda"):
        choose(files, ("c.conda",), where)
    assert [path.as_posix() for _, path in places(files, Path("to"))] == ["to/linux-64/a.conda", "to/osx-64/a.conda", "to/noarch/b.conda"]
    assert package_and_version(files[0]) == ("tides", "1.0")


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "..\\evil"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    assert [path for _, path in places([file(name)], Path("to"))] == [Path("to/evil")]
    ((_, path),) = places([file("a.conda", name)], Path("to"))
    assert path.parts[0] == "to"
    assert path.parts[-2:] == ("evil", "a.conda")
    assert ".." not in path.parts


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.whl", "a.whl", "[x].csv"):
        Path(name).touch()
    assert expand(["*.whl", "a.whl", "[x].csv"]) == [Path("a.whl"), Path("b.whl"), Path("[x].csv")]
    with pytest.raises(click.UsageError, match="--recursive"):
        expand(["."])
    for name in ("sub/linux-64/c.conda", "sub/linux-64/repodata.json", "sub/.git/config", "sub/__pycache__/x.pyc", "sub/.hidden"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    assert expand(["sub"], recursive=True) == [Path("sub/linux-64/c.conda")]
    assert expand(["*"], recursive=True) == [Path("[x].csv"), Path("a.whl"), Path("b.whl"), Path("sub/linux-64/c.conda")]
    assert expand(["*"]) == [Path("[x].csv"), Path("a.whl"), Path("b.whl")]
    Path("empty").mkdir()
    with pytest.raises(click.UsageError, match="nothing to upload"):
        expand(["empty"], recursive=True)


def write_spec(folder: Path, name: str, **spec: object) -> None:
    (folder / "kernels" / name).mkdir(parents=True)
    (folder / "kernels" / name / "kernel.json").write_text(json.dumps(spec))


def test_environment_of_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").touch()
    (venv / "bin" / "python").symlink_to(sys.executable)
    data = tmp_path / "data"
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(data))
    monkeypatch.setenv("JUPYTER_PATH", str(venv / "share" / "jupyter"))
    write_spec(data, "by-program", argv=[str(venv / "bin" / "python"), "-m", "ipykernel_launcher"])
    write_spec(data, "by-carrel", argv=[sys.executable, "launcher"], metadata={"carrel": {"prefix": str(venv)}})
    write_spec(data, "by-conda", argv=["/bin/sh"], metadata={"conda_env_path": str(venv)})
    write_spec(data, "broken")
    write_spec(data, "gone", argv=[str(tmp_path / "gone" / "bin" / "python")])
    write_spec(venv / "share" / "jupyter", "inside", argv=["python", "-m", "ipykernel_launcher"])
    for name in ("by-program", "by-carrel", "by-conda", "inside"):
        assert _environment_of(notebook_with(tmp_path, name)) == venv, name
    for name in ("broken", "gone", "none", "../none", ""):
        with pytest.raises(NotFound, match="--environment"):
            _environment_of(notebook_with(tmp_path, name))


def test_the_running_kernel_decides_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(
        notebooks, "_running", lambda path, _: KernelEnvironment("local", tmp_path, "kernel") if path.name == "of.ipynb" else None
    )
    assert _environment_of(notebook_with(tmp_path, "python3")) == tmp_path


def notebook_with(folder: Path, kernel: str) -> Path:
    path = folder / "of.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {"kernelspec": {"name": kernel}}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_active_environment(tmp_path: Path) -> None:
    assert active_prefix({"VIRTUAL_ENV": str(tmp_path), "CONDA_PREFIX": "/"}) == tmp_path
    assert active_prefix({"VIRTUAL_ENV": str(tmp_path / "gone"), "CONDA_PREFIX": str(tmp_path)}) == tmp_path
    with pytest.raises(click.UsageError):
        active_prefix({"PATH": str(tmp_path)})


def finding(identity: str, *, strong: bool, **more: object) -> dict[str, object]:
    return {"id": identity * 4, "cell": 0, "where": "source", "kind": "Key", "masked": "ab••", "strong": strong, "line": 2, **more}


def test_findings_where_nobody_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    sure, guess, in_file = finding("aaaaa", strong=True), finding("bbbbb", strong=False), finding("ccccc", strong=False, file="a.csv")
    with pytest.raises(Unprocessable, match="--redact-all") as raised:
        Decider(Invocation(), redact_all=False, allowed=()).decide([sure, guess])
    assert raised.value.fields["findings"] == [sure]
    decider = Decider(Invocation(), redact_all=False, allowed=("aaaaaa", "dddddd"))
    decider.decide([sure, guess, in_file])
    assert decider.decisions == {"aaaaa" * 4: "not_secret", "bbbbb" * 4: "redact"}
    decider.warn_of_unused()
    assert "dddddd" in capsys.readouterr().err
    everything = Decider(Invocation(), redact_all=True, allowed=("aaaaaa",))
    everything.decide([sure, guess, in_file])
    assert list(everything.decisions.values()) == ["not_secret", "redact", "redact"]
    assert describe(guess) == "bbbbbbbbbbbb  Key (a guess): ab••  cell 1, source, line 2"


def test_columns() -> None:
    assert columns([["a", "bbb", "c"], ["aa", "b", ""]]) == ["a   bbb  c", "aa  b"]
    assert columns([]) == []
    assert cut("one two\nthree") == "one two"
    assert len(cut("x" * 200)) == 80


def test_the_first_ctrl_c_asks_and_the_second_ends() -> None:
    before = signal.getsignal(signal.SIGINT)
    with cancellable() as cancel:
        assert not cancel.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert cancel.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
