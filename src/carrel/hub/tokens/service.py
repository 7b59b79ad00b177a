"""Rules of tokens: what is minted never exceeds the minter."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from carrel.core.clock import now
from carrel.core.errors import Forbidden, NotFound, Unauthenticated
from carrel.core.scopes import ALL_SCOPES, Scope
from carrel.core.tokens import mint
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal, Via
from carrel.hub.audit.repository import record
from carrel.hub.namespaces import repository as namespaces
from carrel.hub.namespaces.service import find_namespace, require_member
from carrel.hub.tokens import repository


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token without its secret."""

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    namespace: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token at the only moment its secret is known."""

    secret: str
    view: TokenView


class TokenService:
    """Tokens of the caller.

    Parameters
    ----------
    on_rights_changed : callable
        Called after the commit when a token was revoked.
    """

    def __init__(self, on_rights_changed: Callable[[], None]) -> None:
        self._on_rights_changed = on_rights_changed

    def create(
        self,
        uow: UnitOfWork,
        principal: Principal,
        *,
        name: str,
        scopes: Collection[Scope] | None = None,
        namespace: str | None = None,
        expires_in: int | None = None,
    ) -> NewToken:
        """Mint a token for the caller.

        Parameters
        ----------
        name : str
            For its owner.
        scopes : collection of Scope, optional
            By default everything its maker may do.
        namespace : str, optional
            Limit it to this namespace.
        expires_in : int, optional
            Seconds; by default it does not expire.

        Raises
        ------
        Forbidden
            More scopes, other namespaces or a longer life than the credential that asks.
        """
        if principal.user_id is None:
            raise Unauthenticated("Sign in to create a token.")
        most = ALL_SCOPES if principal.via is Via.PASSWORD else principal.scopes
        wanted = most if scopes is None else frozenset(scopes)
        if not wanted <= most:
            missing = ", ".join(sorted(scope.value for scope in wanted - most))
            raise Forbidden(f"A token cannot give more than its maker has. Missing here: {missing}.", code="scope_exceeded")
        moment = now()
        expires_at = None if expires_in is None else moment + timedelta(seconds=expires_in)
        if principal.via is Via.TOKEN and principal.expires_at is not None and (expires_at is None or expires_at > principal.expires_at):
            raise Forbidden("A token cannot outlive the token that makes it. Ask for a shorter life.", code="expiry_exceeded")
        namespace_id = principal.namespace_limit
        if namespace is not None:
            row = find_namespace(uow, namespace)
            require_member(principal, row)
            namespace_id = row.id
        elif namespace_id is not None and (limit := namespaces.by_id(uow, namespace_id)) is not None:
            namespace = limit.name
        minted = mint()
        kept = sorted(scope.value for scope in wanted)
        token_id = repository.insert_token(
            uow,
            {
                "user_id": principal.user_id,
                "name": name,
                "prefix": minted.prefix,
                "sha256": minted.sha256,
                "scopes": kept,
                "namespace_id": namespace_id,
                "created_at": moment,
                "expires_at": expires_at,
            },
        )
        record(uow, principal, "token.create", namespace_id, name, {"prefix": minted.prefix, "scopes": kept})
        return NewToken(minted.secret, TokenView(token_id, name, minted.prefix, tuple(kept), namespace, moment, expires_at, None))

    def list(self, uow: UnitOfWork, principal: Principal) -> list[TokenView]:
        """Return the caller's valid tokens, newest first; a narrowed token sees those of its namespace."""
        if principal.user_id is None:
            raise Unauthenticated("Sign in to see your tokens.")
        limit = principal.namespace_limit
        return [
            TokenView(row.id, row.name, row.prefix, tuple(row.scopes), row.namespace, row.created_at, row.expires_at, row.last_used_at)
            for row in repository.tokens_of(uow, principal.user_id, now())
            if limit is None or row.namespace_id == limit
        ]

    def revoke(self, uow: UnitOfWork, principal: Principal, token_id: int) -> None:
        """Revoke a token of the caller, at once in this process.

        Raises
        ------
        NotFound
        """
        if principal.user_id is None:
            raise Unauthenticated("Sign in to revoke a token.")
        if principal.namespace_limit is not None and token_id not in {view.id for view in self.list(uow, principal)}:
            raise NotFound("You have no such token.")
        name = repository.delete_token(uow, principal.user_id, token_id)
        if name is None:
            raise NotFound("You have no such token.")
        record(uow, principal, "token.revoke", None, name)
        uow.after_commit(self._on_rights_changed)

    def revoke_current(self, uow: UnitOfWork, principal: Principal) -> None:
        """Revoke the token that asks.

        Raises
        ------
        NotFound
            The caller did not use a token.
        """
        if principal.token_id is None:
            raise NotFound("This request was not made with a token.")
        self.revoke(uow, principal, principal.token_id)
