"""``carrel search``."""

from __future__ import annotations

import dataclasses

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import columns, cut
from carrel.core.kinds import Kind

_ANSWER = {
    "items": "Packages, best first: objects with `namespace`, `name`, `kinds`, `summary`, `latest_version`, `visibility`, `updated_at`, "
    "`import_names` and `url`.",
    "next_cursor": "Whether there are more: a text, or null.",
    "took_ms": "Time that the hub took, in milliseconds.",
}


@subcommand(_ANSWER)
@click.argument("query", nargs=-1, required=True)
@click.option(
    "-t", "--kind", "kinds", multiple=True, type=click.Choice([kind.value for kind in Kind]), help="Only this kind; may be repeated."
)
@click.option("-n", "--namespace", metavar="NAME", help="Only this user's or organization's.")
@click.option("-p", "--platform", metavar="PLATFORM", help="Only what has conda files for this platform, such as linux-64, or for all.")
@click.option("--limit", type=click.IntRange(1, 50), default=20, show_default=True, help="At most so many.")
def command(
    invocation: Invocation, query: tuple[str, ...], kinds: tuple[str, ...], namespace: str | None, platform: str | None, limit: int
) -> None:
    """Search the hub.

    Finds names, summaries, imported modules and the text of notebooks.
    """
    found = invocation.client().search(" ".join(query), kinds=kinds, namespace=namespace, platform=platform, limit=limit)
    items = []
    for item in found.items:
        entry = dataclasses.asdict(item)
        del entry["score"]
        items.append(entry)
    rows = [[f"{i.namespace}/{i.name}", i.latest_version or "", ", ".join(i.kinds), cut(i.summary)] for i in found.items]
    if not rows:
        invocation.note("Nothing was found.")
    invocation.answer({"items": items, "next_cursor": found.next_cursor, "took_ms": found.took_ms}, columns(rows))
