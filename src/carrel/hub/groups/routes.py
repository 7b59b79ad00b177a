"""Addresses of groups and collaborators."""

from __future__ import annotations

from carrel.hub.groups.handlers import (
    CollaboratorHandler,
    CollaboratorsHandler,
    GroupHandler,
    GroupMemberHandler,
    GroupMembersHandler,
    GroupPackageHandler,
    GroupPackagesHandler,
    GroupsHandler,
)
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

_GROUPS = f"{API}/organizations/{{organization}}/groups"
_GROUP = f"{_GROUPS}/{{group}}"
_COLLABORATORS = f"{API}/packages/{{namespace}}/{{package}}/collaborators"

ROUTES = (
    Route(_GROUPS, GroupsHandler),
    Route(_GROUP, GroupHandler),
    Route(f"{_GROUP}/members", GroupMembersHandler),
    Route(f"{_GROUP}/members/{{user}}", GroupMemberHandler),
    Route(f"{_GROUP}/packages", GroupPackagesHandler),
    Route(f"{_GROUP}/packages/{{package}}", GroupPackageHandler),
    Route(_COLLABORATORS, CollaboratorsHandler),
    Route(f"{_COLLABORATORS}/{{user}}", CollaboratorHandler),
)
