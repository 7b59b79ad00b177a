"""Pages to find things: home, search, namespaces."""

from __future__ import annotations

from urllib.parse import urlencode

from carrel.core.kinds import Kind
from carrel.core.names import validate_label
from carrel.core.scopes import Scope
from carrel.core.tokens import redact
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.labels.views import NOLABEL
from carrel.hub.pages import commands
from carrel.hub.pages.base import PageHandler
from carrel.hub.pages.formatting import KINDS_SHOWN
from carrel.hub.pages.managing import tabs_of
from carrel.hub.web.endpoint import Reply, endpoint

_RECENT = 8
_PER_PAGE = 20
_MAX_QUERY = 200


class HomeHandler(PageHandler):
    """``/``."""

    @endpoint(summary="Home page", scope=Scope.PACKAGE_READ, anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork) -> Reply:
        """Search, and what was published last."""
        recent = self.hub.search.search(uow, self.principal, "", limit=_RECENT)
        own = () if self.principal.is_anonymous else self.hub.packages.page(uow, self.principal, self.principal.user_name, limit=1).items
        return self.page(
            uow,
            "home.html",
            packages=[match.package for match in recent.matches],
            kinds=KINDS_SHOWN,
            own_packages=bool(own),
            start_commands=commands.start(self.urls.base),
        )


class SearchPageHandler(PageHandler):
    """``/search``."""

    @endpoint(summary="Search page", scope=Scope.PACKAGE_READ, anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork) -> Reply:
        """The best matches, by pages."""
        query = redact(self.get_query_argument("q", ""))[:_MAX_QUERY]
        kinds = [kind for kind in KINDS_SHOWN if kind.value in self.get_query_arguments("kind")]
        namespace = self.get_query_argument("namespace", "")[:64]
        cursor = self.get_query_argument("cursor", "")
        found = self.hub.search.search(
            uow, self.principal, query, kinds=kinds, namespace=namespace or None, limit=_PER_PAGE, cursor=cursor or None
        )
        parameters = [("q", query), *(("kind", kind.value) for kind in kinds), *([("namespace", namespace)] if namespace else [])]
        first = f"/search?{urlencode(parameters)}"
        return self.page(
            uow,
            "search.html",
            query=query,
            packages=[match.package for match in found.matches],
            kinds=KINDS_SHOWN,
            selected_kinds=kinds,
            namespace=namespace,
            took_ms=found.took_ms,
            first_page=not cursor,
            first_page_url=first,
            next_page=f"{first}&{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None,
        )


class NamespacePageHandler(PageHandler):
    """``/{namespace}``."""

    @endpoint(summary="Page of a namespace", scope=Scope.PACKAGE_READ, anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str) -> Reply:
        """Its packages, as far as the reader sees them; labels; members, to members."""
        view = self.hub.namespaces.get(uow, self.principal, namespace)
        kind = next((kind for kind in Kind if kind.value == self.get_query_argument("kind", "")), None)
        label = self.get_query_argument("label", "")
        cursor = self.get_query_argument("cursor", "")
        page = self.hub.packages.page(
            uow,
            self.principal,
            namespace,
            kind=kind.value if kind else None,
            label=validate_label(label) if label else None,
            cursor=cursor or None,
        )
        parameters = [(name, value) for name, value in (("kind", kind.value if kind else ""), ("label", label)) if value]
        shows_members = view.kind == "organization" and view.role is not None and not self.principal.limits
        return self.page(
            uow,
            "namespace.html",
            namespace=view,
            tabs=tabs_of(view),
            collections=self.hub.collections.list(uow, self.principal, namespace)[:_RECENT],
            packages=page.items,
            kinds=KINDS_SHOWN,
            kind=kind,
            label=label,
            cursor=cursor,
            next_page=f"/{view.name}?{urlencode([*parameters, ('cursor', page.next_cursor)])}" if page.next_cursor else None,
            labels=[each for each in self.hub.labels.list(uow, self.principal, namespace) if each.name != NOLABEL],
            members=self.hub.namespaces.members(uow, self.principal, namespace) if shows_members else None,
            use_commands=commands.use_namespace(self.urls.base, view.name),
            publish_commands=commands.publish_to(self.urls.base, view.name),
        )
