"""The page of a package's settings: what it says, who sees it, who works on it, what is yanked, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from carrel.core.access import Permission, Status, Visibility
from carrel.core.errors import BadRequest, NotFound, Unprocessable
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.packages.access import require_permission
from carrel.hub.packages.service import find_package
from carrel.hub.pages.base import Form
from carrel.hub.pages.formatting import is_web_link
from carrel.hub.pages.managing import ManagePageHandler, visibilities_of
from carrel.hub.pages.members import PERMISSIONS
from carrel.hub.web.endpoint import Reply, endpoint

_DONE = {
    "saved": "The changes were saved.",
    "visibility": "Who sees the package was changed.",
    "people": "Who works on the package was changed.",
    "yanked": "The version is yanked: installers pass over it.",
    "unyanked": "The version is offered to installers again.",
    "removed": "The version was removed.",
}
_STATUSES = [
    (Status.ACTIVE.value, "Active"),
    (Status.DEPRECATED.value, "Deprecated: should not be used any more"),
    (Status.ARCHIVED.value, "Archived: gets no new versions"),
    (Status.QUARANTINED.value, "Quarantined: not offered to installers"),
]


class PackageSettingsHandler(ManagePageHandler):
    """``/{namespace}/{package}/-/settings``."""

    @endpoint(summary="Page of the settings of a package", scope=Scope.PACKAGE_READ, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str, package: str) -> Reply:
        """Forms, as far as the reader may use them."""
        return self._show(uow, namespace, package, Form())

    @endpoint(summary="Change a package with the browser", scope=Scope.PACKAGE_WRITE, media_type="text/html")
    async def post(self, namespace: str, package: str) -> Reply:
        """One change of the package, of who works on it, or of a version."""
        names = ("summary", "home_page", "license", "status", "status_reason", "visibility", "user", "permission", "version", "reason")
        form = self.form(*names, "confirm")
        base = f"/{quote(namespace)}/{quote(package)}/-/settings"
        change = self._changes(namespace, package).get(form.name)

        def work(uow: UnitOfWork) -> str:
            if change is None:
                raise BadRequest("This form is not one of the page.")
            return change(uow, form)

        def after(code: str) -> str:
            return f"/{quote(namespace)}" if code == "gone" else f"{base}?done={code}"

        return await self.act(work, form, lambda uow, form: self._show(uow, namespace, package, form), after)

    def _changes(self, namespace: str, package: str) -> dict[str, Callable[[UnitOfWork, Form], str]]:
        hub, principal = self.hub, self.principal

        def texts(uow: UnitOfWork, form: Form) -> str:
            values = form.values
            if values["home_page"] and not is_web_link(values["home_page"]):
                raise BadRequest("The address begins with https:// or http://.", field="home_page")
            changes: dict[str, Any] = {
                "summary": values["summary"][:2000],
                "home_page": values["home_page"][:2000],
                "license": values["license"][:500],
            }
            if values["status"] in set(Status):
                changes |= {"status": values["status"], "status_reason": values["status_reason"][:500]}
            hub.packages.update(uow, principal, namespace, package, changes)
            return "saved"

        def visibility(uow: UnitOfWork, form: Form) -> str:
            if form.values["visibility"] not in set(Visibility):
                raise BadRequest("Choose who sees the package.", field="visibility")
            hub.packages.update(uow, principal, namespace, package, {"visibility": form.values["visibility"]})
            return "visibility"

        def share(uow: UnitOfWork, form: Form) -> str:
            permission = next((each for each in Permission if each.value == form.values["permission"]), Permission.READ)
            try:
                hub.groups.set_collaborator(uow, principal, namespace, package, form.values["user"].lower(), permission)
            except NotFound as error:
                raise Unprocessable(error.detail, code=error.code, field="user") from error
            return "people"

        def unshare(uow: UnitOfWork, form: Form) -> str:
            hub.groups.remove_collaborator(uow, principal, namespace, package, form.values["user"])
            return "people"

        def yank(uow: UnitOfWork, form: Form) -> str:
            hub.editing.yank(uow, principal, namespace, package, form.values["version"], reason=form.values["reason"][:1000])
            return "yanked"

        def unyank(uow: UnitOfWork, form: Form) -> str:
            hub.editing.yank(uow, principal, namespace, package, form.values["version"], yanked=False)
            return "unyanked"

        def remove(uow: UnitOfWork, form: Form) -> str:
            hub.releases.delete(uow, principal, namespace, package, form.values["version"])
            return "removed"

        def delete(uow: UnitOfWork, form: Form) -> str:
            if form.values["confirm"].lower() != package.lower():
                raise BadRequest(f"Write {package} to confirm that all its versions are removed.", field="confirm")
            hub.packages.delete(uow, principal, namespace, package)
            return "gone"

        return {
            "texts": texts,
            "visibility": visibility,
            "share": share,
            "unshare": unshare,
            "yank": yank,
            "unyank": unyank,
            "remove": remove,
            "delete": delete,
        }

    def _show(self, uow: UnitOfWork, namespace: str, name: str, form: Form) -> Reply:
        found = find_package(uow, self.principal, namespace, name)
        permission = require_permission(self.principal, found, Permission.WRITE)
        view = self.hub.packages.get(uow, self.principal, namespace, name)
        kind = self.hub.namespaces.get(uow, self.principal, namespace).kind
        admin = permission >= Permission.ADMIN
        return self.page(
            uow,
            "package_settings.html",
            package=view,
            releases=self.hub.releases.page(uow, self.principal, namespace, name).items,
            admin=admin,
            collaborators=self.hub.groups.collaborators(uow, self.principal, namespace, name) if admin else (),
            permissions=PERMISSIONS,
            statuses=_STATUSES,
            visibilities=visibilities_of(kind),
            message=self.done(_DONE),
            **self.forms(form),
        )
