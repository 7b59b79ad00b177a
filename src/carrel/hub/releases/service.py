"""Rules of releases: drafts that only members see, published in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission, Role
from carrel.core.clock import now
from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.kinds import Kind
from carrel.core.names import validate_version
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.files import repository as files
from carrel.hub.labels.service import LabelService
from carrel.hub.namespaces.service import find_namespace
from carrel.hub.packages import repository as packages
from carrel.hub.packages.access import require_labels, require_permission, require_whole_package, role_on_labels
from carrel.hub.packages.changes import Reason
from carrel.hub.packages.service import PackageService, check_visibility, decode_cursor, encode_cursor, find_package
from carrel.hub.packages.upkeep import PackageUpkeep
from carrel.hub.packages.views import PackageView, ReleaseView
from carrel.hub.packages.visibility import sees_drafts, visible_files
from carrel.hub.releases import repository

LATEST = "latest"
# Kinds whose file names are taken per release: the version is in the key.
_VERSIONED_KINDS = (Kind.NOTEBOOK, Kind.ENVIRONMENT, Kind.FILE)


@dataclass(frozen=True, slots=True)
class NewRelease:
    """What is known of a release before its files are; None leaves things as they are."""

    version: str | None = None
    visibility: str | None = None
    summary: str | None = None
    message: str = ""
    if_changed: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ReleasePage:
    """Some releases, newest first, and where the rest begins."""

    items: tuple[ReleaseView, ...]
    next_cursor: str | None


class ReleaseService:
    """Releases of a package.

    Parameters
    ----------
    packages : PackageService
    labels : LabelService
    upkeep : PackageUpkeep
    """

    def __init__(self, packages: PackageService, labels: LabelService, upkeep: PackageUpkeep) -> None:
        self._packages = packages
        self._labels = labels
        self._upkeep = upkeep

    def page(
        self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, *, limit: int = 100, cursor: str | None = None
    ) -> ReleasePage:
        """Return releases, newest first; drafts to members only."""
        found = find_package(uow, principal, namespace, name)
        package = packages.to_view(found)
        key = decode_cursor(cursor)
        if key and not (key.isascii() and key.isdigit() and len(key) <= 18):
            raise BadRequest("The cursor is not one that this hub gave.", code="invalid_cursor")
        drafts = sees_drafts(principal, found)
        rows = repository.newest(
            uow, package.id, drafts=drafts, limit=limit + 1, before=int(key) if key else None, sees=visible_files(principal)
        )
        more = encode_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None
        rows = rows[:limit]
        views = files.views_of_releases(uow, [row.id for row in rows], visible_files(principal))
        return ReleasePage(tuple(repository.to_view(row, package, views[row.id]) for row in rows), more)

    def get(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, version: str) -> ReleaseView:
        """Return a release; ``latest`` stands for the package's latest published version."""
        package = find_package(uow, principal, namespace, name)
        return self._view(uow, principal, packages.to_view(package), find_release(uow, principal, package, version))

    def start(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, new: NewRelease) -> tuple[ReleaseView, bool]:
        """Open a draft; return it and True, or the latest release and False when *new.if_changed* names exactly its files.

        Raises
        ------
        Conflict
            The version is published already.
        """
        owner = find_namespace(uow, namespace)
        package = self._packages.ensure(uow, principal, owner, name, visibility=new.visibility)
        if new.visibility is not None and new.visibility != package.visibility:
            require_permission(principal, package, Permission.ADMIN)
            require_whole_package(principal)
            check_visibility(owner, new.visibility, Role.OWNER)
        view = packages.to_view(package)
        if new.if_changed is not None:
            newest = repository.newest_published(uow, package.id)
            if newest is not None and files.digests_of_release(uow, newest.id) == dict(new.if_changed):
                if new.visibility is not None:
                    self._packages.set_visibility(uow, principal, owner, package, new.visibility)
                return self._view(uow, principal, view, newest), False
        version = validate_version(new.version) if new.version is not None else self._next_number(uow, package)
        made = repository.insert_release(
            uow,
            {
                "package_id": package.id,
                "version": version,
                "state": "draft",
                "message": new.message,
                "summary": new.summary or "",
                "visibility": new.visibility,
                "created_at": now(),
                "created_by": principal.user_id,
            },
        )
        release_id = made.id if made is not None else None
        if release_id is None:
            row = repository.find(uow, package.id, version, drafts=True)
            if row is None or row.state != "draft":
                raise Conflict(f"{name} {version} is published already. Choose another version.", code="version_exists", version=version)
            values: dict[str, Any] = {
                "message": new.message or row.message,
                "summary": new.summary or row.summary,
                "visibility": new.visibility or row.visibility,
            }
            repository.update_release(uow, row.id, values)
            release_id = row.id
        record(uow, principal, "release.start", owner.id, f"{namespace}/{package.name}/{version}")
        return self._view(uow, principal, view, repository.by_id(uow, release_id)), True

    def publish(
        self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, version: str, labels: Sequence[str] | None = None
    ) -> ReleaseView:
        """Make a draft visible, with all its files at once; publishing a published release only sets its labels.

        Raises
        ------
        Conflict
            The draft has no files.
        """
        package = find_package(uow, principal, namespace, name)
        owner = find_namespace(uow, namespace)
        require_permission(principal, package, Permission.WRITE)
        packages.lock(uow, package.id)
        package = find_package(uow, principal, namespace, name)  # as whoever held the lock left it
        release = find_release(uow, principal, package, version)
        self._require_labels(uow, principal, release.id)
        if labels is not None:
            require_labels(principal, labels)
        role = role_on_labels(principal, owner.id)
        kinds = files.kinds_of_release(uow, release.id)
        if not kinds:
            raise Conflict("The release has no files yet. Upload them first, then publish.", code="empty_release")
        changed = False
        if labels is not None:
            for item in files.views_of_releases(uow, [release.id])[release.id]:
                changed |= self._labels.assign(uow, role, owner.id, item.id, labels)
        if release.state == "draft":
            if release.visibility is not None:
                self._packages.set_visibility(uow, principal, owner, package, release.visibility)
            repository.update_release(uow, release.id, {"state": "published", "published_at": now(), "visibility": None})
            self._upkeep.recompute(uow, package.id)
            record(uow, principal, "release.publish", owner.id, f"{namespace}/{package.name}/{version}")
            self._upkeep.notify(uow, owner.id, package.id, kinds, Reason.RELEASE)
        elif changed:
            self._upkeep.notify(uow, owner.id, package.id, kinds, Reason.LABELS)
        return self.get(uow, principal, namespace, name, release.version)

    def delete(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, version: str, *, keep_package: bool = False) -> None:
        """Remove a release: any with the permission ``admin``, with ``write`` what one started.

        A package without releases goes with its last one unless *keep_package* says that another is to come.
        """
        package = find_package(uow, principal, namespace, name)
        owner = find_namespace(uow, namespace)
        permission = require_permission(principal, package, Permission.WRITE)
        packages.lock(uow, package.id)
        release = find_release(uow, principal, package, version)
        if permission < Permission.ADMIN and release.created_by != principal.user_id:
            raise Forbidden(
                "With the permission 'write' one removes only the releases that one made; others need 'admin'.",
                code="not_an_owner",
                permission=Permission.ADMIN.value,
            )
        self._require_labels(uow, principal, release.id)
        kinds = files.kinds_of_release(uow, release.id)
        packages.retire_files(uow, owner.id, files.keys_of(uow, release_id=release.id), now())
        repository.delete_release(uow, release.id)
        record(uow, principal, "release.delete", owner.id, f"{namespace}/{package.name}/{release.version}")
        if not keep_package and not repository.versions(uow, package.id, drafts=True):
            packages.delete_package(uow, package.id)
        elif release.state == "published":
            self._upkeep.recompute(uow, package.id)
        if release.state == "published":
            self._upkeep.notify(uow, owner.id, package.id, kinds, Reason.RELEASE)

    def _view(self, uow: UnitOfWork, principal: Principal, package: PackageView, row: Row[Any]) -> ReleaseView:
        return repository.to_view(row, package, files.views_of_releases(uow, [row.id], visible_files(principal))[row.id])

    def _require_labels(self, uow: UnitOfWork, principal: Principal, release_id: int) -> None:
        # What is done to a release is done to all its files, those under other labels included.
        if principal.limits.labels is not None:
            for item in files.views_of_releases(uow, [release_id])[release_id]:
                require_labels(principal, item.labels)

    def _next_number(self, uow: UnitOfWork, package: Row[Any]) -> str:
        # A removed release's number stays out of use, because its file names stay taken.
        used = set(repository.versions(uow, package.id, drafts=True))
        for kind in _VERSIONED_KINDS:
            prefix = f"{kind}/{package.name_key}/"
            used |= {key[len(prefix) :].split("/", 1)[0] for key in packages.retired_keys(uow, package.namespace_id, prefix)}
        return str(max((int(version) for version in used if version.isascii() and version.isdigit() and len(version) < 10), default=0) + 1)


def find_release(uow: UnitOfWork, principal: Principal, package: Row[Any], version: str) -> Row[Any]:
    """Return a release of a package that the caller may reach; drafts to members only.

    Raises
    ------
    NotFound
    """
    wanted = package.latest_version if version == LATEST else version
    drafts = sees_drafts(principal, package)
    row = None
    if wanted is not None:
        row = repository.find(uow, package.id, wanted, drafts=drafts, sees=visible_files(principal))
    if row is None:
        raise NotFound(f"There is no release {version[:128]!r} of {package.name!r}.")
    return row
