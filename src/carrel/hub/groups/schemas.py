"""JSON of groups and collaborators."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from carrel.core.access import Permission


class Group(BaseModel):
    """A group; its members have the permission on all its packages."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    permission: Permission
    members: int
    created_at: datetime


class GroupList(BaseModel):
    """Groups of an organization, by name."""

    items: list[Group]


class NewGroup(BaseModel):
    """A group to create."""

    name: str = Field(max_length=64)
    permission: Permission = Permission.READ


class GroupChanges(BaseModel):
    """The permission to give."""

    permission: Permission


class GroupMember(BaseModel):
    """A user in a group."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    display_name: str


class GroupMemberList(BaseModel):
    """Users in a group, by name."""

    items: list[GroupMember]


class GroupPackage(BaseModel):
    """A package of a group."""

    model_config = ConfigDict(from_attributes=True)

    namespace: str
    name: str
    summary: str


class GroupPackageList(BaseModel):
    """Packages of a group that the caller sees, by name."""

    items: list[GroupPackage]


class Collaborator(GroupMember):
    """A user who was given a package."""

    permission: Permission


class CollaboratorList(BaseModel):
    """Users who were given a package, by name."""

    items: list[Collaborator]


class CollaboratorPermission(BaseModel):
    """The permission to give."""

    permission: Permission = Permission.WRITE
