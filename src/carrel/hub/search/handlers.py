"""Search over HTTP."""

from __future__ import annotations

from carrel.core.clock import to_rfc3339
from carrel.core.errors import BadRequest
from carrel.core.kinds import Kind
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.search.schemas import ImportMatch, ImportProvider, Imports, ImportsQuery, SearchItem, SearchQuery, SearchResults
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler


class SearchHandler(ApiHandler):
    """Packages, notebooks and environments by what a person types."""

    @endpoint(
        summary="Search",
        scope=Scope.PACKAGE_READ,
        anonymous=True,
        query=SearchQuery,
        response=SearchResults,
        errors=(BadRequest,),
    )
    def get(self, uow: UnitOfWork, query: SearchQuery) -> SearchResults:
        """Return the best matches: the name itself, names that begin with the text, names that contain it, modules, texts."""
        page = self.hub.search.search(
            uow,
            self.principal,
            query.q,
            kinds=query.kind,
            namespace=query.namespace,
            platform=query.platform,
            limit=query.limit,
            cursor=query.cursor,
        )
        return SearchResults(
            items=[
                SearchItem(
                    namespace=match.package.namespace,
                    name=match.package.name,
                    kinds=list(match.package.kinds),
                    summary=match.package.summary,
                    latest_version=match.package.latest_version,
                    visibility=match.package.visibility,
                    updated_at=to_rfc3339(match.package.updated_at),
                    import_names=list(match.package.import_names[:_IMPORT_NAMES]),
                    url=self.urls.page(match.package.namespace, match.package.name),
                    score=match.score,
                )
                for match in page.matches
            ],
            next_cursor=page.next_cursor,
            took_ms=page.took_ms,
        )


class ImportsHandler(ApiHandler):
    """Which packages provide a module."""

    @endpoint(summary="Packages by module", scope=Scope.PACKAGE_READ, anonymous=True, query=ImportsQuery, response=Imports)
    def get(self, uow: UnitOfWork, query: ImportsQuery) -> Imports:
        """Return the packages that provide each module, such as ``opencv`` for ``cv2``."""
        found = self.hub.search.imports(uow, self.principal, query.name)
        return Imports(
            items=[
                ImportMatch(
                    import_name=name,
                    packages=[
                        ImportProvider(namespace=item.namespace, name=item.name, kind=_installable(item.kinds), version=item.version)
                        for item in providers
                    ],
                )
                for name, providers in found.items()
            ]
        )


_IMPORT_NAMES = 50  # of one package; some vendor thousands


def _installable(kinds: tuple[str, ...]) -> str:
    return next((kind.value for kind in (Kind.CONDA, Kind.PYPI) if kind.value in kinds), kinds[0] if kinds else Kind.FILE.value)
