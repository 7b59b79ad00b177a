"""Passwords: argon2 hashes, and a brake on guessing.

Hashing takes tens of milliseconds and tens of megabytes on purpose, so it happens in the pool and outside any
transaction, and only when a session or a token is made: never once per request.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from carrel.core.errors import RateLimited, Unauthenticated, Unprocessable
from carrel.database.engine import Database
from carrel.hub.accounts import repository
from carrel.hub.accounts.principal import Principal, Via
from carrel.hub.accounts.resolver import load_principal

MIN_LENGTH = 8
MAX_LENGTH = 1000

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the hash to store.

    Raises
    ------
    Unprocessable
        The password is too short or too long.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Unprocessable(
            f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.",
            code="weak_password",
            errors=[{"field": "password", "message": f"Use {MIN_LENGTH} to {MAX_LENGTH} characters"}],
        )
    return _hasher.hash(password)


class AttemptLimiter:
    """Counts failures by key in a sliding window, in memory of this process.

    Parameters
    ----------
    limit : int
        Failures allowed per key and window.
    window : float
        Seconds.
    """

    def __init__(self, limit: int, window: float) -> None:
        self._limit = limit
        self._window = window
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def check(self, key: str) -> None:
        """Refuse when *key* failed too often.

        Raises
        ------
        RateLimited
        """
        with self._lock:
            times = self._recent(key) if key in self._failures else deque[float]()
            if len(times) >= self._limit:
                wait = max(1, round(times[0] + self._window - time.monotonic()))
                raise RateLimited(f"Too many failed attempts. Try again in {wait} seconds.", retry_after=wait)

    def failed(self, key: str) -> None:
        """Count a failure."""
        with self._lock:
            if len(self._failures) > 50_000:
                self._failures = {name: times for name in list(self._failures) if (times := self._recent(name))}
            self._recent(key).append(time.monotonic())

    def succeeded(self, key: str) -> None:
        """Forget the failures of *key*."""
        with self._lock:
            self._failures.pop(key, None)

    def _recent(self, key: str) -> deque[float]:
        times = self._failures.setdefault(key, deque())
        oldest = time.monotonic() - self._window
        while times and times[0] < oldest:
            times.popleft()
        return times


class PasswordSignIn:
    """Checks user names and passwords.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_account = AttemptLimiter(10, 300)
        self._by_address = AttemptLimiter(60, 300)
        self._decoy = ""

    def sign_in(self, name: str, password: str, address: str) -> Principal:
        """Return the principal of *name*. Runs in the pool: takes as long for unknown users as for wrong passwords.

        Raises
        ------
        Unauthenticated
            Unknown user or wrong password; which one is not told.
        RateLimited
            Too many failures of this account from this address, or from this address at all.
        """
        account = f"{name[:64]}\n{address}"
        self._by_account.check(account)
        self._by_address.check(address)
        with self._database.read() as uow:
            row = repository.user_by_name(uow, name)
        stored = row.password_hash if row is not None and row.disabled_at is None else None
        if not self._matches(stored, password) or row is None:
            self._by_account.failed(account)
            self._by_address.failed(address)
            raise Unauthenticated("User name or password is wrong.", code="invalid_credentials")
        self._by_account.succeeded(account)
        if _hasher.check_needs_rehash(row.password_hash):
            renewed = _hasher.hash(password)
            with self._database.write() as uow:
                repository.set_password_hash(uow, row.id, renewed)
        with self._database.read() as uow:
            return load_principal(uow, row.id, row.name, Via.PASSWORD)

    def _matches(self, stored: str | None, password: str) -> bool:
        if stored is None and not self._decoy:
            self._decoy = _hasher.hash("no such user")
        try:
            return _hasher.verify(stored or self._decoy, password[:MAX_LENGTH]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False
