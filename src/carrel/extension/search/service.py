"""All sources searched at once, their answers put together in the order in which they are preferred."""

from __future__ import annotations

import contextlib
import difflib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from carrel.client.models import SearchItem
from carrel.core.errors import CarrelError, NotFound
from carrel.core.names import canonical_package
from carrel.environments import Environment, Installed
from carrel.environments.packages_of_modules import package_of
from carrel.extension.hub import HubAccess
from carrel.extension.search import compatibility
from carrel.extension.search.compatibility import Offer
from carrel.extension.search.conda import CondaChannels
from carrel.extension.search.hub import HubPackages
from carrel.extension.search.pypi import PypiIndexes
from carrel.extension.sources import ALL_OF_HUB, Source, SourceBook

_DETAILED_HUB_ITEMS = 8
_CONDA_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Target:
    """The environment that is searched for; without one nothing is installed and nothing unsuitable."""

    environment: Environment | None = None
    installed: Mapping[str, Installed] = field(default_factory=dict)

    @property
    def python_version(self) -> str:
        """Version of its Python, empty when unknown."""
        return self.environment.python_version if self.environment else ""

    @property
    def is_conda(self) -> bool:
        """Whether conda packages can be installed."""
        return self.environment is None or self.environment.kind == "conda"


@dataclass(frozen=True, slots=True)
class _Hit:
    name: str
    source: str
    source_type: str
    channel_name: str
    kind: str
    offer: Offer
    summary: str = ""
    import_names: tuple[str, ...] = ()
    order: int = 0


class SearchService:
    """Search and details.

    Parameters
    ----------
    platform : str
        conda's name of this platform.
    seconds : float
        Time that each source has.
    cache : pathlib.Path
        Folder for kept indexes.
    """

    def __init__(self, access: HubAccess, book: SourceBook, platform: str, seconds: float, cache: Path) -> None:
        self._access = access
        self._book = book
        self._platform = platform
        self._seconds = seconds
        self._hub = HubPackages()
        self._conda = CondaChannels(cache)
        self._pypi = PypiIndexes()
        self._pool = ThreadPoolExecutor(12, thread_name_prefix="carrel-search")
        # of its own: a search that waited for parts of itself in the same pool could wait for ever
        self._detail_pool = ThreadPoolExecutor(6, thread_name_prefix="carrel-search-detail")

    def shutdown(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._detail_pool.shutdown(wait=False, cancel_futures=True)

    def search(self, query: str, target: Target, source_ids: Sequence[str], limit: int) -> dict[str, Any]:
        """Return matches for *query* from the chosen sources, all by default. A slow source is reported, not waited for."""
        query = query.strip()[:200]
        sources = [self._book.get(source_id) for source_id in source_ids] if source_ids else self._default_sources()
        if not target.is_conda:
            sources = [source for source in sources if source.type != "conda"]
        started = time.monotonic()
        futures: list[tuple[Source, Future[tuple[float, list[_Hit]]]]] = [
            (source, self._pool.submit(_timed, self._search_one, source, query, target, order, limit))
            for order, source in enumerate(sources)
        ]
        hits: list[_Hit] = []
        reports: list[dict[str, Any]] = []
        for source, future in futures:
            report: dict[str, Any] = {"id": source.id, "ok": True, "error": None}
            took = self._seconds
            try:
                took, found = future.result(max(0.05, started + self._seconds - time.monotonic()))
                hits += found
            except FutureTimeout:
                report |= {"ok": False, "error": f"No answer within {self._seconds:g} s"}
            except CarrelError as error:
                took = time.monotonic() - started
                report |= {"ok": False, "error": error.detail}
            report["took_ms"] = round(took * 1000)
            reports.append(report)
        items = self._combine(hits, query, target)[:limit]
        result: dict[str, Any] = {"items": items, "sources": reports}
        if not items:
            result["suggestion"] = self._suggest(query, target)
        return result

    def _default_sources(self) -> list[Source]:
        # one search of the whole hub finds what the searches of single namespaces would
        return self._book.unsigned()

    def _search_one(self, source: Source, query: str, target: Target, order: int, limit: int) -> list[_Hit]:
        if not query:
            return []
        if source.type == "hub":
            return self._search_hub(source, query, target, order, limit)
        if source.type == "conda":
            return self._search_conda(source, query, target, order, limit)
        return self._search_pypi(source, query, target, order)

    def _search_hub(self, source: Source, query: str, target: Target, order: int, limit: int) -> list[_Hit]:
        client = self._access.client()
        namespace = None if source.id == ALL_OF_HUB else source.id.partition(":")[2]
        items = self._hub.search(client, query, namespace, limit, self._seconds)
        own = {n.name for n in user.namespaces} if (user := self._access.user()) else set()
        detailed = list(self._detail_pool.map(lambda item: self._hub_offers(item, target), items[:_DETAILED_HUB_ITEMS]))
        hits = []
        for position, item in enumerate(items):
            offers = detailed[position] if position < len(detailed) else []
            kinds = self._kinds(item.kinds, target)
            suitable = [offer for offer in offers if offer.kind == kinds[0]] or offers
            offer = compatibility.best(suitable) or Offer(item.latest_version or "", kind=kinds[0])
            if offer.kind == "conda" and not target.is_conda:
                offer = Offer(offer.version, reason="conda packages need a conda environment", kind="conda")
            # own namespaces come before everything, others of the hub after the configured channels
            rank = order if namespace or item.namespace in own else order + 100
            hits.append(
                _Hit(item.name, f"hub:{item.namespace}", "hub", item.namespace, offer.kind, offer, item.summary, item.import_names, rank)
            )
        return hits

    def _hub_offers(self, item: SearchItem, target: Target) -> list[Offer]:
        try:
            return self._hub.offers(
                self._access.client(), item.namespace, item.name, self._platform, target.python_version, self._seconds, item.updated_at
            )
        except CarrelError:
            return []

    @staticmethod
    def _kinds(kinds: Iterable[str], target: Target) -> list[str]:
        order = ("conda", "pypi") if target.is_conda else ("pypi", "conda")
        return [kind for kind in order if kind in kinds] or ["pypi"]

    def _search_conda(self, source: Source, query: str, target: Target, order: int, limit: int) -> list[_Hit]:
        names = self._conda.names(source.url, self._platform, self._seconds * 0.9)
        candidates = match_names(names, query, _CONDA_CANDIDATES)
        alias = package_of(query, conda=True)
        if alias and alias in names and alias not in candidates:
            candidates.insert(0, alias)
        offers = self._conda.offers(source.url, self._platform, candidates, target.python_version, self._seconds)
        hits = []
        for name in candidates[:limit]:
            if offer := compatibility.best(offers.get(name, [])):
                modules = (query,) if name == alias else ()
                hits.append(_Hit(name, source.id, "conda", source.name, "conda", offer, "", modules, order))
        return hits

    def _search_pypi(self, source: Source, query: str, target: Target, order: int) -> list[_Hit]:
        alias = package_of(query, conda=False)
        hits = []
        for name in dict.fromkeys([*([alias] if alias else []), query]):
            project = self._pypi.project(source.url, name, self._seconds)
            if project is None or not (offer := compatibility.best(compatibility.merge_versions(project.offers(target.python_version)))):
                continue
            metadata = self._pypi.metadata(source.url, project, offer.version, self._seconds)
            modules = (query,) if name == alias else ()
            hits.append(_Hit(project.name, source.id, "pypi", source.name, "pypi", offer, metadata.summary, modules, order))
        return hits

    def _combine(self, hits: Sequence[_Hit], query: str, target: Target) -> list[dict[str, Any]]:
        groups: dict[str, list[_Hit]] = {}
        for hit in hits:
            groups.setdefault(canonical_package(hit.name), []).append(hit)
        ranked = []
        for name, group in groups.items():
            group.sort(key=lambda hit: (bool(hit.offer.reason), hit.order))
            first = group[0]
            known = target.installed.get(name)
            ranked.append((_rank(name, group, query), known is None, first.order, self._item(first, group, known)))
        ranked.sort(key=lambda entry: entry[:3])
        return [entry[3] for entry in ranked]

    @staticmethod
    def _item(first: _Hit, group: Sequence[_Hit], known: Installed | None) -> dict[str, Any]:
        if known is not None and (first.offer.reason or not compatibility.is_newer(first.offer.version, known.version)):
            state = "installed"
        elif first.offer.reason:
            state = "incompatible"
        else:
            state = "update" if known is not None else "available"
        return {
            "name": first.name,
            "version": first.offer.version,
            "source": first.source,
            "source_type": first.source_type,
            "channel_name": first.channel_name,
            "kind": first.kind,
            "summary": next((hit.summary for hit in group if hit.summary), None),
            "import_names": list(dict.fromkeys(module for hit in group for module in hit.import_names)),
            "state": state,
            "installed_version": known.version if known else None,
            "reason": first.offer.reason or None,
            "alternatives": [{"source": hit.source, "version": hit.offer.version} for hit in group[1:]],
        }

    def _suggest(self, query: str, target: Target) -> str | None:
        names: set[str] = set(target.installed)
        if target.is_conda:
            for source in self._book.channels:
                names.update(self._conda.loaded_names(source.url, self._platform))
        close = difflib.get_close_matches(canonical_package(query), names, n=1, cutoff=0.75) if len(query) > 2 else []
        return close[0] if close and close[0] != canonical_package(query) else None

    def details(self, source_id: str, name: str, target: Target) -> dict[str, Any]:
        """Return what a source says of one package, its versions judged for the environment.

        Raises
        ------
        carrel.core.errors.NotFound
        """
        source = self._book.get(source_id)
        described: dict[str, Any] = {"name": name, "source": source.id, "urls": {}}
        seconds = max(self._seconds, 10.0)
        if source.type == "hub" and source.id != ALL_OF_HUB:
            offers = self._hub_details(source, name, target, described, seconds)
        elif source.type == "conda":
            offers = self._conda.offers(source.url, self._platform, [name], target.python_version, seconds)[name]
            described["license"] = self._conda.license(source.url, self._platform, name)
        elif source.type == "pypi":
            offers = self._pypi_details(source, name, target, described, seconds)
        else:
            raise NotFound("Choose the namespace that the package comes from.", code="unknown_source")
        if not offers:
            raise NotFound(f"{source.name} has no package {name!r}.", code="package_not_found")
        chosen = compatibility.best(offers)
        kind = chosen.kind if chosen else "conda"
        depends = described.pop("depends", None) or (chosen.depends if chosen else ())
        return {
            "summary": None,
            "description": None,
            "license": None,
            "home_page": None,
            **described,
            "versions": [_version(offer) for offer in compatibility.merge_versions(offers)],
            "dependencies": [{"spec": spec, "satisfied": is_satisfied(spec, target, kind)} for spec in depends],
        }

    def _hub_details(self, source: Source, name: str, target: Target, described: dict[str, Any], seconds: float) -> list[Offer]:
        namespace = source.id.partition(":")[2]
        client = self._access.client()
        package = client.package(namespace, name, timeout=seconds)
        described |= {
            "name": package.name,
            "summary": package.summary or None,
            "description": package.description or None,
            "license": package.license or None,
            "home_page": package.home_page or None,
            "urls": {"hub": package.url} if package.url else {},
        }
        offers = self._hub.offers(client, namespace, name, self._platform, target.python_version, seconds, package.updated_at)
        kinds = self._kinds(package.kinds, target)
        return [offer for offer in offers if offer.kind == kinds[0]] or offers

    def _pypi_details(self, source: Source, name: str, target: Target, described: dict[str, Any], seconds: float) -> list[Offer]:
        project = self._pypi.project(source.url, name, seconds)
        if project is None:
            return []
        offers = project.offers(target.python_version)
        chosen = compatibility.best(compatibility.merge_versions(offers))
        metadata = self._pypi.metadata(source.url, project, chosen.version, seconds) if chosen else None
        described["name"] = project.name
        if metadata is not None:
            described |= {
                "summary": metadata.summary or None,
                "description": metadata.description or None,
                "license": metadata.license or None,
                "home_page": metadata.home_page or None,
                "urls": metadata.urls,
                "depends": metadata.requires,
            }
        return offers

    def known_addresses(self) -> list[str]:
        """Return the addresses of everything that is configured: the hub, channels, indexes and where these keep their files."""
        channels = [self._conda.address(source.url) for source in self._book.channels]
        files: set[str] = set()
        for source in self._book.indexes:
            with contextlib.suppress(CarrelError):
                files |= self._pypi.file_origins(source.url, self._seconds)
        return [*(address for address in channels if address), *self._book.known_addresses(), *sorted(files)]

    def find_package(self, module: str, target: Target, seconds: float) -> tuple[str, str] | None:
        """Return ``(package, source id)`` for a module that is not installed, by its usual or its own name."""
        if target.is_conda:
            name = package_of(module, conda=True) or canonical_package(module)
            for source in self._book.channels:
                if name in self._conda.loaded_names(source.url, self._platform):
                    return name, source.id
        name = package_of(module, conda=False) or canonical_package(module)
        for source in self._book.indexes:
            if self._pypi.project(source.url, name, seconds) is not None:
                return name, source.id
        return None


def _timed(work: Callable[..., list[_Hit]], *arguments: Any) -> tuple[float, list[_Hit]]:
    started = time.monotonic()
    found = work(*arguments)
    return time.monotonic() - started, found


def _version(offer: Offer) -> dict[str, Any]:
    return {
        "version": offer.version,
        "build": offer.build or None,
        "published_at": offer.published_at,
        "size": offer.size,
        "installable": not offer.reason,
        "reason": offer.reason or None,
    }


def _rank(name: str, group: Sequence[_Hit], query: str) -> int:
    wanted = canonical_package(query)
    if name == wanted or any(module.lower() == query.lower() for hit in group for module in hit.import_names):
        return 0
    if name.startswith(wanted):
        return 1
    return 2 if wanted in name else 3


def match_names(names: Iterable[str], query: str, limit: int) -> list[str]:
    """Return the names that match *query*: equal, beginning with it, containing it; shorter ones first."""
    wanted = canonical_package(query)
    found: list[tuple[int, int, str]] = []
    for name in names:
        canonical = canonical_package(name) if "_" in name or "." in name else name
        if wanted in canonical:
            found.append((0 if canonical == wanted else 1 if canonical.startswith(wanted) else 2, len(name), name))
    if not found and len(wanted) > 3:
        found = [(3, 0, name) for name in difflib.get_close_matches(wanted, list(names), n=3, cutoff=0.8)]
    return [name for _, _, name in sorted(found)[:limit]]


def is_satisfied(spec: str, target: Target, kind: str) -> bool | None:
    """Whether the environment fulfils a dependency; None when it does not apply or cannot be told."""
    if target.environment is None:
        return None
    if kind == "pypi":
        try:
            requirement = Requirement(spec)
        except InvalidRequirement:
            return None
        if requirement.marker is not None and not requirement.marker.evaluate(
            {"python_version": compatibility.short_python(target.python_version), "python_full_version": target.python_version, "extra": ""}
        ):
            return None
        known = target.installed.get(canonical_package(requirement.name))
        return known is not None and requirement.specifier.contains(known.version, prereleases=True)
    parts = re.split(r"\s+", spec.strip())
    if parts[0].startswith("__"):
        return None
    known = target.installed.get(canonical_package(parts[0]))
    return known is not None and (len(parts) < 2 or compatibility.conda_spec_allows(parts[1], known.version))
