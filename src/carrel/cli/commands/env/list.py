"""``carrel env list``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, columns, count, cut, progress
from carrel.core import clock
from carrel.core.units import format_bytes
from carrel.environments import disk_usage, housekeeping
from carrel.environments.disk_usage import Size
from carrel.environments.housekeeping import KnownEnvironment
from carrel.environments.locations import environments_folder
from carrel.environments.usage import Referrer

_ANSWER = {
    "folder": "Where environments are made; only those in it are removed by `carrel env clean`.",
    "environments": (
        "Those used last first: objects with `prefix`, `name`, `kind` (`conda`, `venv`, `system`, or null), `python_version`, `managed` "
        "(whether it was made here), `state` (`ok`, `broken`, `building`, `ruin`, `missing`), `last_used` (or null), `own_bytes` (what is "
        "free when it is gone), `shared_bytes` (what has names in caches and other environments too; both null with --no-sizes) and "
        "`used_by` (objects with `kind` (`kernelspec`, `kernel`, `process`, `reference`), `name` and `pid`)."
    ),
    "total_bytes": "What they take together, every file counted once; null with --no-sizes.",
}
_SHOWN = 3


@subcommand(_ANSWER, examples=["carrel env list", "carrel env list --all --json"], hub=False)
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that were not made here and that no kernel starts.")
@click.option("--no-sizes", is_flag=True, help="Do not count what they take on disk.")
def command(invocation: Invocation, everything: bool, no_sizes: bool) -> None:
    """List the environments of this machine: size, last use, and who uses them.

    The size is what becomes free when an environment is removed; what it shares with the package cache and with other
    environments stands behind it.
    """
    found = [one for one in housekeeping.known() if everything or one.managed or one.referrers]
    sizes: Mapping[Path, Size] = {}
    total: int | None = None
    if not no_sizes:
        with cancellable() as cancel, progress(invocation) as show:
            folders = [one.prefix for one in found if one.prefix.is_dir()]
            sizes, total = disk_usage.measure_all(folders, on_event=show, cancel=cancel)
    document = {
        "folder": str(environments_folder()),
        "environments": [_json(one, sizes.get(one.prefix)) for one in found],
        "total_bytes": total,
    }
    if not found:
        invocation.note(f"There is no environment in {environments_folder()}, and no kernel starts one elsewhere.")
    lines = columns([["NAME", "KIND", "PYTHON", "SIZE", "LAST USED", "USED BY"], *(_row(one, sizes.get(one.prefix)) for one in found)])
    told = [f"{count(len(found), 'environment')}, {format_bytes(total)} together"] if total is not None else []
    invocation.answer(document, [*lines, *told] if found else [])


def _json(one: KnownEnvironment, size: Size | None) -> dict[str, Any]:
    return {
        "prefix": str(one.prefix),
        "name": one.name,
        "kind": one.kind,
        "python_version": one.python_version,
        "managed": one.managed,
        "state": one.state,
        "last_used": clock.to_rfc3339(one.last_used) if one.last_used else None,
        "own_bytes": size.own if size else None,
        "shared_bytes": size.shared if size else None,
        "used_by": [{"kind": referrer.kind, "name": referrer.name, "pid": referrer.pid} for referrer in one.referrers],
    }


def _row(one: KnownEnvironment, size: Size | None) -> list[str]:
    name = one.name if one.managed else _short(one.prefix)
    return [name, one.kind or one.state, one.python_version or "-", size_text(size), since(one.last_used), used_by(one)]


def _short(prefix: Path) -> str:
    home = Path.home()
    return f"~/{prefix.relative_to(home)}" if prefix.is_relative_to(home) else str(prefix)


def size_text(size: Size | None) -> str:
    """Return a size for people: its own bytes, and what is shared."""
    if size is None:
        return "-"
    return format_bytes(size.own) + (f" (+{format_bytes(size.shared)})" if size.shared else "")


def since(moment: datetime | None) -> str:
    """Return how long ago *moment* was, in words."""
    if moment is None:
        return "-"
    days = (clock.now() - moment).days
    if days <= 0:
        return "today"
    return "yesterday" if days == 1 else f"{days} days ago"


def used_by(one: KnownEnvironment) -> str:
    """Return who uses an environment, in a line."""
    names = [_words(referrer) for referrer in one.referrers if referrer.kind != "process"]
    processes = sum(referrer.kind == "process" for referrer in one.referrers)
    names += [count(processes, "process").replace("processs", "processes")] if processes else []
    more = len(names) - _SHOWN
    state = [] if one.state == "ok" else [f"({one.state})"]
    return cut(", ".join([*state, *names[:_SHOWN], *([f"{more} more"] if more > 0 else [])]) or "-", 100)


def _words(referrer: Referrer) -> str:
    match referrer.kind:
        case "kernelspec":
            return f"kernel {referrer.name}"
        case "kernel":
            return f"running kernel (process {referrer.pid})"
        case _:
            return referrer.name
