"""``carrel env doctor``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from carrel.cli.exits import Exit
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, count, progress
from carrel.cli.places import EnvironmentFolder, active_prefix, configured, hub_headers, prefix_option, source_options, which_folder
from carrel.environments import Problem, Sources, inspect, problems, repair, repairs
from carrel.environments.repair_planning import Repair

_ANSWER = {
    "prefix": "Folder of the environment.",
    "problems": "What is wrong, the gravest first; after --fix, what is left: objects with `code`, `message`, `names` and `remedy`.",
    "repairs": "What --fix did, or would do with --dry-run: objects with `code`, `names`, `message` and `action`.",
    "repaired": "Whether anything was repaired.",
}
_EXAMPLES = (
    "carrel env doctor",
    "carrel env doctor --prefix ./env --fix --dry-run",
    "carrel env doctor --notebook analysis.ipynb --fix",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("folder", required=False, metavar="[PREFIX]", type=EnvironmentFolder())
@prefix_option
@click.option("--fix", is_flag=True, help="Repair what can be repaired for sure: packages are put back as they were installed.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="With --fix: show what would be done and end.")
@source_options
def command(
    invocation: Invocation,
    folder: Path | None,
    prefix: Path | None,
    fix: bool,
    yes: bool,
    dry_run: bool,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> int:
    """Find out what is wrong with an environment, and repair it.

    Found are missing dependencies, files and records that are damaged or gone, packages that pip put over conda's, packages that
    are there twice, interrupted changes and interpreters that are gone. Ends with exit code 1 when something is (still) wrong.
    """
    chosen = which_folder(folder, prefix) or active_prefix()
    environment = inspect(chosen)
    found = problems(environment.prefix)
    if not fix:
        possible = repairs(environment.prefix, found) if found and environment.writable else ()
        lines = [*_told(environment.prefix, found), *(["", _offer(environment.prefix, possible)] if possible else [])]
        invocation.answer(_document(environment.prefix, found, (), repaired=False), lines)
        return Exit.FAILURE if found else Exit.OK
    planned = repairs(environment.prefix, found)
    if dry_run or not planned:
        lines = [*_told(environment.prefix, found), *_plan(planned)]
        if found and not planned:
            lines.append("None of this can be repaired from here for sure.")
        invocation.answer(_document(environment.prefix, found, planned, repaired=False), lines)
        return Exit.FAILURE if found else Exit.OK
    if not yes:
        for line in [*_told(environment.prefix, found), *_plan(planned)]:
            click.echo(line, err=True)
        invocation.confirm("Go on?")
    chosen_channels, chosen_indexes = configured(channels, indexes)
    sources = Sources(chosen_channels, chosen_indexes, hub_headers(invocation))
    with cancellable() as cancel, progress(invocation) as show:
        done = repair(environment.prefix, sources=sources, on_event=show, cancel=cancel)
    left = problems(environment.prefix) if environment.prefix.is_dir() else ()
    lines = [f"{one.action[:1].upper()}{one.action[1:]}: done." for one in done]
    lines += _told(environment.prefix, left) if environment.prefix.is_dir() else []
    invocation.answer(_document(environment.prefix, left, done, repaired=bool(done)), lines)
    return Exit.FAILURE if left else Exit.OK


def _told(prefix: Path, found: Sequence[Problem]) -> list[str]:
    if not found:
        return [f"{prefix}: no problem was found."]
    lines = [f"{prefix}: {count(len(found), 'problem')}"]
    for problem in found:
        lines += [f"  {problem.message}", *([f"      {problem.remedy}"] if problem.remedy else [])]
    return lines


def _plan(planned: Sequence[Repair]) -> list[str]:
    return ["", "What can be repaired:", *dict.fromkeys(f"  {one.action}" for one in planned)] if planned else []


def _offer(prefix: Path, planned: Sequence[Repair]) -> str:
    return f"'carrel env doctor --prefix {prefix} --fix' repairs {len(planned)} of them."


def _document(prefix: Path, found: Sequence[Problem], done: Sequence[Repair], *, repaired: bool) -> dict[str, Any]:
    return {
        "prefix": str(prefix),
        "problems": [dataclasses.asdict(problem) for problem in found],
        "repairs": [
            {"code": one.problem.code, "names": list(one.problem.names), "message": one.problem.message, "action": one.action}
            for one in done
        ],
        "repaired": repaired,
    }
