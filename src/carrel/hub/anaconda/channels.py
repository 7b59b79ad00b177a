"""Rows 35–41: labels, which this API calls channels."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda import views
from carrel.hub.anaconda.handlers import AnacondaHandler, answer
from carrel.hub.labels.views import NOLABEL, Action, ChangeRequest, FileSelection
from carrel.hub.packages.views import FileView
from carrel.hub.web.endpoint import Reply, endpoint

_PAGE = 500
_ERRORS = (NotFound, Forbidden, BadRequest, Conflict)


class Files(BaseModel):
    """Which files; null: all."""

    package: str | None = None
    version: str | None = None
    basename: str | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing narrows it."""
        return not (self.package or self.version or self.basename)

    @property
    def selection(self) -> FileSelection:
        """The files in the words of the service."""
        return FileSelection((self.package,) if self.package else (), self.version or None, self.basename or None)


class ChannelsHandler(AnacondaHandler):
    """``/channels/{login}``."""

    @endpoint(summary="List labels", scope=Scope.NAMESPACE_READ, anonymous=True, errors=(NotFound,))
    def get(self, uow: UnitOfWork, login: str) -> Reply:
        """Label -> whether it is locked; ``nolabel`` is there when files have none."""
        found = self.hub.labels.list(uow, self.principal, login)
        return answer({view.name: {"is_locked": view.locked, "files": view.files} for view in found})


class ChannelHandler(AnacondaHandler):
    """``/channels/{login}/{label}``."""

    @endpoint(summary="Describe a label", scope=Scope.NAMESPACE_READ, anonymous=True, errors=(NotFound,))
    def get(self, uow: UnitOfWork, login: str, label: str) -> Reply:
        """Whether it is locked, and all files under it that the caller sees."""
        view = self.hub.labels.get(uow, self.principal, login, label)
        files = [views.distribution(item, self.urls) for item in self._files(uow, login, label)]
        return answer({"name": view.name, "is_locked": view.locked, "files": files})

    @endpoint(summary="Put files under a label", scope=Scope.PACKAGE_WRITE, request=Files, status=201, writes=True, errors=_ERRORS)
    def post(self, uow: UnitOfWork, login: str, label: str, body: Files) -> Reply:
        """All files that match; the label is made when it does not exist."""
        change = ChangeRequest(Action.ADD, target=label, selection=body.selection)
        self.hub.label_changes.apply(uow, self.principal, login, change)
        return answer({}, 201)

    @endpoint(summary="Take files off a label", scope=Scope.PACKAGE_WRITE, request=Files, status=201, writes=True, errors=_ERRORS)
    def delete(self, uow: UnitOfWork, login: str, label: str, body: Files) -> Reply:
        """All files that match; when nothing is named, the label itself is removed."""
        if label != NOLABEL:  # to take "no label" off is what putting one on does
            action = Action.DELETE if body.everything else Action.REMOVE
            change = ChangeRequest(action, source=label, selection=body.selection)
            self.hub.label_changes.apply(uow, self.principal, login, change)
        return answer({}, 201)

    def _files(self, uow: UnitOfWork, login: str, label: str) -> Iterator[FileView]:
        cursor = None
        while True:
            page = self.hub.labels.files(uow, self.principal, login, label, limit=_PAGE, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return


class CopyChannelHandler(AnacondaHandler):
    """``/channels/{login}/{label}/copy/{target}``."""

    @endpoint(summary="Put the files of a label under another, too", scope=Scope.PACKAGE_WRITE, status=201, writes=True, errors=_ERRORS)
    def post(self, uow: UnitOfWork, login: str, label: str, target: str) -> Reply:
        """All of them, in one transaction."""
        self.hub.label_changes.apply(uow, self.principal, login, ChangeRequest(Action.COPY, source=label, target=target))
        return answer({}, 201)


class LockHandler(AnacondaHandler):
    """``/channels/{login}/{label}/lock``."""

    @endpoint(summary="Lock a label", scope=Scope.NAMESPACE_WRITE, status=201, writes=True, errors=(NotFound, Forbidden))
    def post(self, uow: UnitOfWork, login: str, label: str) -> Reply:
        """Only owners put files on or off it from now on."""
        self.hub.labels.update(uow, self.principal, login, label, locked=True)
        return answer({}, 201)

    @endpoint(summary="Unlock a label", scope=Scope.NAMESPACE_WRITE, status=201, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, login: str, label: str) -> Reply:
        """Members use it again."""
        self.hub.labels.update(uow, self.principal, login, label, locked=False)
        return answer({}, 201)
