"""What installing, removing and updating share: the plan is shown, agreed to and carried out."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from jupyter_core.paths import jupyter_data_dir

from carrel.cli.commands.env.choosing import Choices, change_options
from carrel.cli.commands.env.suggesting import ways_by_hub
from carrel.cli.invocation import Command, Invocation, is_interactive, subcommand, usage
from carrel.cli.output import cancellable, columns, count, progress
from carrel.cli.places import active_prefix, prefix_option, prefix_words, sources_for_change
from carrel.core.errors import Unsolvable
from carrel.core.units import format_bytes
from carrel.environments import Change, Environment, Installed, Plan, PlannedPackage, Sources, apply, clone, inspect, installed, plan
from carrel.environments.cloning import give_kernel
from carrel.environments.credentials import strip_url
from carrel.environments.locations import environments_folder

PLANNED = {
    "prefix": "Folder of the environment.",
    "added": (
        "Objects with `name`, `from_version`, `to_version`, `from_build`, `build`, `source`, `channel`, `size`, `disk_bytes`, `reason` and "
        "`risks` (`downgrade`, `removes_requested`, `changes_requested`, `pinned`, `loaded`, `abi`)."
    ),
    "changed": "The same.",
    "removed": "The same.",
    "download_bytes": "What has to be downloaded.",
    "disk_bytes": "What the environment grows by, about; negative when it shrinks.",
    "warnings": "Objects with `code` and `message`.",
    "equivalent": "A command of other tools that asks for the same.",
}
ANSWER = {
    **PLANNED,
    "applied": "Whether the change was made; false with --dry-run and when nothing was to be done.",
    "revision": "Number of the revision that this made, or null; `carrel env undo` goes back to the one before.",
    "changed_import_names": "Modules that a running kernel may have loaded in another version.",
}


def target(prefix: Path | None) -> tuple[Environment, list[Installed]]:
    """Return the environment to change and what is in it."""
    environment = inspect(prefix or active_prefix())
    return environment, installed(environment.prefix)


def planned(invocation: Invocation, environment: Environment, packages: Sequence[Installed], change: Change, choices: Choices) -> Plan:
    """Return the plan of *change*.

    Raises
    ------
    carrel.core.errors.Unsolvable
        Each of its ``ways_out`` has a ``command``.
    """
    sources = sources_for_change(invocation, choices.channels, choices.indexes, change.add, packages)
    try:
        with cancellable() as cancel, progress(invocation) as show:
            try:
                return plan(environment.prefix, change, sources, policy=choices.policy, on_event=show, cancel=cancel)
            except Unsolvable as error:
                found = list(ways_by_hub(invocation, error, environment, change, choices, show, cancel))
                if found:
                    error.fields["ways_out"] = [*found, *error.fields.get("ways_out", ())]
                raise
    except Unsolvable as error:
        for way in error.fields.get("ways_out", ()):
            way["command"] = shlex.join([*_command(way, environment.prefix), *_same_sources(invocation, change, sources), *choices.again])
        raise


def _same_sources(invocation: Invocation, change: Change, sources: Sources) -> list[str]:
    """Return the words that let a command look where *change* did, beside those that chose the sources."""
    words = ["--hub", invocation.hub_option] if invocation.hub_option else []
    if any(spec.channel or spec.index for spec in change.add):
        # a wish with a place brings that place along; other wishes than this one must find it too
        words += [word for channel in sources.channels for word in ("--channel", strip_url(channel))]
        words += [word for index in sources.indexes for word in ("--index", strip_url(index))]
    return words


def _command(way: dict[str, Any], prefix: Path) -> list[str]:
    change = way["change"]
    words = ["carrel", "env"]
    if way["new_environment"]:
        words += ["create", "--prefix", f"{prefix}-new", *change["add"]]
    elif change["add"] or (change["update"] and change["remove"]):
        words += ["install" if change["add"] else "plan", "--prefix", str(prefix), *change["add"]]
        words += [word for key in ("remove", "update") for name in change[key] for word in (f"--{key}", name)]
    else:
        words += ["update" if change["update"] else "remove", "--prefix", str(prefix), *(change["update"] or change["remove"])]
    return words


def bare_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of installed packages as they were given, ``conda::`` and ``pypi::`` taken off."""
    found = []
    for text in names:
        name = text.strip().removeprefix("conda::").removeprefix("pypi::")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            usage(f"{text!r} is not the name of a package. Versions are for installing: carrel env install 'numpy<2'.")
        found.append(name)
    return tuple(found)


def carry_out(invocation: Invocation, environment: Environment, packages: Sequence[Installed], change: Change, choices: Choices) -> None:
    """Plan *change*, show it, ask, and make it; where the environment may not be changed, in a copy of one's own."""
    if not environment.writable and not choices.dry_run:
        environment = _copied(invocation, environment, choices)
    made = planned(invocation, environment, packages, change, choices)
    document = plan_json(made)
    if choices.dry_run:
        invocation.answer({**document, "applied": False, "revision": None, "changed_import_names": []}, plan_lines(made))
        return
    if not made.is_empty and not choices.yes:
        for line in plan_lines(made):
            click.echo(line, err=True)
        invocation.confirm("Go on?")
    with cancellable() as cancel, progress(invocation) as show:
        done = apply(made, program="carrel env", on_event=show, cancel=cancel)
    document |= {
        "applied": not made.is_empty,
        "revision": done.revision,
        "changed_import_names": list(done.changed_import_names),
    }
    told = plan_lines(made, done=True) if choices.yes or made.is_empty else []
    if not made.is_empty:
        told.append(f"{made.prefix} was changed. 'carrel env undo{prefix_words(made.prefix)}' goes back.")
        if done.changed_import_names:
            told.append(f"Restart kernels that have loaded {', '.join(done.changed_import_names[:6])}.")
    invocation.answer(document, told)


def _copied(invocation: Invocation, environment: Environment, choices: Choices) -> Environment:
    """Return a copy of an environment that may not be changed, if that is wished for."""
    folder = choices.copy
    if folder is None:
        if not is_interactive():
            return environment  # the plan says why it cannot be
        folder = environments_folder() / environment.name
        invocation.confirm(f"{environment.reason_read_only} Make your own copy in {folder}?", option="--copy FOLDER")
    with cancellable() as cancel, progress(invocation) as show:
        copy = clone(environment.prefix, folder, program="carrel env", on_event=show, cancel=cancel)
    kernel = give_kernel(copy, f"{copy.name} (copy)", Path(jupyter_data_dir()))
    invocation.note(f"Copied {environment.prefix} to {copy.prefix}" + (f", with the kernel {kernel!r}." if kernel else "."))
    return copy


def plan_json(made: Plan) -> dict[str, Any]:
    """Return a plan as ``--json`` shows it."""
    return {
        "prefix": str(made.prefix),
        "added": [_step(step) for step in made.added],
        "changed": [_step(step) for step in made.changed],
        "removed": [_step(step) for step in made.removed],
        "download_bytes": made.download_bytes,
        "disk_bytes": made.disk_bytes,
        "warnings": [dataclasses.asdict(warning) for warning in made.warnings],
        "equivalent": made.command,
    }


def _step(step: PlannedPackage) -> dict[str, Any]:
    whole = dataclasses.asdict(step)
    keys = ("name", "from_version", "to_version", "from_build", "build", "source", "channel", "size", "disk_bytes", "reason", "risks")
    return {key: whole[key] for key in keys}


def plan_lines(made: Plan, *, done: bool = False) -> list[str]:
    """Return a plan as text: what is taken away first."""
    if made.is_empty:
        return ["Nothing is to be done: the environment is as wished.", *(f"  {warning.message}" for warning in made.warnings)]
    rows = [["-", step.name, step.from_version or "", _why(step)] for step in made.removed]
    rows += [["~", step.name, _change(step), _why(step)] for step in made.changed]
    rows += [["+", step.name, step.to_version or "", _why(step)] for step in made.added]
    amounts = [f"{count(len(steps), 'package')} {word}" for word, steps in (("added", made.added), ("changed", made.changed)) if steps]
    amounts += [f"{count(len(made.removed), 'package')} removed"] if made.removed else []
    if made.download_bytes and not done:
        amounts.append(f"{format_bytes(made.download_bytes)} to download")
    if made.disk_bytes and not done:
        amounts.append(f"about {format_bytes(abs(made.disk_bytes))} {'more' if made.disk_bytes > 0 else 'less'} on disk")
    lines = [str(made.prefix), *(f"  {line}" for line in columns(rows)), f"  {', '.join(amounts)}"]
    return lines + [f"  {warning.message}" for warning in made.warnings]


def _change(step: PlannedPackage) -> str:
    if step.from_version == step.to_version:
        return f"{step.from_version} ({step.from_build} → {step.build})" if step.from_build != step.build else str(step.to_version)
    return f"{step.from_version} → {step.to_version}"


def _why(step: PlannedPackage) -> str:
    risks = [_RISKS[risk] for risk in step.risks if risk in _RISKS]
    return f"{step.reason} ({', '.join(risks)})" if risks else step.reason


_RISKS = {
    "downgrade": "older",
    "removes_requested": "you asked for it once",
    "changes_requested": "you asked for it once",
    "pinned": "pinned",
    "loaded": "loaded by a kernel",
    "abi": "binary interface",
}


def command_on_names(text: str, change_of: Callable[[tuple[str, ...]], Change], example: str) -> Command:
    """Return a command that changes the packages it is given by name.

    Parameters
    ----------
    text : str
        What its help says.
    change_of : callable
        From the names to the change.
    example : str
        A line to copy.
    """

    @subcommand(ANSWER, examples=(example,))
    @click.argument("names", nargs=-1, required=True, metavar="PACKAGE...")
    @prefix_option
    @change_options
    def command(invocation: Invocation, names: tuple[str, ...], prefix: Path | None, choices: Choices) -> None:
        wish = change_of(bare_names(names))
        environment, packages = target(prefix)
        carry_out(invocation, environment, packages, wish, choices)

    command.help = text
    return command
