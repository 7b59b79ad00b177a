"""Rows 23–26: releases."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda import views
from carrel.hub.anaconda.handlers import READ, UPLOAD, AnacondaHandler, answer
from carrel.hub.anaconda.service import texts_of
from carrel.hub.web.endpoint import Reply, endpoint


class NewRelease(BaseModel):
    """A release to open: what it says of itself stands beside ``requirements`` and ``announce``."""

    model_config = ConfigDict(extra="allow")


class ReleaseChanges(BaseModel):
    """Texts to change."""

    public_attrs: dict[str, Any] = Field(default_factory=dict)


class ReleaseHandler(AnacondaHandler):
    """``/release/{login}/{package}/{version}``."""

    @endpoint(summary="Describe a release", anonymous=True, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, login: str, package: str, version: str) -> Reply:
        """With its files."""
        self.require_scope(READ)
        return answer(views.release(self.hub.releases.get(uow, self.principal, login, package, version), self.urls))

    @endpoint(summary="Open a release", request=NewRelease, writes=True, errors=(NotFound, Forbidden, Conflict, BadRequest))
    def post(self, uow: UnitOfWork, login: str, package: str, version: str, body: NewRelease) -> Reply:
        """A draft that members see; its first file publishes it."""
        self.require_scope(UPLOAD)
        texts = texts_of(body.model_extra or {})
        return answer(views.release(self.hub.anaconda.create_release(uow, self.principal, login, package, version, texts), self.urls))

    @endpoint(summary="Change a release", request=ReleaseChanges, writes=True, errors=(NotFound, Forbidden))
    def patch(self, uow: UnitOfWork, login: str, package: str, version: str, body: ReleaseChanges) -> Reply:
        """Summary, description, license and home page."""
        self.require_scope(UPLOAD)
        texts = texts_of(body.public_attrs)
        return answer(views.release(self.hub.anaconda.update_release(uow, self.principal, login, package, version, texts), self.urls))

    @endpoint(summary="Remove a release", scope=Scope.PACKAGE_DELETE, status=201, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, login: str, package: str, version: str) -> Reply:
        """With its files; the package stays, with whom it is shared with, until it is removed itself."""
        self.hub.releases.delete(uow, self.principal, login, package, version, keep_package=True)
        return answer({}, 201)
