"""From a secret to a :class:`Principal`, remembered for a few seconds so that a busy client costs no database work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from carrel.core.clock import now
from carrel.core.scopes import ALL_SCOPES, Scope, expand, parse
from carrel.core.tokens import hash_token
from carrel.database.engine import Database
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts import repository
from carrel.hub.accounts.principal import NO_LIMITS, Limits, Principal, Via

_MAX_ENTRIES = 10_000


class CredentialResolver:
    """Looks up tokens and sessions by the SHA-256 of their secret.

    Found principals are kept in memory for *seconds*; other processes of the same hub see a revocation at most that much
    later, this one at once (:meth:`forget`). What is not found is not kept.

    Parameters
    ----------
    database : Database
    seconds : float
    on_token_used : callable
        Told the id of each token that is looked up.
    """

    def __init__(self, database: Database, seconds: float, on_token_used: Callable[[int], None]) -> None:
        self._database = database
        self._seconds = seconds
        self._on_token_used = on_token_used
        self._entries: dict[str, tuple[Principal, float]] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def cached(self, via: Via, secret: str) -> Principal | None:
        """Return the principal of *secret* if it is remembered; touches no database."""
        entry = self._entries.get(via.value + hash_token(secret))
        if entry is None or entry[1] < time.monotonic():
            return None
        if entry[0].token_id is not None:
            self._on_token_used(entry[0].token_id)
        return entry[0]

    def resolve(self, via: Via, secret: str) -> Principal | None:
        """Return the principal of *secret*, None when it is unknown, expired or belongs to a disabled user."""
        digest = hash_token(secret)
        generation = self._generation
        with self._database.read() as uow:
            principal = _token_principal(uow, digest) if via is Via.TOKEN else _session_principal(uow, digest)
        if principal is None:
            return None
        if principal.token_id is not None:
            self._on_token_used(principal.token_id)
        seconds = self._seconds
        if principal.expires_at is not None:
            seconds = min(seconds, (principal.expires_at - now()).total_seconds())
        with self._lock:
            if generation == self._generation:
                while len(self._entries) >= _MAX_ENTRIES:
                    self._entries.pop(next(iter(self._entries)))
                self._entries[via.value + digest] = (principal, time.monotonic() + seconds)
        return principal

    def forget(self) -> None:
        """Forget everything: rights, memberships or credentials changed."""
        with self._lock:
            self._generation += 1
            self._entries.clear()


def load_principal(uow: UnitOfWork, user_id: int, user_name: str, via: Via) -> Principal:
    """Return the principal of a user who proved who they are, with every scope (passwords: only to make tokens)."""
    scopes = expand((Scope.ACCOUNT_WRITE,)) if via is Via.PASSWORD else ALL_SCOPES
    given = repository.rights(uow, user_id)
    return Principal(user_id, user_name, scopes, given.memberships, via=via, grants=given.grants, granted=given.granted)


def _session_principal(uow: UnitOfWork, digest: str) -> Principal | None:
    row = repository.session_user(uow, digest, now())
    if row is None:
        return None
    return replace(load_principal(uow, row.id, row.name, Via.SESSION), expires_at=row.expires_at)


def _token_principal(uow: UnitOfWork, digest: str) -> Principal | None:
    row = repository.token_user(uow, digest, now())
    if row is None:
        return None
    given = repository.rights(uow, row.id)
    if row.namespace_id is not None:
        given = given.within(row.namespace_id)
    return Principal(
        row.id,
        row.name,
        parse(row.scopes),
        given.memberships,
        namespace_limit=row.namespace_id,
        token_id=row.token_id,
        token_prefix=row.prefix,
        expires_at=row.expires_at,
        via=Via.TOKEN,
        grants=given.grants,
        granted=given.granted,
        limits=_limits(uow, row),
    )


def _limits(uow: UnitOfWork, row: Row[Any]) -> Limits:
    if row.package_limit is None and row.label_limit is None and row.collection_id is None:
        return NO_LIMITS
    return Limits(
        None if row.package_limit is None else frozenset(row.package_limit),
        None if row.label_limit is None else frozenset(row.label_limit),
        row.collection_id,
        None if row.collection_id is None else repository.collection_packages(uow, row.collection_id),
    )
