"""``carrel whoami``."""

from __future__ import annotations

from carrel.cli.commands.login import _ANSWER, user_json
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import columns


@subcommand(_ANSWER)
def command(invocation: Invocation) -> None:
    """Show who is signed in, and where they may upload."""
    client = invocation.signed_in_client()
    user = client.whoami()
    rows = [[entry.name, entry.role or "", "yourself" if entry.kind == "user" else entry.kind] for entry in user.namespaces]
    indented = [f"  {line}" for line in columns(rows)]
    invocation.answer(user_json(client.base_url, user), [f"{user.name} on {client.base_url}", *indented])
