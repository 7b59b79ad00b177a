"""Copying a package, or some of its files, to another namespace: the bytes are shared, nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission, Visibility
from carrel.core.clock import now
from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.kinds import Kind
from carrel.core.names import validate_label
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.labels import change_repository
from carrel.hub.labels import repository as labels
from carrel.hub.labels.change_rules import MAX_FILES
from carrel.hub.labels.change_service import LabelChangeService
from carrel.hub.labels.service import LabelService
from carrel.hub.labels.views import NOLABEL, Action, ChangeRequest, FileSelection
from carrel.hub.namespaces.service import find_namespace
from carrel.hub.packages import repository
from carrel.hub.packages.access import require_permission, require_uploader, role_on_labels
from carrel.hub.packages.changes import Reason
from carrel.hub.packages.copy_repository import Copying, of_package
from carrel.hub.packages.service import PackageService, find_package
from carrel.hub.packages.upkeep import PackageUpkeep

# From the widest to the narrowest.
_NARROWNESS = (Visibility.PUBLIC, Visibility.UNLISTED, Visibility.ORGANIZATION, Visibility.PRIVATE)


class Existing(StrEnum):
    """What becomes of file names that the other namespace has already.

    Other bytes are never put under a taken name: ``error`` and ``replace`` refuse the whole copy then.
    """

    ERROR = "error"  # refuse the whole copy
    REPLACE = "replace"  # files with the same bytes get the labels of the copy, too, and are yanked or not as the copied ones
    SKIP = "skip"  # leave what is there alone


class Outcome(StrEnum):
    """What a copy did with a file."""

    NEW = "new"
    REPLACED = "replaced"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """What to copy where; what is None does not narrow it.

    Attributes
    ----------
    namespace, package : str
        From where.
    to_namespace : str
        Where to. The same namespace: the files get the label *to_label*.
    version, filename : str, optional
        A name or a pattern (``*``, ``?``); ``linux-64/name`` also names the subdir.
    from_label : str, optional
        Only files under it (``nolabel``: under none).
    to_label : str, optional
        The label of the copies. Without it they have *from_label*, or the labels of the files copied, by name.
    existing : Existing
    visibility : str, optional
        Of the package when it is made; by default that of the copied one (``organization`` becomes ``private`` in a user's
        namespace). Into a package that more people see than the copied one it has to be given, to say that this is meant.
    """

    namespace: str
    package: str
    to_namespace: str
    version: str | None = None
    filename: str | None = None
    from_label: str | None = None
    to_label: str | None = None
    existing: Existing = Existing.ERROR
    visibility: str | None = None


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """One file of a copy."""

    version: str
    filename: str
    subdir: str
    kind: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class CopyView:
    """A copy that was made, or would be.

    Attributes
    ----------
    namespace, package : str
        Where the copies are.
    visibility : str
        Of that package.
    made_package : bool
        Whether it was made by the copy.
    labels : tuple of str
        The labels that the copies got.
    files : tuple of CopiedFile
        By version, subdir and name.
    """

    namespace: str
    package: str
    visibility: str
    made_package: bool
    labels: tuple[str, ...]
    files: tuple[CopiedFile, ...]


class PackageCopyService:
    """Copies between namespaces.

    Parameters
    ----------
    packages : PackageService
    labels : LabelService
    label_changes : LabelChangeService
    upkeep : PackageUpkeep
    """

    def __init__(self, packages: PackageService, labels: LabelService, label_changes: LabelChangeService, upkeep: PackageUpkeep) -> None:
        self._packages = packages
        self._labels = labels
        self._label_changes = label_changes
        self._upkeep = upkeep

    def copy(self, uow: UnitOfWork, principal: Principal, request: CopyRequest, *, dry_run: bool = False) -> CopyView:
        """Copy published files; with *dry_run* only say what would be copied. All files or none.

        The caller reads there and writes here. Texts of releases, metadata and the small files beside a file go with it; the
        upload time is that of the copy.

        Raises
        ------
        NotFound
            There is nothing to copy that the caller may see.
        Forbidden
        Conflict
            ``copy_conflict``: names are taken; ``files`` lists them with the ``reason`` (``exists``, ``other_bytes``,
            ``name_taken`` by a file that was removed). ``would_disclose``: more people would see the files.
        """
        if not dry_run:
            return self._copy(uow, principal, request, tell=True)
        with uow.connection.begin_nested() as savepoint:
            view = self._copy(uow, principal, request, tell=False)
            savepoint.rollback()
        return view

    def _copy(self, uow: UnitOfWork, principal: Principal, request: CopyRequest, *, tell: bool) -> CopyView:
        source = find_package(uow, principal, request.namespace, request.package)
        require_permission(principal, source, Permission.READ)
        if source.status == "quarantined":
            raise Forbidden(f"{source.name} is quarantined: it is not copied.", code="package_closed", package_status=source.status)
        target_namespace = find_namespace(uow, request.to_namespace)
        if request.to_label is not None:
            validate_label(request.to_label)
        files = self._selected(uow, principal, request, source)
        if target_namespace.id == source.namespace_id:
            return self._label_only(uow, principal, request, source, tell=tell)
        kinds = set(source.kinds)
        existing = self._packages.find_for_upload(uow, principal, target_namespace, source.name, _finder(kinds))
        visibility = _visibility(source, target_namespace, existing, request.visibility)
        copying = Copying(uow, files, target_namespace.id, source.name_key if existing is None else existing.name_key)
        names = self._labels_of_copies(copying, request)
        require_uploader(principal, target_namespace, names)
        target = self._packages.ensure(uow, principal, target_namespace, source.name, _finder(kinds), visibility)
        if target.visibility != (visibility if existing is None else existing.visibility):
            _visibility(source, target_namespace, target, request.visibility)  # somebody made or opened it meanwhile
        plan = copying.plan()
        outcomes = _outcomes(plan, target.id, request.existing)
        role = role_on_labels(principal, target_namespace.id)
        label_ids = self._labels.resolve(uow, role, target_namespace.id, names)
        moment = now()
        if Outcome.NEW in outcomes:
            copying.add_releases(target.id, principal.user_id, moment)
            copying.add_files(target.id, principal.user_id, moment)
        only = None
        if request.existing is Existing.REPLACE:
            copying.take_over(target.id)
        else:
            only = moment
        if request.to_label is not None or request.from_label not in (None, NOLABEL):
            for label_id in label_ids:
                copying.add_label(target.id, label_id, only)
        else:
            copying.add_same_labels(target.id, only)
        changed = {item.kind for item, outcome in zip(plan, outcomes, strict=True) if outcome is not Outcome.SKIPPED}
        if existing is None and source.display_name:
            repository.update_package(uow, target.id, {"display_name": source.display_name})
        if changed:
            self._upkeep.recompute(uow, target.id)
        if tell:
            detail = {
                "from": f"{request.namespace}/{source.name}",
                "version": request.version,
                "filename": request.filename,
                "existing": request.existing.value,
                "count": sum(outcome is not Outcome.SKIPPED for outcome in outcomes),
            }
            record(uow, principal, "package.copy", target_namespace.id, f"{request.to_namespace}/{target.name}", detail)
            if changed:
                self._upkeep.notify(uow, target_namespace.id, target.id, changed, Reason.RELEASE)
        return CopyView(
            request.to_namespace, target.name, target.visibility, existing is None, tuple(sorted(names)), _files(plan, outcomes)
        )

    def _selected(self, uow: UnitOfWork, principal: Principal, request: CopyRequest, source: Row[Any]) -> Any:
        source_id = None
        if request.from_label not in (None, NOLABEL):
            self._labels.get(uow, principal, request.namespace, request.from_label or "")
            row = labels.by_name(uow, source.namespace_id, request.from_label or "")
            source_id = None if row is None else row.id
        selection = FileSelection(version=request.version, filename=request.filename)
        files = change_repository.selected(
            principal, source.namespace_id, selection, source_id=source_id, unlabelled=request.from_label == NOLABEL
        )
        files = of_package(files, source.id)
        count = change_repository.count(uow, files)
        if not count:
            raise NotFound(f"No published file of {request.namespace}/{source.name} is selected by this.", code="nothing_selected")
        if count > MAX_FILES:
            raise BadRequest(
                f"This concerns {count} files; one copy takes at most {MAX_FILES}. Copy version by version.",
                code="too_many_files",
                count=count,
                limit=MAX_FILES,
            )
        return files

    def _labels_of_copies(self, copying: Copying, request: CopyRequest) -> set[str]:
        if request.to_label is not None:
            return {request.to_label}
        if request.from_label == NOLABEL:
            return set()
        return {request.from_label} if request.from_label is not None else copying.labels()

    def _label_only(self, uow: UnitOfWork, principal: Principal, request: CopyRequest, source: Row[Any], *, tell: bool) -> CopyView:
        """Give files of a namespace another label: they are there already."""
        if request.to_label is None:
            raise BadRequest(
                "Within one namespace files are not copied; say which label they are to get.", code="label_needed", field="to_label"
            )
        selection = FileSelection((source.name_key,), request.version, request.filename)
        action = Action.ADD if request.from_label is None else Action.COPY
        change = ChangeRequest(action, request.from_label, request.to_label, selection)
        view = self._label_changes.apply(uow, principal, request.namespace, change, dry_run=not tell)
        files = tuple(CopiedFile(item.version, item.filename, item.subdir, item.kind, Outcome.REPLACED) for item in view.files)
        return CopyView(request.namespace, source.name, source.visibility, False, (request.to_label,), files)


def _finder(kinds: set[str]) -> str:
    # Python projects are one under all spellings of their name.
    return Kind.PYPI.value if kinds == {Kind.PYPI.value} else ""


def _visibility(source: Row[Any], namespace: Row[Any], existing: Row[Any] | None, wanted: str | None) -> str | None:
    """Return the visibility of the package to make; None when there is one."""
    own = source.visibility
    if own == Visibility.ORGANIZATION and namespace.kind != "organization":
        own = Visibility.PRIVATE.value
    if existing is None:
        return wanted or own
    if wanted is not None and wanted != existing.visibility:
        raise Conflict(
            f"{existing.name} exists there and is {existing.visibility}; a copy does not change that.",
            code="visibility_differs",
            visibility=existing.visibility,
        )
    if wanted is None and _NARROWNESS.index(Visibility(existing.visibility)) < _NARROWNESS.index(Visibility(own)):
        raise Conflict(
            f"{source.name} is {source.visibility} here and {existing.visibility} there: more people would see the files. "
            f"Give the visibility {existing.visibility!r} if that is meant.",
            code="would_disclose",
            visibility=existing.visibility,
        )
    return None


def _outcomes(plan: Sequence[Row[Any]], package_id: int, existing: Existing) -> list[Outcome]:
    """Return what becomes of each file.

    Raises
    ------
    Conflict
    """
    outcomes: list[Outcome] = []
    conflicts: list[dict[str, str]] = []
    for item in plan:
        reason = _taken(item, package_id)
        if reason is None:
            outcomes.append(Outcome.NEW)
        elif existing is Existing.SKIP:
            outcomes.append(Outcome.SKIPPED)
        elif existing is Existing.REPLACE and reason == "exists":
            outcomes.append(Outcome.REPLACED)
        else:
            conflicts.append({"version": item.version, "filename": item.filename, "subdir": item.subdir, "reason": reason})
    if conflicts:
        raise Conflict(
            f"{len(conflicts)} of {len(plan)} file names are taken there. Skip what exists, or copy other versions.",
            code="copy_conflict",
            files=conflicts,
        )
    return outcomes


def _taken(item: Row[Any], package_id: int) -> str | None:
    if item.target_id is not None:
        return "exists" if item.target_sha256 == item.sha256 and item.target_package_id == package_id else "other_bytes"
    return "name_taken" if item.retired_sha256 not in (None, item.sha256) else None


def _files(plan: Sequence[Row[Any]], outcomes: Sequence[Outcome]) -> tuple[CopiedFile, ...]:
    return tuple(
        CopiedFile(item.version, item.filename, item.subdir, item.kind, outcome) for item, outcome in zip(plan, outcomes, strict=True)
    )
