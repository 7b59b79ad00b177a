"""Rows 10–13: users and organizations."""

from __future__ import annotations

from typing import Any

from carrel.core.errors import NotFound, Unauthenticated
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts import repository as accounts
from carrel.hub.anaconda import views
from carrel.hub.anaconda.handlers import UPLOAD, AnacondaHandler, answer
from carrel.hub.web.endpoint import Reply, endpoint


class MeHandler(AnacondaHandler):
    """``/user``."""

    @endpoint(summary="Who am I")
    def get(self, uow: UnitOfWork) -> Reply:
        """Any token may ask whose it is; 401 when anonymous."""
        if self.principal.user_id is None:
            raise Unauthenticated("Sign in or send a token to do this.")
        return answer(views.account(self.hub.namespaces.get(uow, self.principal, self.principal.user_name), self.urls))


class UserHandler(AnacondaHandler):
    """``/user/{login}``."""

    @endpoint(summary="Describe a user or an organization", anonymous=True, errors=(NotFound,))
    def get(self, uow: UnitOfWork, login: str) -> Reply:
        """Name, kind, and since when."""
        self.require_scope((Scope.NAMESPACE_READ, *UPLOAD))
        return answer(views.account(self.hub.namespaces.get(uow, self.principal, login), self.urls))


class LicenseHandler(AnacondaHandler):
    """``/license``."""

    @endpoint(summary="Licences of the caller", anonymous=True)
    async def get(self) -> Reply:
        """None: nothing is sold here."""
        return answer([])


class MyOrganizationsHandler(AnacondaHandler):
    """``/user/orgs``."""

    @endpoint(summary="List my organizations", scope=Scope.ACCOUNT_READ)
    def get(self, uow: UnitOfWork) -> Reply:
        """Those that the token reaches."""
        user = self.hub.accounts.describe(uow, self.principal)
        return answer([self._organization(uow, item.name) for item in user.namespaces if item.kind == "organization"])

    def _organization(self, uow: UnitOfWork, name: str) -> dict[str, Any]:
        return views.account(self.hub.namespaces.get(uow, self.principal, name), self.urls)


class OrganizationsHandler(AnacondaHandler):
    """``/users/{login}/orgs``."""

    @endpoint(summary="List organizations of a user", scope=Scope.NAMESPACE_READ, anonymous=True, errors=(NotFound,))
    def get(self, uow: UnitOfWork, login: str) -> Reply:
        """Those that the caller belongs to as well: membership is no public matter."""
        user = accounts.user_by_name(uow, login)
        if user is None:
            raise NotFound(f"There is no user named {login[:64]!r}.")
        shared = [
            row
            for row in accounts.user_namespaces(uow, user.id)
            if row.kind == "organization" and self.principal.role_in(row.id) is not None
        ]
        return answer([views.account(self.hub.namespaces.get(uow, self.principal, row.name), self.urls) for row in shared])


class ForgottenPasswordHandler(AnacondaHandler):
    """``/account/forgot_password``: where the client sends people whose password was refused."""

    @endpoint(summary="What to do about a forgotten password", anonymous=True, media_type="text/plain")
    async def get(self) -> Reply:
        """Passwords are set by the administrator."""
        text = f"Ask the administrator of {self.hub.settings.name} for a new password.\n"
        return Reply(text.encode(), headers={"Content-Type": "text/plain; charset=utf-8"})
