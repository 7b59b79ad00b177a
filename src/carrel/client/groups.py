"""Groups of organizations: one permission for all members on all packages of the group."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.client.endpoints import Endpoints, path
from carrel.client.organizations import Member


@dataclass(frozen=True, slots=True)
class Group:
    """A group; ``permission`` is read, write or admin, ``members`` how many there are."""

    name: str
    permission: str = ""
    members: int = 0


@dataclass(frozen=True, slots=True)
class GroupPackage:
    """A package of a group."""

    name: str
    namespace: str = ""
    summary: str = ""


class Groups(Endpoints):
    """``/organizations/{organization}/groups``."""

    def list(self, organization: str) -> tuple[Group, ...]:
        """Return the groups, by name."""
        return self._items(Group, path("organizations", organization, "groups"))

    def get(self, organization: str, group: str) -> Group:
        """Return a group."""
        return self._get(Group, path("organizations", organization, "groups", group))

    def create(self, organization: str, name: str, permission: str) -> Group:
        """Create a group."""
        return self._send(Group, "POST", path("organizations", organization, "groups"), {"name": name, "permission": permission})

    def update(self, organization: str, group: str, permission: str) -> Group:
        """Give the group another permission."""
        return self._send(Group, "PATCH", path("organizations", organization, "groups", group), {"permission": permission})

    def delete(self, organization: str, group: str) -> None:
        """Remove a group; its members and packages stay."""
        self._do("DELETE", path("organizations", organization, "groups", group))

    def members(self, organization: str, group: str) -> tuple[Member, ...]:
        """Return the members of a group."""
        return self._items(Member, path("organizations", organization, "groups", group, "members"))

    def add_member(self, organization: str, group: str, user: str) -> None:
        """Take *user* into the group."""
        self._do("PUT", path("organizations", organization, "groups", group, "members", user))

    def remove_member(self, organization: str, group: str, user: str) -> None:
        """Take *user* out of the group."""
        self._do("DELETE", path("organizations", organization, "groups", group, "members", user))

    def packages(self, organization: str, group: str) -> tuple[GroupPackage, ...]:
        """Return the packages of a group."""
        return self._items(GroupPackage, path("organizations", organization, "groups", group, "packages"))

    def add_package(self, organization: str, group: str, package: str) -> None:
        """Take *package* into the group."""
        self._do("PUT", path("organizations", organization, "groups", group, "packages", package))

    def remove_package(self, organization: str, group: str, package: str) -> None:
        """Take *package* out of the group."""
        self._do("DELETE", path("organizations", organization, "groups", group, "packages", package))
