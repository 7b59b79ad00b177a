"""``carrel env diff``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from carrel.cli.commands.env.history import difference_lines
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import count
from carrel.cli.places import active_prefix, named_folder, prefix_option
from carrel.core.errors import BadRequest, NotFound
from carrel.environments import differences, inspect
from carrel.environments.differences import Package
from carrel.environments.locations import current_platform
from carrel.formats.environment import reading
from carrel.formats.environment.spec import EnvironmentSpec

_ANSWER = {
    "before": "What A is.",
    "after": "What B is.",
    "same": "Whether both hold the same packages.",
    "added": "What B has and A has not: objects with `name`, `from_version`, `to_version`, `from_build`, `to_build`, `from_source`, "
    "`to_source` and `channel`.",
    "changed": "What both have in other versions, builds or bytes: the same.",
    "removed": "What A has and B has not: the same.",
}


@subcommand(
    _ANSWER,
    examples=[
        "carrel env diff 3",
        "carrel env diff 2 5 --prefix ./analysis",
        "carrel env diff conda-lock.yml",
        "carrel env diff ./analysis ./other",
    ],
    hub=False,
)
@click.argument("a")
@click.argument("b", required=False)
@prefix_option
def command(invocation: Invocation, a: str, b: str | None, prefix: Path | None) -> None:
    """Compare the packages of two environments, revisions or locks.

    A and B are each the number of a revision of the environment, the folder of another environment, or a lock file of any format
    (of one for several platforms, the part for this one). Without B, A is compared with what the environment holds now.
    """
    before, after = _read(a, prefix), _read(b, prefix) if b is not None else _present(prefix)
    difference = differences.compare(before[1], after[1])
    document = differences.to_json(difference)
    lines = [f"{before[0]} → {after[0]}", *(f"  {line}" for line in difference_lines(document))]
    if difference:
        parts = ((len(difference.added), "added"), (len(difference.changed), "changed"), (len(difference.removed), "removed"))
        lines.append("  " + ", ".join(f"{count(number, 'package')} {word}" for number, word in parts if number))
    else:
        lines.append("  The packages are the same.")
    invocation.answer({"before": before[0], "after": after[0], "same": not difference, **document}, lines)


def _read(text: str, prefix: Path | None) -> tuple[str, Iterable[Package]]:
    """Return what *text* names, in words, and its packages."""
    path = named_folder(text)
    if text.isdecimal():
        folder = inspect(prefix or active_prefix()).prefix
        return f"revision {text} of {folder}", differences.of_revision(folder, int(text))
    if path.is_dir():
        return str(path), differences.of_prefix(path)
    if path.is_file():
        return _read_file(path)
    raise NotFound(f"{text!r} is no revision, no environment's folder and no lock file.", code="file_not_found")


def _read_file(path: Path) -> tuple[str, Iterable[Package]]:
    found = reading.read(path.name, path.read_bytes(), platform=current_platform())
    if isinstance(found, EnvironmentSpec):
        raise BadRequest(f"{path} asks for packages, but does not say exactly which: lock it first ('carrel env lock').", code="not_a_lock")
    lock = found.for_platform(current_platform()) or found.locks[0]
    return (f"{path} for {lock.platform}" if len(found.locks) > 1 else str(path)), differences.of_lock(lock)


def _present(prefix: Path | None) -> tuple[str, Iterable[Package]]:
    folder = inspect(prefix or active_prefix()).prefix
    return str(folder), differences.of_prefix(folder)
