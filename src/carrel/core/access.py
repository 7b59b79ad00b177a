"""Who may see and change what: visibilities, roles, permissions."""

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


class Status(StrEnum):
    """Status of a package (PEP 792).

    ``archived`` and ``quarantined`` ones take no new files; of quarantined ones no client is offered any; ``deprecated`` ones
    are replaced by another.
    """

    ACTIVE = "active"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"
    DEPRECATED = "deprecated"


class Role(StrEnum):
    """Role of a user in a namespace. A user is the owner of the namespace that bears their name."""

    OWNER = "owner"
    MEMBER = "member"


class Permission(StrEnum):
    """What somebody may do with one package; each includes the ones before it.

    ``read``: see and download it; ``write``: upload, publish, label and describe; ``admin``: also remove, change who sees it
    and who works on it. Compared with ``<``, ``>=``, ``max`` … in this order.
    """

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def _rank(self) -> int:
        return _RANKS[self.value]

    def __lt__(self, other: object) -> bool:
        return self._rank < other._rank if isinstance(other, Permission) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self._rank <= other._rank if isinstance(other, Permission) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._rank > other._rank if isinstance(other, Permission) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self._rank >= other._rank if isinstance(other, Permission) else NotImplemented


_RANKS = {permission.value: rank for rank, permission in enumerate(Permission)}
