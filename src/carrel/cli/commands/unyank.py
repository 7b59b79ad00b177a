"""``carrel unyank``."""

from __future__ import annotations

import click

from carrel.cli.commands.yank import ANSWER
from carrel.cli.invocation import Invocation, subcommand


@subcommand(ANSWER)
@click.argument("spec")
def command(invocation: Invocation, spec: str) -> None:
    """Take a yank back.

    SPEC is NAMESPACE/NAME@VERSION or NAMESPACE/NAME@VERSION/FILE.
    """
    target = invocation.target(spec, "release")
    client = invocation.signed_in_client_for(target)
    client.unyank(target.namespace, str(target.package), str(target.version), target.filename, target.subdir)
    invocation.answer({"reference": str(target), "yanked": False, "reason": ""}, f"{target} is offered again.")
