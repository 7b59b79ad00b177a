"""Rules of trusted publishing: who registers publishers, and what an identity gets for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Role
from carrel.core.clock import now
from carrel.core.errors import Conflict, NotFound, Unprocessable
from carrel.core.names import canonical_package, validate_package
from carrel.core.scopes import Scope
from carrel.core.tokens import hash_token, mint
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal, Via
from carrel.hub.audit.repository import record
from carrel.hub.namespaces.service import find_namespace, require_owner
from carrel.hub.publishers import repository
from carrel.hub.publishers.claims import check_claims, matches, text_of
from carrel.hub.publishers.identity import LEEWAY_SECONDS, Identity, IdentityVerifier, refused
from carrel.hub.tokens.repository import insert_token

LIFETIME = timedelta(minutes=15)
SCOPES = frozenset((Scope.CONDA_UPLOAD, Scope.PYPI_UPLOAD, Scope.CRAN_UPLOAD))
MAX_PUBLISHERS = 500  # in one namespace
TOKEN_NAME = "trusted publisher: "  # noqa: S105 - what the names of minted tokens begin with
# What the audit trail keeps of an identity.
_TOLD = ("sub", "repository", "project_path", "workflow_ref", "ref", "sha", "run_id", "pipeline_id", "actor", "user_login", "email", "jti")


@dataclass(frozen=True, slots=True)
class PublisherView:
    """A registered publisher; *package* None means any package of the namespace."""

    id: int
    namespace: str
    package: str | None
    issuer: str
    claims: Mapping[str, str]
    created_at: datetime
    created_by: str
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class UploadToken:
    """A minted token; the secret is known only now."""

    secret: str
    namespace: str
    packages: tuple[str, ...] | None
    expires_at: datetime


class PublisherService:
    """Trusted publishers of namespaces.

    Parameters
    ----------
    verifier : IdentityVerifier
    on_rights_changed : callable
        Called after the commit when a token was revoked.
    """

    def __init__(self, verifier: IdentityVerifier, on_rights_changed: Callable[[], None]) -> None:
        self._verifier = verifier
        self._on_rights_changed = on_rights_changed

    @property
    def verifier(self) -> IdentityVerifier:
        """What checks identities; may wait for their issuers, so it is asked before a unit of work begins."""
        return self._verifier

    def list(self, uow: UnitOfWork, principal: Principal, namespace: str) -> list[PublisherView]:
        """Return the publishers of a namespace to its owners."""
        row = find_namespace(uow, namespace)
        require_owner(principal, row)
        return [_view(item) for item in repository.of_namespace(uow, row.id)]

    def register(
        self, uow: UnitOfWork, principal: Principal, namespace: str, *, package: str | None, issuer: str, claims: Mapping[str, str]
    ) -> PublisherView:
        """Let whoever bears *claims* upload to a package of the namespace, which need not exist yet, or to all of them.

        Raises
        ------
        NotFound, Forbidden
            The caller does not own the namespace.
        Unprocessable
            An issuer that the hub does not trust, or claims that strangers bear.
        Conflict
            The same publisher is registered already, or too many are.
        """
        row = find_namespace(uow, namespace)
        require_owner(principal, row)
        if package is not None:
            validate_package(package)
        if issuer not in self._verifier.issuers:
            known = ", ".join(self._verifier.issuers) or "none"
            message = f"this hub does not trust the issuer; it trusts: {known}"
            raise Unprocessable(f"issuer: {message}.", errors=[{"field": "issuer", "message": message}])
        check_claims(claims)
        for other in repository.of_namespace(uow, row.id):
            if (other.package, other.issuer, other.claims) == (package, issuer, dict(claims)):
                raise Conflict("This publisher is registered already.", code="publisher_exists", id=other.id)
        if repository.count(uow, row.id) >= MAX_PUBLISHERS:
            raise Conflict(f"A namespace has at most {MAX_PUBLISHERS} publishers. Remove some first.", code="too_many_publishers")
        values = {
            "namespace_id": row.id,
            "package": package,
            "issuer": issuer,
            "claims": dict(claims),
            "created_at": now(),
            "created_by": principal.user_id,
        }
        made = repository.insert_publisher(uow, values)
        detail = {"id": made.id, "issuer": issuer, "claims": dict(claims)}
        record(uow, principal, "publisher.create", row.id, _subject(row.name, package), detail)
        return _view(made)

    def remove(self, uow: UnitOfWork, principal: Principal, namespace: str, publisher_id: int) -> None:
        """Remove a publisher; tokens minted for it live on for their few minutes.

        Raises
        ------
        NotFound, Forbidden
        """
        row = find_namespace(uow, namespace)
        require_owner(principal, row)
        removed = repository.delete_publisher(uow, row.id, publisher_id)
        if removed is None:
            raise NotFound("There is no such publisher in this namespace.")
        detail = {"id": removed.id, "issuer": removed.issuer, "claims": removed.claims}
        record(uow, principal, "publisher.delete", row.id, _subject(row.name, removed.package), detail)

    def mint(self, uow: UnitOfWork, identity: Identity, namespace: str | None, address: str) -> UploadToken:
        """Return a token for whoever proved *identity*: for one namespace, its registered packages, and 15 minutes.

        Where several namespaces registered the identity and none is named, the publisher that asks for most claims decides,
        of equal ones the oldest.

        Parameters
        ----------
        namespace : str, optional
            Only its publishers are considered.
        address : str
            Where the request came from.

        Raises
        ------
        Unprocessable
            With ``errors``: nobody registered this identity, or it was used before.
        """
        rows = [row for row in repository.of_issuer(uow, identity.issuer) if matches(row.claims, identity.claims)]
        if namespace is not None:
            rows = [row for row in rows if row.namespace == namespace.lower()]
        if not rows:
            raise refused("invalid-publisher", _unregistered(identity, namespace))
        chosen = max(rows, key=lambda row: (len(row.claims), -row.id))
        rows = [row for row in rows if row.namespace_id == chosen.namespace_id]
        moment = now()
        repository.forget(uow, moment, TOKEN_NAME)
        if not repository.use_identity(uow, identity.key, identity.expires_at + timedelta(seconds=2 * LEEWAY_SECONDS)):
            raise refused("invalid-reuse-token", "This token was used before. Ask the issuer for a new one.")
        packages = None if any(row.package is None for row in rows) else sorted({row.package for row in rows})
        minted = mint()
        expires_at = moment + LIFETIME
        subject = text_of(identity.claims.get("sub")) or "?"
        values = {
            "user_id": chosen.created_by,
            "name": f"{TOKEN_NAME}{subject}"[:200],
            "prefix": minted.prefix,
            "sha256": minted.sha256,
            "scopes": sorted(scope.value for scope in SCOPES),
            "namespace_id": chosen.namespace_id,
            "created_at": moment,
            "expires_at": expires_at,
            "package_limit": None if packages is None else _spellings(uow, chosen.namespace_id, packages),
            "remote_addr": address[:64],
        }
        insert_token(uow, values)
        used = [row.id for row in rows]
        repository.set_used(uow, used, moment)
        actor = Principal(
            chosen.created_by,
            chosen.creator,
            SCOPES,
            {chosen.namespace_id: Role.OWNER},
            namespace_limit=chosen.namespace_id,
            token_prefix=minted.prefix,
            via=Via.TOKEN,
        )
        told = {name: text_of(identity.claims[name])[:500] for name in _TOLD if name in identity.claims}
        detail = {"publishers": used, "issuer": identity.issuer, "claims": told, "packages": packages}
        record(uow, actor, "publisher.mint", chosen.namespace_id, chosen.namespace, detail)
        return UploadToken(minted.secret, chosen.namespace, None if packages is None else tuple(packages), expires_at)

    def burn(self, uow: UnitOfWork, secret: str) -> None:
        """Revoke a minted token that is no longer needed; others, and unknown ones, are left alone without a word."""
        if repository.delete_token(uow, hash_token(secret), TOKEN_NAME):
            uow.after_commit(self._on_rights_changed)


def _spellings(uow: UnitOfWork, namespace_id: int, packages: list[str]) -> list[str]:
    """Return the names that a token for *packages* is limited to.

    Python clients take ``My_Tool``, ``my-tool`` and ``my.tool`` for one project, and the file decides how it is spelled.
    """
    names: set[str] = set()
    for name in packages:
        canonical = canonical_package(name)
        names |= {name.lower(), *(canonical.replace("-", separator) for separator in "-_.")}
        names |= repository.names_of_project(uow, namespace_id, canonical)
    return sorted(names)


def _unregistered(identity: Identity, namespace: str | None) -> str:
    told = ", ".join(f"{name}={text_of(identity.claims[name])[:200]!r}" for name in _TOLD[:-1] if text_of(identity.claims.get(name)))
    place = "No namespace has" if namespace is None else f"The namespace {namespace[:80]!r} does not have"
    return f"The token is valid, but nobody registered this identity: {place} a publisher that matches its claims ({told})."


def _subject(namespace: str, package: str | None) -> str:
    return f"{namespace}/{package or '*'}"


def _view(row: Row[Any]) -> PublisherView:
    return PublisherView(row.id, row.namespace, row.package, row.issuer, row.claims, row.created_at, row.creator, row.last_used_at)
