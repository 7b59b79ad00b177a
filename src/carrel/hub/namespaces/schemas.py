"""JSON of namespaces."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from carrel.core.access import Role, Visibility
from carrel.hub.namespaces.service import Member, NamespaceView

NamespaceKind = Literal["user", "organization"]


class Namespace(BaseModel):
    """A user's or an organization's namespace; ``role`` is the caller's, null for outsiders."""

    name: str
    kind: str
    display_name: str
    description: str
    default_visibility: Visibility
    created_at: datetime
    role: Role | None

    @classmethod
    def of(cls, view: NamespaceView) -> Namespace:
        """Return the JSON of *view*."""
        return cls(
            name=view.name,
            kind=view.kind,
            display_name=view.display_name or view.name,
            description=view.description,
            default_visibility=Visibility(view.default_visibility),
            created_at=view.created_at,
            role=view.role,
        )


class NewOrganization(BaseModel):
    """An organization to create."""

    name: str = Field(max_length=64)
    display_name: str = Field("", max_length=200)
    description: str = Field("", max_length=20_000)


class NamespaceChanges(BaseModel):
    """Settings to change; what is absent stays."""

    display_name: str | None = Field(None, max_length=200)
    description: str | None = Field(None, max_length=20_000)
    default_visibility: Visibility | None = None


class MemberInfo(BaseModel):
    """A member of an organization."""

    name: str
    display_name: str
    role: Role

    @classmethod
    def of(cls, member: Member) -> MemberInfo:
        """Return the JSON of *member*."""
        return cls(name=member.name, display_name=member.display_name or member.name, role=member.role)


class MemberList(BaseModel):
    """Members of an organization, by name."""

    items: list[MemberInfo]


class MemberRole(BaseModel):
    """The role to give."""

    role: Role = Role.MEMBER
