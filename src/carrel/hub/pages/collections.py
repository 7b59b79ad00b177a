"""Pages of collections: to look at, to fill, to install from."""

from __future__ import annotations

from urllib.parse import urlsplit

from markupsafe import Markup

from carrel.core.access import Role, Visibility
from carrel.core.errors import NotFound, Unprocessable
from carrel.core.names import slugify
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.collections.service import CollectionView
from carrel.hub.notebooks.markdown import render_description
from carrel.hub.pages import commands
from carrel.hub.pages.base import Form
from carrel.hub.pages.managing import ManagePageHandler, visibilities_of
from carrel.hub.web.endpoint import Reply, endpoint

_DONE = {
    "created": "The collection was created. Put something in.",
    "added": "It is in the collection now.",
    "removed": "It was taken out of the collection.",
    "saved": "The changes were saved.",
    "deleted": "The collection was removed. What it held is still there.",
}


class CollectionsPageHandler(ManagePageHandler):
    """``/{namespace}/-/collections``."""

    @endpoint(summary="Page of the collections of a namespace", scope=Scope.PACKAGE_READ, anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str) -> Reply:
        """Those that the reader sees, and a form for members to make one."""
        return self._show(uow, namespace, Form())

    @endpoint(summary="Make a collection with the browser", scope=Scope.PACKAGE_WRITE, media_type="text/html")
    async def post(self, namespace: str) -> Reply:
        """Make a collection and lead to it."""
        form = self.form("title", "name", "visibility", "description")
        values = form.values
        name = values["name"] or slugify(values["title"], "")[:64].strip("-")
        if not name:
            form.errors["title"] = "Give the collection a title."

        def work(uow: UnitOfWork) -> CollectionView:
            return self.hub.collections.create(
                uow,
                self.principal,
                namespace,
                name,
                title=values["title"][:200],
                description=values["description"],
                visibility=values["visibility"] if values["visibility"] in set(Visibility) else None,
            )

        return await self.act(
            work, form, lambda uow, form: self._show(uow, namespace, form), lambda view: f"{_address(view)}?edit=1&done=created"
        )

    def _show(self, uow: UnitOfWork, namespace: str, form: Form) -> Reply:
        view = self.hub.namespaces.get(uow, self.principal, namespace)
        return self.namespace_page(
            uow,
            view,
            "collections",
            "collections.html",
            form=form,
            collections=self.hub.collections.list(uow, self.principal, namespace),
            visibilities=visibilities_of(view.kind),
            message=self.done(_DONE),
        )


class CollectionPageHandler(ManagePageHandler):
    """``/{namespace}/-/collections/{collection}``."""

    @endpoint(summary="Page of a collection", scope=Scope.PACKAGE_READ, anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str, collection: str) -> Reply:
        """What it holds, as far as the reader sees it; with ``?edit=1`` the forms, for members."""
        return self._show(uow, namespace, collection, Form())

    @endpoint(summary="Change a collection with the browser", scope=Scope.PACKAGE_WRITE, media_type="text/html")
    async def post(self, namespace: str, collection: str) -> Reply:
        """Add, move, describe or take out an item; change or remove the collection."""
        form = self.form("item", "note", "title", "description", "visibility", "order")
        service, values, address = self.hub.collections, form.values, f"/{namespace}/-/collections/{collection}"
        item = _named(values["item"])

        def work(uow: UnitOfWork) -> str:
            if form.name == "delete":
                service.delete(uow, self.principal, namespace, collection)
                return f"/{namespace}/-/collections?done=deleted"
            if form.name == "update":
                service.update(
                    uow,
                    self.principal,
                    namespace,
                    collection,
                    title=values["title"][:200],
                    description=values["description"],
                    visibility=values["visibility"] if values["visibility"] in set(Visibility) else None,
                )
                return f"{address}?edit=1&done=saved"
            if item is None:
                raise Unprocessable("Write it as namespace/name, or paste the address of its page.", field="item")
            if form.name == "remove":
                service.remove_item(uow, self.principal, namespace, collection, *item)
                return f"{address}?edit=1&done=removed"
            if form.name == "move":
                service.move_item(uow, self.principal, namespace, collection, "/".join(item), -1 if self.text("step") == "up" else 1)
                return f"{address}?edit=1#items"
            try:
                service.put_item(uow, self.principal, namespace, collection, *item, values["note"][:2000])
            except NotFound as error:
                raise Unprocessable(error.detail, field="item") from error
            return f"{address}?edit=1&done={'saved' if form.name == 'note' else 'added'}#items"

        return await self.act(work, form, lambda uow, form: self._show(uow, namespace, collection, form), lambda target: target)

    def _show(self, uow: UnitOfWork, namespace: str, name: str, form: Form) -> Reply:
        view = self.hub.namespaces.get(uow, self.principal, namespace)
        collection = self.hub.collections.get(uow, self.principal, namespace, name)
        held = {kind for item in collection.items for kind in item.package.kinds}
        source = commands.Source.of_collection(
            self.urls.base,
            namespace,
            name,
            with_token=collection.visibility in ("private", "organization")
            or any(item.package.visibility in ("private", "organization") for item in collection.items),
        )
        return self.namespace_page(
            uow,
            view,
            "collections",
            "collection.html",
            form=form,
            collection=collection,
            description=Markup(render_description(collection.description)) if collection.description else "",  # noqa: S704 - sanitized
            address=_address(collection),
            editing=view.role is not None and (form.name != "" or self.get_query_argument("edit", "") == "1"),
            may_remove=view.role is Role.OWNER,
            use=commands.use_collection(source, held),
            with_token=source.with_token,
            visibilities=visibilities_of(view.kind),
            message=self.done(_DONE),
        )


def _address(view: CollectionView) -> str:
    return f"/{view.namespace}/-/collections/{view.name}"


def _named(text: str) -> tuple[str, str] | None:
    """Return namespace and package of ``namespace/package`` or of the address of a page."""
    try:
        path = urlsplit(text).path if "://" in text else text
    except ValueError:
        return None
    parts = [part for part in path.split("/") if part]
    return (parts[0], parts[1]) if len(parts) >= 2 else None
