"""Tokens: listing, making, rotating, revoking; the scopes there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from carrel.client.endpoints import Endpoints, given, path
from carrel.client.models import Token


@dataclass(frozen=True, slots=True)
class ScopeInfo:
    """A scope, what it allows, and the scopes that it includes."""

    name: str
    summary: str = ""
    implies: tuple[str, ...] = ()


class Tokens(Endpoints):
    """``/tokens`` and ``/scopes``."""

    def list(self) -> tuple[Token, ...]:
        """Return the caller's tokens, newest first, without their secrets."""
        return self._items(Token, path("tokens"))

    def create(
        self,
        name: str,
        scopes: Iterable[str] | None = None,
        *,
        namespace: str | None = None,
        packages: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        collection: str | None = None,
        expires_in: int | None = None,
    ) -> Token:
        """Make a token that allows at most what the present one allows.

        Parameters
        ----------
        scopes : iterable of str, optional
            None: everything the present token allows.
        namespace, packages, labels, collection : optional
            What the token is limited to.
        expires_in : int, optional
            Seconds.
        """
        limits: dict[str, Any] = {"namespace": namespace, "packages": packages, "labels": labels, "collection": collection}
        body = given({"scopes": None if scopes is None else list(scopes), **limits, "expires_in": expires_in})
        return self._send(Token, "POST", path("tokens"), {"name": name, **body})

    def rotate(self, token_id: str, overlap: int) -> Token:
        """Make a token like *token_id*, which goes on working for *overlap* seconds."""
        return self._send(Token, "POST", path("tokens", token_id, "rotate"), {"overlap": overlap})

    def revoke(self, token_id: str) -> None:
        """End a token at once."""
        self._do("DELETE", path("tokens", token_id))

    def scopes(self) -> tuple[ScopeInfo, ...]:
        """Return the scopes that tokens may have."""
        return self._items(ScopeInfo, path("scopes"))
