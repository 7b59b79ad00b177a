"""Rows 14–22: packages and who works on them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from pydantic import BaseModel, Field

from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthenticated
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.anaconda import repository, views
from carrel.hub.anaconda.handlers import READ, UPLOAD, AnacondaHandler, answer
from carrel.hub.anaconda.kinds import kind_of
from carrel.hub.anaconda.service import texts_of
from carrel.hub.packages.versions import version_key
from carrel.hub.packages.views import PackageView, ReleaseView
from carrel.hub.web.endpoint import Reply, endpoint

_PAGE = 500
_LISTED = 10_000


class PackagesQuery(BaseModel):
    """What a list of packages is narrowed to."""

    platform: str | None = None
    package_type: str | None = None
    type: str | None = None
    access: str | None = None


class NewPackage(BaseModel):
    """A package to make."""

    public: bool = True
    public_attrs: dict[str, Any] = Field(default_factory=dict)


class PackageChanges(BaseModel):
    """Texts to change; ``public`` is not looked at (see :meth:`PackageHandler.patch`)."""

    public_attrs: dict[str, Any] = Field(default_factory=dict)


class PackagesHandler(AnacondaHandler):
    """``/packages/{login}`` and ``/packages``."""

    @endpoint(
        summary="List packages of a namespace", scope=Scope.PACKAGE_READ, anonymous=True, query=PackagesQuery, errors=(NotFound, BadRequest)
    )
    def get(self, uow: UnitOfWork, query: PackagesQuery, login: str | None = None) -> Reply:
        """Those that the caller sees in lists, by name; without a name the caller's own."""
        if login is None and self.principal.is_anonymous:
            raise Unauthenticated("Sign in or send a token to do this.")
        text = query.package_type or query.type
        kind = kind_of(text).value if text else None
        found = list(self._all(uow, login or self.principal.user_name, kind))
        subdirs = repository.subdirs_of(uow, self.principal, [view.id for view in found])
        shown = [
            views.package(view, subdirs.get(view.id, []), self.urls)
            for view in found
            if (query.platform is None or query.platform in subdirs.get(view.id, []))
            and (query.access is None or query.access == views.access_of(view.visibility))
        ]
        return answer(shown)

    def _all(self, uow: UnitOfWork, login: str, kind: str | None) -> Iterator[PackageView]:
        cursor = None
        while True:
            page = self.hub.packages.page(uow, self.principal, login, kind=kind, limit=_PAGE, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return


class ListingHandler(AnacondaHandler):
    """``/package_listing``."""

    @endpoint(summary="List packages of all namespaces", scope=Scope.PACKAGE_READ, anonymous=True, errors=(BadRequest,))
    def get(self, uow: UnitOfWork) -> Reply:
        """At most ten thousand, those changed last first; ``modified_after`` stands in a form, as clients send it, or in the query."""
        given = parse_qs(self.request.body.decode(errors="replace")).get("modified_after") or self.get_query_arguments("modified_after")
        found = repository.changed_since(uow, self.principal, _moment(given[0] if given else ""), _LISTED)
        subdirs = repository.subdirs_of(uow, self.principal, [view.id for view in found])
        return answer([views.package(view, subdirs.get(view.id, []), self.urls) for view in found])


class PackageHandler(AnacondaHandler):
    """``/package/{login}/{package}``."""

    @endpoint(summary="Describe a package", anonymous=True, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, login: str, package: str) -> Reply:
        """With its releases, the lowest version first, and all files."""
        self.require_scope(READ)
        view = self.hub.packages.get(uow, self.principal, login, package)
        return answer(
            views.whole_package(view, sorted(self._releases(uow, login, package), key=lambda item: version_key(item.version)), self.urls)
        )

    @endpoint(summary="Make a package", request=NewPackage, writes=True, errors=(NotFound, Forbidden, Conflict, BadRequest))
    def post(self, uow: UnitOfWork, login: str, package: str, body: NewPackage) -> Reply:
        """A package without files; it appears to others with its first file."""
        self.require_scope(UPLOAD)
        texts = texts_of(body.public_attrs)
        view = self.hub.anaconda.create_package(uow, self.principal, login, package, public=body.public, texts=texts)
        return answer(views.package(view, [], self.urls))

    @endpoint(summary="Change a package", request=PackageChanges, writes=True, errors=(NotFound, Forbidden))
    def patch(self, uow: UnitOfWork, login: str, package: str, body: PackageChanges) -> Reply:
        """Summary, description, license and home page.

        ``public`` is left alone: one client sends true with every upload, which must not publish what was made private.
        """
        self.require_scope(UPLOAD)
        self.hub.anaconda.update_package(uow, self.principal, login, package, texts_of(body.public_attrs))
        return self._shown(uow, login, package)

    @endpoint(summary="Remove a package", scope=Scope.PACKAGE_DELETE, status=201, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, login: str, package: str) -> Reply:
        """With all its releases. One without any may be removed by whoever may upload to it: clients clean up so."""
        self.hub.anaconda.delete_package(uow, self.principal, login, package)
        return answer({}, 201)

    def _shown(self, uow: UnitOfWork, login: str, package: str) -> Reply:
        view = self.hub.packages.get(uow, self.principal, login, package)
        return answer(views.package(view, repository.subdirs_of(uow, self.principal, [view.id]).get(view.id, []), self.urls))

    def _releases(self, uow: UnitOfWork, login: str, package: str) -> Iterator[ReleaseView]:
        cursor = None
        while True:
            page = self.hub.releases.page(uow, self.principal, login, package, limit=_PAGE, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest("modified_after is no date.", code="invalid_date", field="modified_after") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
