"""Rows 1–9: sign-in, tokens, scopes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from carrel.core.errors import BadRequest, NotFound, RateLimited, Unauthenticated, Unprocessable
from carrel.core.scopes import SCOPES, Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda.handlers import AnacondaHandler, answer
from carrel.hub.anaconda.views import timestamp
from carrel.hub.tokens.service import TokenView
from carrel.hub.web.endpoint import Reply, endpoint

_MAX_AGE = 20 * 365 * 86400


class NewAuthentication(BaseModel):
    """A token to make; ``note`` is its name."""

    note: str = Field(min_length=1, max_length=200)
    scopes: list[str] | None = None
    user: str | None = None
    hostname: str | None = Field(None, max_length=255)
    max_age: float | None = Field(None, alias="max-age", allow_inf_nan=False)
    fail_if_exists: bool = Field(False, alias="fail-if-exists")


class AuthenticationTypeHandler(AnacondaHandler):
    """``/authentication-type``."""

    @endpoint(summary="How to sign in", anonymous=True)
    async def get(self) -> Reply:
        """User name and password."""
        return answer({"authentication_type": "password"})


class AuthenticationsHandler(AnacondaHandler):
    """``/authentications``."""

    async def prepare(self) -> None:
        """Say what clients of anaconda.org understand of a sign-in elsewhere: ask for the password instead."""
        try:
            await super().prepare()
        except Unauthenticated as error:
            header = self.request.headers.get("Authorization", "")
            if self.request.method == "POST" and header.lower().startswith("bearer ") and error.code == "invalid_token":
                raise Unauthenticated("Bearer token authentication is not enabled", code=error.code) from error
            raise

    @endpoint(summary="List my tokens", scope=Scope.ACCOUNT_READ)
    def get(self, uow: UnitOfWork) -> Reply:
        """Valid tokens of the caller, without their secrets."""
        return answer([token(view) for view in self.hub.tokens.list(uow, self.principal)])

    @endpoint(
        summary="Create a token",
        scope=Scope.ACCOUNT_WRITE,
        password=True,
        request=NewAuthentication,
        writes=True,
        errors=(BadRequest, NotFound, RateLimited),
    )
    def post(self, uow: UnitOfWork, body: NewAuthentication) -> Reply:
        """With user name and password, or with a token that may. ``fail-if-exists`` false replaces a token of the same name."""
        scopes = None if not body.scopes else frozenset(_scope(text) for text in body.scopes)
        namespace = None if body.user in (None, self.principal.user_name) else body.user
        known = [view for view in self.hub.tokens.list(uow, self.principal) if view.name == body.note and view.namespace == namespace]
        if known and body.fail_if_exists:
            raise BadRequest(f"A token named {body.note!r} exists. Remove it, or choose another name.", code="token_exists")
        for view in known:
            self.hub.tokens.revoke(uow, self.principal, view.id)
        expires_in = None if body.max_age is None else int(body.max_age)
        if expires_in is not None and not 0 < expires_in <= _MAX_AGE:
            raise Unprocessable("max-age: between one second and twenty years.", errors=[{"field": "max-age", "message": "out of range"}])
        new = self.hub.tokens.create(
            uow,
            self.principal,
            name=body.note,
            scopes=scopes,
            namespace=namespace,
            expires_in=expires_in,
            hostname=body.hostname or "",
            remote_addr=self.request.remote_ip or "",
        )
        return answer({**token(new.view), "token": new.secret})

    @endpoint(summary="Revoke the token that asks", status=201, writes=True, errors=(NotFound,))
    def delete(self, uow: UnitOfWork) -> Reply:
        """Sign out."""
        self.hub.tokens.revoke_current(uow, self.principal)
        return answer({}, 201)


class NamedAuthenticationHandler(AnacondaHandler):
    """``/authentications/name/{name}`` and ``/authentications/org/{organization}/name/{name}``."""

    @endpoint(summary="Revoke tokens of a name", scope=Scope.ACCOUNT_WRITE, status=201, writes=True, errors=(NotFound,))
    def delete(self, uow: UnitOfWork, name: str, organization: str | None = None) -> Reply:
        """All tokens of the caller that have this name and are limited to this organization, or to none."""
        namespace = None if organization == self.principal.user_name else organization
        views = [view for view in self.hub.tokens.list(uow, self.principal) if view.name == name and view.namespace == namespace]
        if not views:
            raise NotFound(f"You have no token named {name[:200]!r}.")
        for view in views:
            self.hub.tokens.revoke(uow, self.principal, view.id)
        return answer({}, 201)


class AuthenticationHandler(AnacondaHandler):
    """``/authentication``."""

    @endpoint(summary="Describe the token that asks", errors=(NotFound,))
    def get(self, uow: UnitOfWork) -> Reply:
        """Name, scopes and expiry."""
        found = [view for view in self.hub.tokens.list(uow, self.principal) if view.id == self.principal.token_id]
        if not found:
            raise NotFound("This request was not made with a token.")
        return answer(token(found[0]))


class ScopesHandler(AnacondaHandler):
    """``/scopes``."""

    @endpoint(summary="What tokens may be allowed to do", anonymous=True)
    async def get(self) -> Reply:
        """Scope -> text, for everybody."""
        return answer({info.scope.value: info.summary for info in SCOPES})


def token(view: TokenView) -> dict[str, Any]:
    """Return a token without its secret."""
    return {
        "id": str(view.id),
        "application": view.name,
        "application_website": "",
        "remote_addr": view.remote_addr,
        "hostname": view.hostname,
        "expires": timestamp(view.expires_at),
        "created": timestamp(view.created_at),
        "last_used": timestamp(view.last_used_at),
        "scopes": list(view.scopes),
        "for_user": view.namespace,
    }


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError as error:
        raise Unprocessable(f"{text[:80]!r} is not a scope. GET /api/scopes lists them.", code="unknown_scope") from error
