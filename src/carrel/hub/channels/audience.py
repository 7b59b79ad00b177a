"""Who looks at an index of a namespace: most callers belong to one of three audiences, which share what is kept in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, and_, or_

from carrel.core.access import Role, Visibility
from carrel.database.statements import one_of
from carrel.hub.accounts.principal import Principal
from carrel.hub.packages.models import package


@dataclass(frozen=True, slots=True)
class Audience:
    """A class of viewers that see the same packages of one namespace listed: a key of caches.

    The rule is :func:`carrel.hub.packages.visibility.listed_packages` for one namespace; a contract test holds the two
    together. Whoever filters packages of a channel uses :meth:`sees` or :meth:`condition`, and :meth:`shows` for the label.

    Attributes
    ----------
    visibilities : frozenset of str
        Of the packages that are listed.
    granted : frozenset of int
        Packages of the namespace that are listed whatever their visibility.
    names : frozenset of str, optional
        Lowercase names, if only these are listed.
    labels : frozenset of str, optional
        Labels, if there are no others for this audience.
    items : frozenset of int, optional
        Packages, if only these are listed (a collection).
    """

    visibilities: frozenset[str]
    granted: frozenset[int] = frozenset()
    names: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    items: frozenset[int] | None = None

    EVERYONE: ClassVar[Audience]
    MEMBER: ClassVar[Audience]
    OWNER: ClassVar[Audience]

    @property
    def is_common(self) -> bool:
        """Whether visibilities say everything: one of the three audiences that many callers share."""
        return not self.granted and self.names is None and self.labels is None and self.items is None

    @property
    def sees_all(self) -> bool:
        """Whether this audience knows everything in the namespace, empty labels included."""
        return self == Audience.OWNER

    def sees(self, package_id: int, name_key: str, visibility: str) -> bool:
        """Whether a package is listed; *name_key* is its lowercase name."""
        if visibility not in self.visibilities and package_id not in self.granted:
            return False
        if self.names is not None and name_key not in self.names:
            return False
        return self.items is None or package_id in self.items

    def shows(self, label: str) -> bool:
        """Whether files under *label* are listed at all: its channel is absent otherwise."""
        return self.labels is None or label in self.labels

    def condition(self) -> ColumnElement[bool]:
        """Return :meth:`sees` as a condition on the table ``package``."""
        listed: ColumnElement[bool] = package.c.visibility.in_(sorted(self.visibilities))
        if self.granted:
            listed = or_(listed, one_of(package.c.id, self.granted))
        conditions = [listed]
        if self.names is not None:
            conditions.append(package.c.name_key.in_(sorted(self.names)))
        if self.items is not None:
            conditions.append(one_of(package.c.id, self.items))
        return and_(*conditions)

    def of_items(self, items: frozenset[int]) -> Audience:
        """Return this audience as far as it looks at a set of packages."""
        return replace(self, items=items if self.items is None else self.items & items)

    def to_json(self) -> dict[str, Any]:
        """Return this audience for another process (:meth:`from_json`)."""
        values = {name: getattr(self, name) for name in ("visibilities", "granted", "names", "labels", "items")}
        return {name: None if value is None else sorted(value) for name, value in values.items()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Audience:
        """Return the audience that :meth:`to_json` described."""
        values: dict[str, Any] = {name: None if value is None else frozenset(value) for name, value in document.items()}
        return cls(**values)


Audience.EVERYONE = Audience(frozenset({Visibility.PUBLIC.value}))
Audience.MEMBER = Audience(frozenset({Visibility.PUBLIC.value, Visibility.UNLISTED.value, Visibility.ORGANIZATION.value}))
Audience.OWNER = Audience(frozenset(visibility.value for visibility in Visibility))


def audience_of(role: Role | None) -> Audience:
    """Return the audience that a user with *role* in the namespace, who was given nothing else, belongs to."""
    if role is Role.OWNER:
        return Audience.OWNER
    if role is Role.MEMBER:
        return Audience.MEMBER
    return Audience.EVERYONE


def audience_for(principal: Principal, namespace_id: int) -> Audience:
    """Return the audience that *principal* belongs to: one of the shared constants unless they were given packages or have a limit."""
    role = principal.role_in(namespace_id)
    common = audience_of(role)
    granted = frozenset() if role is Role.OWNER else principal.granted_in(namespace_id)
    limits = principal.limits
    if not granted and not limits:
        return common
    return Audience(common.visibilities, granted, limits.packages, limits.labels, limits.items)
