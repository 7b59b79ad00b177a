"""Rules of groups and collaborators: owners of an organization decide on groups, administrators of a package on collaborators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission
from carrel.core.clock import now
from carrel.core.errors import Conflict, NotFound
from carrel.core.names import validate_group
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts import repository as accounts
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.groups import repository
from carrel.hub.namespaces.service import find_namespace, require_member, require_owner
from carrel.hub.packages.access import require_permission, require_unlimited, require_whole_package
from carrel.hub.packages.service import find_package
from carrel.hub.packages.visibility import listed_packages


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group of an organization: *permission* on all its packages for all its members."""

    id: int
    name: str
    permission: Permission
    members: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PersonView:
    """A user in a group, or one who was given a package (then with a permission)."""

    name: str
    display_name: str
    permission: Permission | None = None


@dataclass(frozen=True, slots=True)
class GroupPackageView:
    """A package of a group."""

    namespace: str
    name: str
    summary: str


class GroupService:
    """Groups of organizations.

    A group gives its members one permission on its packages and nothing else: who is in it need not be a member of the
    organization, and does not become one. Members of the organization see the groups; owners change them.

    Parameters
    ----------
    on_rights_changed : callable
        Called after the commit when somebody's rights changed.
    """

    def __init__(self, on_rights_changed: Callable[[], None]) -> None:
        self._on_rights_changed = on_rights_changed

    def list(self, uow: UnitOfWork, principal: Principal, organization: str) -> Sequence[GroupView]:
        """Return the groups, by name."""
        return [_view(row) for row in repository.groups(uow, _shown(uow, principal, organization).id)]

    def get(self, uow: UnitOfWork, principal: Principal, organization: str, name: str) -> GroupView:
        """Return a group.

        Raises
        ------
        NotFound
        """
        return _view(_find(uow, _shown(uow, principal, organization), name))

    def create(self, uow: UnitOfWork, principal: Principal, organization: str, name: str, permission: Permission) -> GroupView:
        """Make an empty group.

        Raises
        ------
        InvalidName
        Conflict
            The name is taken.
        """
        owner = _owned(uow, principal, organization)
        values = {"namespace_id": owner.id, "name": validate_group(name), "permission": permission.value, "created_at": now()}
        if repository.insert_group(uow, values) is None:
            raise Conflict(f"There is a group {name!r} in {organization!r} already. Choose another name.", code="name_taken", field="name")
        record(uow, principal, "group.create", owner.id, f"{organization}/{name}", {"permission": permission.value})
        return _view(_find(uow, owner, name))

    def update(self, uow: UnitOfWork, principal: Principal, organization: str, name: str, permission: Permission) -> GroupView:
        """Give a group another permission."""
        owner = _owned(uow, principal, organization)
        row = _find(uow, owner, name)
        repository.update_group(uow, row.id, {"permission": permission.value})
        self._changed(uow, principal, "group.update", owner.id, f"{organization}/{name}", {"permission": permission.value})
        return _view(_find(uow, owner, name))

    def delete(self, uow: UnitOfWork, principal: Principal, organization: str, name: str) -> None:
        """Remove a group; its members lose what it gave."""
        owner = _owned(uow, principal, organization)
        repository.delete_group(uow, _find(uow, owner, name).id)
        self._changed(uow, principal, "group.delete", owner.id, f"{organization}/{name}")

    def members(self, uow: UnitOfWork, principal: Principal, organization: str, name: str) -> Sequence[PersonView]:
        """Return the members of a group, by name."""
        row = _find(uow, _shown(uow, principal, organization), name)
        return [PersonView(item.name, item.display_name or item.name) for item in repository.members(uow, row.id)]

    def add_member(self, uow: UnitOfWork, principal: Principal, organization: str, name: str, user_name: str) -> None:
        """Take a user into a group; nothing happens when they are in it."""
        owner = _owned(uow, principal, organization)
        row = _find(uow, owner, name)
        repository.insert_member(uow, row.id, _user(uow, user_name).id)
        self._changed(uow, principal, "group.member.add", owner.id, f"{organization}/{name}/{user_name}")

    def remove_member(self, uow: UnitOfWork, principal: Principal, organization: str, name: str, user_name: str) -> None:
        """Take a user out of a group; members of the organization may leave it.

        Raises
        ------
        NotFound
            They are not in it.
        """
        owner = (_shown if user_name == principal.user_name else _owned)(uow, principal, organization)
        row = _find(uow, owner, name)
        member = accounts.user_by_name(uow, user_name)
        if member is None or not repository.delete_member(uow, row.id, member.id):
            raise NotFound(f"{user_name[:64]!r} is not in the group {name!r}.")
        self._changed(uow, principal, "group.member.remove", owner.id, f"{organization}/{name}/{user_name}")

    def packages(self, uow: UnitOfWork, principal: Principal, organization: str, name: str) -> Sequence[GroupPackageView]:
        """Return those packages of a group that the caller sees in lists, by name."""
        row = _find(uow, _shown(uow, principal, organization), name)
        found = repository.packages(uow, row.id, listed_packages(principal))
        return [GroupPackageView(item.namespace, item.name, item.summary) for item in found]

    def add_package(self, uow: UnitOfWork, principal: Principal, organization: str, name: str, package: str) -> None:
        """Take a package of the organization into a group; nothing happens when it is in it."""
        owner = _owned(uow, principal, organization)
        row = _find(uow, owner, name)
        found = find_package(uow, principal, organization, package)
        repository.insert_package(uow, row.id, found.id)
        self._changed(uow, principal, "group.package.add", owner.id, f"{organization}/{name}/{found.name}")

    def remove_package(self, uow: UnitOfWork, principal: Principal, organization: str, name: str, package: str) -> None:
        """Take a package out of a group.

        Raises
        ------
        NotFound
            It is not in it.
        """
        owner = _owned(uow, principal, organization)
        row = _find(uow, owner, name)
        found = find_package(uow, principal, organization, package)
        if not repository.delete_package(uow, row.id, found.id):
            raise NotFound(f"{package[:128]!r} is not in the group {name!r}.")
        self._changed(uow, principal, "group.package.remove", owner.id, f"{organization}/{name}/{found.name}")

    # Collaborators

    def collaborators(self, uow: UnitOfWork, principal: Principal, namespace: str, package: str) -> Sequence[PersonView]:
        """Return those who were given a package, to those who administer it."""
        found = self._administered(uow, principal, namespace, package)
        rows = repository.collaborators(uow, found.id)
        return [PersonView(item.name, item.display_name or item.name, Permission(item.permission)) for item in rows]

    def set_collaborator(
        self, uow: UnitOfWork, principal: Principal, namespace: str, package: str, user_name: str, permission: Permission
    ) -> PersonView:
        """Give a package to a user, or another permission on it."""
        found = self._administered(uow, principal, namespace, package)
        member = _user(uow, user_name)
        repository.put_collaborator(uow, found.id, member.id, permission.value, now())
        subject = f"{namespace}/{found.name}/{user_name}"
        self._changed(uow, principal, "collaborator.set", found.namespace_id, subject, {"permission": permission.value})
        shown = accounts.user_by_id(uow, member.id)
        return PersonView(user_name, (shown.display_name if shown is not None else "") or user_name, permission)

    def remove_collaborator(self, uow: UnitOfWork, principal: Principal, namespace: str, package: str, user_name: str) -> None:
        """Take a package back from a user; collaborators may give it back themselves.

        Raises
        ------
        NotFound
            They were not given it.
        """
        if user_name == principal.user_name:
            found = find_package(uow, principal, namespace, package)
            require_whole_package(principal)
        else:
            found = self._administered(uow, principal, namespace, package)
        member = accounts.user_by_name(uow, user_name)
        if member is None or not repository.delete_collaborator(uow, found.id, member.id):
            raise NotFound(f"{user_name[:64]!r} is no collaborator of {package[:128]!r}.")
        self._changed(uow, principal, "collaborator.remove", found.namespace_id, f"{namespace}/{found.name}/{user_name}")

    def _administered(self, uow: UnitOfWork, principal: Principal, namespace: str, package: str) -> Row[Any]:
        found = find_package(uow, principal, namespace, package)
        require_permission(principal, found, Permission.ADMIN)
        require_whole_package(principal)
        return found

    def _changed(
        self, uow: UnitOfWork, principal: Principal, action: str, namespace_id: int, subject: str, detail: dict[str, str] | None = None
    ) -> None:
        record(uow, principal, action, namespace_id, subject, detail)
        uow.after_commit(self._on_rights_changed)


def _organization(uow: UnitOfWork, name: str) -> Row[Any]:
    row = find_namespace(uow, name)
    if row.kind != "organization":
        raise NotFound(f"There is no organization named {name[:64]!r}.")
    return row


def _shown(uow: UnitOfWork, principal: Principal, name: str) -> Row[Any]:
    row = _organization(uow, name)
    require_member(principal, row)
    require_unlimited(principal)
    return row


def _owned(uow: UnitOfWork, principal: Principal, name: str) -> Row[Any]:
    row = _organization(uow, name)
    require_owner(principal, row)
    return row


def _find(uow: UnitOfWork, organization: Row[Any], name: str) -> Row[Any]:
    row = repository.by_name(uow, organization.id, name)
    if row is None:
        raise NotFound(f"There is no group {name[:64]!r} in {organization.name!r}.")
    return row


def _user(uow: UnitOfWork, name: str) -> Row[Any]:
    row = accounts.user_by_name(uow, name)
    if row is None:
        raise NotFound(f"There is no user named {name[:64]!r}.")
    return row


def _view(row: Row[Any]) -> GroupView:
    return GroupView(row.id, row.name, Permission(row.permission), int(row.members), row.created_at)
