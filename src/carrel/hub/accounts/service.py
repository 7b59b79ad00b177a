"""Rules of accounts and browser sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from carrel.core.access import Role, Visibility
from carrel.core.clock import now
from carrel.core.errors import Forbidden, Unauthenticated
from carrel.core.names import validate_namespace
from carrel.core.tokens import hash_token, mint
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts import repository
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.settings import HubSettings


@dataclass(frozen=True, slots=True)
class NamespaceRole:
    """A namespace that a user belongs to."""

    name: str
    kind: str
    display_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class UserView:
    """A user and their namespaces, their own first."""

    name: str
    display_name: str
    namespaces: tuple[NamespaceRole, ...]


@dataclass(frozen=True, slots=True)
class NewSession:
    """A browser session: the secret goes into the cookie and is not kept."""

    secret: str
    expires_at: datetime


class AccountService:
    """Users and their browser sessions.

    Parameters
    ----------
    settings : HubSettings
    create_namespace : callable
        ``create_namespace(uow, name=…, kind=…, …) -> id``; raises when the name is taken.
    add_owner : callable
        ``add_owner(uow, namespace_id, user_id)``.
    on_rights_changed : callable
        Called after the commit when a session ended.
    """

    def __init__(
        self,
        settings: HubSettings,
        create_namespace: Callable[..., int],
        add_owner: Callable[[UnitOfWork, int, int], None],
        on_rights_changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._create_namespace = create_namespace
        self._add_owner = add_owner
        self._on_rights_changed = on_rights_changed

    def require_open_registration(self) -> None:
        """Refuse sign-ups where only the administrator creates accounts.

        Raises
        ------
        Forbidden
        """
        if self._settings.registration != "open":
            raise Forbidden("Registration is closed on this hub. Ask its administrator for an account.", code="registration_closed")

    def create_user(self, uow: UnitOfWork, name: str, password_hash: str | None, email: str = "", display_name: str = "") -> int:
        """Add a user and their namespace; return the user's id.

        Raises
        ------
        InvalidName
        Conflict
            The name is taken.
        """
        validate_namespace(name)
        namespace_id = self._create_namespace(
            uow,
            name=name,
            kind="user",
            display_name=display_name,
            description="",
            default_visibility=Visibility.PRIVATE.value,
        )
        user_id = repository.insert_user(uow, namespace_id, password_hash, email, now())
        self._add_owner(uow, namespace_id, user_id)
        record(uow, None, "user.create", namespace_id, name)
        return user_id

    def describe(self, uow: UnitOfWork, principal: Principal) -> UserView:
        """Return the caller and the namespaces their credential reaches."""
        row = repository.user_by_id(uow, principal.user_id) if principal.user_id is not None else None
        if row is None:
            raise Unauthenticated("Sign in to see your account.")
        namespaces = repository.user_namespaces(uow, row.id)
        return UserView(
            row.name,
            row.display_name or row.name,
            tuple(
                NamespaceRole(item.name, item.kind, item.display_name or item.name, Role(item.role))
                for item in namespaces
                if principal.role_in(item.id) is not None
            ),
        )

    def open_session(self, uow: UnitOfWork, principal: Principal) -> NewSession:
        """Start a browser session of a user whose password was checked (:class:`~carrel.hub.accounts.passwords.PasswordSignIn`)."""
        if principal.user_id is None:
            raise Unauthenticated("Sign in first.")
        secret = mint().secret
        moment = now()
        expires_at = moment + timedelta(seconds=self._settings.session_seconds)
        repository.insert_session(uow, hash_token(secret), principal.user_id, moment, expires_at)
        record(uow, principal, "session.open", None, principal.user_name)
        return NewSession(secret, expires_at)

    def close_session(self, uow: UnitOfWork, secret: str) -> None:
        """End a browser session."""
        repository.delete_session(uow, hash_token(secret))
        uow.after_commit(self._on_rights_changed)

    def set_password(self, uow: UnitOfWork, name: str, password_hash: str) -> None:
        """Replace a password and end all sessions of the user.

        Raises
        ------
        Unauthenticated
            There is no such user.
        """
        row = repository.user_by_name(uow, name)
        if row is None:
            raise Unauthenticated(f"There is no user named {name[:64]!r}.")
        repository.set_password_hash(uow, row.id, password_hash)
        repository.delete_sessions_of(uow, row.id)
        record(uow, None, "user.password", row.namespace_id, name)
        uow.after_commit(self._on_rights_changed)
