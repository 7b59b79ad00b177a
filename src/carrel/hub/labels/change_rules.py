"""What a change of labels must be like, and how it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence, Set
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Row

from carrel.core.errors import BadRequest, NotFound, PreconditionFailed
from carrel.core.names import canonical_package, validate_label
from carrel.hub.accounts.principal import Principal
from carrel.hub.labels.change_repository import is_pattern
from carrel.hub.labels.views import NOLABEL, Action, ChangedFile, ChangeRequest, ChangeView, FileSelection

MAX_FILES = 20_000
_NEEDS_SOURCE = (Action.COPY, Action.MOVE, Action.REMOVE, Action.RENAME, Action.DELETE)
_NEEDS_TARGET = (Action.COPY, Action.MOVE, Action.ADD, Action.RENAME)
_OF_LABEL = (Action.RENAME, Action.DELETE)


def check_request(request: ChangeRequest) -> None:
    """Refuse a request that contradicts itself.

    Raises
    ------
    BadRequest
    """
    action = request.action
    if action is Action.UNDO:
        raise BadRequest("A change is undone by its id.", code="invalid_action", field="action")
    for field, value, needed in (("from", request.source, _NEEDS_SOURCE), ("to", request.target, _NEEDS_TARGET)):
        if value is None and action in needed:
            raise BadRequest(f"The action {action.value!r} needs the label {field!r}.", code="label_needed", field=field)
        if value is not None and action not in needed:
            raise BadRequest(f"The action {action.value!r} has no label {field!r}.", code="label_not_used", field=field)
    if request.source == NOLABEL and action in (Action.REMOVE, *_OF_LABEL):
        raise BadRequest("'nolabel' stands for files without a label: there is nothing to take off.", code="nolabel", field="from")
    if request.target == NOLABEL and action is not Action.MOVE:
        raise BadRequest("'nolabel' is no label. Move files there, or remove a label from them.", code="nolabel", field="to")
    if request.source is not None and request.source == request.target:
        raise BadRequest("Both labels are the same.", code="same_label", field="to")
    if action in _OF_LABEL and request.selection != FileSelection():
        raise BadRequest(f"The action {action.value!r} is about a label, not about some of its files.", code="selection_not_used")
    if request.target not in (None, NOLABEL):
        validate_label(request.target or "")


def require_matches(selection: FileSelection, packages: Sequence[Row[Any]], count: int) -> None:
    """Refuse a selection of which a part selects nothing (a slip of the pen must not pass for success), or too much."""
    keys, canonical = {package.name_key for package in packages}, {package.canonical_name for package in packages}
    for text in selection.packages:
        if not _is_among(text, keys, canonical):
            raise NotFound(f"No file of a package {text[:128]!r} is selected by this.", code="nothing_selected", package=text)
    if selection != FileSelection() and not count:
        raise NotFound("No file is selected by this.", code="nothing_selected")
    if count > MAX_FILES:
        raise BadRequest(
            f"This concerns {count} files; one change takes at most {MAX_FILES}. Name packages or versions.",
            code="too_many_files",
            count=count,
            limit=MAX_FILES,
        )


def _is_among(text: str, keys: Set[str], canonical: Set[str]) -> bool:
    if is_pattern(text):
        pattern = text.lower().replace("[", "[[]")
        return any(fnmatchcase(key, pattern) for key in keys)
    return text.lower() in keys or canonical_package(text) in canonical


def require_plan(request: ChangeRequest, view: ChangeView) -> None:
    """Refuse a change that is not the one of the dry run.

    Raises
    ------
    PreconditionFailed
    """
    if request.if_plan is not None and request.if_plan != view.plan:
        raise PreconditionFailed("This would not change what the dry run showed any more. Look at it again.", code="plan_changed")


def plan_of(files: Sequence[ChangedFile]) -> str:
    """Return the digest by which a dry run and the change are compared."""
    lines = (
        "\t".join((item.package, item.version, item.subdir, item.filename, ",".join(item.before), ",".join(item.after))) for item in files
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def chosen_facts(selection: FileSelection) -> dict[str, Any]:
    """Return what a selection says, without what it leaves open."""
    facts = {
        "packages": list(selection.packages),
        "version": selection.version,
        "filename": selection.filename,
        "kind": selection.kind,
    }
    return {key: value for key, value in facts.items() if value}


def summary_of(request: ChangeRequest) -> str:
    """Return one line about a request."""
    facts = "; ".join(
        f"{key} {', '.join(value) if isinstance(value, list) else value}" for key, value in chosen_facts(request.selection).items()
    )
    return _sentence(request.action, request.source, request.target) + (f" ({facts})" if facts else "")


def _sentence(action: str, source: str | None, target: str | None) -> str:
    words = [action, source or "", "to" if target and source else "", target or ""]
    return " ".join(word for word in words if word)


def changed(item: Row[Any], before: set[str], after: set[str]) -> ChangedFile:
    """Return a file of a change."""
    return ChangedFile(item.package, item.version, item.filename, item.subdir, item.kind, tuple(sorted(before)), tuple(sorted(after)))


def sees_everything(principal: Principal, namespace_id: int) -> bool:
    """Whether nothing in a namespace is hidden from *principal*."""
    return principal.is_owner(namespace_id) and not principal.limits


def view_of(row: Row[Any], count: int, *, whole: bool = True) -> ChangeView:
    """Return a change; not *whole* for those from whom a part of it may be hidden."""
    # What an owner chose may name packages that others do not know of.
    summary = row.summary if whole else _sentence(row.action, row.source, row.target)
    return ChangeView(row.id, Action(row.action), row.source, row.target, row.at, row.actor, summary, count, undone_at=row.undone_at)
