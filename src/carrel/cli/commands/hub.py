"""``carrel hub``."""

from __future__ import annotations

import click

from carrel.cli.handover import PASS_ON, become, show_help, wants_help
from carrel.cli.invocation import Command

_EXAMPLES = (
    "carrel hub serve             serve until Ctrl-C",
    "carrel hub upgrade           bring the database up to date",
    "carrel hub user create NAME  create a user; 'user password NAME' sets a password",
    "carrel hub sweep             remove bytes that nothing refers to",
)


@click.command(cls=Command, examples=_EXAMPLES, context_settings=PASS_ON, options_metavar="", add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [OPTION...]")
@click.pass_context
def command(context: click.Context, arguments: tuple[str, ...]) -> int:
    """Run a hub and look after it.

    'carrel hub COMMAND --help' shows the options of one, '--help-all' all of them.
    """
    if wants_help(arguments):
        show_help(context)
        return 0
    return become("carrel.hub", arguments)
