"""Who looks at an index: a namespace has at most three views of its channels."""

from __future__ import annotations

from enum import StrEnum

from carrel.core.access import Role, Visibility


class Audience(StrEnum):
    """A class of viewers that see the same packages of one namespace listed.

    The rule is :func:`carrel.hub.packages.visibility.listed_packages` for one namespace; a contract test holds the two
    together.
    """

    EVERYONE = "everyone"
    MEMBER = "member"
    OWNER = "owner"

    @property
    def visibilities(self) -> frozenset[str]:
        """The visibilities of the packages that this audience sees listed."""
        return _LISTED[self]


_LISTED = {
    Audience.EVERYONE: frozenset({Visibility.PUBLIC.value}),
    Audience.MEMBER: frozenset({Visibility.PUBLIC.value, Visibility.UNLISTED.value, Visibility.ORGANIZATION.value}),
    Audience.OWNER: frozenset(visibility.value for visibility in Visibility),
}


def audience_of(role: Role | None) -> Audience:
    """Return the audience that a user with *role* in the namespace belongs to."""
    if role is Role.OWNER:
        return Audience.OWNER
    if role is Role.MEMBER:
        return Audience.MEMBER
    return Audience.EVERYONE
