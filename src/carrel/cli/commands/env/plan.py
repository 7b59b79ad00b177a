"""``carrel env plan``."""

from __future__ import annotations

from carrel.cli.commands.env.changing import PLANNED, plan_json, plan_lines, planned, target
from carrel.cli.commands.env.choosing import Choices, planning_options
from carrel.cli.commands.env.wishing import Wished, wish_options
from carrel.cli.invocation import Invocation, subcommand, usage

_EXAMPLES = (
    "carrel env plan numpy 'pandas<2' --remove six --update scipy",
    "carrel env plan 'pypi::requests[socks]' --exclude-newer 2026-01-31 --json",
)


@subcommand(PLANNED, examples=_EXAMPLES)
@wish_options(required=False)
@planning_options
def command(invocation: Invocation, wished: Wished, choices: Choices) -> None:
    """Show what a change would do, and change nothing.

    PACKAGE is written as for 'carrel env install'. The plan says of each package why it changes and what is at risk: an older
    version, something that you once asked for or pinned, a binary interface that others were compiled for.
    """
    if not wished:
        usage("Say what to install, --remove or --update.")
    environment, packages = target(wished.prefix)
    made = planned(invocation, environment, packages, wished.change(invocation, environment, choices), choices)
    invocation.answer(plan_json(made), plan_lines(made))
