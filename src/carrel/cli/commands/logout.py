"""``carrel logout``."""

from __future__ import annotations

import os

from carrel.cli.invocation import Invocation, subcommand
from carrel.core.errors import CarrelError

_ANSWER = {
    "hub": "Address of the hub.",
    "signed_out": "Whether somebody was signed in.",
    "revoked": "Whether the hub has taken the token back. False when it could not be reached: revoke it on its page.",
}


@subcommand(_ANSWER)
def command(invocation: Invocation) -> None:
    """Sign out of a hub.

    The token is revoked on the hub and removed from this machine.
    """
    from carrel.client.hub import HubClient

    url = invocation.hub_url
    if os.environ.get("CARREL_TOKEN"):
        invocation.warn("CARREL_TOKEN is set; its token stays in use.")
    kept = next((hub for hub in invocation.store.hubs() if hub == url), None)
    environ_free = type(invocation.store)(invocation.store.path.parent, {})
    credential = environ_free.get(url) if kept else None
    if credential is None:
        invocation.answer({"hub": url, "signed_out": False, "revoked": False}, f"Nobody is signed in to {url}.")
        return
    revoked = True
    try:
        HubClient(url, credential.token).revoke_current_token()
    except CarrelError as error:
        revoked = error.status == 401  # it was not valid any more
        if not revoked:
            invocation.warn(f"The token was not revoked: {error.detail} Revoke it on the hub's page of tokens.")
    invocation.store.forget(url)
    invocation.answer({"hub": url, "signed_out": True, "revoked": revoked}, f"Signed out of {url}.")
