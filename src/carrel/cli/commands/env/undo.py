"""``carrel env undo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from carrel.cli.commands.env.history import by_whom, difference_lines
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, progress
from carrel.cli.places import active_prefix, configured, hub_headers, prefix_option, source_options
from carrel.core.errors import NotFound
from carrel.environments import Sources, differences, history, inspect, note_changes, restore

_ANSWER = {
    "prefix": "Folder of the environment.",
    "restored": "Number of the revision that was gone back to, or null with --dry-run.",
    "revision": "Number of the revision that this made, or null.",
    "added": "Objects with `name`, `from_version`, `to_version`, `from_build`, `to_build`, `from_source`, `to_source` and `channel`.",
    "changed": "The same.",
    "removed": "The same.",
    "changed_import_names": "Modules that a running kernel may have loaded in another version.",
}


@subcommand(_ANSWER, examples=["carrel env undo", "carrel env undo 3 --prefix ./analysis --yes"])
@click.argument("revision", required=False, type=click.IntRange(min=0))
@prefix_option
@click.option("--dry-run", is_flag=True, help="Show what would be done and end.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@source_options
def command(
    invocation: Invocation,
    revision: int | None,
    prefix: Path | None,
    dry_run: bool,
    yes: bool,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Go back to an earlier state of an environment.

    Without REVISION the last change is undone, also when another program made it; with it, the environment becomes what it was
    after that revision (`carrel env history` lists them). Neither needs a network as long as the packages are in a cache. An
    undo is a change like any other and can be undone.
    """
    environment = inspect(prefix or active_prefix())
    note_changes(environment.prefix)
    known = {entry.number: entry for entry in history(environment.prefix)}
    if not known or (revision is None and len(known) < 2):
        raise NotFound(f"There is no change of {environment.prefix} to undo.", code="revision_not_found")
    newest = max(known)
    number = newest - 1 if revision is None else revision
    if number not in known:
        raise NotFound(f"There is no revision {number} of {environment.prefix}: it has 0 to {newest}.", code="revision_not_found")
    difference = differences.compare(
        differences.of_revision(environment.prefix, newest), differences.of_revision(environment.prefix, number)
    )
    document: dict[str, Any] = {
        "prefix": str(environment.prefix),
        "restored": None,
        "revision": None,
        **differences.to_json(difference),
        "changed_import_names": [],
    }
    lines = [str(environment.prefix), *(f"  {line}" for line in difference_lines(differences.to_json(difference)))]
    if dry_run:
        invocation.answer(document, lines)
        return
    if not yes:
        for line in lines:
            click.echo(line, err=True)
        undone = known[newest] if revision is None else None
        what = f"Undo revision {newest} of {by_whom(undone)}: {undone.summary}?" if undone else f"Go back to revision {number}?"
        invocation.confirm(what)
    chosen_channels, chosen_indexes = configured(channels, indexes)
    sources = Sources(chosen_channels, chosen_indexes, hub_headers(invocation))
    with cancellable() as cancel, progress(invocation) as show:
        done = restore(environment.prefix, number, sources=sources, program="carrel env", on_event=show, cancel=cancel)
    document |= {"restored": number, "revision": done.revision, "changed_import_names": list(done.changed_import_names)}
    told = [f"{environment.prefix} is as it was after revision {number}: {known[number].summary}"]
    if done.changed_import_names:
        told.append(f"Restart kernels that have loaded {', '.join(done.changed_import_names[:6])}.")
    invocation.answer(document, told)
