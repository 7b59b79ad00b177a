"""Endpoints of namespaces and organizations."""

from __future__ import annotations

from carrel.core.errors import Conflict, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.namespaces.schemas import MemberInfo, MemberList, MemberRole, Namespace, NamespaceChanges, NewOrganization
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler


class OrganizationsHandler(ApiHandler):
    """``/organizations``."""

    @endpoint(
        summary="Create an organization",
        scope=Scope.ACCOUNT_WRITE,
        request=NewOrganization,
        response=Namespace,
        status=201,
        writes=True,
        errors=(Conflict,),
    )
    def post(self, uow: UnitOfWork, body: NewOrganization) -> Namespace:
        """The caller becomes its owner."""
        service = self.hub.namespaces
        return Namespace.of(service.create_organization(uow, self.principal, body.name, body.display_name, body.description))


class NamespaceHandler(ApiHandler):
    """``/namespaces/{namespace}``."""

    @endpoint(summary="Get a namespace", scope=Scope.NAMESPACE_READ, anonymous=True, response=Namespace, errors=(NotFound,))
    def get(self, uow: UnitOfWork, namespace: str) -> Namespace:
        """Name, kind and settings of a user's or an organization's namespace."""
        return Namespace.of(self.hub.namespaces.get(uow, self.principal, namespace))

    @endpoint(
        summary="Change a namespace",
        scope=Scope.NAMESPACE_WRITE,
        request=NamespaceChanges,
        response=Namespace,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def patch(self, uow: UnitOfWork, namespace: str, body: NamespaceChanges) -> Namespace:
        """Owners only."""
        changes = body.model_dump(exclude_none=True, mode="json")
        return Namespace.of(self.hub.namespaces.update(uow, self.principal, namespace, changes))


class MembersHandler(ApiHandler):
    """``/organizations/{organization}/members``."""

    @endpoint(summary="List members", scope=Scope.NAMESPACE_READ, response=MemberList, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, organization: str) -> MemberList:
        """Members only."""
        return MemberList(items=[MemberInfo.of(item) for item in self.hub.namespaces.members(uow, self.principal, organization)])


class MemberHandler(ApiHandler):
    """``/organizations/{organization}/members/{user}``."""

    @endpoint(
        summary="Add a member or change their role",
        scope=Scope.NAMESPACE_WRITE,
        request=MemberRole,
        response=MemberInfo,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def put(self, uow: UnitOfWork, organization: str, user: str, body: MemberRole) -> MemberInfo:
        """Owners only; an organization keeps at least one owner."""
        return MemberInfo.of(self.hub.namespaces.set_member(uow, self.principal, organization, user, body.role))

    @endpoint(summary="Remove a member", scope=Scope.NAMESPACE_WRITE, status=204, writes=True, errors=(NotFound, Forbidden, Conflict))
    def delete(self, uow: UnitOfWork, organization: str, user: str) -> None:
        """Owners, and members who leave."""
        self.hub.namespaces.remove_member(uow, self.principal, organization, user)
