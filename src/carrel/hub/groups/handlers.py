"""Endpoints of groups and collaborators."""

from __future__ import annotations

from carrel.core.errors import Conflict, Forbidden, InvalidName, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.groups.schemas import (
    Collaborator,
    CollaboratorList,
    CollaboratorPermission,
    Group,
    GroupChanges,
    GroupList,
    GroupMember,
    GroupMemberList,
    GroupPackage,
    GroupPackageList,
    NewGroup,
)
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler


class GroupsHandler(ApiHandler):
    """``/organizations/{organization}/groups``."""

    @endpoint(summary="List groups", scope=Scope.NAMESPACE_READ, response=GroupList, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, organization: str) -> GroupList:
        """To members of the organization."""
        return GroupList(items=[Group.model_validate(view) for view in self.hub.groups.list(uow, self.principal, organization)])

    @endpoint(
        summary="Create a group",
        scope=Scope.API_MODIFY_GROUP,
        request=NewGroup,
        response=Group,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, Conflict, InvalidName),
    )
    def post(self, uow: UnitOfWork, organization: str, body: NewGroup) -> Group:
        """Owners only. Its members get one permission on all its packages, private ones included."""
        return Group.model_validate(self.hub.groups.create(uow, self.principal, organization, body.name, body.permission))


class GroupHandler(ApiHandler):
    """``/organizations/{organization}/groups/{group}``."""

    @endpoint(summary="Get a group", scope=Scope.NAMESPACE_READ, response=Group, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, organization: str, group: str) -> Group:
        """To members of the organization."""
        return Group.model_validate(self.hub.groups.get(uow, self.principal, organization, group))

    @endpoint(
        summary="Change a group",
        scope=Scope.API_MODIFY_GROUP,
        request=GroupChanges,
        response=Group,
        writes=True,
        errors=(NotFound, Forbidden),
    )
    def patch(self, uow: UnitOfWork, organization: str, group: str, body: GroupChanges) -> Group:
        """Owners only."""
        return Group.model_validate(self.hub.groups.update(uow, self.principal, organization, group, body.permission))

    @endpoint(summary="Remove a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, organization: str, group: str) -> None:
        """Owners only. Its members lose what it gave."""
        self.hub.groups.delete(uow, self.principal, organization, group)


class GroupMembersHandler(ApiHandler):
    """``/organizations/{organization}/groups/{group}/members``."""

    @endpoint(summary="List members of a group", scope=Scope.NAMESPACE_READ, response=GroupMemberList, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, organization: str, group: str) -> GroupMemberList:
        """To members of the organization."""
        found = self.hub.groups.members(uow, self.principal, organization, group)
        return GroupMemberList(items=[GroupMember.model_validate(view) for view in found])


class GroupMemberHandler(ApiHandler):
    """``/organizations/{organization}/groups/{group}/members/{user}``."""

    @endpoint(summary="Take a user into a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=(NotFound, Forbidden))
    def put(self, uow: UnitOfWork, organization: str, group: str, user: str) -> None:
        """Owners only. The user need not be a member of the organization."""
        self.hub.groups.add_member(uow, self.principal, organization, group, user)

    @endpoint(summary="Take a user out of a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, organization: str, group: str, user: str) -> None:
        """Owners, and members themselves."""
        self.hub.groups.remove_member(uow, self.principal, organization, group, user)


class GroupPackagesHandler(ApiHandler):
    """``/organizations/{organization}/groups/{group}/packages``."""

    @endpoint(summary="List packages of a group", scope=Scope.NAMESPACE_READ, response=GroupPackageList, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, organization: str, group: str) -> GroupPackageList:
        """To members of the organization: those packages that they see."""
        found = self.hub.groups.packages(uow, self.principal, organization, group)
        return GroupPackageList(items=[GroupPackage.model_validate(view) for view in found])


class GroupPackageHandler(ApiHandler):
    """``/organizations/{organization}/groups/{group}/packages/{package}``."""

    @endpoint(summary="Take a package into a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=(NotFound, Forbidden))
    def put(self, uow: UnitOfWork, organization: str, group: str, package: str) -> None:
        """Owners only; a package of the organization."""
        self.hub.groups.add_package(uow, self.principal, organization, group, package)

    @endpoint(summary="Take a package out of a group", scope=Scope.API_MODIFY_GROUP, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, organization: str, group: str, package: str) -> None:
        """Owners only."""
        self.hub.groups.remove_package(uow, self.principal, organization, group, package)


class CollaboratorsHandler(ApiHandler):
    """``/packages/{namespace}/{package}/collaborators``."""

    @endpoint(summary="List collaborators", scope=Scope.PACKAGE_READ, response=CollaboratorList, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, namespace: str, package: str) -> CollaboratorList:
        """Who was given the package, to those with the permission ``admin`` on it."""
        found = self.hub.groups.collaborators(uow, self.principal, namespace, package)
        return CollaboratorList(items=[Collaborator.model_validate(view) for view in found])


class CollaboratorHandler(ApiHandler):
    """``/packages/{namespace}/{package}/collaborators/{user}``."""

    @endpoint(
        summary="Give a package to a user",
        scope=Scope.PACKAGE_WRITE,
        request=CollaboratorPermission,
        response=Collaborator,
        writes=True,
        errors=(NotFound, Forbidden),
    )
    def put(self, uow: UnitOfWork, namespace: str, package: str, user: str, body: CollaboratorPermission) -> Collaborator:
        """With the permission ``admin`` on it. The user sees the package, private or not, and may do what the permission says."""
        view = self.hub.groups.set_collaborator(uow, self.principal, namespace, package, user, body.permission)
        return Collaborator.model_validate(view)

    @endpoint(summary="Take a package back", scope=Scope.PACKAGE_WRITE, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, namespace: str, package: str, user: str) -> None:
        """With the permission ``admin`` on it, or from oneself."""
        self.hub.groups.remove_collaborator(uow, self.principal, namespace, package, user)
