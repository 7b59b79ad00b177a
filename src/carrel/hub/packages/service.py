"""Rules of packages."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission, Role, Visibility
from carrel.core.clock import now
from carrel.core.errors import BadRequest, Forbidden, NotFound, Unavailable
from carrel.core.names import canonical_package, validate_package
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.files import repository as files
from carrel.hub.namespaces.service import find_namespace, require_member
from carrel.hub.packages import repository
from carrel.hub.packages.access import require_package_name, require_permission, require_whole_package
from carrel.hub.packages.changes import Reason
from carrel.hub.packages.upkeep import PackageUpkeep
from carrel.hub.packages.views import PackageView, Page

# PEP 792: nothing may be added to these.
_CLOSED = frozenset(("archived", "quarantined"))
_ADMINISTERED = frozenset(("visibility", "status", "status_reason", "tracks", "alternate_locations"))


def find_package(uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> Row[Any]:
    """Return a package that the caller may reach.

    Raises
    ------
    NotFound
        It does not exist or the caller may not know that it does.
    """
    row = repository.find(uow, principal, namespace, name)
    if row is None:
        raise NotFound(f"There is no package {name[:128]!r} in {namespace[:64]!r}.")
    return row


def encode_cursor(key: str) -> str:
    """Return *key* as an opaque cursor."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str:
    """Return the key of a cursor, empty for None.

    Raises
    ------
    BadRequest
    """
    if not cursor:
        return ""
    try:
        return base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise BadRequest("The cursor is not one that this hub gave.", code="invalid_cursor") from error


class PackageService:
    """Packages of a namespace.

    Parameters
    ----------
    upkeep : PackageUpkeep
    """

    def __init__(self, upkeep: PackageUpkeep) -> None:
        self._upkeep = upkeep

    def get(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> PackageView:
        """Return a package."""
        return repository.to_view(find_package(uow, principal, namespace, name))

    def page(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        *,
        kind: str | None = None,
        label: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return packages of a namespace by name, those that the caller sees in lists."""
        row = find_namespace(uow, namespace)
        after = decode_cursor(cursor)
        rows = repository.page(uow, principal, row.id, kind=kind, label_name=label, after=after, limit=limit + 1)
        more = encode_cursor(rows[limit - 1].name_key) if len(rows) > limit else None
        return Page(tuple(repository.to_view(item) for item in rows[:limit]), more)

    def update(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, changes: dict[str, Any]) -> PackageView:
        """Change texts (with the permission to write), or visibility, status and other indexes (with ``admin``)."""
        owner = find_namespace(uow, namespace)
        repository.lock(uow, find_package(uow, principal, namespace, name).id)
        row = find_package(uow, principal, namespace, name)
        require_permission(principal, row, Permission.WRITE)
        require_whole_package(principal)
        changes = {key: value for key, value in changes.items() if value != (getattr(row, key) or type(value)())}
        if changes.keys() & _ADMINISTERED:
            require_permission(principal, row, Permission.ADMIN)
        visibility = changes.get("visibility")
        if visibility is not None and visibility != row.visibility:
            require_permission(principal, row, Permission.ADMIN)
            check_visibility(owner, visibility, Role.OWNER)
        if changes:
            repository.update_package(uow, row.id, {**changes, "updated_at": now()})
            record(uow, principal, "package.update", row.namespace_id, f"{namespace}/{row.name}", changes)
            reason = Reason.VISIBILITY if visibility is not None and visibility != row.visibility else Reason.PACKAGE
            self._upkeep.notify(uow, row.namespace_id, row.id, row.kinds, reason)
        return self.get(uow, principal, namespace, name)

    def delete(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> None:
        """Remove a package with all its releases (permission ``admin``)."""
        row = find_package(uow, principal, namespace, name)
        require_permission(principal, row, Permission.ADMIN)
        require_whole_package(principal)
        repository.lock(uow, row.id)
        repository.retire_files(uow, row.namespace_id, files.keys_of(uow, package_id=row.id), now())
        repository.delete_package(uow, row.id)
        record(uow, principal, "package.delete", row.namespace_id, f"{namespace}/{row.name}")
        self._upkeep.notify(uow, row.namespace_id, row.id, row.kinds, Reason.PACKAGE)

    def find_for_upload(self, uow: UnitOfWork, principal: Principal, namespace: Row[Any], name: str, kind: str) -> Row[Any] | None:
        """Return the package that an upload of *name* goes into, None when it has to be made.

        Raises
        ------
        NotFound
            The name belongs to a package that the caller, a member, may not know of.
        Unauthenticated, Forbidden
            They may not upload to it, or not make it: outsiders learn from that nothing about what there is.
        """
        finder = repository.find_canonical if kind == "pypi" else repository.find_any
        row = finder(uow, namespace.id, name)
        require_package_name(principal, name if row is None or name.lower() in (principal.limits.packages or ()) else row.name_key)
        if row is None:
            require_member(principal, namespace)
            return None
        if principal.permission_on(row) is None:
            require_member(principal, namespace)
            raise NotFound(f"There is no package {name[:128]!r} in {namespace.name!r} that you may change.")
        if principal.role_in(namespace.id) is None and row.id not in principal.grants:
            require_member(principal, namespace)
        require_permission(principal, row, Permission.WRITE)
        if row.status in _CLOSED:
            raise Forbidden(
                f"{row.name} is {row.status}: it takes no new files. An owner changes that in the settings of the package.",
                code="package_closed",
                package_status=row.status,
            )
        return row

    def ensure(
        self, uow: UnitOfWork, principal: Principal, namespace: Row[Any], name: str, kind: str = "", visibility: str | None = None
    ) -> Row[Any]:
        """Return the package that an upload of *name* goes into, locked, made when there is none.

        Raises
        ------
        NotFound, Forbidden, InvalidName
        Unavailable
            Another request makes or removes it at this moment.
        """
        row = self.find_for_upload(uow, principal, namespace, name, kind)
        if row is None:
            role = require_member(principal, namespace)
            validate_package(name)
            chosen = visibility or namespace.default_visibility
            check_visibility(namespace, chosen, role)
            moment = now()
            package_id = repository.insert_package(
                uow,
                {
                    "namespace_id": namespace.id,
                    "name": name,
                    "name_key": name.lower(),
                    "canonical_name": canonical_package(name),
                    "kinds": [],
                    "visibility": chosen,
                    "created_at": moment,
                    "updated_at": moment,
                },
            )
            if package_id is not None:
                record(uow, principal, "package.create", namespace.id, f"{namespace.name}/{name}", {"visibility": chosen})
            row = self.find_for_upload(uow, principal, namespace, name, kind)
        if row is not None and repository.lock(uow, row.id):
            # Whoever held the lock may have changed what was read before, or removed the package.
            row = self.find_for_upload(uow, principal, namespace, name, kind)
        if row is None:
            raise Unavailable("The package was being made or removed at the same moment. Try again.", retry_after=1)
        return row

    def set_visibility(self, uow: UnitOfWork, principal: Principal, namespace: Row[Any], package: Row[Any], visibility: str) -> None:
        """Change the visibility as part of a publication (permission ``admin``, unless it stays as it is)."""
        if visibility == package.visibility:
            return
        require_permission(principal, package, Permission.ADMIN)
        require_whole_package(principal)
        check_visibility(namespace, visibility, Role.OWNER)
        repository.update_package(uow, package.id, {"visibility": visibility})
        record(uow, principal, "package.update", namespace.id, f"{namespace.name}/{package.name}", {"visibility": visibility})
        self._upkeep.notify(uow, namespace.id, package.id, package.kinds, Reason.VISIBILITY)


def check_visibility(namespace: Row[Any], visibility: str, role: Role) -> None:
    """Refuse visibilities that make no sense for a namespace or its member.

    Raises
    ------
    BadRequest, Forbidden
    """
    if visibility == Visibility.ORGANIZATION and namespace.kind != "organization":
        raise BadRequest(
            "A user's namespace has no members; choose private, unlisted or public.", code="invalid_visibility", field="visibility"
        )
    if visibility == Visibility.PRIVATE and role is not Role.OWNER:
        raise Forbidden("Only owners of an organization make private packages; choose the visibility 'organization'.", code="not_an_owner")
