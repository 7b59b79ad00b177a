"""``carrel env inspect``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import columns, count
from carrel.cli.places import active_prefix
from carrel.environments import inspect, installed

_ANSWER = {
    "id": "Identifies the environment on this machine.",
    "name": "Its name.",
    "prefix": "Its folder.",
    "kind": "`conda`, `venv` or `system`.",
    "python_version": "Empty without Python.",
    "python_executable": "Path, or null.",
    "platform": "As conda names it.",
    "writable": "Whether it can be changed by you.",
    "reason_read_only": "Why not.",
    "packages": "Objects with `name`, `version`, `build`, `source` (`conda` or `pypi`), `channel`, `requested`, `size`, `summary`, "
    "`import_names` and `location` (of an editable installation).",
}


@subcommand(_ANSWER, hub=False)
@click.argument("prefix", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--requested", is_flag=True, help="Only what somebody asked for, not what it needs.")
def command(invocation: Invocation, prefix: Path | None, requested: bool) -> None:
    """Show an environment and what is installed in it."""
    environment = inspect(prefix or active_prefix())
    packages = [package for package in installed(environment.prefix) if package.requested or not requested]
    python = f", Python {environment.python_version}" if environment.python_version else ""
    lines = [f"{environment.prefix} ({environment.kind}{python}, {environment.platform}), {count(len(packages), 'package')}"]
    if not environment.writable:
        lines.append(f"  {environment.reason_read_only}")
    rows = [[p.name, p.version, p.source, f"from {p.location}" if p.location else p.channel] for p in packages]
    lines += [f"  {line}" for line in columns(rows)]
    document = {**dataclasses.asdict(environment), "packages": [dataclasses.asdict(package) for package in packages]}
    invocation.answer(document, lines)
