"""Changing what is said of a release after it was published: its texts, and whether installers choose it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission
from carrel.core.clock import now
from carrel.core.errors import Conflict
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.files import repository as files
from carrel.hub.files.finding import find_file, require_labels_of
from carrel.hub.packages import repository as packages
from carrel.hub.packages.access import require_labels, require_permission
from carrel.hub.packages.changes import Reason
from carrel.hub.packages.service import find_package
from carrel.hub.packages.upkeep import PackageUpkeep
from carrel.hub.packages.views import FileView, ReleaseView
from carrel.hub.packages.visibility import visible_files
from carrel.hub.releases import repository
from carrel.hub.releases.service import find_release

_TEXTS = ("message", "summary", "description")


class ReleaseEditing:
    """Edits releases and yanks their files.

    A yanked file (PEP 592) stays where it is and downloadable, for those who have its exact version written down; the indexes
    say that it is not to be chosen: PyPI's with the reason, conda's by listing it as ``removed`` (CEP 36), R's by leaving it
    out.

    Parameters
    ----------
    upkeep : PackageUpkeep
    """

    def __init__(self, upkeep: PackageUpkeep) -> None:
        self._upkeep = upkeep

    def update(
        self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, version: str, changes: Mapping[str, str]
    ) -> ReleaseView:
        """Change ``message``, ``summary`` or ``description`` (permission ``write``); the package shows those of its latest release."""
        package, release = self._release(uow, principal, namespace, name, version)
        values = {key: changes[key] for key in _TEXTS if key in changes and changes[key] != getattr(release, key)}
        if values:
            repository.update_release(uow, release.id, values)
            record(uow, principal, "release.update", package.namespace_id, f"{namespace}/{package.name}/{release.version}", sorted(values))
            if release.state == "published":
                if release.version == package.latest_version:
                    shown: dict[str, Any] = {key: value for key, value in values.items() if key != "message"}
                    packages.update_package(uow, package.id, {**shown, "updated_at": now()})
                self._upkeep.notify(uow, package.namespace_id, package.id, package.kinds, Reason.PACKAGE)
        return self._view(uow, principal, package, release.id)

    def yank(
        self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, version: str, *, reason: str = "", yanked: bool = True
    ) -> ReleaseView:
        """Yank all files of a published release, or take that back with *yanked* False (permission ``write``)."""
        package, release = self._release(uow, principal, namespace, name, version)
        self._set(uow, principal, package, release, None, reason, yanked=yanked)
        return self._view(uow, principal, package, release.id)

    def yank_file(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        name: str,
        version: str,
        filename: str,
        subdir: str | None = None,
        *,
        reason: str = "",
        yanked: bool = True,
    ) -> FileView:
        """Yank one file of a published release, or take that back."""
        package, release = self._release(uow, principal, namespace, name, version, whole=False)
        found = find_file(uow, principal, release, filename, subdir)
        require_labels_of(uow, principal, found)
        self._set(uow, principal, package, release, found, reason, yanked=yanked)
        return files.view(uow, found.id)

    def _release(
        self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, version: str, *, whole: bool = True
    ) -> tuple[Row[Any], Row[Any]]:
        package = find_package(uow, principal, namespace, name)
        require_permission(principal, package, Permission.WRITE)
        if packages.lock(uow, package.id):
            package = find_package(uow, principal, namespace, name)  # as whoever held the lock left it
        release = find_release(uow, principal, package, version)
        if whole and principal.limits.labels is not None:
            # What is done to a release is done to all its files, those under other labels included.
            for item in files.views_of_releases(uow, [release.id])[release.id]:
                require_labels(principal, item.labels)
        return package, release

    def _set(
        self,
        uow: UnitOfWork,
        principal: Principal,
        package: Row[Any],
        release: Row[Any],
        one: Row[Any] | None,
        reason: str,
        *,
        yanked: bool,
    ) -> None:
        if release.state != "published":
            raise Conflict("A draft is chosen by nobody. Remove it, or publish it first.", code="not_published")
        kinds = files.set_yanked(uow, release.id, None if one is None else one.id, now() if yanked else None, reason if yanked else "")
        if not kinds:
            return
        subject = f"{package.namespace}/{package.name}/{release.version}" + ("" if one is None else f"/{one.filename}")
        action = ("file" if one is not None else "release") + (".yank" if yanked else ".unyank")
        record(uow, principal, action, package.namespace_id, subject, {"reason": reason} if yanked and reason else None)
        self._upkeep.recompute(uow, package.id)
        self._upkeep.notify(uow, package.namespace_id, package.id, kinds, Reason.FILES)

    def _view(self, uow: UnitOfWork, principal: Principal, package: Row[Any], release_id: int) -> ReleaseView:
        found = files.views_of_releases(uow, [release_id], visible_files(principal))[release_id]
        return repository.to_view(repository.by_id(uow, release_id), packages.to_view(package), found)
