"""SQL of label changes: however many files one concerns, the number of statements is the same.

What a change does to which file is written down first (``label_change_item``), then done from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Row, Select, and_, delete, distinct, exists, func, insert, literal, or_, select, update

from carrel.core.errors import BadRequest
from carrel.core.names import canonical_package, is_subdir
from carrel.database.statements import insert_new
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.labels.models import file_label, label, label_change, label_change_item
from carrel.hub.labels.repository import under_label, without_label
from carrel.hub.labels.views import FileSelection
from carrel.hub.packages.models import file, package, release
from carrel.hub.packages.visibility import reachable_packages, visible_files

_MAX_NAMES = 1002  # packages, version and filename
_MAX_PATTERNS = 100
_MAX_LENGTH = 300
_item = label_change_item
# A row's own ``count`` is a method.
_CHANGES: Select[Any] = select(*(column for column in label_change.c if column.name != "count"), label_change.c["count"].label("files"))


def reachable_files(principal: Principal) -> ColumnElement[bool]:
    """Return the condition on ``package`` and ``file`` for what *principal* may reach."""
    under = visible_files(principal)
    return reachable_packages(principal) if under is None else and_(reachable_packages(principal), under)


def is_pattern(text: str) -> bool:
    """Whether *text* stands for several names."""
    return "*" in text or "?" in text


def like(pattern: str) -> str:
    """Return *pattern* (``*``, ``?``) as SQL LIKE wants it, with a backslash for an escape."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _matches(column: Any, text: str) -> ColumnElement[bool]:
    if is_pattern(text):
        return func.lower(column).like(like(text.lower()), escape="\\")
    found: ColumnElement[bool] = column == text
    return found


def _named(texts: Collection[str]) -> ColumnElement[bool]:
    # Not one condition for each name: databases bound how deep those may nest.
    conditions: list[ColumnElement[bool]] = [package.c.name_key.like(like(text.lower()), escape="\\") for text in texts if is_pattern(text)]
    names = [text for text in texts if not is_pattern(text)]
    if names:
        # A Python project is asked for in any spelling.
        spelled = package.c.canonical_name.in_(sorted({canonical_package(text) for text in names}))
        conditions += [package.c.name_key.in_(sorted({text.lower() for text in names})), and_(spelled, file.c.kind == "pypi")]
    return or_(*conditions)


def narrowed(selection: FileSelection) -> list[ColumnElement[bool]]:
    """Return the conditions on ``package``, ``release`` and ``file`` that *selection* stands for.

    Raises
    ------
    BadRequest
        It is longer than a database takes.
    """
    texts = [*selection.packages, selection.version or "", selection.filename or ""]
    if len(texts) > _MAX_NAMES or sum(map(is_pattern, texts)) > _MAX_PATTERNS or max(map(len, texts)) > _MAX_LENGTH:
        raise BadRequest(
            f"Name at most {_MAX_NAMES - 2} packages and {_MAX_PATTERNS} patterns, with at most {_MAX_LENGTH} characters each.",
            code="selection_too_long",
        )
    conditions: list[ColumnElement[bool]] = []
    if selection.packages:
        conditions.append(_named(selection.packages))
    if selection.version is not None:
        conditions.append(_matches(release.c.version, selection.version))
    if selection.filename is not None:
        subdir, slash, name = selection.filename.rpartition("/")
        if slash and is_subdir(subdir):
            conditions.append(file.c.subdir == subdir)
        else:
            name = selection.filename
        conditions.append(_matches(file.c.filename, name))
    if selection.kind is not None:
        conditions.append(file.c.kind == selection.kind)
    return conditions


def selected(
    principal: Principal, namespace_id: int, selection: FileSelection, *, source_id: int | None, unlabelled: bool
) -> Select[tuple[int]]:
    """Return the query for the ids of the published files that *principal* may reach and *selection* means.

    Parameters
    ----------
    source_id : int or None
        Only files under this label.
    unlabelled : bool
        Only files without a label.
    """
    conditions = []
    if source_id is not None:
        conditions.append(under_label(source_id))
    if unlabelled:
        conditions.append(without_label())
    return (
        select(file.c.id)
        .select_from(file)
        .join(release, release.c.id == file.c.release_id)
        .join(package, package.c.id == file.c.package_id)
        .where(
            file.c.namespace_id == namespace_id,
            release.c.state == "published",
            reachable_files(principal),
            *narrowed(selection),
            *conditions,
        )
    )


def count(uow: UnitOfWork, files: Select[tuple[int]]) -> int:
    """Return how many files a query selects."""
    return int(uow.connection.execute(files.with_only_columns(func.count())).scalar_one())


def lock_packages(uow: UnitOfWork, ids: Any) -> list[Row[Any]]:
    """Return the packages that the query *ids* names, by id; none of them changes before the unit ends."""
    return list(uow.connection.execute(select(package).where(package.c.id.in_(ids)).order_by(package.c.id).with_for_update(key_share=True)))


def packages_of(files: Select[tuple[int]]) -> Any:
    """Return the query for the ids of the packages of selected files."""
    return files.with_only_columns(file.c.package_id).distinct().correlate(None)


def packages_of_change(change_id: int) -> Any:
    """Return the query for the ids of the packages of those files of a change that exist."""
    return select(file.c.package_id).where(file.c.id.in_(files_of(change_id))).distinct()


def files_of(change_id: int) -> Any:
    """Return the query for the ids of the files of a change."""
    return select(_item.c.file_id).where(_item.c.change_id == change_id)


def under(label_id: int) -> Any:
    """Return the query for the ids of all files under a label, those of drafts included."""
    return select(file_label.c.file_id).where(file_label.c.label_id == label_id)


def packages_under(label_id: int) -> Any:
    """Return the query for the ids of the packages that have files under a label."""
    return select(file.c.package_id).where(file.c.id.in_(under(label_id))).distinct()


def count_any(uow: UnitOfWork, files: Any) -> int:
    """Return how many files a query of ids names."""
    return int(uow.connection.execute(select(func.count()).select_from(files.subquery())).scalar_one())


# Writing down and doing


def insert_change(uow: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Add a change without files and return its id."""
    return int(uow.connection.execute(insert(label_change).values(**values).returning(label_change.c.id)).scalar_one())


def update_change(uow: UnitOfWork, change_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of a change."""
    uow.connection.execute(update(label_change).where(label_change.c.id == change_id).values(**values))


def note_added(uow: UnitOfWork, change_id: int, files: Select[tuple[int]], label_id: int, name: str) -> None:
    """Write down that those of *files* which lack a label get it."""
    has_it = exists(select(file_label.c.file_id).where(file_label.c.file_id == file.c.id, file_label.c.label_id == label_id))
    _note(uow, files.where(~has_it), change_id, name, added=True)


def note_removed(uow: UnitOfWork, change_id: int, files: Select[tuple[int]], label_id: int, name: str) -> None:
    """Write down that those of *files* which have a label lose it."""
    has_it = exists(select(file_label.c.file_id).where(file_label.c.file_id == file.c.id, file_label.c.label_id == label_id))
    _note(uow, files.where(has_it), change_id, name, added=False)


def _note(uow: UnitOfWork, files: Select[tuple[int]], change_id: int, name: str, *, added: bool) -> None:
    rows = files.with_only_columns(literal(change_id), file.c.id, literal(name), literal(added, Boolean))
    uow.connection.execute(insert(_item).from_select(["change_id", "file_id", "label", "added"], rows))


def note_label(uow: UnitOfWork, change_id: int, label_id: int, name: str) -> None:
    """Write down that all files under a label lose it, those of drafts included."""
    rows = select(literal(change_id), file_label.c.file_id, literal(name), literal(False, Boolean)).where(file_label.c.label_id == label_id)
    uow.connection.execute(insert(_item).from_select(["change_id", "file_id", "label", "added"], rows))


def note_reversed(uow: UnitOfWork, change_id: int, former_id: int, namespace_id: int) -> None:
    """Write down the contrary of change *former_id* for the files that are as it left them."""
    rows = select(literal(change_id), _item.c.file_id, _item.c.label, ~_item.c.added).where(
        _item.c.change_id == former_id, _item.c.file_id.not_in(_changed_since(former_id, namespace_id))
    )
    uow.connection.execute(insert(_item).from_select(["change_id", "file_id", "label", "added"], rows))


def _changed_since(change_id: int, namespace_id: int) -> Any:
    """Return the query for the files of a change that are gone or whose labels are not as it left them."""
    labelled = (
        select(label.c.id)
        .join(file_label, file_label.c.label_id == label.c.id)
        .where(label.c.namespace_id == namespace_id, label.c.name == _item.c.label, file_label.c.file_id == _item.c.file_id)
        .correlate(_item)
    )
    exists_still = select(label.c.id).where(label.c.namespace_id == namespace_id, label.c.name == _item.c.label).correlate(_item)
    there = select(file.c.id).where(file.c.id == _item.c.file_id).correlate(_item)
    return select(_item.c.file_id).where(
        _item.c.change_id == change_id,
        or_(
            ~exists(there),
            and_(_item.c.added, ~exists(labelled)),
            and_(~_item.c.added, or_(exists(labelled), ~exists(exists_still))),
        ),
    )


def carry_out(uow: UnitOfWork, change_id: int, namespace_id: int) -> None:
    """Do what is written down."""
    steps = (
        select(_item.c.label, _item.c.added, label.c.id)
        .join(label, and_(label.c.namespace_id == namespace_id, label.c.name == _item.c.label))
        .where(_item.c.change_id == change_id)
        .distinct()
    )
    for step in list(uow.connection.execute(steps)):
        concerned = and_(_item.c.change_id == change_id, _item.c.label == step.label, _item.c.added == step.added)
        if step.added:
            rows = select(_item.c.file_id, literal(step.id)).where(concerned)
            statement = insert_new(uow.connection.dialect.name, file_label, "file_id", "label_id")
            uow.connection.execute(statement.from_select(["file_id", "label_id"], rows))
        else:
            those = select(_item.c.file_id).where(concerned)
            uow.connection.execute(delete(file_label).where(file_label.c.label_id == step.id, file_label.c.file_id.in_(those)))


# Reading


def items_of(uow: UnitOfWork, change_id: int) -> dict[int, tuple[set[str], set[str]]]:
    """Return the labels added and taken off, by file id."""
    found: dict[int, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for row in uow.connection.execute(select(_item).where(_item.c.change_id == change_id)):
        found[row.file_id][0 if row.added else 1].add(row.label)
    return found


def described(uow: UnitOfWork, principal: Principal | None, files: Any) -> list[Row[Any]]:
    """Return ``id, package, version, filename, subdir, kind`` of the files that a query of ids names.

    Parameters
    ----------
    principal : Principal or None
        None when the caller is known to have the permission to change them all; else only what they may reach is returned.
    """
    query = (
        select(file.c.id, package.c.name.label("package"), release.c.version, file.c.filename, file.c.subdir, file.c.kind)
        .join(release, release.c.id == file.c.release_id)
        .join(package, package.c.id == file.c.package_id)
        .where(file.c.id.in_(files))
        .order_by(package.c.name_key, release.c.version, file.c.subdir, file.c.filename)
    )
    return list(uow.connection.execute(query if principal is None else query.where(reachable_files(principal))))


def labels_now(uow: UnitOfWork, change_id: int) -> dict[int, set[str]]:
    """Return the present labels of the files of a change, by file id."""
    found: dict[int, set[str]] = defaultdict(set)
    query = (
        select(file_label.c.file_id, label.c.name)
        .join(label, label.c.id == file_label.c.label_id)
        .where(file_label.c.file_id.in_(files_of(change_id)))
    )
    for row in uow.connection.execute(query):
        found[row.file_id].add(row.name)
    return found


def kinds_by_package(uow: UnitOfWork, files: Any) -> dict[int, set[str]]:
    """Return the kinds of the published files that a query of ids names, by package id."""
    found: dict[int, set[str]] = defaultdict(set)
    query = (
        select(file.c.package_id, file.c.kind)
        .join(release, release.c.id == file.c.release_id)
        .where(file.c.id.in_(files), release.c.state == "published")
        .distinct()
    )
    for row in uow.connection.execute(query):
        found[row.package_id].add(row.kind)
    return found


def labels_of_change(uow: UnitOfWork, change_id: int) -> set[str]:
    """Return the labels that a change added or took off."""
    return set(uow.connection.execute(select(_item.c.label).where(_item.c.change_id == change_id).distinct()).scalars())


def missed(former_id: int, undo_id: int) -> Any:
    """Return the query for the files of *former_id* that *undo_id* does not concern."""
    return select(_item.c.file_id).where(_item.c.change_id == former_id, _item.c.file_id.not_in(files_of(undo_id))).distinct()


def count_missing(uow: UnitOfWork, change_id: int) -> int:
    """Return how many files of a change do not exist any more."""
    gone = ~exists(select(file.c.id).where(file.c.id == _item.c.file_id))
    query = select(func.count(distinct(_item.c.file_id))).where(_item.c.change_id == change_id, gone)
    return int(uow.connection.execute(query).scalar_one())


def delete_change(uow: UnitOfWork, change_id: int) -> None:
    """Forget a change."""
    uow.connection.execute(delete(label_change).where(label_change.c.id == change_id))


def find(uow: UnitOfWork, namespace_id: int, change_id: int, *, lock: bool = False) -> Row[Any] | None:
    """Return a change."""
    query = _CHANGES.where(label_change.c.namespace_id == namespace_id, label_change.c.id == change_id)
    return uow.connection.execute(query.with_for_update() if lock else query).one_or_none()


def newest(uow: UnitOfWork, namespace_id: int, *, before: int | None, limit: int) -> list[Row[Any]]:
    """Return changes, newest first, from below the id *before*."""
    query = _CHANGES.where(label_change.c.namespace_id == namespace_id)
    if before is not None:
        query = query.where(label_change.c.id < before)
    return list(uow.connection.execute(query.order_by(label_change.c.id.desc()).limit(limit)))


def visible_counts(uow: UnitOfWork, principal: Principal, change_ids: Iterable[int]) -> dict[int, int]:
    """Return how many of the files of some changes *principal* may reach, by change id."""
    query = (
        select(_item.c.change_id, func.count(distinct(_item.c.file_id)).label("files"))
        .join(file, file.c.id == _item.c.file_id)
        .join(package, package.c.id == file.c.package_id)
        .where(_item.c.change_id.in_(list(change_ids)), reachable_files(principal))
        .group_by(_item.c.change_id)
    )
    return {row.change_id: int(row.files) for row in uow.connection.execute(query)}
