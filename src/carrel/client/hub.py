"""The hub's API as methods.

What concerns packages, releases and files are methods of the client itself; every other noun is an attribute with methods
of its own (``client.labels``, ``client.tokens`` …), one module each.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import requests
from requests.auth import HTTPBasicAuth

from carrel.client.channels import Hotfixes, Notices
from carrel.client.collections import Collections
from carrel.client.decoding import decode
from carrel.client.endpoints import API, given, path
from carrel.client.groups import Groups
from carrel.client.labels import Labels
from carrel.client.models import DeviceCode, ImportMatch, Namespace, SearchResults, ServerInfo, Token, User
from carrel.client.organizations import Organizations
from carrel.client.packages import PackageMethods
from carrel.client.publishers import Publishers
from carrel.client.publishing import PublishingMethods
from carrel.client.tokens import Tokens
from carrel.client.transport import Transport
from carrel.core.tokens import redact


class HubClient(PublishingMethods, PackageMethods):
    """A client of one hub.

    Every method raises the errors of :mod:`carrel.core.errors`. Requests that can be repeated safely are repeated when the
    hub cannot be reached for a moment. An instance may be used from several threads.

    Parameters
    ----------
    base_url : str
        Address of the hub, without ``/api``.
    token : str, optional
        Token to act with. It travels in a header and to this hub alone.
    session : requests.Session, optional
        Session to use.
    """

    def __init__(self, base_url: str, token: str | None = None, session: requests.Session | None = None) -> None:
        super().__init__(Transport(base_url, token, session))
        self.authenticated = bool(token)

    @property
    def base_url(self) -> str:
        """Address of the hub, without a trailing slash."""
        return self._http.base_url

    @property
    def token_warning(self) -> str:
        """What the hub last said of the token, such as that it expires soon; mostly empty."""
        return redact(self._http.token_warning)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # The other nouns

    @cached_property
    def tokens(self) -> Tokens:
        """The caller's tokens, and the scopes there are."""
        return Tokens(self._http)

    @cached_property
    def organizations(self) -> Organizations:
        """Organizations and their members."""
        return Organizations(self._http)

    @cached_property
    def groups(self) -> Groups:
        """Groups of organizations."""
        return Groups(self._http)

    @cached_property
    def labels(self) -> Labels:
        """Labels, and changes of many at once."""
        return Labels(self._http)

    @cached_property
    def collections(self) -> Collections:
        """Collections."""
        return Collections(self._http)

    @cached_property
    def notices(self) -> Notices:
        """Notices of channels."""
        return Notices(self._http)

    @cached_property
    def hotfixes(self) -> Hotfixes:
        """Changes to the records of conda channels."""
        return Hotfixes(self._http)

    @cached_property
    def publishers(self) -> Publishers:
        """Trusted publishers."""
        return Publishers(self._http)

    # The server and the caller

    def server(self, timeout: float = 10.0) -> ServerInfo:
        """Return what the hub says of itself."""
        return decode(ServerInfo, self._http.json("GET", f"{API}/", timeout=timeout))

    def whoami(self, timeout: float = 30.0) -> User:
        """Return the signed-in user.

        Raises
        ------
        carrel.core.errors.Unauthenticated
        """
        return decode(User, self._http.json("GET", f"{API}/user", timeout=timeout))

    def create_token(
        self,
        user: str,
        password: str,
        name: str,
        scopes: Iterable[str],
        *,
        namespace: str | None = None,
        expires_in: int | None = None,
    ) -> Token:
        """Create a token with a user's password. ``expires_in`` is in seconds."""
        body: dict[str, Any] = {"name": name, "scopes": list(scopes), **given({"namespace": namespace, "expires_in": expires_in})}
        auth = HTTPBasicAuth(user.encode(), password.encode())
        return decode(Token, self._http.json("POST", f"{API}/tokens", json=body, auth=auth))

    def revoke_current_token(self) -> None:
        """Revoke the token this client uses."""
        self._http.request("DELETE", path("tokens", "current")).close()

    def device_code(self, client_name: str) -> DeviceCode:
        """Start a device sign-in: the person confirms the code in a browser while :meth:`device_token` is polled."""
        return decode(DeviceCode, self._http.json("POST", f"{API}/device/code", json={"client_name": client_name}))

    def device_token(self, device_code: str) -> Token:
        """Return the token of a confirmed device sign-in.

        Raises
        ------
        carrel.core.errors.BadRequest
            With code ``authorization_pending`` or ``slow_down`` (ask again later), ``expired_token`` or ``access_denied``.
        """
        return decode(Token, self._http.json("POST", f"{API}/device/token", json={"device_code": device_code}))

    # Finding

    def search(
        self,
        query: str,
        *,
        kinds: Iterable[str] = (),
        namespace: str | None = None,
        platform: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
        timeout: float = 30.0,
    ) -> SearchResults:
        """Return packages whose names, summaries, modules or texts match *query*, best first."""
        params: list[tuple[str, str]] = [("q", query), ("limit", str(limit)), *(("kind", kind) for kind in kinds)]
        if namespace:
            params.append(("namespace", namespace))
        if platform:
            params.append(("platform", platform))
        if cursor:
            params.append(("cursor", cursor))
        return decode(SearchResults, self._http.json("GET", f"{API}/search", params=params, timeout=timeout))

    def imports(self, modules: Iterable[str], timeout: float = 30.0) -> tuple[ImportMatch, ...]:
        """Return the packages that provide each of *modules*."""
        params = [("name", module) for module in modules]
        if not params:
            return ()
        return self._items(ImportMatch, path("imports"), params, timeout=timeout)

    def namespaces(self) -> tuple[Namespace, ...]:
        """Return the caller's namespaces with their role in each."""
        return self.whoami().namespaces
