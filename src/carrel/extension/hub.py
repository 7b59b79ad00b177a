"""The hub as this server sees it: which one, who is signed in, with which credentials."""

from __future__ import annotations

import threading
import time
from typing import Any

from carrel.client.credentials import CredentialStore, normalize_hub_url
from carrel.client.hub import HubClient
from carrel.client.models import User
from carrel.core.errors import CarrelError, Forbidden, Unauthenticated, Unavailable

_REMEMBER_SECONDS = 60.0
_PROBE_SECONDS = 4.0


class HubAccess:
    """Clients of the configured hub.

    Parameters
    ----------
    configured_url : str
        Address that the administrator chose; empty lets the person choose by signing in.
    store : CredentialStore
        Where tokens are kept. They never leave this process but in requests to their hub.
    """

    def __init__(self, configured_url: str, store: CredentialStore) -> None:
        self._configured = normalize_hub_url(configured_url) if configured_url else None
        self._store = store
        self._lock = threading.Lock()
        self._client: HubClient | None = None
        self._client_key: tuple[str, str | None] | None = None
        self._user: tuple[float, User | None, CarrelError | None] | None = None

    @property
    def url(self) -> str | None:
        """Address of the hub, None when there is none yet."""
        return self._configured or self._store.default_hub()

    def client(self) -> HubClient:
        """Return a client of the hub, signed in if somebody is.

        Raises
        ------
        carrel.core.errors.Unavailable
            No hub is configured.
        """
        url = self.url
        if url is None:
            raise Unavailable("No hub is configured. Sign in to one, or set CarrelExtension.hub_url.", code="hub_not_configured")
        credential = self._store.get(url, chosen=True)
        key = (url, credential.token if credential else None)
        with self._lock:
            if self._client is None or self._client_key != key:
                self._client, self._client_key, self._user = HubClient(*key), key, None
            return self._client

    def client_for(self, hub_url: str | None) -> HubClient:
        """Return a client of *hub_url*, with its own kept token if there is one."""
        if hub_url is None or normalize_hub_url(hub_url) == self.url:
            return self.client()
        credential = self._store.get(hub_url)
        return HubClient(hub_url, credential.token if credential else None)

    def signed_in_client(self) -> HubClient:
        """Return a client that acts for the signed-in user.

        Raises
        ------
        carrel.core.errors.Unauthenticated
        """
        client = self.client()
        if not client.authenticated:
            raise Unauthenticated("Sign in to the hub first.")
        return client

    def user(self, *, fresh: bool = False) -> User | None:
        """Return the signed-in user, None when nobody is; remembered for a minute.

        Raises
        ------
        carrel.core.errors.CarrelError
            The hub cannot be asked, or the token is not accepted any more.
        """
        client = self.client()
        with self._lock:
            known = self._user
        if known is None or fresh or time.monotonic() - known[0] > _REMEMBER_SECONDS:
            user, failure = None, None
            try:
                if client.authenticated:
                    user = client.whoami(timeout=_PROBE_SECONDS)
                else:
                    client.server(timeout=_PROBE_SECONDS)
            except CarrelError as error:
                failure = error
            known = (time.monotonic(), user, failure)
            with self._lock:
                self._user = known
        if known[2] is not None:
            raise known[2]
        return known[1]

    def status(self) -> dict[str, Any]:
        """Return what the panel shows of the hub."""
        url = self.url
        status: dict[str, Any] = {
            "url": url,
            "configured": url is not None,
            "reachable": False,
            "user": None,
            "namespaces": [],
            "error": None,
        }
        if url is None:
            return status
        try:
            user = self.user(fresh=True)
        except CarrelError as error:
            # a refused token comes from a hub that answers
            return {**status, "reachable": isinstance(error, (Unauthenticated, Forbidden)), "error": error.detail}
        status["reachable"] = True
        if user is not None:
            status["user"] = {"name": user.name, "display_name": user.display_name}
            status["namespaces"] = [namespace_json(namespace) for namespace in user.namespaces]
        return status

    def headers(self) -> dict[str, dict[str, str]]:
        """Return the headers with which packages are fetched from the hub, by address."""
        url = self.url
        credential = self._store.get(url, chosen=True) if url else None
        return {f"{url}/": {"Authorization": f"Bearer {credential.token}"}} if credential else {}

    def sign_in(self, hub_url: str, token: str) -> User:
        """Check *token* and keep it."""
        user = HubClient(hub_url, token).whoami()
        self._store.save(hub_url, token, user.name)
        with self._lock:
            self._user = None
        return user

    def sign_out(self) -> None:
        """Revoke the kept token, as far as the hub can be reached, and forget it."""
        url = self.url
        credential = self._store.get(url) if url else None
        if url is None or credential is None:
            return
        try:
            HubClient(url, credential.token).revoke_current_token()
        except CarrelError:
            pass  # forgetting it here is what was asked for
        finally:
            self._store.forget(url)
            with self._lock:
                self._user = None

    def allowed_url(self, hub_url: str | None) -> str:
        """Return the address to sign in at.

        Raises
        ------
        carrel.core.errors.Forbidden
            The administrator configured another one.
        """
        if self._configured is not None:
            if hub_url and normalize_hub_url(hub_url) != self._configured:
                raise Forbidden(f"This server is set up for the hub {self._configured}.", code="hub_fixed")
            return self._configured
        url = hub_url or self.url
        if not url:
            raise Unavailable("Say which hub to sign in to.", code="hub_not_configured")
        return normalize_hub_url(url)


def namespace_json(namespace: Any) -> dict[str, Any]:
    """Return a namespace as the API shows it."""
    return {"name": namespace.name, "kind": namespace.kind, "role": namespace.role, "display_name": namespace.display_name}
