"""``carrel env undo``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, columns, count, progress
from carrel.cli.places import active_prefix, configured, hub_headers, prefix_option, source_options
from carrel.core.errors import NotFound
from carrel.environments import Sources, inspect, restore, snapshots

_ANSWER = {
    "prefix": "Folder of the environment.",
    "snapshots": "States that can be gone back to, newest first: objects with `id`, `created_at`, `summary` (the change made right after "
    "it) and `package_count`.",
    "restored": "The state that was gone back to, or null.",
    "snapshot": "The state before this undo, which undoes it, or null.",
    "changed_import_names": "Modules that a running kernel may have loaded in another version.",
}


@subcommand(_ANSWER)
@click.argument("snapshot", required=False)
@prefix_option
@click.option("--list", "only_list", is_flag=True, help="List the states that can be gone back to.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@source_options
def command(
    invocation: Invocation,
    snapshot: str | None,
    prefix: Path | None,
    only_list: bool,
    yes: bool,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Go back to the state before a change.

    Without SNAPSHOT the last change is undone. An undo is a change like any other and can be undone.
    """
    environment = inspect(prefix or active_prefix())
    known = snapshots(environment.prefix)
    document: dict[str, Any] = {
        "prefix": str(environment.prefix),
        "snapshots": [dataclasses.asdict(entry) for entry in known],
        "restored": None,
        "snapshot": None,
        "changed_import_names": [],
    }
    if only_list:
        rows = [
            [entry.id, entry.created_at[:16].replace("T", " "), count(entry.package_count, "package"), f"before: {entry.summary}"]
            for entry in known
        ]
        if not known:
            invocation.note("No change was made here.")
        invocation.answer(document, columns(rows))
        return
    chosen = next((entry for entry in known if snapshot is None or entry.id == snapshot), None)
    if chosen is None:
        told = f"There is no state {snapshot!r} of {environment.prefix}" if snapshot else f"No change was made in {environment.prefix}"
        raise NotFound(f"{told}. 'carrel env undo --list' shows what can be gone back to.", code="snapshot_not_found")
    if not yes:
        invocation.confirm(f"Undo in {environment.prefix}: {chosen.summary}?")
    chosen_channels, chosen_indexes = configured(channels, indexes)
    sources = Sources(chosen_channels, chosen_indexes, hub_headers(invocation))
    with cancellable() as cancel, progress(invocation) as show:
        done = restore(environment.prefix, chosen.id, sources=sources, on_event=show, cancel=cancel)
    document |= {"restored": chosen.id, "snapshot": done.snapshot_id or None, "changed_import_names": list(done.changed_import_names)}
    invocation.answer(document, f"{environment.prefix} is as it was before: {chosen.summary}")
