"""``carrel env show``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import columns, count
from carrel.cli.places import EnvironmentFolder, active_prefix, prefix_option, which_folder
from carrel.environments import Installed, inspect, installed, problems

_ANSWER = {
    "id": "Identifies the environment on this machine.",
    "name": "Its name.",
    "prefix": "Its folder.",
    "kind": "`conda`, `venv` or `system`.",
    "made_by": "`conda`, `pixi`, `uv`, `virtualenv` or `venv`; empty for an interpreter of the system.",
    "python_version": "Empty without Python.",
    "python_executable": "Path, or null.",
    "platform": "As conda names it.",
    "writable": "Whether it can be changed by you.",
    "reason_read_only": "Why not.",
    "packages": "Objects with `name`, `version`, `build`, `source` (`conda` or `pypi`), `channel`, `requested`, `size`, `summary`, "
    "`import_names`, `location` (of an editable installation), `installer` (`conda`, `pip`, `uv` …) and `origin` (what it was installed "
    "from, when not from a channel or index: a repository with its commit, an archive, a folder).",
    "problems": "Objects with `code`, `message`, `names` and `remedy`; null without --problems.",
}
_EXAMPLES = ("carrel env show", "carrel env show --notebook analysis.ipynb --requested", "carrel env show ./env --problems")


@subcommand(_ANSWER, hub=False, examples=_EXAMPLES)
@click.argument("folder", required=False, metavar="[PREFIX]", type=EnvironmentFolder())
@prefix_option
@click.option("--requested", is_flag=True, help="Only what somebody asked for, not what it needs.")
@click.option("--problems", "with_problems", is_flag=True, help="Tell what is wrong as well; 'carrel env doctor' says what to do.")
def command(invocation: Invocation, folder: Path | None, prefix: Path | None, requested: bool, with_problems: bool) -> None:
    """Show an environment and what is installed in it.

    Everything is read from disk; the environment's Python is not started. PREFIX is a folder or a name; by default it is the
    active environment.
    """
    environment = inspect(which_folder(folder, prefix) or active_prefix())
    packages = [package for package in installed(environment.prefix) if package.requested or not requested]
    found = problems(environment.prefix) if with_problems else None
    facts = [environment.made_by or environment.kind]
    facts += [f"Python {environment.python_version}"] if environment.python_version else []
    lines = [f"{environment.prefix} ({', '.join([*facts, environment.platform])}), {count(len(packages), 'package')}"]
    if not environment.writable:
        lines.append(f"  {environment.reason_read_only}")
    lines += [f"  {line}" for line in columns([p.name, p.version, p.installer or p.source, _where(p)] for p in packages)]
    if found is not None:
        lines += ["", f"{count(len(found), 'problem')}" + (":" if found else "")]
        lines += [f"  {problem.message}" for problem in found]
    document = {
        **dataclasses.asdict(environment),
        "packages": [dataclasses.asdict(package) for package in packages],
        "problems": None if found is None else [dataclasses.asdict(problem) for problem in found],
    }
    invocation.answer(document, lines)


def _where(package: Installed) -> str:
    if package.location:
        return f"editable, from {package.location}"
    return f"from {package.origin}" if package.origin else package.channel
