"""``carrel demo``."""

from __future__ import annotations

from importlib.util import find_spec

import click

from carrel.cli.handover import PASS_ON, become
from carrel.core.errors import Unavailable


@click.command(context_settings=PASS_ON, options_metavar="", add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTION...]")
def command(arguments: tuple[str, ...]) -> int:
    """Start a hub and JupyterLab with sample content.

    'carrel demo --help' shows the options.
    """
    missing = [name for name in ("jupyterlab", "ipykernel") if find_spec(name) is None]
    if missing:
        raise Unavailable(f"The demonstration needs {' and '.join(missing)}: pip install 'carrel[lab]'", code="extra_missing")
    return become("carrel.demo", arguments)
