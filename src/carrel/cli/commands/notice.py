"""``carrel notice``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import click

from carrel.cli.invocation import Invocation, namespace_option, subcommand, usage
from carrel.cli.lazy import noun
from carrel.cli.output import columns, cut
from carrel.client.channels import Notice
from carrel.core.clock import now, to_rfc3339

_NOTICE = {
    "id": "The notice.",
    "status": "`draft`, `published` or `archived`.",
    "level": "`info`, `warning` or `critical`.",
    "message": "Its text.",
    "created_at": "When it was written.",
    "expires_at": "When it ends, or null.",
}
_LEVEL = click.Choice(["info", "warning", "critical"])
_EXPIRES = click.option("--expires", metavar="30d", help="When it ends: 30d, 12h or 2030-01-31.")


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    if match := re.fullmatch(r"(\d{1,5})([hdw])", text):
        return to_rfc3339(now() + int(match[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[match[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        usage(f"{text!r} is no time: write 30d, 12h or 2030-01-31.")
    return to_rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=now().tzinfo))


def _json(notice: Notice) -> dict[str, Any]:
    return {member: getattr(notice, member) for member in _NOTICE}


@subcommand({"namespace": "Namespace.", "notices": "Objects with the members that 'carrel notice create' answers."}, name="list")
@click.argument("namespace", required=False)
def list_(invocation: Invocation, namespace: str | None) -> None:
    """List the notices of a channel, drafts too."""
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    found = list(client.notices.list(namespace))
    if not found:
        invocation.note(f"{namespace} has no notices.")
    rows = [[notice.id, notice.status, notice.level, (notice.expires_at or "")[:10], cut(notice.message)] for notice in found]
    invocation.answer({"namespace": namespace, "notices": [_json(notice) for notice in found]}, columns(rows))


@subcommand(_NOTICE, examples=('carrel notice create "charts 1.1 is withdrawn, use 1.2" --level warning --expires 30d --publish',))
@click.argument("message")
@namespace_option
@click.option("--level", type=_LEVEL, default="info", show_default=True, help="How urgent it is.")
@_EXPIRES
@click.option("--publish", "at_once", is_flag=True, help="Show it at once.")
def create(invocation: Invocation, message: str, namespace: str | None, level: str, expires: str | None, at_once: bool) -> None:
    """Write a notice.

    conda shows published notices to those who use the channel.
    """
    until = _moment(expires)
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    made = client.notices.create(namespace, message, level=level, expires_at=until)
    if at_once:
        made = client.notices.publish(namespace, made.id)
    told = "is shown" if made.status == "published" else f"is a draft: carrel notice publish {made.id} --namespace {namespace}"
    invocation.answer(_json(made), f"Notice {made.id} {told}")


@subcommand(_NOTICE)
@click.argument("notice")
@namespace_option
@click.option("--message", metavar="TEXT", help="Its text.")
@click.option("--level", type=_LEVEL, help="How urgent it is.")
@_EXPIRES
def edit(invocation: Invocation, notice: str, namespace: str | None, message: str | None, level: str | None, expires: str | None) -> None:
    """Change a notice."""
    if message is None and level is None and expires is None:
        usage("Say what to change, for example --message.")
    until = _moment(expires)
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    made = client.notices.update(namespace, notice, message=message, level=level, expires_at=until)
    invocation.answer(_json(made), f"Notice {made.id} is changed.")


@subcommand(_NOTICE)
@click.argument("notice")
@namespace_option
def publish(invocation: Invocation, notice: str, namespace: str | None) -> None:
    """Show a notice to the users of the channel."""
    client = invocation.signed_in_client()
    made = client.notices.publish(invocation.namespace(client, namespace), notice)
    invocation.answer(_json(made), f"Notice {made.id} is shown.")


@subcommand(_NOTICE)
@click.argument("notice")
@namespace_option
def archive(invocation: Invocation, notice: str, namespace: str | None) -> None:
    """Show a notice no more."""
    client = invocation.signed_in_client()
    made = client.notices.archive(invocation.namespace(client, namespace), notice)
    invocation.answer(_json(made), f"Notice {made.id} is shown no more.")


@subcommand({"namespace": "Namespace.", "id": "The notice.", "removed": "True."})
@click.argument("notice")
@namespace_option
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def remove(invocation: Invocation, notice: str, namespace: str | None, yes: bool) -> None:
    """Remove a notice."""
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    if not yes:
        invocation.confirm(f"Remove notice {notice}?")
    client.notices.delete(namespace, notice)
    invocation.answer({"namespace": namespace, "id": notice, "removed": True}, f"Removed notice {notice}.")


command = noun(
    "notice",
    [list_, create, edit, publish, archive, remove],
    "Tell the users of a channel something.",
    {"delete": "'carrel notice remove'", "update": "'carrel notice edit'", "get": "'carrel notice list'"},
)
