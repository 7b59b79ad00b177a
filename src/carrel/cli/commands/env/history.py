"""``carrel env history``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import columns, count
from carrel.cli.places import active_prefix, prefix_option
from carrel.environments import Revision, history, inspect

_ANSWER = {
    "prefix": "Folder of the environment.",
    "revisions": "Newest first: objects with `number`, `created_at`, `kind` (`created`, `found`, `change`, `restore`, `outside`), "
    "`summary`, `request` (what was asked for, a list of lines), `command` (of other tools, for the same), `user`, `program`, `policy` "
    "(the rules it was made under) and `package_count`.",
}


@subcommand(
    _ANSWER,
    examples=["carrel env history", "carrel env history --notebook analysis.ipynb --json"],
    hub=False,
)
@prefix_option
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Only the newest ones.")
def command(invocation: Invocation, prefix: Path | None, limit: int | None) -> None:
    """List the changes of an environment.

    Each one is a revision: a number, when, what, on whose request and by whom. `carrel env diff` compares them,
    `carrel env undo` goes back to one.
    """
    environment = inspect(prefix or active_prefix())
    known = history(environment.prefix)[:limit]
    document = {"prefix": str(environment.prefix), "revisions": [dataclasses.asdict(revision) for revision in known]}
    if not known:
        invocation.note(f"{environment.prefix} was never changed by Carrel.")
    invocation.answer(document, columns([_row(revision) for revision in known]))


def _row(revision: Revision) -> list[str]:
    return [
        str(revision.number).rjust(3),
        revision.created_at[:16].replace("T", " "),
        by_whom(revision),
        count(revision.package_count, "package"),
        revision.summary,
    ]


def by_whom(revision: Revision) -> str:
    """Return the user and the program of a revision."""
    return f"{revision.user} ({revision.program})" if revision.user else "-"


def difference_lines(document: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return a difference as text: what is taken away first."""
    rows = [["-", line["name"], line["from_version"] or "", ""] for line in document["removed"]]
    rows += [["~", line["name"], _change(line), _moved(line)] for line in document["changed"]]
    rows += [["+", line["name"], line["to_version"] or "", line["channel"] or ""] for line in document["added"]]
    return columns(rows)


def _change(line: dict[str, Any]) -> str:
    if line["from_version"] != line["to_version"]:
        return f"{line['from_version']} → {line['to_version']}"
    if line["from_build"] != line["to_build"]:
        return f"{line['to_version']} ({line['from_build']} → {line['to_build']})"
    return f"{line['to_version']}"


def _moved(line: dict[str, Any]) -> str:
    if line["from_source"] != line["to_source"]:
        return f"from {line['from_source']} to {line['to_source']}"
    same = (line["from_version"], line["from_build"]) == (line["to_version"], line["to_build"])
    return "other bytes under the same name" if same else ""
