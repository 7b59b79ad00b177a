"""``carrel move``."""

from __future__ import annotations

import click

from carrel.cli.invocation import Invocation, namespace_option, subcommand, usage
from carrel.cli.selection import CHANGE_ANSWER, Selection, change, specs_argument

_EXAMPLES = (
    "carrel move acme/charts --from-label dev",
    "carrel move 'acme/tide*' --from-label dev --to-label main --dry-run",
)


@subcommand(CHANGE_ANSWER, examples=_EXAMPLES)
@specs_argument(required=True)
@click.option("--from-label", required=True, metavar="LABEL", help="The label to take off.")
@click.option("--to-label", default="main", show_default=True, metavar="LABEL", help="The label to give.")
@namespace_option
@click.option("--dry-run", is_flag=True, help="Show what would change.")
def command(invocation: Invocation, specs: tuple[str, ...], from_label: str, to_label: str, namespace: str | None, dry_run: bool) -> None:
    """Move files from one label to another.

    SPEC is NAMESPACE for everything in it, NAMESPACE/PACKAGE, a pattern such as 'NAMESPACE/tide*', NAMESPACE/PACKAGE@VERSION
    or NAMESPACE/PACKAGE@VERSION/FILE. All files change together, and 'carrel label undo' takes it back.
    """
    if from_label == to_label:
        usage("The two labels are the same.")
    selection = Selection.parse(specs, namespace)
    change(invocation, invocation.signed_in_client(), "move", selection, from_label=from_label, to_label=to_label, dry_run=dry_run)
