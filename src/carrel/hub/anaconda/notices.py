"""Rows 53–55: notices of a channel."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda.handlers import AnacondaHandler, answer
from carrel.hub.notices.service import PRESENT, NoticeLevel, NoticeStatus, NoticeView
from carrel.hub.web.endpoint import Reply, endpoint

_ERRORS = (NotFound, Forbidden, BadRequest, Conflict)


class NoticesQuery(BaseModel):
    """A part of the list."""

    offset: int = Field(0, ge=0)
    limit: int = Field(20, ge=1, le=1000)
    status: NoticeStatus | None = None


class NewNotice(BaseModel):
    """A notice to write."""

    message: str
    level: NoticeLevel = NoticeLevel.INFO
    expires_at: datetime | None = None


class NoticeChanges(BaseModel):
    """What to change; what is absent stays."""

    message: str | None = None
    level: NoticeLevel | None = None
    expires_at: datetime | None = None
    status: NoticeStatus | None = None


class NoticesHandler(AnacondaHandler):
    """``/{channel}/notices``."""

    @endpoint(summary="List notices of a channel", scope=Scope.NAMESPACE_READ, query=NoticesQuery, errors=_ERRORS)
    def get(self, uow: UnitOfWork, channel: str, query: NoticesQuery) -> Reply:
        """Drafts and archived ones, too: for owners. Deleted ones only when they are asked for."""
        statuses = PRESENT if query.status is None else {query.status}
        found, total = self.hub.notices.list(uow, self.principal, channel, statuses=statuses, offset=query.offset, limit=query.limit)
        return answer({"items": [_notice(view) for view in found], "total_count": total, "offset": query.offset, "limit": query.limit})

    @endpoint(summary="Write a notice", scope=Scope.NAMESPACE_WRITE, request=NewNotice, status=201, writes=True, errors=_ERRORS)
    def post(self, uow: UnitOfWork, channel: str, body: NewNotice) -> Reply:
        """A draft."""
        view = self.hub.notices.create(
            uow, self.principal, channel, message=body.message, level=body.level.value, expires_at=body.expires_at
        )
        return answer(_notice(view), 201)


class NoticeHandler(AnacondaHandler):
    """``/{channel}/notices/{notice}``."""

    @endpoint(summary="Describe a notice", scope=Scope.NAMESPACE_READ, errors=_ERRORS)
    def get(self, uow: UnitOfWork, channel: str, notice: str) -> Reply:
        """For owners."""
        return answer(_notice(self.hub.notices.get(uow, self.principal, channel, notice)))

    @endpoint(summary="Change a notice", scope=Scope.NAMESPACE_WRITE, request=NoticeChanges, writes=True, errors=_ERRORS)
    def patch(self, uow: UnitOfWork, channel: str, notice: str, body: NoticeChanges) -> Reply:
        """Its text, level, end; ``status`` published or archived does what these addresses do."""
        changes: dict[str, Any] = body.model_dump(exclude_none=True, exclude={"status"})
        view = self.hub.notices.update(uow, self.principal, channel, notice, changes)
        if body.status is NoticeStatus.PUBLISHED:
            view = self.hub.notices.publish(uow, self.principal, channel, notice)
        elif body.status is NoticeStatus.ARCHIVED:
            view = self.hub.notices.archive(uow, self.principal, channel, notice)
        elif body.status is not None:
            raise BadRequest("A notice becomes published or archived, or is deleted.", code="invalid_notice", field="status")
        return answer(_notice(view))

    @endpoint(summary="Delete a notice", scope=Scope.NAMESPACE_WRITE, status=204, writes=True, errors=_ERRORS)
    def delete(self, uow: UnitOfWork, channel: str, notice: str) -> None:
        """It can still be listed as deleted."""
        self.hub.notices.delete(uow, self.principal, channel, notice)


class NoticePublishHandler(AnacondaHandler):
    """``/{channel}/notices/{notice}/publish``."""

    @endpoint(summary="Publish a notice", scope=Scope.NAMESPACE_WRITE, writes=True, errors=_ERRORS)
    def post(self, uow: UnitOfWork, channel: str, notice: str) -> Reply:
        """Clients of the channel show it from now on."""
        return answer(_notice(self.hub.notices.publish(uow, self.principal, channel, notice)))


class NoticeArchiveHandler(AnacondaHandler):
    """``/{channel}/notices/{notice}/archive``."""

    @endpoint(summary="Archive a notice", scope=Scope.NAMESPACE_WRITE, writes=True, errors=_ERRORS)
    def post(self, uow: UnitOfWork, channel: str, notice: str) -> Reply:
        """It is shown no more."""
        return answer(_notice(self.hub.notices.archive(uow, self.principal, channel, notice)))


def _notice(view: NoticeView) -> dict[str, Any]:
    return {
        "id": view.id,
        "status": view.status,
        "level": view.level,
        "message": view.message,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "expires_at": view.expires_at,
    }
