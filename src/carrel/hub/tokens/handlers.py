"""Endpoints of tokens."""

from __future__ import annotations

from carrel.core.errors import Forbidden, NotFound, RateLimited
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.tokens.schemas import CreatedToken, TokenInfo, TokenList, TokenRequest
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler


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
        """The only place where user name and password (Basic) are accepted. The secret is in this answer and nowhere else."""
        new = self.hub.tokens.create(
            uow,
            self.principal,
            name=body.name,
            scopes=None if body.scopes is None else frozenset(body.scopes),
            namespace=body.namespace,
            expires_in=body.expires_in,
        )
        return CreatedToken.of_new(new)


class TokenHandler(ApiHandler):
    """``/tokens/{token}``."""

    @endpoint(summary="Revoke a token", scope=Scope.ACCOUNT_WRITE, status=204, writes=True, errors=(NotFound,))
    def delete(self, uow: UnitOfWork, token: str) -> None:
        """``token`` is an id."""
        if not token.isascii() or not token.isdigit() or len(token) > 18:
            raise NotFound("You have no such token.")
        self.hub.tokens.revoke(uow, self.principal, int(token))


class CurrentTokenHandler(ApiHandler):
    """``/tokens/current``."""

    @endpoint(summary="Revoke the token that asks", status=204, writes=True, errors=(NotFound,))
    def delete(self, uow: UnitOfWork) -> None:
        """Sign out: any token may revoke itself."""
        self.hub.tokens.revoke_current(uow, self.principal)
