"""The page to create an organization."""

from __future__ import annotations

from carrel.core.errors import CarrelError
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.namespaces.service import NamespaceView
from carrel.hub.pages.base import Form
from carrel.hub.pages.managing import ManagePageHandler
from carrel.hub.web.endpoint import Reply, endpoint


class NewOrganizationHandler(ManagePageHandler):
    """``/-/organizations/new``."""

    @endpoint(summary="Page to create an organization", scope=Scope.ACCOUNT_READ, media_type="text/html")
    def get(self, uow: UnitOfWork) -> Reply:
        """A form."""
        return self._show(uow, Form())

    @endpoint(summary="Create an organization with the browser", scope=Scope.ACCOUNT_WRITE, media_type="text/html")
    async def post(self) -> Reply:
        """Create it and lead to its members."""
        form = self.form("name", "display_name", "description")
        values = form.values

        def work(uow: UnitOfWork) -> NamespaceView:
            try:
                return self.hub.namespaces.create_organization(
                    uow, self.principal, values["name"].lower(), values["display_name"][:200], values["description"]
                )
            except CarrelError as error:
                if error.fields.get("field") == "namespace" or error.code == "name_taken":
                    error.fields["field"] = "name"
                raise

        return await self.act(work, form, self._show, lambda view: f"/{view.name}/-/members")

    def _show(self, uow: UnitOfWork, form: Form) -> Reply:
        return self.page(uow, "new_organization.html", form=form)
