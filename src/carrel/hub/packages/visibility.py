"""Who sees which package, as a condition inside the SQL and as the same rule in Python for cached rows.

What one may not see is absent: every query of packages, releases or files carries one of these conditions.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_

from carrel.core.access import Role, Visibility
from carrel.hub.accounts.principal import Principal
from carrel.hub.packages.models import package

# What members who are not owners see of an organization beside what everyone sees.
_FOR_MEMBERS = (Visibility.ORGANIZATION.value, Visibility.UNLISTED.value, Visibility.PUBLIC.value)


def listed_packages(principal: Principal) -> ColumnElement[bool]:
    """Return the condition for lists, searches and indexes: public ones, and those of the caller's own namespaces."""
    return listed_for(principal.owned, principal.joined)


def listed_for(owned: tuple[int, ...], joined: tuple[int, ...]) -> ColumnElement[bool]:
    """Return :func:`listed_packages` of a caller who owns and joined these namespaces: what a statement can be kept by."""
    return _condition(owned, joined, (Visibility.PUBLIC.value,))


def reachable_packages(principal: Principal) -> ColumnElement[bool]:
    """Return the condition for access by name: as :func:`listed_packages`, and unlisted ones."""
    return _condition(principal.owned, principal.joined, (Visibility.PUBLIC.value, Visibility.UNLISTED.value))


def _condition(owned: tuple[int, ...], joined: tuple[int, ...], for_everyone: tuple[str, ...]) -> ColumnElement[bool]:
    # A package with nothing published is a draft: it exists for members of its namespace only.
    everyone = and_(
        package.c.visibility == for_everyone[0] if len(for_everyone) == 1 else package.c.visibility.in_(for_everyone),
        package.c.latest_version.is_not(None),
    )
    alternatives: list[ColumnElement[bool]] = [everyone]
    if owned:
        alternatives.append(package.c.namespace_id.in_(owned))
    if joined:
        alternatives.append(and_(package.c.namespace_id.in_(joined), package.c.visibility.in_(_FOR_MEMBERS)))
    return or_(*alternatives)


def may_reach(principal: Principal, namespace_id: int, visibility: str, *, published: bool = True) -> bool:
    """Whether *principal* may reach a package by name: :func:`reachable_packages` for one known row."""
    role = principal.role_in(namespace_id)
    if role is Role.OWNER:
        return True
    if role is Role.MEMBER and visibility in _FOR_MEMBERS:
        return True
    return published and visibility in (Visibility.PUBLIC, Visibility.UNLISTED)


def is_shared(visibility: str) -> bool:
    """Whether answers about a package of this visibility may be kept by shared caches (``Cache-Control: public``)."""
    return visibility in (Visibility.PUBLIC, Visibility.UNLISTED)
