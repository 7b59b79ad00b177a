"""``carrel env clean``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from carrel.cli.commands.env.list import since, size_text, used_by
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, columns, progress
from carrel.core import clock
from carrel.core.errors import CarrelError, NotFound
from carrel.core.progress import Progress
from carrel.core.units import format_bytes
from carrel.environments import cache_cleaning, disk_usage, housekeeping, inspection
from carrel.environments.cache_cleaning import Cleaned
from carrel.environments.housekeeping import KnownEnvironment
from carrel.environments.locations import environments_folder

_ANSWER = {
    "environments": "What was removed (with --dry-run, what would be): objects with `prefix`, `name`, `state`, `last_used` and `bytes`.",
    "kernelspecs": "Names of the kernels that were removed with them.",
    "caches": "Objects with `what` (`packages`, `archives`, `indexes`, `uv`, `kept`), `path`, `count` and `bytes`; empty without --caches.",
    "skipped": "What could not be removed: objects with `prefix`, `code` and `message`.",
    "freed_bytes": "What became free, or would.",
    "dry_run": "Whether nothing was removed.",
}
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_PLACES = {
    "packages": "packages that no environment uses",
    "archives": "archives of yours in the shared cache",
    "indexes": "indexes of channels",
    "uv": "uv's cache",
    "kept": "files that only old revisions need",
}


def duration(_context: click.Context, _option: click.Parameter, value: str) -> timedelta:
    """Read ``12h``, ``30d``, ``8w``."""
    match = re.fullmatch(r"(\d{1,5})([hdw])", value.strip())
    if match is None:
        raise click.BadParameter(f"{value!r} is no duration: write hours, days or weeks, as 12h, 30d or 8w.")
    return int(match[1]) * _UNITS[match[2]]


@subcommand(_ANSWER, examples=["carrel env clean --dry-run", "carrel env clean --unused-for 90d --caches"], hub=False)
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--unused-for", callback=duration, default="30d", show_default=True, metavar="TIME", help="How long nobody used it.")
@click.option("--caches", is_flag=True, help="Also take from the caches what nothing uses.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also what was used lately, and all files kept for going back.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed and end.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def command(
    invocation: Invocation,
    names: tuple[str, ...],
    unused_for: timedelta,
    caches: bool,
    everything: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove environments that nobody uses any more.

    Only environments that were made here are removed ('carrel env list' tells the folder), with the kernels that were made for
    them, and none in which something runs. ENVIRONMENT is a name or a folder and means exactly that one, whenever it was used.
    """
    found = _named(names) if names else housekeeping.unused(timedelta(0) if everything else unused_for)
    with cancellable() as cancel, progress(invocation) as show:
        sizes, _ = disk_usage.measure_all([one.prefix for one in found if one.prefix.is_dir()], on_event=show, cancel=cancel)
        other = (
            cache_cleaning.clean_caches(
                unused_for=unused_for, prefixes=_others(found), everything=everything, dry_run=True, on_event=show, cancel=cancel
            )
            if caches
            else []
        )
    document: dict[str, Any] = {
        "environments": [_json(one, sizes[one.prefix].own if one.prefix in sizes else 0) for one in found],
        "kernelspecs": [referrer.name for one in found for referrer in one.referrers if referrer.own],
        "caches": [_place(one) for one in other],
        "skipped": [],
        "freed_bytes": sum(sizes[one.prefix].own for one in found if one.prefix in sizes) + sum(one.bytes for one in other),
        "dry_run": dry_run,
    }
    lines = [*_rows(found, sizes), *_cache_lines(other)]
    if not found and not caches:
        invocation.answer({**document}, "Nothing is to be removed.")
        return
    if caches and not dry_run:
        lines.append("  what uv's cache does not need any more")
    if dry_run:
        invocation.answer(document, [*lines, f"{format_bytes(document['freed_bytes'])} would become free."])
        return
    if not yes:
        for line in lines:
            click.echo(line, err=True)
        invocation.confirm(f"Remove this? About {format_bytes(document['freed_bytes'])} become free.")
    _clean(invocation, document, found, sizes, caches, unused_for, everything)
    for skipped in document["skipped"]:
        invocation.warn(f"{skipped['prefix']} stays. {skipped['message']}")
    invocation.answer(document, f"{format_bytes(document['freed_bytes'])} became free.")


def _clean(
    invocation: Invocation,
    document: dict[str, Any],
    found: Sequence[KnownEnvironment],
    sizes: Any,
    caches: bool,
    unused_for: timedelta,
    everything: bool,
) -> None:
    """Remove what was agreed to, and tell in *document* what became of it."""
    document |= {"environments": [], "kernelspecs": [], "caches": [], "freed_bytes": 0}
    with cancellable() as cancel, progress(invocation) as show:
        for number, one in enumerate(found):
            if cancel.is_set():
                break
            show(Progress("clean", number, len(found), "environments", one.name))
            try:
                document["kernelspecs"] += housekeeping.remove(one.prefix)
            except CarrelError as error:
                document["skipped"].append({"prefix": str(one.prefix), "code": error.code, "message": error.detail})
                continue
            own = sizes[one.prefix].own if one.prefix in sizes else 0
            document["environments"].append(_json(one, own))
            document["freed_bytes"] += own
        housekeeping.sweep()
        if caches and not cancel.is_set():
            gone = cache_cleaning.clean_caches(
                unused_for=unused_for, prefixes=_others(found), everything=everything, on_event=show, cancel=cancel
            )
            document["caches"] = [_place(one) for one in gone]
            document["freed_bytes"] += sum(one.bytes for one in gone)


def _named(names: Sequence[str]) -> list[KnownEnvironment]:
    known = housekeeping.known()
    found = []
    for name in names:
        path = inspection.absolute(name) if "/" in name or "\\" in name else environments_folder() / name
        one = next((one for one in known if one.managed and one.prefix == inspection.absolute(path)), None)
        if one is None:
            raise NotFound(f"{name!r} is no environment that was made here. 'carrel env list' lists them.", code="environment_not_found")
        found.append(one)
    return found


def _others(found: Sequence[KnownEnvironment]) -> list[Path]:
    """Return the environments made here that stay."""
    going = {one.prefix for one in found}
    return [one.prefix for one in housekeeping.known() if one.managed and one.state == "ok" and one.prefix not in going]


def _rows(found: Sequence[KnownEnvironment], sizes: Any) -> list[str]:
    return [
        f"  {line}"
        for line in columns(
            [[one.name, size_text(sizes.get(one.prefix)), f"last used {since(one.last_used)}", used_by(one)] for one in found]
        )
    ]


def _cache_lines(found: Sequence[Cleaned]) -> list[str]:
    return [f"  {format_bytes(one.bytes)} of {_PLACES[one.what]} ({one.path})" for one in found]


def _json(one: KnownEnvironment, own: int) -> dict[str, Any]:
    used = clock.to_rfc3339(one.last_used) if one.last_used else None
    return {"prefix": str(one.prefix), "name": one.name, "state": one.state, "last_used": used, "bytes": own}


def _place(one: Cleaned) -> dict[str, Any]:
    return {"what": one.what, "path": str(one.path), "count": one.count, "bytes": one.bytes}
