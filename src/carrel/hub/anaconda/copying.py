"""Rows 42–44: copies to another namespace, or under another label."""

from __future__ import annotations

from pydantic import BaseModel

from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthenticated
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda.handlers import AnacondaHandler, answer
from carrel.hub.packages.copying import CopyRequest, Existing, Outcome
from carrel.hub.web.endpoint import Reply, endpoint

_ERRORS = (NotFound, Forbidden, BadRequest, Conflict)


class Copy(BaseModel):
    """Where to, and under which labels."""

    to_owner: str | None = None
    from_channel: str = "main"
    to_channel: str = "main"


class CopyHandler(AnacondaHandler):
    """``/copy/package/{login}/{package}/{version}/{basename}``; the base name may be empty: all files of the release."""

    @endpoint(summary="Copy files", scope=Scope.PACKAGE_WRITE, request=Copy, writes=True, errors=_ERRORS)
    def post(self, uow: UnitOfWork, login: str, package: str, version: str, basename: str, body: Copy) -> Reply:
        """409 when one exists there."""
        return self._copy(uow, login, package, version, basename, body, Existing.ERROR)

    @endpoint(summary="Copy files, over those that exist", scope=Scope.PACKAGE_WRITE, request=Copy, writes=True, errors=_ERRORS)
    def put(self, uow: UnitOfWork, login: str, package: str, version: str, basename: str, body: Copy) -> Reply:
        """What exists with the same bytes gets the label, too; other bytes under a taken name answer 409."""
        return self._copy(uow, login, package, version, basename, body, Existing.REPLACE)

    @endpoint(summary="Copy files that are missing", scope=Scope.PACKAGE_WRITE, request=Copy, writes=True, errors=_ERRORS)
    def patch(self, uow: UnitOfWork, login: str, package: str, version: str, basename: str, body: Copy) -> Reply:
        """What exists is left alone."""
        return self._copy(uow, login, package, version, basename, body, Existing.SKIP)

    def _copy(self, uow: UnitOfWork, login: str, package: str, version: str, basename: str, body: Copy, existing: Existing) -> Reply:
        if self.principal.is_anonymous:
            raise Unauthenticated("Sign in or send a token to do this.")
        request = CopyRequest(
            login,
            package,
            body.to_owner or self.principal.user_name,
            version,
            basename or None,
            body.from_channel or None,
            body.to_channel or None,
            existing,
        )
        try:
            view = self.hub.copies.copy(uow, self.principal, request)
        except NotFound as error:
            if error.code != "nothing_selected":
                raise
            return answer([])
        return answer(
            [
                {
                    "basename": f"{item.subdir}/{item.filename}" if item.subdir else item.filename,
                    "version": item.version,
                    "full_name": f"{view.namespace}/{view.package}/{item.version}/{item.filename}",
                    "labels": list(view.labels),
                }
                for item in view.files
                if item.outcome is not Outcome.SKIPPED
            ]
        )
