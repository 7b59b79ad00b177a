"""Who is asking: the frozen result of authentication that every layer below HTTP works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from carrel.core.access import Role
from carrel.core.scopes import Scope

_NO_MEMBERSHIPS: Mapping[int, Role] = MappingProxyType({})


class Via(StrEnum):
    """How a caller proved who they are."""

    ANONYMOUS = "anonymous"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105
    PASSWORD = "password"  # noqa: S105


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
        What the credential allows. Sessions allow everything, anonymous callers may read.
    memberships : mapping of int to Role
        Role by namespace id, the user's own namespace included. A token narrowed to a namespace has at most that one.
    namespace_limit : int or None
        Id of the namespace the token is narrowed to.
    token_id, token_prefix
        The token used, if any; the prefix is for the audit trail.
    expires_at : datetime or None
        When the credential expires: what it mints may not outlive it.
    via : Via
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

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody signed in."""
        return self.user_id is None

    def role_in(self, namespace_id: int) -> Role | None:
        """Return the caller's role in a namespace, None for outsiders."""
        return self.memberships.get(namespace_id)

    def is_owner(self, namespace_id: int) -> bool:
        """Whether the caller owns the namespace."""
        return self.memberships.get(namespace_id) is Role.OWNER

    @property
    def owned(self) -> tuple[int, ...]:
        """Ids of the namespaces the caller owns, sorted."""
        return tuple(sorted(key for key, role in self.memberships.items() if role is Role.OWNER))

    @property
    def joined(self) -> tuple[int, ...]:
        """Ids of the namespaces the caller is a plain member of, sorted."""
        return tuple(sorted(key for key, role in self.memberships.items() if role is Role.MEMBER))


ANONYMOUS = Principal(user_id=None, user_name="", scopes=frozenset({Scope.PACKAGE_READ, Scope.NAMESPACE_READ}))
