"""``carrel env plan``."""

from __future__ import annotations

from pathlib import Path

import click

from carrel.cli.commands.env.changing import PLANNED, bare_names, plan_json, plan_lines, planned, target
from carrel.cli.commands.env.choosing import Choices, planning_options
from carrel.cli.commands.env.install import wishes
from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.places import prefix_option
from carrel.environments import Change

_EXAMPLES = (
    "carrel env plan numpy 'pandas<2' --remove six --update scipy",
    "carrel env plan 'pypi::requests[socks]' --exclude-newer 2026-01-31 --json",
)


@subcommand(PLANNED, examples=_EXAMPLES)
@click.argument("wanted", nargs=-1, metavar="[PACKAGE]...")
@click.option("--pypi", is_flag=True, help="Take the packages from the PyPI indexes, also in a conda environment.")
@click.option("--remove", multiple=True, metavar="NAME", help="Remove this package; may be repeated.")
@click.option("--update", multiple=True, metavar="NAME", help="Update this package; may be repeated.")
@prefix_option
@planning_options
def command(
    invocation: Invocation,
    wanted: tuple[str, ...],
    pypi: bool,
    remove: tuple[str, ...],
    update: tuple[str, ...],
    prefix: Path | None,
    choices: Choices,
) -> None:
    """Show what a change would do, and change nothing.

    PACKAGE is written as for 'carrel env install'. The plan says of each package why it changes and what is at risk: an older
    version, something that you once asked for or pinned, a binary interface that others were compiled for.
    """
    if not (wanted or remove or update):
        usage("Say what to install, --remove or --update.")
    environment, packages = target(prefix)
    change = Change(
        wishes(invocation, environment, wanted, pypi=pypi, namespaces=choices.namespaces), bare_names(remove), bare_names(update)
    )
    made = planned(invocation, environment, packages, change, choices)
    invocation.answer(plan_json(made), plan_lines(made))
