"""Endpoints of tokens and scopes."""

from __future__ import annotations

from carrel.core.errors import Conflict, Forbidden, NotFound, RateLimited
from carrel.core.scopes import SCOPES, Scope, expand
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.tokens.schemas import CreatedToken, Rotation, ScopeItem, ScopeList, TokenInfo, TokenList, TokenRequest
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler

_CURRENT = "current"


class TokensHandler(ApiHandler):
    """``/tokens``."""

    @endpoint(summary="List my tokens", scope=Scope.ACCOUNT_READ, response=TokenList)
    def get(self, uow: UnitOfWork) -> TokenList:
        """Valid tokens of the caller, newest first, without their secrets."""
        return TokenList(items=[TokenInfo.of(view) for view in self.hub.tokens.list(uow, self.principal)])

    @endpoint(
        summary="Create a token",
        scope=Scope.ACCOUNT_WRITE,
        password=True,
        request=TokenRequest,
        response=CreatedToken,
        status=201,
        writes=True,
        errors=(Forbidden, NotFound, RateLimited),
    )
    def post(self, uow: UnitOfWork, body: TokenRequest) -> CreatedToken:
        """The only place where user name and password (Basic) are accepted. The secret is in this answer and nowhere else.

        A token never gives more than the credential that asks for it: scopes, namespace, packages, labels, collection, life.
        """
        new = self.hub.tokens.create(
            uow,
            self.principal,
            name=body.name,
            scopes=None if body.scopes is None else frozenset(body.scopes),
            namespace=body.namespace,
            packages=body.packages,
            labels=body.labels,
            collection=body.collection,
            expires_in=body.expires_in,
            hostname=body.hostname,
            remote_addr=self.request.remote_ip or "",
        )
        return CreatedToken.of_new(new)


class TokenHandler(ApiHandler):
    """``/tokens/{token}``."""

    @endpoint(summary="Revoke a token", scope=Scope.ACCOUNT_WRITE, status=204, writes=True, errors=(NotFound,))
    def delete(self, uow: UnitOfWork, token: str) -> None:
        """``token`` is an id."""
        self.hub.tokens.revoke(uow, self.principal, token_id(token))


class CurrentTokenHandler(ApiHandler):
    """``/tokens/current``."""

    @endpoint(summary="Revoke the token that asks", status=204, writes=True, errors=(NotFound,))
    def delete(self, uow: UnitOfWork) -> None:
        """Sign out: any token may revoke itself."""
        self.hub.tokens.revoke_current(uow, self.principal)


class TokenRotationHandler(ApiHandler):
    """``/tokens/{token}/rotate``."""

    @endpoint(
        summary="Replace a token",
        request=Rotation,
        response=CreatedToken,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def post(self, uow: UnitOfWork, token: str, body: Rotation) -> CreatedToken:
        """A new token with the same rights; the old one works for ``overlap`` seconds more. ``current`` is the token that asks.

        Any token may replace itself; to replace others takes the scope ``account:write``.
        """
        wanted = self.principal.token_id if token == _CURRENT else token_id(token)
        if wanted is None:
            raise NotFound("This request was not made with a token.")
        return CreatedToken.of_new(self.hub.tokens.rotate(uow, self.principal, wanted, body.overlap))


class ScopesHandler(ApiHandler):
    """``/scopes``."""

    @endpoint(summary="List the scopes of tokens", anonymous=True, response=ScopeList)
    async def get(self) -> ScopeList:
        """What each allows, and which others it contains."""
        return ScopeList(
            items=[
                ScopeItem(
                    name=info.scope.value,
                    summary=info.summary,
                    implies=sorted(scope.value for scope in expand((info.scope,)) - {info.scope}),
                )
                for info in SCOPES
            ]
        )


def token_id(text: str) -> int:
    """Return the id that an address names.

    Raises
    ------
    NotFound
    """
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NotFound("You have no such token.")
    return int(text)
