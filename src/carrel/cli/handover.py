"""Commands that become another program of Carrel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import click

PASS_ON = {
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
    "help_option_names": [],  # the other program has a help of its own
}


def become(module: str, arguments: Sequence[str]) -> int:
    """Run ``python -m`` *module* in the place of this process; where that is not possible, as a child.

    ``-P`` keeps the present folder out of the import path: a file there may have the name of any module.
    """
    command = [sys.executable, "-P", "-m", module, *arguments]
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(sys.executable, command)  # noqa: S606
    return subprocess.call(command)


def wants_help(arguments: Sequence[str]) -> bool:
    """Whether *arguments* ask for the help of the command itself."""
    return not arguments or arguments[0] in ("-h", "--help")


def show_help(context: click.Context) -> None:
    """Print the help of the command."""
    click.echo(context.get_help(), color=context.color)
