"""Rules of collections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Role
from carrel.core.clock import now
from carrel.core.errors import BadRequest, Conflict, NotFound
from carrel.core.names import validate_collection
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.collections import repository
from carrel.hub.namespaces.service import find_namespace, require_member, require_owner
from carrel.hub.packages.access import require_unlimited
from carrel.hub.packages.repository import to_view
from carrel.hub.packages.service import check_visibility, find_package
from carrel.hub.packages.views import PackageView

MAX_COLLECTIONS = 1000
MAX_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class CollectionItem:
    """A package in a collection, and what is said of it there."""

    package: PackageView
    note: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection as one caller sees it.

    Attributes
    ----------
    count : int
        Packages that the caller sees.
    items : tuple of CollectionItem
        Those packages in their order; empty in lists of collections.
    role : Role or None
        The caller's role in the collection's namespace.
    """

    id: int
    namespace: str
    name: str
    title: str
    description: str
    visibility: str
    created_at: datetime
    updated_at: datetime
    count: int
    role: Role | None
    items: tuple[CollectionItem, ...] = ()


class CollectionService:
    """Collections of a namespace.

    Members of the namespace make and fill collections; owners change who sees them and remove them. A collection gives
    nobody access to a package: who looks at it sees the packages that they see in lists anyway.

    Parameters
    ----------
    on_rights_changed : callable
        Called after the commit when the packages of a collection changed: a token may be narrowed to them.
    """

    def __init__(self, on_rights_changed: Callable[[], None]) -> None:
        self._on_rights_changed = on_rights_changed

    def list(self, uow: UnitOfWork, principal: Principal, namespace: str) -> list[CollectionView]:
        """Return the collections of a namespace that the caller sees in lists, by name, without their items."""
        row = find_namespace(uow, namespace)
        return [_view(item, principal) for item in repository.of_namespace(uow, principal, row.id)]

    def get(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> CollectionView:
        """Return a collection with its items.

        Raises
        ------
        NotFound
        """
        row = find_collection(uow, principal, namespace, name)
        return _view(row, principal, repository.items(uow, principal, row.id))

    def holding(self, uow: UnitOfWork, principal: Principal, package: PackageView, limit: int = 10) -> Sequence[CollectionView]:
        """Return collections that hold *package*, those that the caller sees in lists."""
        return [_view(row, principal) for row in repository.holding(uow, principal, package.id, limit)]

    def create(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        name: str,
        *,
        title: str = "",
        description: str = "",
        visibility: str | None = None,
    ) -> CollectionView:
        """Make an empty collection; by default as visible as new packages of the namespace.

        Raises
        ------
        NotFound, Forbidden, InvalidName, BadRequest, Conflict
        """
        owner = find_namespace(uow, namespace)
        role = require_member(principal, owner)
        require_unlimited(principal)
        validate_collection(name)
        chosen = visibility or owner.default_visibility
        check_visibility(owner, chosen, role)
        if repository.count_of_namespace(uow, owner.id) >= MAX_COLLECTIONS:
            raise Conflict(f"{namespace!r} has {MAX_COLLECTIONS} collections already. Remove one first.", code="too_many_collections")
        moment = now()
        values = {
            "namespace_id": owner.id,
            "name": name,
            "title": title,
            "description": description,
            "visibility": chosen,
            "created_at": moment,
            "updated_at": moment,
            "created_by": principal.user_id,
        }
        if repository.insert_collection(uow, values) is None:
            raise Conflict(
                f"There is a collection {name!r} in {namespace!r} already. Choose another name.", code="name_taken", field="name"
            )
        record(uow, principal, "collection.create", owner.id, f"{namespace}/{name}", {"visibility": chosen})
        return self.get(uow, principal, namespace, name)

    def update(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        name: str,
        *,
        title: str | None = None,
        description: str | None = None,
        visibility: str | None = None,
        order: Sequence[str] | None = None,
    ) -> CollectionView:
        """Change texts and order (members), visibility (owners); what is None stays.

        Parameters
        ----------
        order : sequence of str
            ``NAMESPACE/PACKAGE`` of the items that come first, in this order; the others follow as they were.

        Raises
        ------
        NotFound, Forbidden, BadRequest
        """
        owner, row = self._to_change(uow, principal, namespace, name)
        changes: dict[str, Any] = {}
        if title is not None:
            changes["title"] = title
        if description is not None:
            changes["description"] = description
        if visibility is not None and visibility != row.visibility:
            require_owner(principal, owner)
            check_visibility(owner, visibility, Role.OWNER)
            changes["visibility"] = visibility
        if order is not None:
            self._reorder(uow, principal, row.id, order)
        if changes or order is not None:
            repository.update_collection(uow, row.id, {**changes, "updated_at": now()})
            detail = {**changes, **({"order": list(order)} if order is not None else {})}
            record(uow, principal, "collection.update", owner.id, f"{namespace}/{name}", detail)
        return self.get(uow, principal, namespace, name)

    def delete(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> None:
        """Remove a collection (owners). Its packages stay; tokens that are narrowed to it are revoked.

        Raises
        ------
        NotFound, Forbidden
        """
        owner, row = self._to_change(uow, principal, namespace, name)
        require_owner(principal, owner)
        repository.delete_collection(uow, row.id)
        record(uow, principal, "collection.delete", owner.id, f"{namespace}/{name}")
        uow.after_commit(self._on_rights_changed)

    def put_item(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        name: str,
        package_namespace: str,
        package: str,
        note: str | None = None,
    ) -> tuple[CollectionItem, bool]:
        """Put a package, which the caller can see, at the end of a collection, or change the note of one that is in it.

        Returns
        -------
        item : CollectionItem
        added : bool
            Whether the package was not in it.

        Raises
        ------
        NotFound, Forbidden, Conflict
        """
        owner, row = self._to_change(uow, principal, namespace, name)
        found = find_package(uow, principal, package_namespace, package)
        present = repository.package_ids(uow, row.id)
        added = found.id not in present
        moment = now()
        if added:
            if len(present) >= MAX_ITEMS:
                raise Conflict(f"The collection holds {MAX_ITEMS} items already. Make another one.", code="collection_full")
            repository.set_order(uow, row.id, present)
            repository.put_item(uow, row.id, found.id, len(present), note or "", moment)
        elif note is not None:
            repository.update_note(uow, row.id, found.id, note)
        repository.update_collection(uow, row.id, {"updated_at": moment})
        subject = f"{found.namespace}/{found.name}"
        if added:
            record(uow, principal, "collection.add", owner.id, f"{namespace}/{name}", {"package": subject})
            uow.after_commit(self._on_rights_changed)
        items = repository.items(uow, principal, row.id)
        kept = next((item for item in items if item.id == found.id), None)
        # An unlisted package is not shown even to those who know its address.
        return (_item(kept) if kept is not None else CollectionItem(to_view(found), note or "", moment)), added

    def remove_item(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, package_namespace: str, package: str) -> None:
        """Take a package out of a collection.

        Raises
        ------
        NotFound, Forbidden
        """
        owner, row = self._to_change(uow, principal, namespace, name)
        found = find_package(uow, principal, package_namespace, package)
        if not repository.delete_items(uow, row.id, [found.id]):
            raise NotFound(f"{package_namespace}/{package} is not in the collection {name!r}.")
        repository.update_collection(uow, row.id, {"updated_at": now()})
        record(uow, principal, "collection.remove", owner.id, f"{namespace}/{name}", {"package": f"{found.namespace}/{found.name}"})
        uow.after_commit(self._on_rights_changed)

    def move_item(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, item: str, step: int) -> None:
        """Move an item (``NAMESPACE/PACKAGE``) *step* places up (negative) or down among those that the caller sees."""
        view = self.get(uow, principal, namespace, name)
        order = [f"{each.package.namespace}/{each.package.name}" for each in view.items]
        if item not in order:
            raise NotFound(f"{item[:200]} is not in the collection {name!r}.")
        place = order.index(item)
        order.insert(max(0, min(len(order) - 1, place + step)), order.pop(place))
        self.update(uow, principal, namespace, name, order=order)

    def _to_change(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> tuple[Row[Any], Row[Any]]:
        """Return namespace and collection, which the caller may change and nobody else does meanwhile."""
        row = find_collection(uow, principal, namespace, name)
        owner = find_namespace(uow, namespace)
        require_member(principal, owner)
        require_unlimited(principal)
        repository.lock(uow, row.id)
        return owner, row

    def _reorder(self, uow: UnitOfWork, principal: Principal, collection_id: int, order: Sequence[str]) -> None:
        by_name = {f"{item.namespace}/{item.name}".lower(): item.id for item in repository.items(uow, principal, collection_id)}
        unknown = [text for text in order if text.lower() not in by_name]
        if unknown:
            raise BadRequest(f"{unknown[0][:200]!r} is not in the collection.", code="not_in_collection", field="order")
        first = list(dict.fromkeys(by_name[text.lower()] for text in order))
        present = repository.package_ids(uow, collection_id)
        repository.set_order(uow, collection_id, _merged(present, first, set(by_name.values())))


def find_collection(uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> Row[Any]:
    """Return a collection that the caller may reach.

    Raises
    ------
    NotFound
    """
    row = repository.find(uow, principal, namespace, name)
    if row is None:
        raise NotFound(f"There is no collection {name[:64]!r} in {namespace[:64]!r}.")
    return row


def _merged(present: Sequence[int], first: Sequence[int], seen: set[int]) -> Sequence[int]:
    """Return *present* with the items that the caller sees in their new order; those they do not see keep their places."""
    ordered = iter([*first, *(key for key in present if key in seen and key not in set(first))])
    return [next(ordered) if key in seen else key for key in present]


def _item(row: Row[Any]) -> CollectionItem:
    return CollectionItem(to_view(row), row.note, row.added_at)


def _view(row: Row[Any], principal: Principal, items: Sequence[Row[Any]] = ()) -> CollectionView:
    return CollectionView(
        row.id,
        row.namespace,
        row.name,
        row.title or row.name,
        row.description,
        row.visibility,
        row.created_at,
        row.updated_at,
        row.item_count,
        principal.role_in(row.namespace_id),
        tuple(_item(item) for item in items),
    )
