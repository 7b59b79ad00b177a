"""``carrel yank``."""

from __future__ import annotations

import click

from carrel.cli.invocation import Invocation, subcommand

ANSWER = {"reference": "The release or file.", "yanked": "Whether it is advised against now.", "reason": "Why."}


@subcommand(ANSWER, examples=('carrel yank acme/charts@1.1 --reason "Wrong soundings"',))
@click.argument("spec")
@click.option("--reason", default="", metavar="TEXT", help="Why; installers show it.")
def command(invocation: Invocation, spec: str, reason: str) -> None:
    """Advise against a release or a file without removing it.

    SPEC is NAMESPACE/NAME@VERSION or NAMESPACE/NAME@VERSION/FILE. Whoever asks for exactly this version still gets it; nobody
    else is offered it.
    """
    target = invocation.target(spec, "release")
    client = invocation.signed_in_client_for(target)
    client.yank(target.namespace, str(target.package), str(target.version), target.filename, target.subdir, reason=reason)
    invocation.answer({"reference": str(target), "yanked": True, "reason": reason}, f"{target} is yanked.")
