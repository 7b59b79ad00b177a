"""What a package says of itself follows its releases; who keeps indexes is told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row

from carrel.core.clock import now
from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.packages import repository
from carrel.hub.packages.changes import ChangeListener, PackageChange, Reason
from carrel.hub.packages.versions import latest, version_key
from carrel.hub.releases import repository as releases


class PackageUpkeep:
    """Keeps package rows true and calls the listeners.

    Parameters
    ----------
    listeners : sequence of ChangeListener
        Called in this order, inside the transaction.
    """

    def __init__(self, listeners: Sequence[ChangeListener] = ()) -> None:
        self._listeners = tuple(listeners)

    def notify(self, uow: UnitOfWork, namespace_id: int, package_id: int, kinds: Collection[str], reason: Reason) -> None:
        """Tell the listeners of one changed package."""
        self.notify_all(uow, (PackageChange(namespace_id, package_id, frozenset(Kind(kind) for kind in kinds), reason),))

    def notify_all(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
        """Tell the listeners of changed packages, all at once."""
        if changes:
            for listener in self._listeners:
                listener.files_changed(uow, changes)

    def file_added(self, uow: UnitOfWork, package: Row[Any], release: Row[Any], kind: str, import_names: Collection[str]) -> None:
        """Take in one file of a published release: costs the same however many releases there are."""
        values: dict[str, Any] = {"updated_at": now()}
        if kind not in package.kinds:
            values["kinds"] = sorted({*package.kinds, kind})
        current = package.latest_version
        lower = current is not None and version_key(release.version) < version_key(current)
        if lower and latest(releases.chosen_versions(uow, package.id)) == release.version:
            current = None  # all files of the higher ones are yanked
        if current is None or version_key(release.version) > version_key(current):
            values |= _about(release) | {"latest_version": release.version}
            repository.replace_import_names(uow, package.id, repository.import_names_of(uow, release.id))
        elif release.version == current:
            values |= _about(release)
            repository.add_import_names(uow, package.id, import_names)
        repository.update_package(uow, package.id, values)

    def recompute(self, uow: UnitOfWork, package_id: int) -> None:
        """Bring a package row up to date after releases were published or removed."""
        version = latest(releases.chosen_versions(uow, package_id)) or latest(releases.versions(uow, package_id, drafts=False))
        values: dict[str, Any] = {
            "updated_at": now(),
            "kinds": repository.published_kinds(uow, package_id),
            "latest_version": version,
        }
        names: set[str] = set()
        if version is not None and (row := releases.find(uow, package_id, version, drafts=False)) is not None:
            values |= _about(row)
            names = repository.import_names_of(uow, row.id)
        repository.update_package(uow, package_id, values)
        repository.replace_import_names(uow, package_id, names)


def _about(release: Row[Any]) -> dict[str, str]:
    texts = {
        "summary": release.summary,
        "description": release.description,
        "license": release.license,
        "home_page": release.home_page,
    }
    return {name: text for name, text in texts.items() if text}
