"""Finding the caller of a request: URL token, ``Authorization`` or ``X-API-Key`` header, session cookie, in this order."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from tornado.httputil import HTTPServerRequest

from carrel.core.clock import now
from carrel.core.errors import Forbidden, Unauthenticated
from carrel.core.tokens import PREFIX
from carrel.hub.accounts.principal import ANONYMOUS, Principal, Via
from carrel.hub.context import Hub
from carrel.hub.web.endpoint import Declaration
from carrel.hub.web.routing import url_token

SESSION_COOKIE = "carrel_session"
_MAX_SECRET = 4096


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request carries: a secret and how it is meant; *user* with passwords only."""

    via: Via
    secret: str
    user: str = ""


def credential_of(request: HTTPServerRequest) -> Credential | None:
    """Return the credential of *request*.

    Raises
    ------
    Unauthenticated
        The ``Authorization`` header is malformed.
    """
    if token := url_token(request):
        return Credential(Via.TOKEN, token)
    header = request.headers.get("Authorization", "")
    if header:
        return _from_header(header)
    if key := request.headers.get("X-API-Key", ""):  # clients of quetz
        return Credential(Via.TOKEN, key[:_MAX_SECRET])
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie is not None and cookie.value:
        return Credential(Via.SESSION, cookie.value[:_MAX_SECRET])
    return None


def _from_header(header: str) -> Credential:
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if len(value) <= _MAX_SECRET and value:
        if scheme.lower() in ("bearer", "token"):
            return Credential(Via.TOKEN, value)
        if scheme.lower() == "basic":
            try:
                user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                user = colon = password = ""
            if colon and password.startswith(PREFIX):
                return Credential(Via.TOKEN, password)
            if user.startswith(PREFIX):  # https://TOKEN@host/, https://TOKEN:x-oauth-basic@host/
                return Credential(Via.TOKEN, user)
            if colon and user and password:
                return Credential(Via.PASSWORD, password, user)
    raise Unauthenticated(
        "The Authorization header is not understood. Send 'Bearer <token>', or Basic with the user name '__token__' and the token.",
        code="invalid_credentials",
    )


async def authenticate(hub: Hub, request: HTTPServerRequest, declaration: Declaration) -> Principal:
    """Return the caller.

    Raises
    ------
    Unauthenticated
        The credential is unknown or expired.
    """
    credential = credential_of(request)
    return ANONYMOUS if credential is None else await _resolve(hub, credential, request.remote_ip or "", declaration)


def authorize(hub: Hub, principal: Principal, declaration: Declaration) -> None:
    """Refuse a caller who may not make this kind of request.

    Raises
    ------
    Unauthenticated
        A credential is needed.
    Forbidden
        The credential lacks the scope.
    """
    if principal.is_anonymous:
        open_to_all = declaration.anonymous and (hub.settings.allow_anonymous or declaration.scope is None)
        if not open_to_all:
            wanted = "" if declaration.scope is None else f" with the scope {declaration.scope.value}"
            raise Unauthenticated(f"Sign in or send a token{wanted} to do this.")
    elif declaration.scope is not None and declaration.scope not in principal.scopes:
        raise Forbidden(
            f"This token lacks the scope {declaration.scope.value}. Create a token that has it, or one that contains it.",
            code="missing_scope",
            scope=declaration.scope.value,
        )


def expiry_warning(principal: Principal, within: float, base: str) -> str:
    """Return what ``Conda-Token-Warning`` says of a token that expires within so many seconds; empty for others."""
    if principal.via is not Via.TOKEN or principal.expires_at is None:
        return ""
    left = (principal.expires_at - now()).total_seconds()
    if left > within:
        return ""
    days, hours = divmod(max(0, int(left // 3600)), 24)
    shown = f"{days} day{'s' if days != 1 else ''}" if days else f"{hours} hour{'s' if hours != 1 else ''}"
    return (
        f"Your token {principal.token_prefix}... expires in {shown}, at {principal.expires_at:%Y-%m-%d %H:%M} UTC."
        f" Replace it at {base}/-/settings/tokens, or with: carrel token rotate"
    )


async def _resolve(hub: Hub, credential: Credential, address: str, declaration: Declaration) -> Principal:
    if credential.via is Via.PASSWORD:
        if not declaration.password:
            raise Unauthenticated(
                "User name and password are accepted only to create a token. Send a token instead.", code="password_not_accepted"
            )
        return await hub.pool.compute(lambda: hub.passwords.sign_in(credential.user, credential.secret, address))
    principal = hub.resolver.cached(credential.via, credential.secret)
    if principal is None:
        principal = await hub.pool.compute(lambda: hub.resolver.resolve(credential.via, credential.secret))
    if principal is not None:
        return principal
    if credential.via is Via.SESSION:
        return ANONYMOUS  # an old cookie is no reason to refuse a public page
    raise Unauthenticated("The token is unknown, revoked or expired. Create a new one.", code="invalid_token")
