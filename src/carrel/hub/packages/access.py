"""Who may change a package: every service that changes something asks here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission, Role
from carrel.core.errors import Forbidden, NotFound, Unauthenticated
from carrel.hub.accounts.principal import PackageLike, Principal

_NEEDED = {
    Permission.READ: "see it",
    Permission.WRITE: "upload to it or change it",
    Permission.ADMIN: "remove it or decide who sees and changes it",
}


def require_permission(principal: Principal, package: PackageLike | Row[Any], needed: Permission, *, name: str = "") -> Permission:
    """Return what the caller may do with *package*, which is at least *needed*.

    Parameters
    ----------
    package : row of the table ``package``, or the like
    needed : Permission
    name : str
        For the message; by default the row's own name.

    Raises
    ------
    NotFound
        The caller may not know that the package exists.
    Unauthenticated, Forbidden
        They may not do this; the problem names the ``permission`` that is missing.
    """
    shown = name or str(getattr(package, "name", package.name_key))
    found = principal.permission_on(package)
    if found is None:
        raise NotFound(f"There is no package {shown[:128]!r} here.")
    if found >= needed:
        return found
    if principal.is_anonymous:
        raise Unauthenticated("Sign in or send a token to do this.")
    require_writable(principal)
    role = principal.role_in(package.namespace_id)
    if principal.namespace_limit not in (None, package.namespace_id):
        raise Forbidden("This token is limited to another namespace.", code="namespace_limit", permission=needed.value)
    if needed is Permission.ADMIN and role is Role.MEMBER:
        code, who = "not_an_owner", "Only owners of its namespace and those with the permission 'admin'"
    elif role is None and not principal.granted_in(package.namespace_id):
        code, who = "not_a_member", f"You are not a member of its namespace. Only members and those with the permission {needed.value!r}"
    else:
        code, who = "missing_permission", f"You have the permission {found.value!r} on {shown!r}. Only those with {needed.value!r}"
    raise Forbidden(f"{who} may {_NEEDED[needed]}. Ask an owner of the namespace.", code=code, permission=needed.value)


def require_uploader(principal: Principal, namespace: Row[Any], labels: Collection[str]) -> None:
    """Refuse those who can upload nothing under *labels* into a namespace, before it is known into which package.

    Raises
    ------
    Unauthenticated, Forbidden
    """
    if principal.role_in(namespace.id) is None and all(
        principal.grants[package_id] < Permission.WRITE for package_id in principal.granted_in(namespace.id)
    ):
        if principal.is_anonymous:
            raise Unauthenticated("Sign in or send a token to do this.")
        if principal.namespace_limit not in (None, namespace.id):
            raise Forbidden(f"This token is limited to another namespace than {namespace.name!r}.", code="namespace_limit")
        if principal.granted_in(namespace.id):
            raise Forbidden(
                f"You have the permission 'read' on packages of {namespace.name!r}. To upload takes 'write'; ask an owner.",
                code="missing_permission",
                permission=Permission.WRITE.value,
            )
        raise Forbidden(f"You are not a member of {namespace.name!r}, and no package there was given to you.", code="not_a_member")
    require_labels(principal, labels)


def role_on_labels(principal: Principal, namespace_id: int) -> Role:
    """Return the role that counts for locked labels: owners use them, everybody else who may write does not."""
    return Role.OWNER if principal.is_owner(namespace_id) else Role.MEMBER


def require_writable(principal: Principal) -> None:
    """Refuse tokens that are narrowed to a collection: those read.

    Raises
    ------
    Forbidden
    """
    if principal.limits.read_only:
        raise Forbidden("This token is limited to a collection, and such tokens only read.", code="collection_limit")


def require_labels(principal: Principal, labels: Collection[str]) -> None:
    """Refuse a token that is narrowed to other labels than all of *labels*: those it puts on, takes off, or removes files from.

    Raises
    ------
    Forbidden
    """
    require_writable(principal)
    limit = principal.limits.labels
    if limit is not None and (not labels or not limit.issuperset(labels)):
        raise Forbidden(f"This token is limited to files under {_names(limit)}.", code="label_limit", labels=sorted(limit))


def require_package_name(principal: Principal, name: str) -> None:
    """Refuse a token that is narrowed to other packages than *name*, whether there is such a package or not.

    Raises
    ------
    Forbidden
    """
    require_writable(principal)
    limit = principal.limits.packages
    if limit is not None and name.lower() not in limit:
        raise Forbidden(f"This token is limited to {_names(limit)}.", code="package_limit", packages=sorted(limit))


def require_whole_package(principal: Principal) -> None:
    """Refuse tokens narrowed to labels or a collection where a package as a whole is changed: its texts, visibility, people.

    Raises
    ------
    Forbidden
    """
    require_writable(principal)
    if (limit := principal.limits.labels) is not None:
        raise Forbidden(
            f"This token is limited to files under {_names(limit)} and cannot change the package itself.",
            code="label_limit",
            labels=sorted(limit),
        )


def require_unlimited(principal: Principal) -> None:
    """Refuse narrowed tokens where a namespace as a whole is concerned: members, groups, settings, its trail.

    Raises
    ------
    Forbidden
    """
    if principal.limits:
        raise Forbidden("This token is limited to a part of the namespace and cannot do this.", code="token_limit")


def _names(limit: Collection[str]) -> str:
    shown = sorted(limit)
    return ", ".join(map(repr, shown[:5])) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
