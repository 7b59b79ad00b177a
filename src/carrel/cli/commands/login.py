"""``carrel login``."""

from __future__ import annotations

import platform
import sys
import time

import click

from carrel.cli.invocation import Invocation, is_interactive, subcommand, usage
from carrel.client.hub import HubClient
from carrel.client.models import User
from carrel.core.errors import BadRequest, Forbidden, Unauthenticated
from carrel.core.scopes import ALL_SCOPES

_ANSWER = {
    "hub": "Address of the hub.",
    "user": "Name of the person.",
    "namespaces": "Where they may upload: objects with `name`, `kind` and `role`.",
}
_EXAMPLES = (
    "carrel login --hub https://hub.example.org",
    "carrel login --token < token.txt",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.option("--token", "with_token", is_flag=True, help="Take a token from standard input, or ask for it.")
@click.option("--username", metavar="NAME", help="Sign in with a password, which is asked for or read from standard input.")
@click.option("--browser", is_flag=True, help="Open the page of the hub in the browser.")
def command(invocation: Invocation, with_token: bool, username: str | None, browser: bool) -> None:
    """Sign in to a hub.

    Without options this prints an address and a code: open the address anywhere, sign in to the hub there and confirm the
    code. The token is kept in a file that only you can read, and this hub becomes the one that commands use.
    """
    if with_token and username:
        usage("Choose one of --token and --username.")
    url = invocation.hub_url
    client = HubClient(url)
    if with_token:
        token = _secret("Token")
    elif username:
        token = client.create_token(username, _secret("Password"), _client_name(), sorted(ALL_SCOPES)).token
    else:
        token = _device_token(client, browser)
    user = HubClient(url, token).whoami()
    invocation.store.save(url, token, user.name)
    kept = invocation.token(url)
    if kept != token:
        invocation.warn("CARREL_TOKEN is set, and commands use that token instead of this one.")
    invocation.answer(user_json(url, user), f"Signed in to {url} as {user.name}.")


def user_json(url: str, user: User) -> dict[str, object]:
    """Return who is signed in, as commands answer it."""
    namespaces = [{"name": entry.name, "kind": entry.kind, "role": entry.role} for entry in user.namespaces]
    return {"hub": url, "user": user.name, "namespaces": namespaces}


def _client_name() -> str:
    return f"carrel on {platform.node() or 'a computer'}"


def _secret(what: str) -> str:
    typed = click.prompt(what, hide_input=True, err=True) if is_interactive() else sys.stdin.readline()
    value = str(typed).strip("\r\n")
    if not value:
        usage(f"The {what.lower()} is missing: type it, or give it on standard input.")
    return value


def _device_token(client: HubClient, browser: bool) -> str:
    code = client.device_code(_client_name())
    address = code.verification_uri_complete or code.verification_uri
    click.echo(f"Open this address and confirm the code {click.style(code.user_code, bold=True)}:\n\n  {address}\n", err=True)
    if browser:
        click.launch(address)
    interval = max(code.interval, 1)
    until = time.monotonic() + code.expires_in
    while time.monotonic() < until:
        time.sleep(interval)
        try:
            return client.device_token(code.device_code).token
        except BadRequest as error:
            if error.code == "slow_down":
                interval += 5
            elif error.code == "access_denied":
                raise Forbidden("The sign-in was refused on the hub's page.", code="access_denied") from error
            elif error.code == "expired_token":
                break
            elif error.code != "authorization_pending":
                raise
    raise Unauthenticated("The code was not confirmed in time. Run 'carrel login' again.", code="expired_token")
