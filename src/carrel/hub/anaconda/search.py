"""Row 34: search."""

from __future__ import annotations

from pydantic import BaseModel, Field

from carrel.core.errors import BadRequest
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda import repository, views
from carrel.hub.anaconda.handlers import AnacondaHandler, answer
from carrel.hub.anaconda.kinds import kind_of
from carrel.hub.search.repository import FoundPackage
from carrel.hub.search.service import MAX_LIMIT
from carrel.hub.web.endpoint import Reply, endpoint

_MOST = 200


class SearchQuery(BaseModel):
    """What to look for."""

    name: str = Field("", max_length=500)
    type: str | None = None
    platform: str | None = None


class SearchHandler(AnacondaHandler):
    """``/search``."""

    @endpoint(summary="Search packages", scope=Scope.PACKAGE_READ, anonymous=True, query=SearchQuery, errors=(BadRequest,))
    def get(self, uow: UnitOfWork, query: SearchQuery) -> Reply:
        """The best matches of all namespaces, best first, at most two hundred."""
        kinds = [kind_of(query.type)] if query.type else []
        found: list[FoundPackage] = []
        cursor = None
        while len(found) < _MOST:
            page = self.hub.search.search(uow, self.principal, query.name, kinds=kinds, limit=MAX_LIMIT, cursor=cursor)
            found += [match.package for match in page.matches]
            cursor = page.next_cursor
            if cursor is None:
                break
        subdirs = repository.subdirs_of(uow, self.principal, [item.id for item in found])
        shown = [item for item in found if query.platform is None or query.platform in subdirs.get(item.id, [])]
        return answer([views.found(item, subdirs.get(item.id, []), self.urls) for item in shown])
