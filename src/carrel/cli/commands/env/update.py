"""``carrel env update``."""

from __future__ import annotations

from pathlib import Path

import click

from carrel.cli.commands.env.changing import ANSWER, carry_out, plan_options, target
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.places import prefix_option, source_options
from carrel.environments import Change


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
    """Update packages."""
    environment, packages = target(prefix)
    carry_out(invocation, environment, packages, Change(update=names), channels, indexes, yes=yes, dry_run=dry_run)
