"""Rules of labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Role
from carrel.core.clock import now
from carrel.core.errors import BadRequest, Forbidden, NotFound
from carrel.core.kinds import Kind
from carrel.core.names import validate_label
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.repository import advance_all
from carrel.hub.files import repository as files
from carrel.hub.labels import repository
from carrel.hub.labels.change_repository import narrowed
from carrel.hub.labels.views import MAIN, NOLABEL, FileSelection, LabelledFiles, LabelView
from carrel.hub.namespaces.service import find_namespace, require_member, require_owner
from carrel.hub.packages.access import require_labels, require_unlimited
from carrel.hub.packages.service import decode_cursor, encode_cursor

__all__ = ["MAIN", "NOLABEL", "LabelService", "LabelView"]

_RELATIONS = ("base", "overrides")
# CEP 42: another channel of the same server, said relative to this one, so that mirrors and tokens do not break it.
_RELATION = re.compile(r"\.\./(?:\.\./)*(?:\.\.|[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*)?/?\Z")


class LabelService:
    """Labels of a namespace.

    A label exists from the time that a file bears it or that it is created until it is removed. Only owners put files on or
    off a locked one.
    """

    def list(self, uow: UnitOfWork, principal: Principal, namespace: str) -> list[LabelView]:
        """Return the labels of a namespace; outsiders see those under which they see a file.

        Files without a label are counted under ``nolabel``, the last item, if there are any.
        """
        row = find_namespace(uow, namespace)
        sees = repository.listed_files(principal)
        limit = principal.limits.labels
        found = repository.counted(uow, row.id, sees, empty=_sees_empty(principal, row.id), only=limit)
        views = [_view(item) for item in found]
        if limit is None and (count := repository.unlabelled(uow, row.id, sees)):
            views.append(LabelView(NOLABEL, False, count))
        return views

    def get(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> LabelView:
        """Return a label.

        Raises
        ------
        NotFound
            It does not exist, or the caller is an outsider who sees no file under it.
        """
        row = find_namespace(uow, namespace)
        sees = repository.listed_files(principal)
        limit = principal.limits.labels
        if name == NOLABEL and limit is None:
            count = repository.unlabelled(uow, row.id, sees)
            if count or _sees_empty(principal, row.id):
                return LabelView(NOLABEL, False, count)
        elif limit is None or name in limit:
            for item in repository.counted(uow, row.id, sees, empty=_sees_empty(principal, row.id), only=(name,)):
                return _view(item)
        raise _absent(namespace, name)

    def channel(self, uow: UnitOfWork, namespace_id: int, audience: Audience, kind: Kind) -> tuple[LabelView, ...]:
        """Return the labels under which an audience has files of a kind: what ``labels.json`` of a channel says.

        Owners see labels without such files, too.
        """
        found = repository.counted(uow, namespace_id, audience.condition(), empty=audience.sees_all, only=audience.labels, kind=kind.value)
        return tuple(_view(item) for item in found)

    def files(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        name: str,
        *,
        selection: FileSelection | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> LabelledFiles:
        """Return published files under a label (``nolabel``: under none) that the caller sees in lists, by package."""
        self.get(uow, principal, namespace, name)
        row = find_namespace(uow, namespace)
        condition = repository.without_label()
        if name != NOLABEL:
            found = repository.by_name(uow, row.id, name)
            if found is None:
                raise _absent(namespace, name)
            condition = repository.under_label(found.id)
        narrowing = narrowed(selection) if selection is not None else ()
        rows = repository.page(uow, principal, row.id, condition, *narrowing, after=_position(cursor), limit=limit + 1)
        more = encode_cursor(f"{rows[limit - 1].package.lower()}/{rows[limit - 1].id}") if len(rows) > limit else None
        labels = files.labels_of(uow, [item.id for item in rows[:limit]])
        return LabelledFiles(tuple(files.to_view(item, labels) for item in rows[:limit]), more)

    def create(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        name: str,
        *,
        locked: bool | None = None,
        relations: Mapping[str, str | None] | None = None,
    ) -> tuple[LabelView, bool]:
        """Make a label without files (members); return it and True, or the one that exists and False.

        Of one that exists, what is given is changed (owners).
        """
        owner = find_namespace(uow, namespace)
        require_member(principal, owner)
        require_labels(principal, (validate_label(name),))
        made = repository.insert_label(uow, {"namespace_id": owner.id, "name": name, "created_at": now()})
        if made:
            record(uow, principal, "label.create", owner.id, f"{namespace}/{name}")
        if locked is not None or relations is not None:
            row = self._find(uow, owner, name)
            if (locked or False) != bool(row.locked) or dict(relations or {}) != (row.relations or {}):
                self.update(uow, principal, namespace, name, locked=locked, relations=relations)
        return self.get(uow, principal, namespace, name), made

    def update(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        name: str,
        *,
        locked: bool | None = None,
        relations: Mapping[str, str | None] | None = None,
    ) -> LabelView:
        """Lock or unlock a label, say how its conda channel relates to others (owners); None leaves things as they are.

        Parameters
        ----------
        relations : mapping of str to str or None
            ``base``, ``overrides``: paths relative to the channel, beginning with ``../``. An empty mapping takes them off.

        Raises
        ------
        BadRequest
            A relation is no such path.
        """
        owner = find_namespace(uow, namespace)
        require_owner(principal, owner)
        require_unlimited(principal)
        row = self._find(uow, owner, name)
        values: dict[str, Any] = {}
        if locked is not None and locked != bool(row.locked):
            values["locked"] = locked
        if relations is not None and (checked := check_relations(relations)) != (row.relations or {}):
            values["relations"] = checked or None
        if values:
            repository.update_label(uow, row.id, values)
            record(uow, principal, "label.update", owner.id, f"{namespace}/{name}", values)
            if "relations" in values:
                advance_all(uow.connection, owner.id)
        return self.get(uow, principal, namespace, name)

    def _find(self, uow: UnitOfWork, namespace: Row[Any], name: str) -> Row[Any]:
        row = repository.by_name(uow, namespace.id, name)
        if row is None:
            raise _absent(namespace.name, name)
        return row

    # For those who put labels on files

    def resolve(self, uow: UnitOfWork, role: Role | None, namespace_id: int, names: Collection[str]) -> set[int]:
        """Return the ids of labels that the caller may put on a file, made when they do not exist.

        Raises
        ------
        InvalidName
        Forbidden
            A label is locked.
        """
        wanted = {validate_label(name) for name in names}
        rows = repository.keep(uow, namespace_id, wanted)
        if missing := wanted - {row.name for row in rows}:
            repository.insert_labels(uow, namespace_id, missing, now())
            rows = repository.keep(uow, namespace_id, wanted)
        require_unlocked(role, [row.name for row in rows if row.locked])
        return {row.id for row in rows}

    def assign(self, uow: UnitOfWork, role: Role | None, namespace_id: int, file_id: int, names: Collection[str]) -> bool:
        """Give a file exactly these labels; return whether anything changed."""
        wanted = self.resolve(uow, Role.OWNER, namespace_id, names)
        current = repository.label_ids_of(uow, file_id)
        changed = wanted ^ current
        if not changed:
            return False
        require_unlocked(role, repository.locked_names(uow, changed))
        repository.remove(uow, file_id, current - wanted)
        repository.add(uow, file_id, wanted - current)
        return True

    def add(
        self, uow: UnitOfWork, role: Role | None, namespace_id: int, file_id: int, names: Collection[str], *, new: bool = False
    ) -> bool:
        """Give a file these labels beside the ones it has (a *new* one has none); return whether anything changed."""
        wanted = self.resolve(uow, role, namespace_id, names)
        missing = wanted if new else wanted - repository.label_ids_of(uow, file_id)
        repository.add(uow, file_id, missing)
        return bool(missing)


def require_unlocked(role: Role | None, locked: Collection[str]) -> None:
    """Refuse everybody but owners when there is a locked label.

    Raises
    ------
    Forbidden
    """
    if locked and role is not Role.OWNER:
        raise Forbidden(f"The label {sorted(locked)[0]!r} is locked: only owners of the namespace use it.", code="label_locked")


def check_relations(relations: Mapping[str, str | None]) -> dict[str, str]:
    """Return the relations of a channel (CEP 42) without those that are None or empty.

    Raises
    ------
    BadRequest
        A key is unknown, or a value no relative path that begins with ``../``.
    """
    checked: dict[str, str] = {}
    for key, value in relations.items():
        if key not in _RELATIONS:
            raise BadRequest(f"A channel has the relations 'base' and 'overrides', not {key[:40]!r}.", code="invalid_relation", field=key)
        if not value:
            continue
        if len(value) > 300 or not _RELATION.match(value):
            raise BadRequest(
                f"{value[:80]!r} cannot be the relation {key!r}: give the path of the other channel from this one, such as '../..'.",
                code="invalid_relation",
                field=key,
            )
        checked[key] = value.rstrip("/")
    return checked


def _sees_empty(principal: Principal, namespace_id: int) -> bool:
    return principal.role_in(namespace_id) is not None and principal.limits.packages is None and principal.limits.collection is None


def _view(row: Row[Any]) -> LabelView:
    return LabelView(row.name, bool(row.locked), int(row.files), dict(row.relations or {}), row.created_at)


def _absent(namespace: str, name: str) -> NotFound:
    return NotFound(f"There is no label {name[:128]!r} in {namespace[:64]!r}.")


def _position(cursor: str | None) -> tuple[str, int] | None:
    key = decode_cursor(cursor)
    if not key:
        return None
    name, _, number = key.rpartition("/")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise BadRequest("The cursor is not one that this hub gave.", code="invalid_cursor")
    return name, int(number)
