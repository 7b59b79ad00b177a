"""Rules of namespaces: who may create, change and join them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from carrel.core.access import Role, Visibility
from carrel.core.clock import now
from carrel.core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from carrel.core.names import validate_namespace
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts import repository as accounts
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.namespaces import repository
from carrel.hub.packages.access import require_unlimited


@dataclass(frozen=True, slots=True)
class NamespaceView:
    """A namespace as one caller sees it; *role* is None for outsiders."""

    id: int
    name: str
    kind: str
    display_name: str
    description: str
    default_visibility: str
    created_at: datetime
    role: Role | None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an organization."""

    name: str
    display_name: str
    role: Role


def find_namespace(uow: UnitOfWork, name: str) -> Row[Any]:
    """Return the row of a namespace.

    Raises
    ------
    NotFound
    """
    row = repository.by_name(uow, name)
    if row is None:
        raise NotFound(f"There is no user or organization named {name[:64]!r}.")
    return row


def require_member(principal: Principal, namespace: Row[Any]) -> Role:
    """Return the caller's role in *namespace*.

    Raises
    ------
    Forbidden
    """
    role = principal.role_in(namespace.id)
    if role is None:
        if principal.is_anonymous:
            raise Unauthenticated("Sign in or send a token to do this.")
        if principal.namespace_limit is not None and principal.namespace_limit != namespace.id:
            raise Forbidden(f"This token is limited to another namespace than {namespace.name!r}.", code="namespace_limit")
        raise Forbidden(f"You are not a member of {namespace.name!r}.", code="not_a_member")
    return role


def require_owner(principal: Principal, namespace: Row[Any]) -> None:
    """Refuse callers who do not own *namespace*, and tokens that are narrowed to a part of it.

    Raises
    ------
    Forbidden
    """
    if require_member(principal, namespace) is not Role.OWNER:
        raise Forbidden(f"Only owners of {namespace.name!r} may do this; you are a member.", code="not_an_owner")
    require_unlimited(principal)


class NamespaceService:
    """Organizations, their settings and members.

    Parameters
    ----------
    on_rights_changed : callable
        Called after the commit when somebody's rights changed.
    """

    def __init__(self, on_rights_changed: Callable[[], None]) -> None:
        self._on_rights_changed = on_rights_changed

    def get(self, uow: UnitOfWork, principal: Principal, name: str) -> NamespaceView:
        """Return a namespace."""
        return _view(find_namespace(uow, name), principal)

    def create_organization(self, uow: UnitOfWork, principal: Principal, name: str, display_name: str, description: str) -> NamespaceView:
        """Create an organization that the caller owns."""
        if principal.user_id is None:
            raise Unauthenticated("Sign in to create an organization.")
        if principal.namespace_limit is not None:
            raise Forbidden("This token is limited to one namespace and cannot create another.", code="namespace_limit")
        require_unlimited(principal)
        validate_namespace(name)
        namespace_id = create_namespace(
            uow,
            name=name,
            kind="organization",
            display_name=display_name,
            description=description,
            default_visibility=Visibility.ORGANIZATION.value,
        )
        repository.insert_membership(uow, namespace_id, principal.user_id, Role.OWNER, now())
        record(uow, principal, "organization.create", namespace_id, name)
        uow.after_commit(self._on_rights_changed)
        row = find_namespace(uow, name)
        return _view(row, principal, Role.OWNER)

    def update(self, uow: UnitOfWork, principal: Principal, name: str, changes: dict[str, str]) -> NamespaceView:
        """Change display name, description or default visibility."""
        row = find_namespace(uow, name)
        require_owner(principal, row)
        if changes.get("default_visibility") == Visibility.ORGANIZATION and row.kind == "user":
            raise Conflict("A user's namespace has no members; choose private, unlisted or public.", code="not_an_organization")
        if changes:
            repository.update_namespace(uow, row.id, changes)
            record(uow, principal, "namespace.update", row.id, name, sorted(changes))
        return _view(find_namespace(uow, name), principal)

    def members(self, uow: UnitOfWork, principal: Principal, name: str) -> list[Member]:
        """Return the members of an organization, to members."""
        row = self._organization(uow, name)
        require_member(principal, row)
        require_unlimited(principal)
        return [Member(item.name, item.display_name, Role(item.role)) for item in repository.members(uow, row.id)]

    def set_member(self, uow: UnitOfWork, principal: Principal, name: str, user_name: str, role: Role) -> Member:
        """Add a user to an organization or change their role."""
        row = self._organization(uow, name)
        require_owner(principal, row)
        member = accounts.user_by_name(uow, user_name)
        if member is None:
            raise NotFound(f"There is no user named {user_name[:64]!r}.")
        owners = repository.lock_owners(uow, row.id)
        current = accounts.memberships(uow, member.id).get(row.id)
        if current is Role.OWNER and role is not Role.OWNER and owners == 1:
            raise Conflict("An organization needs an owner. Make somebody else owner first.", code="last_owner")
        if current is None:
            repository.insert_membership(uow, row.id, member.id, role, now())
        elif current is not role:
            repository.update_membership(uow, row.id, member.id, role)
        record(uow, principal, "member.set", row.id, f"{name}/{user_name}", {"role": role.value})
        uow.after_commit(self._on_rights_changed)
        shown = accounts.user_by_id(uow, member.id)
        return Member(user_name, shown.display_name if shown is not None else "", role)

    def remove_member(self, uow: UnitOfWork, principal: Principal, name: str, user_name: str) -> None:
        """Remove a user from an organization; members may remove themselves."""
        row = self._organization(uow, name)
        if user_name == principal.user_name:
            require_member(principal, row)
            require_unlimited(principal)
        else:
            require_owner(principal, row)
        member = accounts.user_by_name(uow, user_name)
        current = None if member is None else accounts.memberships(uow, member.id).get(row.id)
        if member is None or current is None:
            raise NotFound(f"{user_name[:64]!r} is not a member of {name!r}.")
        if current is Role.OWNER and repository.lock_owners(uow, row.id) == 1:
            raise Conflict("An organization needs an owner. Make somebody else owner first.", code="last_owner")
        repository.delete_membership(uow, row.id, member.id)
        record(uow, principal, "member.remove", row.id, f"{name}/{user_name}")
        uow.after_commit(self._on_rights_changed)

    def _organization(self, uow: UnitOfWork, name: str) -> Row[Any]:
        row = find_namespace(uow, name)
        if row.kind != "organization":
            raise NotFound(f"There is no organization named {name[:64]!r}.")
        return row


def create_namespace(uow: UnitOfWork, **values: Any) -> int:
    """Add a namespace.

    Raises
    ------
    Conflict
        The name is taken.
    """
    name = values["name"]
    if repository.by_name(uow, name) is not None:
        raise Conflict(f"The name {name!r} is taken. Choose another one.", code="name_taken")
    try:
        return repository.insert_namespace(uow, {**values, "created_at": now()})
    except IntegrityError as error:
        raise Conflict(f"The name {name!r} is taken. Choose another one.", code="name_taken") from error


def _view(row: Row[Any], principal: Principal, role: Role | None = None) -> NamespaceView:
    return NamespaceView(
        row.id,
        row.name,
        row.kind,
        row.display_name,
        row.description,
        row.default_visibility,
        row.created_at,
        role or principal.role_in(row.id),
    )
