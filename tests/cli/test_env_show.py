"""``carrel env show`` and ``carrel env doctor``, and the environment of a notebook for every command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_process import QuickCarrel, find_command

from carrel.cli.commands.env import COMMANDS


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("cli") / "analysis"
    python = Path(getattr(sys, "_base_executable", sys.executable))
    subprocess.run([python, "-m", "venv", "--without-pip", prefix], check=True)
    return prefix


@pytest.fixture
def prefix(base: Path) -> Path:
    """An environment with two packages, one of them asked for."""
    (site,) = base.glob("lib/python3*/site-packages")
    for path in site.glob("*.dist-info"):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    write(site, "harbour", "1.5", "tides>=2", REQUESTED="", INSTALLER="pip\n")
    write(
        site,
        "tides",
        "2.0",
        INSTALLER="uv\n",
        **{"direct_url.json": '{"url": "https://me:word@git.example/t", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}'},
    )
    return base


def write(site: Path, name: str, version: str, *requires: str, **files: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}\n")
    for file, text in files.items():
        (folder / file).write_text(text)
    (folder / "RECORD").write_text("".join(f"{folder.name}/{file},,\n" for file in ["METADATA", "RECORD", *files]))


def notebook_of(quick: QuickCarrel, prefix: Path, name: str = "tides.ipynb") -> Path:
    folder = quick.home / "jupyter" / "kernels" / "analysis"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.json").write_text(
        json.dumps({"argv": [str(prefix / "bin" / "python"), "-m", "ipykernel_launcher"], "language": "python"})
    )
    path = quick.home / name
    path.write_text(json.dumps({"cells": [], "metadata": {"kernelspec": {"name": "analysis"}}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_what_is_shown(quick: QuickCarrel, prefix: Path) -> None:
    document = quick.json("env", "show", prefix)
    assert (document["prefix"], document["kind"], document["made_by"], document["problems"]) == (str(prefix), "venv", "venv", None)
    harbour, tides = document["packages"]
    assert (harbour["name"], harbour["requested"], harbour["installer"], harbour["origin"]) == ("harbour", True, "pip", "")
    assert (tides["name"], tides["requested"], tides["origin"]) == ("tides", False, "git+https://git.example/t@c0ffee")
    assert [package["name"] for package in quick.json("env", "show", "-p", prefix, "--requested")["packages"]] == ["harbour"]
    text = quick.ok("env", "show", prefix, "--problems").out
    assert "2 packages" in text
    assert "from git+https://git.example/t@c0ffee" in text
    assert "0 problems" in text
    assert quick("env", "show", prefix, "-p", prefix).code == 2


def test_the_environment_of_a_notebook(quick: QuickCarrel, prefix: Path) -> None:
    notebook = notebook_of(quick, prefix)
    assert quick.json("env", "show", "--notebook", notebook)["prefix"] == str(prefix)
    answer = quick.ok("env", "doctor", "--notebook", notebook)
    assert "no problem" in answer.out
    assert "'analysis'" in answer.err
    assert quick("env", "show", "--notebook", notebook, "--prefix", prefix).code == 2
    refused = quick("env", "show", "--notebook", "none.ipynb", "--json")
    assert (refused.code, json.loads(refused.out)["error"]["code"]) == (3, "notebook_not_found")
    notebook.write_text("{}")
    assert quick("env", "show", "--notebook", notebook).code == 1


def test_every_command_on_an_environment_takes_a_notebook() -> None:
    without = []
    for name in COMMANDS:
        parameters = {parameter.name: parameter for parameter in find_command(["env", name]).params}
        if isinstance(parameters.get("prefix"), click.Option) and "notebook" not in parameters:
            without.append(name)
    # there the folder is that of a new environment
    assert set(without) <= {"create", "reproduce"}


def test_problems_are_told_with_remedies_and_the_exit_code(quick: QuickCarrel, prefix: Path) -> None:
    (site,) = prefix.glob("lib/python3*/site-packages")
    for file in (site / "tides-2.0.dist-info").iterdir():
        file.unlink()
    (site / "tides-2.0.dist-info").rmdir()
    answer = quick("env", "doctor", prefix)
    assert answer.code == 1
    assert "harbour 1.5 needs tides>=2, which is not installed." in answer.out
    assert "carrel env install --pypi 'tides>=2'" in answer.out
    answer = quick("env", "doctor", prefix, "--json")
    (problem,) = json.loads(answer.out)["problems"]
    assert (answer.code, problem["code"], problem["names"]) == (1, "missing_dependency", ["harbour", "tides"])
    assert "harbour 1.5 needs tides" in quick.ok("env", "show", prefix, "--problems").out
    answer = quick("env", "doctor", prefix, "--fix")
    assert answer.code == 1
    assert "None of this can be repaired" in answer.out


def test_repairing_asks_shows_and_does(quick: QuickCarrel, prefix: Path) -> None:
    (site,) = prefix.glob("lib/python3*/site-packages")
    (site / "~ides-1.0.dist-info").mkdir()
    assert quick("env", "doctor", prefix, "--fix").code == 2  # nobody can be asked
    answer = quick("env", "doctor", prefix, "--fix", "--dry-run", "--json")
    document = json.loads(answer.out)
    assert (answer.code, document["repaired"]) == (1, False)
    assert [(one["code"], one["action"]) for one in document["repairs"]] == [("leftover", "remove ~ides-1.0.dist-info")]
    assert (site / "~ides-1.0.dist-info").exists()
    document = quick.json("env", "doctor", prefix, "--fix", "--yes")
    assert document["repaired"]
    assert document["problems"] == []
    assert not (site / "~ides-1.0.dist-info").exists()
    assert "no problem" in quick.ok("env", "doctor", prefix, "--fix").out
