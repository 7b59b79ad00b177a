"""Addresses of notices."""

from __future__ import annotations

from carrel.hub.notices.handlers import ArchiveNoticeHandler, NoticeHandler, NoticesHandler, PublishNoticeHandler
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

_NOTICES = f"{API}/namespaces/{{namespace}}/notices"

ROUTES: tuple[Route, ...] = (
    Route(_NOTICES, NoticesHandler),
    Route(f"{_NOTICES}/{{notice}}", NoticeHandler),
    Route(f"{_NOTICES}/{{notice}}/publish", PublishNoticeHandler),
    Route(f"{_NOTICES}/{{notice}}/archive", ArchiveNoticeHandler),
)
