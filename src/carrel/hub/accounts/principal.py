"""Who is asking: the frozen result of authentication that every layer below HTTP works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from carrel.core.access import Permission, Role, Visibility
from carrel.core.scopes import Scope, expand

if TYPE_CHECKING:
    from sqlalchemy import Row

_NO_MEMBERSHIPS: Mapping[int, Role] = MappingProxyType({})
_NO_GRANTS: Mapping[int, Permission] = MappingProxyType({})
_NO_PLACES: Mapping[int, frozenset[int]] = MappingProxyType({})
_NOTHING: frozenset[int] = frozenset()

# What members who are not owners see of an organization beside what everyone sees.
FOR_MEMBERS = frozenset({Visibility.ORGANIZATION.value, Visibility.UNLISTED.value, Visibility.PUBLIC.value})
FOR_ANYONE = frozenset({Visibility.UNLISTED.value, Visibility.PUBLIC.value})


class Via(StrEnum):
    """How a caller proved who they are."""

    ANONYMOUS = "anonymous"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105
    PASSWORD = "password"  # noqa: S105


class PackageLike(Protocol):
    """What decides who may do what with a package; a row of the table ``package`` has it, too."""

    @property
    def id(self) -> int:
        """Key of the row."""
        ...

    @property
    def namespace_id(self) -> int:
        """Key of the namespace."""
        ...

    @property
    def name_key(self) -> str:
        """Lowercase name."""
        ...

    @property
    def visibility(self) -> str:
        """Who sees it."""
        ...

    @property
    def latest_version(self) -> str | None:
        """None while nothing is published."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a token is narrowed to beside a namespace; None: no limit of this sort.

    Attributes
    ----------
    packages : frozenset of str, optional
        Lowercase names.
    labels : frozenset of str, optional
        Only files under these labels are seen and touched; ``main`` is not implied.
    collection : int, optional
        Id of a collection: exactly its items are seen, and nothing is changed.
    items : frozenset of int, optional
        The packages of that collection.
    """

    packages: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    collection: int | None = None
    items: frozenset[int] | None = None

    def __bool__(self) -> bool:
        return self.packages is not None or self.labels is not None or self.collection is not None

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed."""
        return self.collection is not None

    def admits(self, package_id: int, name_key: str) -> bool:
        """Whether a package is within the limits; labels are a matter of its files."""
        if self.packages is not None and name_key not in self.packages:
            return False
        return self.items is None or package_id in self.items


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user was given: roles by namespace, permissions by package, and the packages by namespace."""

    memberships: Mapping[int, Role] = field(default_factory=lambda: _NO_MEMBERSHIPS)
    grants: Mapping[int, Permission] = field(default_factory=lambda: _NO_GRANTS)
    granted: Mapping[int, frozenset[int]] = field(default_factory=lambda: _NO_PLACES)

    def within(self, namespace_id: int) -> Rights:
        """Return what concerns one namespace."""
        packages = self.granted.get(namespace_id, _NOTHING)
        return Rights(
            {key: role for key, role in self.memberships.items() if key == namespace_id},
            {key: permission for key, permission in self.grants.items() if key in packages},
            {namespace_id: packages} if packages else _NO_PLACES,
        )


@dataclass(frozen=True, slots=True)
class Sight:
    """What of a principal decides which packages they see: the key by which statements and facets are kept."""

    owned: tuple[int, ...]
    joined: tuple[int, ...]
    granted: tuple[int, ...] = ()
    limits: Limits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request.

    Attributes
    ----------
    user_id : int or None
        None when anonymous.
    user_name : str
        Also the name of the user's namespace; empty when anonymous.
    scopes : frozenset of Scope
        What the credential allows, implied scopes included. Sessions allow everything, anonymous callers may read.
    memberships : mapping of int to Role
        Role by namespace id, the user's own namespace included. A token narrowed to a namespace has at most that one.
    namespace_limit : int or None
        Id of the namespace the token is narrowed to.
    token_id, token_prefix
        The token used, if any; the prefix is for the audit trail.
    expires_at : datetime or None
        When the credential expires: what it mints may not outlive it.
    via : Via
    grants : mapping of int to Permission
        Permission by package id that groups and collaborations give, whatever the role.
    granted : mapping of int to frozenset of int
        The packages of ``grants`` by namespace id.
    limits : Limits
        What the token is narrowed to beside the namespace.
    """

    user_id: int | None
    user_name: str
    scopes: frozenset[Scope]
    memberships: Mapping[int, Role] = field(default_factory=lambda: _NO_MEMBERSHIPS, hash=False)
    namespace_limit: int | None = None
    token_id: int | None = None
    token_prefix: str = ""
    expires_at: datetime | None = None
    via: Via = Via.ANONYMOUS
    grants: Mapping[int, Permission] = field(default_factory=lambda: _NO_GRANTS, hash=False)
    granted: Mapping[int, frozenset[int]] = field(default_factory=lambda: _NO_PLACES, hash=False)
    limits: Limits = NO_LIMITS

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody signed in."""
        return self.user_id is None

    def role_in(self, namespace_id: int) -> Role | None:
        """Return the caller's role in a namespace, None for outsiders. For packages ask :meth:`permission_on`."""
        return self.memberships.get(namespace_id)

    def is_owner(self, namespace_id: int) -> bool:
        """Whether the caller owns the namespace."""
        return self.memberships.get(namespace_id) is Role.OWNER

    def granted_in(self, namespace_id: int) -> frozenset[int]:
        """Return the packages of a namespace that groups or collaborations give to the caller."""
        return self.granted.get(namespace_id, _NOTHING)

    def permission_on(self, package: PackageLike | Row[Any]) -> Permission | None:
        """Return what the caller may do with a package whose row is known; None when it is absent for them.

        The same rule as :func:`carrel.hub.packages.visibility.reachable_packages`. A token narrowed to labels sees the
        package only if one of its files is under them: that is for the query to say.
        """
        if self.limits and not self.limits.admits(package.id, package.name_key):
            return None
        role = self.memberships.get(package.namespace_id)
        if role is Role.OWNER:
            found: Permission | None = Permission.ADMIN
        else:
            found = self.grants.get(package.id)
            if role is Role.MEMBER and package.visibility in FOR_MEMBERS:
                found = Permission.WRITE if found is None else max(found, Permission.WRITE)
            if found is None and package.latest_version is not None and package.visibility in FOR_ANYONE:
                found = Permission.READ
        return Permission.READ if found is not None and self.limits.read_only else found

    @property
    def owned(self) -> tuple[int, ...]:
        """Ids of the namespaces the caller owns, sorted."""
        return tuple(sorted(key for key, role in self.memberships.items() if role is Role.OWNER))

    @property
    def joined(self) -> tuple[int, ...]:
        """Ids of the namespaces the caller is a plain member of, sorted."""
        return tuple(sorted(key for key, role in self.memberships.items() if role is Role.MEMBER))

    @property
    def sight(self) -> Sight:
        """What decides which packages the caller sees."""
        return Sight(self.owned, self.joined, tuple(sorted(self.grants)), self.limits)


ANONYMOUS = Principal(user_id=None, user_name="", scopes=expand((Scope.PACKAGE_READ, Scope.NAMESPACE_READ)))
