"""``carrel token``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import click

from carrel.cli.exits import Exit
from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.lazy import noun
from carrel.cli.output import columns
from carrel.client.models import Token
from carrel.core.errors import Conflict, NotFound

if TYPE_CHECKING:
    from carrel.client.hub import HubClient

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_TOKEN = {
    "id": "Number of the token.",
    "name": "What it is for.",
    "prefix": "Its first characters.",
    "scopes": "What it allows.",
    "namespace": "The namespace it is limited to, or null.",
    "packages": "The packages it is limited to, or null.",
    "labels": "The labels it is limited to, or null.",
    "collection": "The collection it is limited to, or null.",
    "created_at": "When it was made.",
    "expires_at": "When it ends, or null.",
    "last_used_at": "When it was used last, or null.",
    "rotated_at": "When a newer one took its place, or null.",
    "flagged_at": "When it was found in an upload, or null; such a token should be rotated.",
    "flag_reason": "Where it was found.",
}
_SECRET = {**_TOKEN, "token": "The token itself; it is shown this once."}


def seconds(text: str) -> int:
    """Return the seconds of ``90d``, ``12h``, ``30m`` or a plain number of days."""
    match = re.fullmatch(r"(\d{1,9})\s*([smhdwy]?)", text.strip().lower())
    if match is None:
        raise click.BadParameter(f"{text!r} is no duration: write 90d, 12h or 30m.")
    return int(match[1]) * _UNITS[match[2] or "d"]


def _duration(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    return None if value is None else seconds(value)


def _json(token: Token) -> dict[str, Any]:
    lists = {name: None if (value := getattr(token, name)) is None else list(value) for name in ("packages", "labels")}
    return {name: list(token.scopes) if name == "scopes" else lists.get(name, getattr(token, name)) for name in _TOKEN}


def _limits(token: Token) -> str:
    limits = [token.namespace or ""]
    limits += [f"packages {', '.join(token.packages)}"] if token.packages else []
    limits += [f"labels {', '.join(token.labels)}"] if token.labels else []
    limits += [f"collection {token.collection}"] if token.collection else []
    return "; ".join(filter(None, limits))


def _find(client: HubClient, text: str) -> Token:
    """Return the token with this number, name or beginning."""
    tokens = client.tokens.list()
    found = [token for token in tokens if token.id == text] or [token for token in tokens if text in (token.name, token.prefix)]
    if not found:
        raise NotFound(f"You have no token {text[:40]!r}. 'carrel token list' shows yours.", code="token_not_found")
    if len(found) > 1:
        numbers = ", ".join(token.id for token in found)
        raise Conflict(f"Several tokens are called {text[:40]!r}; give the number: {numbers}.", code="ambiguous_token")
    return found[0]


@subcommand({"tokens": "Newest first: objects with the members that 'carrel token create' answers, without `token`."}, name="list")
def list_(invocation: Invocation) -> None:
    """List your tokens."""
    tokens = invocation.signed_in_client().tokens.list()
    head = ["ID", "NAME", "BEGINS", "SCOPES", "LIMITED TO", "EXPIRES", "LAST USED"]
    for token in tokens:
        if token.flagged_at:
            invocation.warn(f"Token {token.id} ({token.name}) was found in an upload: carrel token rotate {token.id}")
    rows = [
        [token.id, token.name, token.prefix, " ".join(token.scopes), _limits(token), (token.expires_at or "never")[:10], _day(token)]
        for token in tokens
    ]
    invocation.answer({"tokens": [_json(token) for token in tokens]}, columns([head, *rows]))


def _day(token: Token) -> str:
    return (token.last_used_at or "never")[:10]


@subcommand(
    _SECRET,
    examples=(
        "carrel token create ci --scope package:write --namespace acme --package charts --expires 90d",
        "carrel token create readers --scope conda:download --namespace acme --label stable",
    ),
)
@click.argument("name")
@click.option(
    "-s", "--scope", "scopes", multiple=True, metavar="SCOPE", help="What it allows; may be repeated (see 'carrel token scopes')."
)
@click.option("-n", "--namespace", "-o", "--org", metavar="NAME", help="Limit it to this namespace.")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="Limit it to this package of the namespace; may be repeated.")
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="Limit it to files under this label; may be repeated.")
@click.option("--collection", metavar="NAME", help="Limit it to reading this collection of the namespace.")
@click.option("--expires", callback=_duration, metavar="90d", help="How long it works: 90d, 12h, 30m (default: until it is revoked).")
def create(
    invocation: Invocation,
    name: str,
    scopes: tuple[str, ...],
    namespace: str | None,
    packages: tuple[str, ...],
    labels: tuple[str, ...],
    collection: str | None,
    expires: int | None,
) -> None:
    """Make a token.

    NAME says what it is for. It is printed once and kept nowhere; it allows at most what you may do yourself, and with no
    --scope reading alone.
    """
    if (packages or labels or collection) and not namespace:
        usage("Say with --namespace which namespace the packages, labels or collection are of.")
    made = invocation.signed_in_client().tokens.create(
        name,
        scopes or ("account:read", "namespace:read", "package:read"),
        namespace=namespace,
        packages=packages or None,
        labels=labels or None,
        collection=collection,
        expires_in=expires,
    )
    _show_secret(invocation, made)


def _show_secret(invocation: Invocation, made: Token) -> None:
    ends = f", until {made.expires_at[:10]}" if made.expires_at else ""
    limits = f", limited to {_limits(made)}" if _limits(made) else ""
    invocation.note(f"Token {made.id} allows {' '.join(made.scopes)}{limits}{ends}. Keep it now, it is not shown again:")
    invocation.answer({**_json(made), "token": made.token}, made.token)


@subcommand(
    {**_TOKEN, "token": "The new token, shown this once; empty when it was kept for this machine."},
    examples=("carrel token rotate", "carrel token rotate ci --overlap 1d"),
)
@click.argument("token", required=False)
@click.option("--overlap", callback=_duration, default="1d", show_default=True, metavar="1d", help="How long the old one goes on working.")
def rotate(invocation: Invocation, token: str | None, overlap: int) -> None:
    """Replace a token by a new one like it.

    TOKEN is its number, its name or its first characters; without it the token of this machine is replaced, and the new one
    kept. The old one goes on working for the time of --overlap.
    """
    client = invocation.signed_in_client()
    if token is not None:
        _show_secret(invocation, client.tokens.rotate(_find(client, token).id, overlap))
        return
    own = str(invocation.token(client.base_url))
    found = next((entry for entry in client.tokens.list() if entry.prefix and own.startswith(entry.prefix)), None)
    if found is None:
        raise NotFound("The token in use is not among yours. Sign in again: carrel login", code="token_not_found")
    if os.environ.get("CARREL_TOKEN"):
        _show_secret(invocation, client.tokens.rotate(found.id, overlap))
        invocation.warn("CARREL_TOKEN is set: put the new token there.")
        return
    user = client.whoami().name
    made = client.tokens.rotate(found.id, overlap)
    invocation.store.save(client.base_url, made.token, user)
    invocation.answer({**_json(made), "token": ""}, f"Token {found.id} is replaced by {made.id}, which this machine uses from now on.")


@subcommand({"revoked": "The tokens that ended: objects with `id`, `name` and `prefix`."})
@click.argument("tokens", nargs=-1, required=True, metavar="TOKEN...")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def revoke(invocation: Invocation, tokens: tuple[str, ...], yes: bool) -> int:
    """End tokens at once.

    TOKEN is its number, its name or its first characters.
    """
    client = invocation.signed_in_client()
    found = {token.id: token for token in (_find(client, text) for text in tokens)}
    if not yes:
        told = ", ".join(f"{token.id} ({token.name})" for token in found.values())
        invocation.confirm(f"Revoke {told}? What uses them stops working.")
    for token in found.values():
        client.tokens.revoke(token.id)
    document = [{"id": token.id, "name": token.name, "prefix": token.prefix} for token in found.values()]
    invocation.answer({"revoked": document}, [f"Revoked {token.id} ({token.name})." for token in found.values()])
    return Exit.OK


@subcommand({"scopes": "Objects with `name`, `summary` and `implies` (scopes that it contains)."})
def scopes(invocation: Invocation) -> None:
    """List what tokens can allow."""
    found = invocation.client().tokens.scopes()
    rows = [[scope.name, scope.summary + (f" ({', '.join(scope.implies)})" if 0 < len(scope.implies) <= 4 else "")] for scope in found]
    document = [{"name": scope.name, "summary": scope.summary, "implies": list(scope.implies)} for scope in found]
    invocation.answer({"scopes": document}, columns(rows))


command = noun(
    "token",
    [list_, create, rotate, revoke, scopes],
    "Make, list, rotate and revoke tokens.\n\n"
    "A token stands for you where no person signs in: in conda and pip, on build servers. Give it no more than its work needs, "
    "and an end.",
    {
        "remove": "'carrel token revoke'",
        "delete": "'carrel token revoke'",
        "list-scopes": "'carrel token scopes'",
        "info": "'carrel whoami'",
    },
)
