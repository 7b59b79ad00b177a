"""Organizations and their members; settings of namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from carrel.client.endpoints import Endpoints, given, path
from carrel.client.models import Namespace


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an organization or of a group. ``role`` is owner or member, empty in groups."""

    name: str
    display_name: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What somebody did in a namespace."""

    at: str
    actor: str = ""
    action: str = ""
    subject: str = ""
    token_prefix: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


class Organizations(Endpoints):
    """``/organizations`` and ``/namespaces``."""

    def create(self, name: str, *, display_name: str = "", description: str = "") -> Namespace:
        """Create an organization, owned by the caller."""
        body = {"name": name, "display_name": display_name, "description": description}
        return self._send(Namespace, "POST", path("organizations"), body)

    def get(self, name: str) -> Namespace:
        """Return a user's or an organization's namespace."""
        return self._get(Namespace, path("namespaces", name))

    def update(self, name: str, **changes: Any) -> Namespace:
        """Change ``display_name``, ``description`` or ``default_visibility``; None and what is absent stay."""
        return self._send(Namespace, "PATCH", path("namespaces", name), given(changes))

    def members(self, name: str) -> tuple[Member, ...]:
        """Return the members, by name."""
        return self._items(Member, path("organizations", name, "members"))

    def set_member(self, name: str, user: str, role: str) -> Member:
        """Add a member or change their role."""
        return self._send(Member, "PUT", path("organizations", name, "members", user), {"role": role})

    def remove_member(self, name: str, user: str) -> None:
        """Remove a member."""
        self._do("DELETE", path("organizations", name, "members", user))

    def audit(self, name: str) -> Iterator[AuditEvent]:
        """Yield what was done in a namespace, newest first."""
        return self._pages(AuditEvent, path("namespaces", name, "audit"))
