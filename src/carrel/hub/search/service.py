"""Search: ranked, bounded, and only what the caller may see."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Sequence
from dataclasses import dataclass

from carrel.core.errors import BadRequest
from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.search.facets import kind_facet, namespace_facet, viewer_facets
from carrel.hub.search.index import Query, Tier, normalise, words_of
from carrel.hub.search.repository import FoundPackage, Provider, SearchRepository

MAX_LIMIT = 50
_MAX_OFFSET = 950
_PER_TIER = 100
_PROVIDERS = 10


@dataclass(frozen=True, slots=True)
class Match:
    """A package, and how well it matched (1.0: its very name)."""

    package: FoundPackage
    score: float


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Matches, best first; the cursor leads to further ones."""

    matches: tuple[Match, ...]
    next_cursor: str | None
    took_ms: float


class SearchService:
    """Searches packages, notebooks and environments of all namespaces that the caller may see."""

    def search(
        self,
        uow: UnitOfWork,
        principal: Principal,
        text: str,
        *,
        kinds: Sequence[Kind] = (),
        namespace: str | None = None,
        platform: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> SearchPage:
        """Return the best matches of *text*; the newest packages when it holds no word.

        Names equal to the text come first, then names that begin with it, names with such words, names that contain it,
        modules, summaries, texts.
        """
        started = time.perf_counter()
        repository = SearchRepository(uow.connection)
        offset = _decode_cursor(cursor)
        limit = max(1, min(limit, MAX_LIMIT))
        wanted = offset + limit + 1
        namespace_id = None
        if namespace is not None:
            namespace_id = repository.namespace_id(namespace)
            if namespace_id is None:
                return SearchPage((), None, _milliseconds(started))
        text = normalise(text)[:200]
        query = Query(
            text,
            words_of(text),
            viewer_facets(principal),
            (namespace_facet(namespace_id),) if namespace_id is not None else (),
            tuple(kind_facet(kind) for kind in kinds),
            repository.within_limits(principal) if principal.limits else tuple(principal.grants),
        )
        if not query.any_of and not query.ids:
            return SearchPage((), None, _milliseconds(started))
        matches = _Collector(repository, principal, namespace_id, kinds, platform, wanted)
        if not query.words:
            matches.add(repository.index.find(query, Tier.BODY, wanted), 0.0, by_name=False)
            return matches.page(offset, limit, started)
        matches.add(repository.exact(text, _PER_TIER), 1.0, by_name=True)
        if not matches.full:
            matches.add(repository.prefix(text, _PER_TIER), 0.9, by_name=True)
        for tier, score in _SCORES.items():
            if matches.full:  # nothing else ends a search early: an answer that depends on the clock would miss what is there
                break
            matches.add(repository.index.find(query, tier, _PER_TIER), score, by_name=tier in (Tier.WORD, Tier.SUBSTRING))
        return matches.page(offset, limit, started)

    def imports(self, uow: UnitOfWork, principal: Principal, names: Sequence[str]) -> dict[str, list[Provider]]:
        """Return which packages provide the modules *names* (``cv2``)."""
        found: dict[str, list[Provider]] = {name: [] for name in names}
        for provider in SearchRepository(uow.connection).providers(principal, list(found), _PROVIDERS):
            found[provider.import_name].append(provider)
        return found


_SCORES = {Tier.WORD: 0.8, Tier.SUBSTRING: 0.7, Tier.IMPORT: 0.6, Tier.SUMMARY: 0.4, Tier.BODY: 0.2}


class _Collector:
    """Gathers matches tier by tier until there are enough."""

    def __init__(
        self,
        repository: SearchRepository,
        principal: Principal,
        namespace_id: int | None,
        kinds: Sequence[Kind],
        platform: str | None,
        wanted: int,
    ) -> None:
        self._repository = repository
        self._principal = principal
        self._namespace_id = namespace_id
        self._kinds = {Kind(kind).value for kind in kinds}
        self._platform = platform
        self._wanted = wanted
        self._seen: set[int] = set()
        self.found: list[tuple[int, float]] = []

    @property
    def full(self) -> bool:
        """Whether further tiers cannot change the answer."""
        return len(self.found) >= self._wanted

    def add(self, ids: Sequence[int], score: float, *, by_name: bool) -> None:
        """Add what is new and visible of *ids*: short names first, or what changed last."""
        fresh = [key for key in dict.fromkeys(ids) if key not in self._seen]
        self._seen.update(fresh)
        rows = self._repository.candidates(self._principal, fresh, self._namespace_id, kinds=bool(self._kinds))
        if self._kinds:
            rows = [row for row in rows if self._kinds & set(row.kinds)]
        if self._platform is not None and rows:
            there = self._repository.with_platform(self._principal, [row.id for row in rows], self._platform)
            rows = [row for row in rows if row.id in there]
        if by_name:
            rows = sorted(rows, key=lambda row: (len(row.name_key), row.name_key, row.namespace_id))
        else:
            rows = sorted(rows, key=lambda row: (row.updated_at, row.id), reverse=True)
        self.found.extend((row.id, score) for row in rows)

    def page(self, offset: int, limit: int, started: float) -> SearchPage:
        """Return the matches from *offset* on, at most *limit*; only these are read in full."""
        chosen = self.found[offset : offset + limit]
        rows = self._repository.packages(self._principal, [key for key, _ in chosen])
        matches = tuple(Match(rows[key], score) for key, score in chosen if key in rows)
        more = len(self.found) > offset + limit and offset + limit <= _MAX_OFFSET
        return SearchPage(matches, _encode_cursor(offset + limit) if more else None, _milliseconds(started))


def _milliseconds(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 2)


def _encode_cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode().rstrip("=")


def _decode_cursor(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise BadRequest("The cursor is not one that this server gave out.", code="invalid_cursor") from error
    if not 0 <= offset <= _MAX_OFFSET:
        raise BadRequest("The cursor is not one that this server gave out.", code="invalid_cursor")
    return offset
