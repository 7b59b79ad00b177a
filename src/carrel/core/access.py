"""Who may see and change what: visibilities, roles."""

from __future__ import annotations

from enum import StrEnum


class Visibility(StrEnum):
    """Who sees a package.

    ``private``: owners of the namespace (and whoever was given the package); ``organization``: members too;
    ``unlisted``: anyone who knows the address, in no list, search or index of others; ``public``: everyone.
    """

    PRIVATE = "private"
    ORGANIZATION = "organization"
    UNLISTED = "unlisted"
    PUBLIC = "public"


class Role(StrEnum):
    """Role of a user in a namespace. A user is the owner of the namespace that bears their name."""

    OWNER = "owner"
    MEMBER = "member"
