"""Changing the labels of many files at once: tried, done, recorded, undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission
from carrel.core.clock import now
from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.kinds import Kind
from carrel.core.names import validate_label
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.channels.repository import advance_all
from carrel.hub.labels import change_repository, repository
from carrel.hub.labels.change_rules import (
    changed,
    check_request,
    chosen_facts,
    plan_of,
    require_matches,
    require_plan,
    sees_everything,
    summary_of,
    view_of,
)
from carrel.hub.labels.service import LabelService, require_unlocked
from carrel.hub.labels.views import (
    MAIN,
    NOLABEL,
    Action,
    ChangePage,
    ChangeRequest,
    ChangeView,
    LeftAlone,
)
from carrel.hub.namespaces.service import find_namespace, require_member, require_owner
from carrel.hub.packages.access import require_labels, require_permission, require_unlimited, require_writable
from carrel.hub.packages.changes import PackageChange, Reason
from carrel.hub.packages.service import decode_cursor, encode_cursor
from carrel.hub.packages.upkeep import PackageUpkeep


class LabelChangeService:
    """Changes of labels: one transaction each, whatever the number of files.

    Parameters
    ----------
    labels : LabelService
    upkeep : PackageUpkeep
    """

    def __init__(self, labels: LabelService, upkeep: PackageUpkeep) -> None:
        self._labels = labels
        self._upkeep = upkeep

    def apply(self, uow: UnitOfWork, principal: Principal, namespace: str, request: ChangeRequest, *, dry_run: bool = False) -> ChangeView:
        """Make a change; with *dry_run* only say what it would be.

        All files or none: the caller needs the permission ``write`` on every package concerned, and an owner's role where a
        locked label is. Files that are as asked for already are counted as ``unchanged``; when nothing has to change, nothing
        is recorded and ``id`` is None.

        Raises
        ------
        BadRequest
            The request contradicts itself or concerns too many files.
        NotFound
            There is no such label, or no such package among its files.
        Forbidden
        Conflict
            RENAME: the new name is taken. RENAME, DELETE: of ``main`` or of a locked label.
        PreconditionFailed
            *request.if_plan* is not what would change.
        """
        check_request(request)
        if not dry_run:
            return self._apply(uow, principal, namespace, request, tell=True)
        # What is tried is what would be done, down to the statements.
        with uow.connection.begin_nested() as savepoint:
            view = self._apply(uow, principal, namespace, request, tell=False)
            savepoint.rollback()
        return replace(view, id=None)

    def undo(self, uow: UnitOfWork, principal: Principal, namespace: str, change_id: int) -> ChangeView:
        """Take a change back, for all files whose labels are still as it left them; the others are reported.

        Raises
        ------
        NotFound, Forbidden
        Conflict
            It was undone before; or the label that it renamed or removed was changed since.
        """
        owner = find_namespace(uow, namespace)
        row = self._visible(uow, principal, owner, change_id, lock=True)
        if row.undone_at is not None:
            raise Conflict(f"Change {change_id} was undone already.", code="already_undone")
        change_repository.update_change(uow, change_id, {"undone_at": now()})
        summary = f"Undo of change {change_id}: {row.summary}"
        if row.action == Action.RENAME:
            if repository.by_name(uow, owner.id, row.target) is None:
                raise Conflict(f"The label {row.target!r} was renamed or removed since.", code="changed_since")
            return self._rename(uow, principal, owner, row.target, row.source, summary, tell=True)
        labels = change_repository.labels_of_change(uow, change_id)
        require_labels(principal, labels or {row.source})
        locked = [item.name for item in repository.by_names(uow, owner.id, labels) if item.locked]
        require_unlocked(principal.role_in(owner.id), locked)
        packages = change_repository.lock_packages(uow, change_repository.packages_of_change(change_id))
        if any(principal.permission_on(package) is None for package in packages):
            # Which they are is not for the caller to know.
            raise Forbidden("You see only a part of what this change is about. Ask an owner to undo it.", code="not_an_owner")
        for package in packages:
            require_permission(principal, package, Permission.WRITE)
        created = self._made_again(uow, principal, owner, row)  # after the packages: uploads make labels in that order, too
        undo_id = self._insert(uow, principal, owner.id, Action.UNDO, None, None, summary)
        change_repository.note_reversed(uow, undo_id, change_id, owner.id)
        view = self._carry_out(uow, owner.id, undo_id)
        self._tell(uow, owner.id, change_repository.kinds_by_package(uow, change_repository.files_of(undo_id)))
        missed = change_repository.described(uow, None, change_repository.missed(change_id, undo_id))
        detail = {"change": undo_id, "count": view.count, "left_alone": len(missed)}
        record(uow, principal, "label.undo", owner.id, f"{namespace}/label-changes/{change_id}", detail)
        return replace(
            view,
            summary=view.summary if sees_everything(principal, owner.id) else f"{Action.UNDO} {change_id}",
            created_labels=created,
            left_alone=tuple(LeftAlone(item.package, item.version, item.filename, item.subdir) for item in missed),
            gone=change_repository.count_missing(uow, change_id),
        )

    def page(self, uow: UnitOfWork, principal: Principal, namespace: str, *, limit: int = 50, cursor: str | None = None) -> ChangePage:
        """Return the changes of a namespace, newest first, without their files (members, and those who were given packages).

        Those who are not owners see the ones that concern a package they see.
        """
        owner = find_namespace(uow, namespace)
        _require_insider(principal, owner)
        key = decode_cursor(cursor)
        if key and not (key.isascii() and key.isdigit() and len(key) <= 18):
            raise BadRequest("The cursor is not one that this hub gave.", code="invalid_cursor")
        rows = change_repository.newest(uow, owner.id, before=int(key) if key else None, limit=limit + 1)
        more = encode_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None
        rows = rows[:limit]
        if sees_everything(principal, owner.id):
            return ChangePage(tuple(view_of(row, row.files) for row in rows), more)
        counts = change_repository.visible_counts(uow, principal, [row.id for row in rows])
        return ChangePage(tuple(view_of(row, counts[row.id], whole=False) for row in rows if row.id in counts), more)

    def get(self, uow: UnitOfWork, principal: Principal, namespace: str, change_id: int) -> ChangeView:
        """Return a change and its files that exist (members); ``before`` and ``after`` name only the labels it is about."""
        owner = find_namespace(uow, namespace)
        row = self._visible(uow, principal, owner, change_id)
        items = change_repository.items_of(uow, change_id)
        found = change_repository.described(uow, principal, change_repository.files_of(change_id))
        files = tuple(changed(item, items[item.id][1], items[item.id][0]) for item in found)
        whole = sees_everything(principal, owner.id)
        return replace(view_of(row, row.files if whole else len(files), whole=whole), files=files)

    # How it is done

    def _apply(self, uow: UnitOfWork, principal: Principal, namespace: str, request: ChangeRequest, *, tell: bool) -> ChangeView:
        owner = find_namespace(uow, namespace)
        if request.action is Action.RENAME:
            return self._rename(uow, principal, owner, request.source or "", request.target or "", summary_of(request), tell=tell)
        if request.action is Action.DELETE:
            return self._delete(uow, principal, owner, request, tell=tell)
        require_writable(principal)
        require_labels(principal, [name for name in (request.source, request.target) if name not in (None, NOLABEL)])
        return self._relabel(uow, principal, owner, request, tell=tell)

    def _relabel(self, uow: UnitOfWork, principal: Principal, owner: Row[Any], request: ChangeRequest, *, tell: bool) -> ChangeView:
        role = principal.role_in(owner.id)
        source = None if request.source in (None, NOLABEL) else self._label(uow, principal, owner, request.source or "")
        target = None if request.target in (None, NOLABEL) else request.target
        files = change_repository.selected(
            principal, owner.id, request.selection, source_id=None if source is None else source.id, unlabelled=request.source == NOLABEL
        )
        packages = change_repository.lock_packages(uow, change_repository.packages_of(files))
        for package in packages:
            require_permission(principal, package, Permission.WRITE)
        if not packages:
            require_member(principal, owner)  # outsiders get no labels made
        count = change_repository.count(uow, files)
        require_matches(request.selection, packages, count)
        removes = request.action in (Action.MOVE, Action.REMOVE)
        require_unlocked(role, [source.name] if source is not None and source.locked and removes else [])
        change_id = self._insert(uow, principal, owner.id, request.action, request.source, request.target, summary_of(request))
        created: tuple[str, ...] = ()
        if target is not None:
            created = () if repository.by_name(uow, owner.id, target) is not None else (target,)
            (target_id,) = self._labels.resolve(uow, role, owner.id, (target,))
            change_repository.note_added(uow, change_id, files, target_id, target)
        if source is not None and removes:
            change_repository.note_removed(uow, change_id, files, source.id, source.name)
        view = self._carry_out(uow, owner.id, change_id)
        view = replace(view, unchanged=count - view.count, created_labels=created)
        require_plan(request, view)
        if not view.count:
            change_repository.delete_change(uow, change_id)
            return replace(view, id=None)
        if tell:
            detail = {
                "change": change_id,
                "from": request.source,
                "to": request.target,
                "count": view.count,
                **chosen_facts(request.selection),
            }
            record(uow, principal, f"label.{request.action}", owner.id, f"{owner.name}/{request.target or request.source}", detail)
            self._tell(uow, owner.id, change_repository.kinds_by_package(uow, change_repository.files_of(change_id)))
        return view

    def _rename(
        self, uow: UnitOfWork, principal: Principal, owner: Row[Any], name: str, new_name: str, summary: str, *, tell: bool
    ) -> ChangeView:
        row = self._whole_label(uow, principal, owner, name)
        if repository.by_name(uow, owner.id, validate_label(new_name)) is not None:
            raise Conflict(
                f"There is a label {new_name!r} already. Move the files of {name!r} there and remove it instead.",
                code="label_exists",
                label=new_name,
            )
        labelled = change_repository.under(row.id)
        count = change_repository.count_any(uow, labelled)
        change_id = self._insert(uow, principal, owner.id, Action.RENAME, name, new_name, summary, count)
        repository.update_label(uow, row.id, {"name": new_name})
        if tell:
            record(uow, principal, "label.rename", owner.id, f"{owner.name}/{name}", {"to": new_name, "change": change_id, "count": count})
            self._tell(uow, owner.id, change_repository.kinds_by_package(uow, labelled))
        return self._read(uow, owner.id, change_id)

    def _delete(self, uow: UnitOfWork, principal: Principal, owner: Row[Any], request: ChangeRequest, *, tell: bool) -> ChangeView:
        row = self._whole_label(uow, principal, owner, request.source or "")
        packages = change_repository.kinds_by_package(uow, change_repository.under(row.id))
        change_id = self._insert(uow, principal, owner.id, Action.DELETE, row.name, None, summary_of(request))
        change_repository.note_label(uow, change_id, row.id, row.name)
        view = self._carry_out(uow, owner.id, change_id)
        require_plan(request, view)
        repository.delete_label(uow, row.id)
        if tell:
            record(uow, principal, "label.delete", owner.id, f"{owner.name}/{row.name}", {"change": change_id, "count": view.count})
            self._tell(uow, owner.id, packages)
        return view

    def _made_again(self, uow: UnitOfWork, principal: Principal, owner: Row[Any], change: Row[Any]) -> tuple[str, ...]:
        """Make the label again that a change removed; return its name."""
        if change.action != Action.DELETE:
            return ()
        require_owner(principal, owner)
        if not repository.insert_label(uow, {"namespace_id": owner.id, "name": change.source, "created_at": now()}):
            raise Conflict(f"There is a label {change.source!r} again. Add the files to it instead.", code="changed_since")
        return (change.source,)

    def _carry_out(self, uow: UnitOfWork, namespace_id: int, change_id: int) -> ChangeView:
        """Do what is written down of a change, and return it."""
        change_repository.carry_out(uow, change_id, namespace_id)
        items = change_repository.items_of(uow, change_id)
        present = change_repository.labels_now(uow, change_id)
        files = []
        for item in change_repository.described(uow, None, change_repository.files_of(change_id)):
            added, removed = items[item.id]
            after = present.get(item.id, set())
            files.append(changed(item, (after - added) | removed, after))
        change_repository.update_change(uow, change_id, {"count": len(items)})
        return replace(self._read(uow, namespace_id, change_id), files=tuple(files), plan=plan_of(files))

    def _tell(self, uow: UnitOfWork, namespace_id: int, packages: Mapping[int, set[str]]) -> None:
        changes = [
            PackageChange(namespace_id, package_id, frozenset(Kind(kind) for kind in kinds), Reason.LABELS)
            for package_id, kinds in sorted(packages.items())
        ]
        self._upkeep.notify_all(uow, changes)

    def _insert(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace_id: int,
        action: Action,
        source: str | None,
        target: str | None,
        summary: str,
        count: int = 0,
    ) -> int:
        values = {
            "namespace_id": namespace_id,
            "at": now(),
            "actor": principal.user_name,
            "action": action.value,
            "source": source,
            "target": target,
            "summary": summary[:500],
            "count": count,
        }
        return change_repository.insert_change(uow, values)

    def _read(self, uow: UnitOfWork, namespace_id: int, change_id: int) -> ChangeView:
        row = change_repository.find(uow, namespace_id, change_id)
        if row is None:
            raise NotFound(f"There is no change {change_id}.")
        return view_of(row, row.files)

    def _visible(self, uow: UnitOfWork, principal: Principal, owner: Row[Any], change_id: int, *, lock: bool = False) -> Row[Any]:
        """Return a change that the caller may know of."""
        _require_insider(principal, owner)
        row = change_repository.find(uow, owner.id, change_id, lock=lock) if change_id < 1 << 62 else None
        if row is None or not (
            sees_everything(principal, owner.id) or change_repository.visible_counts(uow, principal, [change_id]).get(change_id)
        ):
            raise NotFound(f"There is no change {change_id} in {owner.name!r}.")
        return row

    def _label(self, uow: UnitOfWork, principal: Principal, owner: Row[Any], name: str) -> Row[Any]:
        """Return a label that the caller may know of."""
        if principal.role_in(owner.id) is None or principal.limits:
            self._labels.get(uow, principal, owner.name, name)
        row = repository.by_name(uow, owner.id, name)
        if row is None:
            raise NotFound(f"There is no label {name[:128]!r} in {owner.name!r}.")
        return row

    def _whole_label(self, uow: UnitOfWork, principal: Principal, owner: Row[Any], name: str) -> Row[Any]:
        """Return a label that the caller may rename or remove."""
        require_owner(principal, owner)
        require_unlimited(principal)
        if name == MAIN:
            raise Conflict("The label 'main' is what the bare channel shows: it stays. Its files can be moved.", code="label_main")
        row = self._label(uow, principal, owner, name)
        if row.locked:
            raise Conflict(f"The label {name!r} is locked. Unlock it first.", code="label_locked")
        # In the order of uploads: packages, labels, channels, then what hangs on them.
        change_repository.lock_packages(uow, change_repository.packages_under(row.id))
        repository.lock(uow, row.id)
        advance_all(uow.connection, owner.id)
        return row


def _require_insider(principal: Principal, namespace: Row[Any]) -> None:
    if not principal.granted_in(namespace.id):
        require_member(principal, namespace)
