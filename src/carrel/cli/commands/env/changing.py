"""What installing, removing and updating share: the plan is shown, agreed to and carried out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from carrel.cli.invocation import Command, Invocation, subcommand
from carrel.cli.output import cancellable, columns, count, progress
from carrel.cli.places import active_prefix, prefix_option, source_options, sources_for_change
from carrel.core.units import format_bytes
from carrel.environments import Change, Environment, Installed, Plan, PlannedPackage, apply, inspect, installed, plan

F = TypeVar("F", bound=Callable[..., Any])

ANSWER = {
    "prefix": "Folder of the environment.",
    "applied": "Whether the change was made; false with --dry-run and when nothing was to be done.",
    "added": "Objects with `name`, `from_version`, `to_version`, `build`, `source`, `channel`, `size` and `reason`.",
    "changed": "The same.",
    "removed": "The same.",
    "download_bytes": "What has to be downloaded.",
    "disk_bytes": "Estimate of what the environment grows by.",
    "warnings": "Objects with `code` and `message`.",
    "equivalent": "A command of other tools that asks for the same.",
    "revision": "Number of the revision that this made, or null; `carrel env undo` goes back to the one before.",
    "changed_import_names": "Modules that a running kernel may have loaded in another version.",
}


def plan_options(function: F) -> F:
    """Add ``--yes`` and ``--dry-run``."""
    yes = click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
    return yes(click.option("--dry-run", is_flag=True, help="Show what would be done and end.")(function))


def target(prefix: Path | None) -> tuple[Environment, list[Installed]]:
    """Return the environment to change and what is in it."""
    environment = inspect(prefix or active_prefix())
    return environment, installed(environment.prefix)


def carry_out(
    invocation: Invocation,
    environment: Environment,
    packages: Sequence[Installed],
    change: Change,
    channels: Sequence[str],
    indexes: Sequence[str],
    *,
    yes: bool,
    dry_run: bool,
) -> None:
    """Plan *change*, show it, ask, and make it."""
    sources = sources_for_change(invocation, channels, indexes, change.add, packages)
    with cancellable() as cancel, progress(invocation) as show:
        made = plan(environment.prefix, change, sources, on_event=show, cancel=cancel)
    document = _json(made)
    nothing = "Nothing is to be done: the environment is as wished."
    if dry_run:
        invocation.answer(
            {**document, "applied": False, "revision": None, "changed_import_names": []}, [nothing] if made.is_empty else plan_lines(made)
        )
        return
    if not made.is_empty and not yes:
        for line in plan_lines(made):
            click.echo(line, err=True)
        invocation.confirm("Go on?")
    with cancellable() as cancel, progress(invocation) as show:
        done = apply(made, on_event=show, cancel=cancel)
    document |= {
        "applied": not made.is_empty,
        "revision": done.revision,
        "changed_import_names": list(done.changed_import_names),
    }
    told = [nothing]
    if not made.is_empty:
        told = plan_lines(made, done=True) if yes else []
        told.append(f"{made.prefix} was changed. 'carrel env undo' goes back.")
        if done.changed_import_names:
            told.append(f"Restart kernels that have loaded {', '.join(done.changed_import_names[:6])}.")
    invocation.answer(document, told)


def _json(made: Plan) -> dict[str, Any]:
    return {
        "prefix": str(made.prefix),
        "applied": False,
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
    return {key: whole[key] for key in ("name", "from_version", "to_version", "build", "source", "channel", "size", "reason")}


def plan_lines(made: Plan, *, done: bool = False) -> list[str]:
    """Return a plan as text: what is taken away first."""
    rows = [["-", step.name, step.from_version or "", step.reason] for step in made.removed]
    rows += [["~", step.name, f"{step.from_version} → {step.to_version}", step.reason] for step in made.changed]
    rows += [["+", step.name, step.to_version or "", step.reason] for step in made.added]
    amounts = [f"{count(len(steps), 'package')} {word}" for word, steps in (("added", made.added), ("changed", made.changed)) if steps]
    amounts += [f"{count(len(made.removed), 'package')} removed"] if made.removed else []
    if made.download_bytes and not done:
        amounts.append(f"{format_bytes(made.download_bytes)} to download")
    lines = [str(made.prefix), *(f"  {line}" for line in columns(rows)), f"  {', '.join(amounts)}"]
    return lines + [f"  {warning.message}" for warning in made.warnings]


def command_on_names(text: str, change_of: Callable[[tuple[str, ...]], Change]) -> Command:
    """Return a command that changes the packages it is given by name.

    Parameters
    ----------
    text : str
        What its help says.
    change_of : callable
        From the names to the change.
    """

    @subcommand(ANSWER)
    @click.argument("names", nargs=-1, required=True, metavar="PACKAGE...")
    @prefix_option
    @plan_options
    @source_options
    def command(
        invocation: Invocation,
        names: tuple[str, ...],
        prefix: Path | None,
        yes: bool,
        dry_run: bool,
        channels: tuple[str, ...],
        indexes: tuple[str, ...],
    ) -> None:
        environment, packages = target(prefix)
        carry_out(invocation, environment, packages, change_of(names), channels, indexes, yes=yes, dry_run=dry_run)

    command.help = text
    return command
