"""``carrel env create``."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from carrel.cli.commands.env import making
from carrel.cli.commands.env.choosing import Choices, part_options, planning_options
from carrel.cli.commands.env.wishing import wishes
from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.output import cancellable, progress
from carrel.cli.places import EnvironmentFolder
from carrel.core.errors import Conflict
from carrel.environments import Environment, asked, installed, specs
from carrel.environments.cloning import clone
from carrel.environments.elsewhere import platform_mismatch
from carrel.environments.environment_files import read_environment_file
from carrel.environments.files import write_json
from carrel.environments.locations import current_platform
from carrel.environments.locking import lock as solve
from carrel.environments.models import Origin
from carrel.formats.environment.lock import Lock, LockSet
from carrel.formats.environment.spec import EnvironmentSpec

_ANSWER = {
    **making.ANSWER,
    "requested": "What was asked for.",
    "problems": "What could not be had as the file asks: objects with `name`, `code` and `message`.",
}
_EXAMPLES = (
    "carrel env create analysis python=3.12 'pandas>=2' ipykernel --kernel",
    "carrel env create web 'requests[socks]' --pypi",
    "carrel env create --file environment.yml --kernel=analysis",
    "carrel env create --file pyproject.toml --extra plot --group test",
    "carrel env create --prefix ./env r-irkernel r-ggplot2 --exclude-newer 2026-01-31",
    "carrel env create --prefix ./mine --clone /opt/shared/analysis",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[NAME] [PACKAGE...]")
@click.option("-p", "--prefix", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Its folder, instead of a name.")
@click.option(
    "-f",
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Environment file of any format: what it asks for, or exactly what it locks.",
)
@part_options
@click.option("--clone", "source", type=EnvironmentFolder(), metavar="FOLDER", help="Environment to copy: its folder, or its name.")
@click.option("--pypi", is_flag=True, help="A virtual environment with packages from the PyPI indexes.")
@making.kernel_option
@planning_options
def command(
    invocation: Invocation,
    words: tuple[str, ...],
    prefix: Path | None,
    file: Path | None,
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    source: Path | None,
    pypi: bool,
    kernel: str | None,
    choices: Choices,
) -> None:
    """Create an environment.

    The first word is its name, unless --prefix says where it goes; the others are packages, written as for 'carrel env
    install'. What is asked for is solved and locked first, then exactly that is built, whole or not at all. A file with a lock
    is not solved again.
    """
    began = time.monotonic()
    name, wanted = ("", words) if prefix is not None else (words[0] if words else "", words[1:])
    if sum((file is not None, source is not None, bool(wanted))) > 1:
        usage("Say what is in it with packages, with --file or with --clone, not with several of these.")
    if file is None and (extras or groups):
        usage("--extra and --group are for --file.")
    if specs.form_of(name) or any(sign in name for sign in "<>=!~[/"):
        usage(f"The first word is the name of the environment, and {name!r} is a package. Write: carrel env create NAME {name!r} …")
    target = prefix.absolute() if prefix is not None else making.folder_of(name) if name else None
    if source is not None:
        _clone(invocation, source, target, kernel, began)
        return
    content: Lock | EnvironmentSpec
    content = _of_file(file, extras, groups) if file is not None else _of_words(invocation, name, wanted, target, choices, pypi=pypi)
    if target is None and isinstance(content, EnvironmentSpec) and content.name:
        target = making.folder_of(content.name)
    if target is None and not (file is not None and isinstance(content, Lock)):
        usage("Name the environment, or say where it goes with --prefix.")
    variables = content.variables if isinstance(content, EnvironmentSpec) else ()
    locked = content if isinstance(content, Lock) else _solve(invocation, content, choices)
    place = making.place_of(locked, target)
    channels, indexes = choices.channels, choices.indexes
    try:
        made = making.build(invocation, locked, place, channels=channels, indexes=indexes, origin=_origin(file, locked))
    except Conflict as error:
        if error.code not in ("prefix_taken", "environment_changed"):
            raise
        message = f"{place} exists and holds something else. Choose another place, or change it with 'carrel env install'."
        raise Conflict(message, code="prefix_taken") from error
    made.warnings += content.notes if isinstance(content, EnvironmentSpec) else ()
    if variables:
        made.warnings += _set_variables(made.environment, dict(variables))
    # that other machines cannot get something does not matter here
    made.warnings += [problem.message for problem in locked.problems if problem.code != "local_channel"]
    making.answer(
        invocation,
        made,
        began=began,
        kernel=kernel,
        requested=list(locked.requested),
        problems=[{"name": problem.name, "code": problem.code, "message": problem.message} for problem in locked.problems],
    )


def _of_file(file: Path, extras: Sequence[str], groups: Sequence[str]) -> Lock | EnvironmentSpec:
    found = read_environment_file(file, platform=current_platform(), extras=extras, groups=groups or None)
    if isinstance(found, EnvironmentSpec):
        return found
    here = found.for_platform(current_platform()) or next((one for one in found.locks if not one.platform), None)
    if here is None:
        error = platform_mismatch(file.name, found.platforms)
        error.detail += f" 'carrel env reproduce {file.name} --solve' does that."
        raise error
    return here


def _of_words(
    invocation: Invocation, name: str, words: Sequence[str], target: Path | None, choices: Choices, *, pypi: bool
) -> EnvironmentSpec:
    """Return what the words of the command line ask for."""
    kind: Any = "venv" if pypi else "conda"
    # what is to be: of it, installing needs to know the kind and the name
    future = Environment("", target or Path(name), kind, name or "it", "", None, current_platform(), writable=True)
    found = wishes(invocation, future, words, pypi=pypi, namespaces=choices.namespaces)
    conda = [specs.conda_text(spec) for spec in found if spec.source == "conda"]
    if not pypi and not conda:
        conda = ["python"]
    indexes = tuple(dict.fromkeys(spec.index for spec in found if spec.index))
    return EnvironmentSpec(
        name=name,
        dependencies=tuple(conda),
        pip=tuple(specs.requirement(spec) for spec in found if spec.source == "pypi"),
        indexes=indexes,
    )


def _origin(file: Path | None, locked: Lock) -> Origin:
    """Return what the history of the environment begins with."""
    if file is not None:
        return Origin(f"created from {file.name}", (f"create from {file.absolute()}",), "carrel env")
    names = [spec.name for spec in asked.wishes(locked)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return Origin(f"created with {', '.join(names[:3])}{more}", program="carrel env")


def _solve(invocation: Invocation, wanted: EnvironmentSpec, choices: Choices) -> Lock:
    chosen = making.chosen_sources(invocation, choices.channels, choices.indexes)
    if wanted.indexes:  # those of the hub come before the chosen ones, not instead of them
        wanted = replace(wanted, indexes=tuple(dict.fromkeys([*wanted.indexes, *chosen.indexes])))
    with cancellable() as cancel, progress(invocation) as show:
        found: LockSet = solve(wanted, (current_platform(),), chosen, policy=choices.policy, on_event=show, cancel=cancel)
    return found.locks[0]


def _set_variables(made: Environment, variables: dict[str, str]) -> list[str]:
    """Note the variables that activation sets, where conda looks for them; return what could not be done."""
    if made.kind != "conda":
        return [f"A virtual environment sets no variables: {', '.join(variables)} are left out."]
    state = made.prefix / "conda-meta" / "state"
    try:
        known = json.loads(state.read_bytes())
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    write_json(state, {"version": 1, **known, "env_vars": {**(known.get("env_vars") or {}), **variables}})
    return []


def _clone(invocation: Invocation, source: Path, target: Path | None, kernel: str | None, began: float) -> None:
    if target is None:
        usage("Name the copy, or say where it goes with --prefix.")
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{target} exists. Choose another place.", code="prefix_taken")
    with cancellable() as cancel, progress(invocation) as show:
        copy = clone(source, target, program="carrel env", on_event=show, cancel=cancel)
    packages = installed(copy.prefix)
    requested = [package.name for package in packages if package.requested]
    making.answer(invocation, making.Made(copy, len(packages)), began=began, kernel=kernel, requested=requested, problems=[])
