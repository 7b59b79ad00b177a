"""Who sees which package, as a condition inside the SQL and as the same rule in Python for rows that are known.

What one may not see is absent: every query of packages, releases or files carries one of these conditions. The rule:

* owners of a namespace see all of it, plain members what is not private, everyone what is public, and by name what is
  unlisted; of packages without a published release only members and those who were given them know;
* groups and collaborations give single packages, private ones included;
* a token shows what its maker sees, and of that only what lies within its limits: names of packages, labels, a collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, or_, select

from carrel.core.access import Permission, Visibility
from carrel.database.statements import one_of
from carrel.hub.accounts.principal import FOR_ANYONE, FOR_MEMBERS, Limits, PackageLike, Principal, Sight
from carrel.hub.collections.models import collection_item
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import file, package

_LISTED = (Visibility.PUBLIC.value,)


@dataclass(frozen=True, slots=True)
class Standing:
    """What says who may do what with a package, beside something that is remembered: a :class:`PackageLike`."""

    id: int
    namespace_id: int
    name_key: str
    visibility: str
    latest_version: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> Standing:
        """Return the standing of the package of a file (``package_id`` … ``latest_version`` of the row)."""
        return cls(row.package_id, row.namespace_id, row.name_key, row.visibility, row.latest_version)


def listed_packages(principal: Principal) -> ColumnElement[bool]:
    """Return the condition for lists, searches and indexes: public packages, and those of the caller's own."""
    return listed_for(principal.sight)


def listed_for(sight: Sight) -> ColumnElement[bool]:
    """Return :func:`listed_packages` of all callers with this sight: what a statement can be kept by."""
    return _condition(sight, _LISTED)


def reachable_packages(principal: Principal) -> ColumnElement[bool]:
    """Return the condition for access by name: as :func:`listed_packages`, and unlisted ones."""
    return _condition(principal.sight, tuple(sorted(FOR_ANYONE)))


def _condition(sight: Sight, for_everyone: tuple[str, ...]) -> ColumnElement[bool]:
    everyone = and_(
        package.c.visibility == for_everyone[0] if len(for_everyone) == 1 else package.c.visibility.in_(for_everyone),
        package.c.latest_version.is_not(None),
    )
    alternatives: list[ColumnElement[bool]] = [everyone]
    if sight.owned:
        alternatives.append(package.c.namespace_id.in_(sight.owned))
    if sight.joined:
        alternatives.append(and_(package.c.namespace_id.in_(sight.joined), package.c.visibility.in_(sorted(FOR_MEMBERS))))
    if sight.granted:
        alternatives.append(one_of(package.c.id, sight.granted))
    seen = or_(*alternatives)
    return and_(seen, *_within(sight.limits)) if sight.limits else seen


def _within(limits: Limits) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if limits.packages is not None:
        conditions.append(package.c.name_key.in_(sorted(limits.packages)))
    if limits.collection is not None:
        # Of its own, as below: the statement around it may read items or files, too.
        held = select(collection_item.c.package_id).where(
            collection_item.c.package_id == package.c.id, collection_item.c.collection_id == limits.collection
        )
        conditions.append(exists(held.correlate(package)))
    if limits.labels is not None:
        inside = file.alias("inside")
        under = (
            select(inside.c.id)
            .join(file_label, file_label.c.file_id == inside.c.id)
            .join(label, label.c.id == file_label.c.label_id)
            .where(inside.c.package_id == package.c.id, label.c.name.in_(sorted(limits.labels)))
            .correlate(package)
        )
        conditions.append(exists(under))
    return conditions


def visible_files(principal: Principal) -> ColumnElement[bool] | None:
    """Return the condition on the table ``file`` that a token's labels make; None: files of visible packages are visible.

    Goes beside one of the conditions on packages, into every query of files or releases that answers a caller.
    """
    return None if principal.limits.labels is None else _under(principal.limits.labels)


def _under(labels: frozenset[str]) -> ColumnElement[bool]:
    return exists(
        select(file_label.c.file_id)
        .join(label, label.c.id == file_label.c.label_id)
        .where(file_label.c.file_id == file.c.id, label.c.name.in_(sorted(labels)))
        .correlate(file)
    )


def may_reach(principal: Principal, known: PackageLike | Row[Any]) -> bool:
    """Whether *principal* may reach a package by name: :func:`reachable_packages` for what is known of one package.

    A token's labels are not looked at: see :func:`visible_files`.
    """
    return principal.permission_on(known) is not None


def sees_drafts(principal: Principal, known: PackageLike | Row[Any]) -> bool:
    """Whether *principal* sees the unpublished releases of a package: whoever may write to it does."""
    permission = principal.permission_on(known)
    return permission is not None and permission >= Permission.WRITE


def is_shared(visibility: str) -> bool:
    """Whether answers about a package of this visibility may be kept by shared caches (``Cache-Control: public``)."""
    return visibility in (Visibility.PUBLIC, Visibility.UNLISTED)
