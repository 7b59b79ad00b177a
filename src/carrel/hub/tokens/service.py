"""Rules of tokens: what is minted never exceeds the minter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from carrel.core.clock import now
from carrel.core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from carrel.core.names import validate_label, validate_package
from carrel.core.scopes import ALL_SCOPES, Scope, expand, reduce
from carrel.core.tokens import mint
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal, Via
from carrel.hub.audit.repository import record
from carrel.hub.collections.service import find_collection
from carrel.hub.namespaces.service import find_namespace, require_member
from carrel.hub.packages import repository as packages_of
from carrel.hub.tokens import repository


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token without its secret.

    Attributes
    ----------
    scopes : tuple of str
        The shortest list that says what it may do; sorted.
    namespace : str or None
        What it is narrowed to, as the next three.
    packages, labels : tuple of str or None
    collection : str or None
        ``namespace/name``.
    hostname, remote_addr : str
        What its maker said of the machine it is for, and where it was made.
    rotated_at : datetime or None
        When a newer one was made in its place; it works until it expires.
    flagged_at : datetime or None
        When it was found in an upload: whoever reads *flag_reason* replaces it.
    """

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    namespace: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    packages: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    collection: str | None = None
    hostname: str = ""
    remote_addr: str = ""
    rotated_at: datetime | None = None
    flagged_at: datetime | None = None
    flag_reason: str = ""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token at the only moment its secret is known."""

    secret: str
    view: TokenView


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a token is narrowed to, as columns of its row."""

    namespace_id: int | None = None
    packages: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    collection_id: int | None = None

    @classmethod
    def of_row(cls, row: Row[Any]) -> _Bounds:
        return cls(row.namespace_id, _names(row.package_limit), _names(row.label_limit), row.collection_id)

    @classmethod
    def of_principal(cls, principal: Principal) -> _Bounds:
        limits = principal.limits
        return cls(principal.namespace_limit, limits.packages, limits.labels, limits.collection)

    def contain(self, other: _Bounds) -> bool:
        """Whether *other* gives nothing that these do not."""
        return (
            self.namespace_id in (None, other.namespace_id)
            and (self.packages is None or (other.packages is not None and other.packages <= self.packages))
            and (self.labels is None or (other.labels is not None and other.labels <= self.labels))
            and self.collection_id in (None, other.collection_id)
        )


class TokenService:
    """Tokens of the caller.

    Parameters
    ----------
    on_rights_changed : callable
        Called after the commit when a token was revoked or replaced.
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
        packages: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        collection: str | None = None,
        expires_in: int | None = None,
        hostname: str = "",
        remote_addr: str = "",
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
        packages, labels : sequence of str, optional
            Limit it to packages of these names, to files under these labels.
        collection : str, optional
            Limit it to reading the items of a collection: ``namespace/name``, or the name beside *namespace*.
        expires_in : int, optional
            Seconds; by default it does not expire.
        hostname, remote_addr : str
            Kept for its owner.

        Raises
        ------
        NotFound
            There is no such namespace or collection.
        Forbidden
            More scopes, namespaces, packages, labels or a longer life than the credential that asks, or another collection.
        """
        if principal.user_id is None:
            raise Unauthenticated("Sign in to create a token.")
        principal = _as_it_is(uow, principal)
        wanted = _require_scopes(principal, scopes)
        moment = now()
        expires_at = None if expires_in is None else moment + timedelta(seconds=expires_in)
        _require_life(principal, expires_at)
        if collection is not None and "/" not in collection and namespace is not None:
            collection, namespace = f"{namespace}/{collection}", None
        bounds = self._narrowed(uow, principal, namespace, packages, labels, collection)
        return self._insert(
            uow,
            principal,
            "token.create",
            {
                "name": name,
                "scopes": sorted(scope.value for scope in wanted),
                "namespace_id": bounds.namespace_id,
                "package_limit": _column(bounds.packages),
                "label_limit": _column(bounds.labels),
                "collection_id": bounds.collection_id,
                "created_at": moment,
                "expires_at": expires_at,
                "hostname": hostname[:255],
                "remote_addr": remote_addr[:64],
            },
        )

    def rotate(self, uow: UnitOfWork, principal: Principal, token_id: int, overlap: int) -> NewToken:
        """Make a token like the caller's *token_id*, which ends *overlap* seconds from now.

        The new one lives as long as the old one was made to, but no longer than a token that asks. A token may replace
        itself without the scope to make others: nothing is gained by it.

        Raises
        ------
        NotFound, Forbidden
        Conflict
            It was replaced before.
        """
        if principal.user_id is None:
            raise Unauthenticated("Sign in to rotate a token.")
        principal = _as_it_is(uow, principal) if token_id != principal.token_id else principal
        row = self._mine(uow, principal, token_id)
        if token_id != principal.token_id:
            if Scope.ACCOUNT_WRITE not in principal.scopes:
                raise Forbidden(
                    f"This token lacks the scope {Scope.ACCOUNT_WRITE.value}, so it can rotate only itself.",
                    code="missing_scope",
                    scope=Scope.ACCOUNT_WRITE.value,
                )
            _require_scopes(principal, [Scope(text) for text in row.scopes if text in set(Scope)])
        if row.rotated_at is not None:
            raise Conflict("This token was replaced before. Rotate the newer one.", code="rotated_before")
        moment = now()
        expires_at = None if row.expires_at is None else moment + (row.expires_at - row.created_at)
        if principal.via is Via.TOKEN and principal.expires_at is not None:
            expires_at = principal.expires_at if expires_at is None else min(expires_at, principal.expires_at)
        end = moment + timedelta(seconds=overlap)
        if not repository.set_rotated(uow, token_id, moment, end if row.expires_at is None else min(end, row.expires_at)):
            raise Conflict("This token was replaced or revoked at the same moment.", code="rotated_before")
        uow.after_commit(self._on_rights_changed)
        kept = ("name", "scopes", "namespace_id", "package_limit", "label_limit", "collection_id", "hostname", "remote_addr")
        values = {column: getattr(row, column) for column in kept}
        return self._insert(uow, principal, "token.rotate", {**values, "created_at": moment, "expires_at": expires_at})

    def list(self, uow: UnitOfWork, principal: Principal) -> list[TokenView]:
        """Return the caller's valid tokens, newest first; a narrowed token sees those that are narrowed at least as much."""
        if principal.user_id is None:
            raise Unauthenticated("Sign in to see your tokens.")
        return [_view(row) for row in self._visible(uow, principal, principal.user_id)]

    def revoke(self, uow: UnitOfWork, principal: Principal, token_id: int) -> None:
        """Revoke a token of the caller, at once in this process.

        Raises
        ------
        NotFound
        """
        if principal.user_id is None:
            raise Unauthenticated("Sign in to revoke a token.")
        name = self._mine(uow, principal, token_id).name
        repository.delete_token(uow, principal.user_id, token_id)
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

    def _visible(self, uow: UnitOfWork, principal: Principal, user_id: int) -> Sequence[Row[Any]]:
        limit = _Bounds.of_principal(principal)
        return [row for row in repository.tokens_of(uow, user_id, now()) if limit.contain(_Bounds.of_row(row))]

    def _mine(self, uow: UnitOfWork, principal: Principal, token_id: int) -> Row[Any]:
        if principal.user_id is not None:
            for row in self._visible(uow, principal, principal.user_id):
                if row.id == token_id:
                    return row
        raise NotFound("You have no such token.")

    def _narrowed(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str | None,
        packages: Sequence[str] | None,
        labels: Sequence[str] | None,
        collection: str | None,
    ) -> _Bounds:
        limit = _Bounds.of_principal(principal)
        wanted = _Bounds(
            self._namespace_id(uow, principal, namespace) if namespace is not None else limit.namespace_id,
            limit.packages,
            limit.labels if labels is None else frozenset(validate_label(label) for label in labels),
            limit.collection_id,
        )
        if packages is not None:
            names = frozenset(self._package_key(uow, principal, wanted.namespace_id, name) for name in packages)
            wanted = _Bounds(wanted.namespace_id, names, wanted.labels, wanted.collection_id)
        if collection is not None:
            holder, _, short = collection.rpartition("/")
            found = find_collection(uow, principal, holder or principal.user_name, short)
            wanted = _Bounds(wanted.namespace_id, wanted.packages, wanted.labels, found.id)
        for what, code, within in (
            ("namespace", "namespace_limit", limit.namespace_id in (None, wanted.namespace_id)),
            ("packages", "package_limit", _Bounds(packages=limit.packages).contain(_Bounds(packages=wanted.packages))),
            ("labels", "label_limit", _Bounds(labels=limit.labels).contain(_Bounds(labels=wanted.labels))),
            ("collection", "collection_limit", limit.collection_id in (None, wanted.collection_id)),
        ):
            if not within:
                raise Forbidden(f"A token cannot give more than its maker has: this one is limited to other {what}.", code=code)
        return wanted

    def _namespace_id(self, uow: UnitOfWork, principal: Principal, name: str) -> int:
        row = find_namespace(uow, name)
        # Whoever reads something there through a group or a collaboration may make a token for just that.
        if not principal.granted_in(row.id):
            require_member(principal, row)
        return int(row.id)

    def _package_key(self, uow: UnitOfWork, principal: Principal, namespace_id: int | None, name: str) -> str:
        validate_package(name)
        if namespace_id is not None and (row := packages_of.find_any(uow, namespace_id, name)) is None:
            # Another spelling of a PyPI project's name.
            row = packages_of.find_canonical(uow, namespace_id, name)
            return str(row.name_key) if row is not None and principal.permission_on(row) is not None else name.lower()
        return name.lower()

    def _insert(self, uow: UnitOfWork, principal: Principal, action: str, values: dict[str, Any]) -> NewToken:
        minted = mint()
        token_id = repository.insert_token(uow, {"user_id": principal.user_id, "prefix": minted.prefix, "sha256": minted.sha256, **values})
        detail = {
            name: values[name] for name in ("scopes", "package_limit", "label_limit", "collection_id") if values.get(name) is not None
        }
        record(uow, principal, action, values["namespace_id"], values["name"], {"prefix": minted.prefix, **detail})
        return NewToken(minted.secret, _view(repository.by_id(uow, token_id)))


def _as_it_is(uow: UnitOfWork, principal: Principal) -> Principal:
    """Return the caller with what the database says of their token: a process remembers one that another revoked or replaced."""
    if principal.token_id is None:
        return principal
    row = repository.keep(uow, principal.token_id, now())
    if row is None:
        raise Unauthenticated("The token is unknown, revoked or expired. Create a new one.", code="invalid_token")
    return replace(principal, expires_at=row.expires_at)


def _require_scopes(principal: Principal, scopes: Collection[Scope] | None) -> frozenset[Scope]:
    """Return the shortest form of what is asked for, which the caller has."""
    most = ALL_SCOPES if principal.via is Via.PASSWORD else expand(principal.scopes)
    wanted = most if scopes is None else expand(scopes)
    if not wanted <= most:
        missing = ", ".join(sorted(scope.value for scope in reduce(wanted - most)))
        raise Forbidden(f"A token cannot give more than its maker has. Missing here: {missing}.", code="scope_exceeded", scope=missing)
    return reduce(wanted)


def _require_life(principal: Principal, expires_at: datetime | None) -> None:
    if principal.via is not Via.TOKEN or principal.expires_at is None:
        return
    if expires_at is None or expires_at > principal.expires_at:
        raise Forbidden(
            f"A token cannot outlive the token that makes it, which expires at {principal.expires_at:%Y-%m-%d %H:%M} UTC."
            " Ask for a shorter life.",
            code="expiry_exceeded",
        )


def _names(value: Any) -> frozenset[str] | None:
    return None if value is None else frozenset(value)


def _column(value: frozenset[str] | None) -> Sequence[str] | None:
    return None if value is None else sorted(value)


def _view(row: Row[Any]) -> TokenView:
    return TokenView(
        row.id,
        row.name,
        row.prefix,
        tuple(row.scopes),
        row.namespace,
        row.created_at,
        row.expires_at,
        row.last_used_at,
        None if row.package_limit is None else tuple(row.package_limit),
        None if row.label_limit is None else tuple(row.label_limit),
        None if row.collection is None else f"{row.collection_namespace}/{row.collection}",
        row.hostname,
        row.remote_addr,
        row.rotated_at,
        row.flagged_at,
        row.flag_reason,
    )
