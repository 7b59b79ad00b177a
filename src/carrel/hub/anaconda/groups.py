"""Rows 20–22 and 45–52: collaborators of packages, groups of organizations."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from carrel.core.access import Permission
from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda.handlers import AnacondaHandler, answer
from carrel.hub.groups.service import GroupView, PersonView
from carrel.hub.web.endpoint import Reply, endpoint

_ERRORS = (NotFound, Forbidden)


class NewGroup(BaseModel):
    """A group to make."""

    perms: Permission = Permission.READ


class CollaboratorsHandler(AnacondaHandler):
    """``/packages/{login}/{package}/collaborators``."""

    @endpoint(summary="List collaborators of a package", scope=Scope.PACKAGE_READ, errors=_ERRORS)
    def get(self, uow: UnitOfWork, login: str, package: str) -> Reply:
        """Those that it was given to."""
        return answer([_person(view) for view in self.hub.groups.collaborators(uow, self.principal, login, package)])


class CollaboratorHandler(AnacondaHandler):
    """``/packages/{login}/{package}/collaborators/{user}``."""

    @endpoint(summary="Add a collaborator", scope=Scope.PACKAGE_WRITE, status=201, writes=True, errors=_ERRORS)
    def put(self, uow: UnitOfWork, login: str, package: str, user: str) -> Reply:
        """Who reads and writes the package, also when it is private."""
        return answer(_person(self.hub.groups.set_collaborator(uow, self.principal, login, package, user, Permission.WRITE)), 201)

    @endpoint(summary="Remove a collaborator", scope=Scope.PACKAGE_WRITE, status=201, writes=True, errors=_ERRORS)
    def delete(self, uow: UnitOfWork, login: str, package: str, user: str) -> Reply:
        """The package is theirs no more."""
        self.hub.groups.remove_collaborator(uow, self.principal, login, package, user)
        return answer({}, 201)


class GroupsHandler(AnacondaHandler):
    """``/groups/{organization}`` and ``/groups``."""

    @endpoint(summary="List groups", scope=Scope.NAMESPACE_READ, errors=_ERRORS)
    def get(self, uow: UnitOfWork, organization: str | None = None) -> Reply:
        """Of one organization, or of all that the caller belongs to."""
        if organization is not None:
            return answer({"groups": self._groups(uow, organization)})
        mine = self.hub.accounts.describe(uow, self.principal).namespaces
        return answer({"groups": [item for org in mine if org.kind == "organization" for item in self._groups(uow, org.name)]})

    def _groups(self, uow: UnitOfWork, organization: str) -> list[dict[str, Any]]:
        return [_group(view, organization) for view in self.hub.groups.list(uow, self.principal, organization)]


class GroupHandler(AnacondaHandler):
    """``/group/{organization}/{group}``."""

    @endpoint(summary="Describe a group", scope=Scope.NAMESPACE_READ, errors=_ERRORS)
    def get(self, uow: UnitOfWork, organization: str, group: str) -> Reply:
        """Its permission on its packages."""
        return answer(_group(self.hub.groups.get(uow, self.principal, organization, group), organization))

    @endpoint(
        summary="Make a group",
        scope=Scope.API_MODIFY_GROUP,
        request=NewGroup,
        status=204,
        writes=True,
        errors=(*_ERRORS, Conflict, BadRequest),
    )
    def post(self, uow: UnitOfWork, organization: str, group: str, body: NewGroup) -> None:
        """Without members and packages."""
        self.hub.groups.create(uow, self.principal, organization, group, body.perms)

    @endpoint(summary="Remove a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=_ERRORS)
    def delete(self, uow: UnitOfWork, organization: str, group: str) -> None:
        """Its members lose what it gave."""
        self.hub.groups.delete(uow, self.principal, organization, group)


class GroupMembersHandler(AnacondaHandler):
    """``/group/{organization}/{group}/members``."""

    @endpoint(summary="List members of a group", scope=Scope.NAMESPACE_READ, errors=_ERRORS)
    def get(self, uow: UnitOfWork, organization: str, group: str) -> Reply:
        """By name."""
        return answer([_person(view) for view in self.hub.groups.members(uow, self.principal, organization, group)])


class GroupMemberHandler(AnacondaHandler):
    """``/group/{organization}/{group}/members/{user}``."""

    @endpoint(summary="Whether a user is in a group", scope=Scope.NAMESPACE_READ, status=204, errors=_ERRORS)
    def get(self, uow: UnitOfWork, organization: str, group: str, user: str) -> None:
        """404 when not."""
        if all(view.name != user for view in self.hub.groups.members(uow, self.principal, organization, group)):
            raise NotFound(f"{user[:64]!r} is not in the group {group[:64]!r}.")

    @endpoint(summary="Add a member to a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=_ERRORS)
    def put(self, uow: UnitOfWork, organization: str, group: str, user: str) -> None:
        """Any user of the hub."""
        self.hub.groups.add_member(uow, self.principal, organization, group, user)

    @endpoint(summary="Remove a member from a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=_ERRORS)
    def delete(self, uow: UnitOfWork, organization: str, group: str, user: str) -> None:
        """They lose what the group gave."""
        self.hub.groups.remove_member(uow, self.principal, organization, group, user)


class GroupPackagesHandler(AnacondaHandler):
    """``/group/{organization}/{group}/packages``."""

    @endpoint(summary="List packages of a group", scope=Scope.NAMESPACE_READ, errors=_ERRORS)
    def get(self, uow: UnitOfWork, organization: str, group: str) -> Reply:
        """Those that the caller sees in lists, by name."""
        found = self.hub.groups.packages(uow, self.principal, organization, group)
        return answer([{"full_name": f"{item.namespace}/{item.name}", "name": item.name, "summary": item.summary} for item in found])


class GroupPackageHandler(AnacondaHandler):
    """``/group/{organization}/{group}/packages/{package}``."""

    @endpoint(summary="Add a package to a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=_ERRORS)
    def put(self, uow: UnitOfWork, organization: str, group: str, package: str) -> None:
        """A package of the organization."""
        self.hub.groups.add_package(uow, self.principal, organization, group, package)

    @endpoint(summary="Remove a package from a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=_ERRORS)
    def delete(self, uow: UnitOfWork, organization: str, group: str, package: str) -> None:
        """The package itself stays."""
        self.hub.groups.remove_package(uow, self.principal, organization, group, package)


def _person(view: PersonView) -> dict[str, Any]:
    return {"login": view.name, "name": view.display_name, **({"permission": view.permission.value} if view.permission else {})}


def _group(view: GroupView, organization: str) -> dict[str, Any]:
    return {"name": view.name, "permission": view.permission.value, "organization": organization, "members_count": view.members}
