"""Endpoints of notices."""

from __future__ import annotations

from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.notices.schemas import Notice, NoticeChanges, NoticeDraft, NoticeList, NoticeQuery
from carrel.hub.notices.service import PRESENT, NoticeStatus
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler


class NoticesHandler(ApiHandler):
    """``/namespaces/{namespace}/notices``."""

    @endpoint(
        summary="List notices of a channel",
        scope=Scope.NAMESPACE_READ,
        query=NoticeQuery,
        response=NoticeList,
        errors=(NotFound, Forbidden),
    )
    def get(self, uow: UnitOfWork, namespace: str, query: NoticeQuery) -> NoticeList:
        """To owners. Everybody else reads the published ones in ``notices.json`` of the channel."""
        statuses = {NoticeStatus(status) for status in query.status} or PRESENT
        items, total = self.hub.notices.list(uow, self.principal, namespace, statuses=statuses, offset=query.cursor, limit=query.limit)
        following = query.cursor + len(items)
        return NoticeList(items=[Notice.of(item) for item in items], total=total, next_cursor=str(following) if following < total else None)

    @endpoint(
        summary="Write a notice",
        scope=Scope.NAMESPACE_WRITE,
        request=NoticeDraft,
        response=Notice,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest, Conflict),
    )
    def post(self, uow: UnitOfWork, namespace: str, body: NoticeDraft) -> Notice:
        """A draft, which nobody sees until it is published."""
        return Notice.of(
            self.hub.notices.create(uow, self.principal, namespace, message=body.message, level=body.level, expires_at=body.expires_at)
        )


class NoticeHandler(ApiHandler):
    """``/namespaces/{namespace}/notices/{notice}``."""

    @endpoint(summary="Get a notice", scope=Scope.NAMESPACE_READ, response=Notice, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, namespace: str, notice: str) -> Notice:
        """To owners."""
        return Notice.of(self.hub.notices.get(uow, self.principal, namespace, notice))

    @endpoint(
        summary="Change a notice",
        scope=Scope.NAMESPACE_WRITE,
        request=NoticeChanges,
        response=Notice,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest),
    )
    def patch(self, uow: UnitOfWork, namespace: str, notice: str, body: NoticeChanges) -> Notice:
        """Members that are absent stay; ``expires_at`` null means until it is archived."""
        given = body.model_dump(include=body.model_fields_set)
        changes = {name: value for name, value in given.items() if value is not None or name == "expires_at"}
        return Notice.of(self.hub.notices.update(uow, self.principal, namespace, notice, changes))

    @endpoint(summary="Delete a notice", scope=Scope.NAMESPACE_WRITE, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, namespace: str, notice: str) -> None:
        """It is shown no more, and listed only when deleted ones are asked for."""
        self.hub.notices.delete(uow, self.principal, namespace, notice)


class PublishNoticeHandler(ApiHandler):
    """``/namespaces/{namespace}/notices/{notice}/publish``."""

    @endpoint(
        summary="Publish a notice",
        scope=Scope.NAMESPACE_WRITE,
        response=Notice,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def post(self, uow: UnitOfWork, namespace: str, notice: str) -> Notice:
        """From now on clients show it."""
        return Notice.of(self.hub.notices.publish(uow, self.principal, namespace, notice))


class ArchiveNoticeHandler(ApiHandler):
    """``/namespaces/{namespace}/notices/{notice}/archive``."""

    @endpoint(summary="Archive a notice", scope=Scope.NAMESPACE_WRITE, response=Notice, writes=True, errors=(NotFound, Forbidden))
    def post(self, uow: UnitOfWork, namespace: str, notice: str) -> Notice:
        """It is shown no more and can be published again."""
        return Notice.of(self.hub.notices.archive(uow, self.principal, namespace, notice))
