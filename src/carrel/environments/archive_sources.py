"""The places that a locked archive may be fetched from, in order, and fetching it from them.

An archive is what its digest says, wherever it comes from. So each is looked for in this order: a copy on a hub, found by its
digest; its own address; the same file in the other channels and indexes that are set up. A place that does not answer, or has
other bytes, is passed over; the error at the end tells of each.

conda's archives are tried in this way by the conda worker itself (:mod:`carrel.environments.conda.locating`). uv knows one
address for each file: it is given the first place, and what it fails to fetch is fetched here and handed to it as a file.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from carrel.core.errors import (
    Cancelled,
    CarrelError,
    DigestMismatch,
    NotFound,
    Unauthenticated,
    Unavailable,
    UpstreamError,
)
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments.credentials import headers_for, redact, strip_url, user_and_password
from carrel.environments.models import Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi import pylock, uv
from carrel.formats.environment.lock import Lock, LockedPypi

_JSON = "application/vnd.pypi.simple.v1+json"
_NAMED = re.compile(r"`([A-Za-z0-9][A-Za-z0-9._-]*?)(?:\[[^\]]*\])?==")
_TIMEOUT = (10.0, 60.0)
_CHUNK = 1 << 20
_PARALLEL = 8
# What another place may help against. A wish to cancel, a full disk or a lock is none of it.
_ELSEWHERE = (DigestMismatch, NotFound, Unauthenticated, Unavailable, UpstreamError)


def on_hub(address: str, hubs: Iterable[str]) -> bool:
    """Whether a channel or an index belongs to one of *hubs* (their addresses)."""
    plain = strip_url(address).rstrip("/")
    return any(plain.startswith(strip_url(hub).rstrip("/") + "/") for hub in hubs)


def conda_places(lock: Lock, sources: Sources, hubs: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the channels that are asked for copies first, and those that are tried last."""
    known = dict.fromkeys([*sources.channels, *lock.channels])
    return tuple(c for c in known if on_hub(c, hubs)), tuple(c for c in known if not on_hub(c, hubs))


def install_python(python: Path, lock: Lock, sources: Sources, hubs: Sequence[str], *, on_event: OnProgress, cancel: CancelSignal) -> None:
    """Install the Python packages of *lock* into the environment of *python*, each from the first place that has it.

    That a place had other bytes and the next one was taken is reported in the stage ``warning``.

    Raises
    ------
    carrel.core.errors.CarrelError
        No place has a file (field ``tried``: objects with ``url`` and ``reason``).
    """
    # nothing is looked up by uv: servers are named so that it signs in to them
    named = dict.fromkeys([*(package.index for package in lock.pypi if package.index), *sources.indexes, *sources.headers])
    finder = _Finder(sources, cancel)
    indexes = [index for index in sources.indexes if on_hub(index, hubs)]
    wanted = {normalize(package.name): _Wanted(package) for package in lock.pypi}
    finder.find_copies(wanted.values(), indexes)
    others = [index for index in dict.fromkeys([*sources.indexes, *named]) if index not in indexes and index not in sources.headers]
    with tempfile.TemporaryDirectory(prefix="carrel-archives-") as folder:
        while True:
            text = pylock.dump([one.for_uv() for one in wanted.values()])
            try:
                uv.install_lock(python, text, sources=replace(sources, indexes=tuple(named)), on_event=on_event, cancel=cancel)
                return
            except _ELSEWHERE as error:
                failing = _failing(error, wanted)
                if not failing or any(one.file is not None for one in failing):
                    raise
                with ThreadPoolExecutor(_PARALLEL) as pool:
                    list(pool.map(lambda one: finder.fetch(one, others, Path(folder), on_event), failing))


def entry(package: LockedPypi, where: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the entry of *package* in a pylock.toml; *where* (``url`` or ``path``) instead of its own address."""
    archive = {"name": package.filename, **(where or {"url": package.url}), "hashes": {"sha256": package.sha256}}
    kind = {"wheels": [archive]} if package.filename.endswith(".whl") else {"sdist": archive}
    return {"name": normalize(package.name), "version": package.version, **kind}


@dataclass(slots=True)
class _Wanted:
    """A Python package with what is known of where it is."""

    package: LockedPypi
    copies: list[str] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    file: Path | None = None

    @property
    def url(self) -> str:
        """The first place."""
        return self.copies[0] if self.copies else self.package.url

    def for_uv(self) -> dict[str, Any]:
        """Return the entry of a pylock.toml."""
        return entry(self.package, {"path": str(self.file)} if self.file else {"url": self.url})


def _failing(error: CarrelError, wanted: Mapping[str, _Wanted]) -> list[_Wanted]:
    """Return what *error* is about; where a server is out of reach, everything that was to come from it."""
    said = error.detail
    filename = str(error.fields.get("filename") or "")
    named = {normalize(name) for name in _NAMED.findall(said)}
    found = [one for name, one in wanted.items() if name in named or filename == one.package.filename or f"/{one.package.filename}" in said]
    if isinstance(error, UpstreamError) and "HTTP status" not in said:
        servers = {urlsplit(one.url).netloc for one in found}
        found = [one for one in wanted.values() if urlsplit(one.url).netloc in servers and one.file is None]
    return found


class _Finder:
    """Looks for files on indexes and fetches them, signed in to each server as *sources* say."""

    def __init__(self, sources: Sources, cancel: CancelSignal) -> None:
        self._sources, self._cancel = sources, cancel
        self._session = requests.Session()
        self._session.trust_env = True
        self._session.auth = lambda request: request  # no credentials but ours: not those of a .netrc

    def find_copies(self, wanted: Iterable[_Wanted], indexes: Sequence[str]) -> None:
        """Note for each of *wanted* its copies on *indexes*, found by digest."""
        wanted = list(wanted)
        for index in indexes:
            try:
                there = {normalize(str(project["name"])) for project in self._ask(index).get("projects", [])}
            except NotFound:
                there = {normalize(one.package.name) for one in wanted}  # an index without a list of its projects: each is asked for
            except _ELSEWHERE as error:
                for one in wanted:
                    one.silent[index] = error.detail
                continue
            asked = [one for one in wanted if normalize(one.package.name) in there]
            with ThreadPoolExecutor(_PARALLEL) as pool:
                for one, copies in zip(asked, pool.map(partial(self._files, index), asked), strict=True):
                    one.copies += copies

    def _files(self, index: str, one: _Wanted) -> list[str]:
        page = urljoin(index.rstrip("/") + "/", f"{normalize(one.package.name)}/")
        try:
            files = self._ask(page).get("files", [])
        except _ELSEWHERE as error:
            one.silent[index] = error.detail
            return []
        return [urljoin(page, file["url"]) for file in files if (file.get("hashes") or {}).get("sha256") == one.package.sha256]

    def fetch(self, one: _Wanted, others: Sequence[str], folder: Path, on_event: OnProgress) -> None:
        """Bring the file of *one* into *folder* from the first place that has it."""
        tried: dict[str, CarrelError] = {}
        target = folder / one.package.filename

        def attempt(url: str) -> bool:
            if url in tried:
                return False
            try:
                self._download(url, one.package, target)
            except _ELSEWHERE as error:
                tried[url] = error
                return False
            for liar in (liar for liar, error in tried.items() if isinstance(error, DigestMismatch)):
                text = f"{target.name} was taken from {strip_url(url)}, because what is at {strip_url(liar)} is not the locked file."
                on_event(Progress("warning", message=text))
            one.file = target
            return True

        if any(attempt(url) for url in (*one.copies, one.package.url)):
            return
        # looked up only now: it is rarely needed
        if any(attempt(url) for index in others for url in self._files(index, one)):
            return
        raise _nowhere(one, tried)

    def _download(self, url: str, package: LockedPypi, target: Path) -> None:
        digest = hashlib.sha256()
        with self._get(url, stream=True) as answer, target.open("wb") as file:
            try:
                for chunk in answer.iter_content(_CHUNK):
                    if self._cancel.is_set():
                        raise Cancelled("The work was cancelled.")
                    digest.update(chunk)
                    file.write(chunk)
            except requests.RequestException as error:
                raise UpstreamError(_short(error)) from error
        if digest.hexdigest() != package.sha256:
            raise DigestMismatch(
                f"other bytes: its SHA-256 digest is {digest.hexdigest()}",
                filename=target.name,
                expected=package.sha256,
                found=digest.hexdigest(),
                url=strip_url(url),
            )

    def _ask(self, url: str) -> dict[str, Any]:
        with self._get(url, headers={"Accept": _JSON}) as answer:
            try:
                found = answer.json()
            except ValueError as error:
                raise UpstreamError("answered something else than an index of packages") from error
        return found if isinstance(found, dict) else {}

    def _get(self, url: str, *, stream: bool = False, headers: Mapping[str, str] | None = None) -> requests.Response:
        if self._cancel.is_set():
            raise Cancelled("The work was cancelled.")
        if urlsplit(url).scheme not in ("http", "https"):
            raise NotFound("not an address that can be fetched from")
        address = url
        try:
            for _ in range(5):
                # redirects are followed here: each server gets its own credentials only
                sent = {**headers_for(address, self._sources.headers), **(headers or {})}
                signed_in = user_and_password(address, self._sources.headers)
                if signed_in:  # as uv does: what an index of packages understands
                    sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
                answer = self._session.get(address, headers=sent, auth=signed_in, stream=stream, timeout=_TIMEOUT, allow_redirects=False)
                if not answer.is_redirect:
                    break
                address = urljoin(address, answer.headers["Location"])
                answer.close()
        except requests.RequestException as error:
            raise UpstreamError(_short(error)) from error
        if answer.status_code != 200:
            answer.close()
            kinds: dict[int, Callable[[str], CarrelError]] = {401: Unauthenticated, 403: Unauthenticated, 404: NotFound, 410: NotFound}
            raise kinds.get(answer.status_code, UpstreamError)(f"answered {answer.status_code}")
        return answer


def _nowhere(one: _Wanted, tried: Mapping[str, CarrelError]) -> CarrelError:
    """Return the error that tells of every place."""
    filename = one.package.filename
    places = [{"url": strip_url(url), "reason": redact(error.detail)} for url, error in tried.items()]
    places += [{"url": strip_url(url), "reason": redact(why)} for url, why in one.silent.items()]
    told = "; ".join(f"{place['url']}: {place['reason']}" for place in places)
    count = f"any of {len(places)} places" if len(places) > 1 else "its place"
    detail = f"{filename} could not be had from {count}. {told}. Nothing was changed."
    liar = next((error for error in tried.values() if isinstance(error, DigestMismatch)), None)
    if liar is not None:
        return DigestMismatch(
            f"{detail} Do not trust a source with other bytes before its owner has explained it.", **liar.fields, tried=places
        )
    if all(isinstance(error, NotFound) for error in tried.values()):
        return NotFound(detail, code="archive_gone", filename=filename, url=strip_url(one.package.url), tried=places)
    own = tried.get(one.package.url)
    kind = Unauthenticated if isinstance(own, Unauthenticated) else UpstreamError
    return kind(detail, filename=filename, url=strip_url(one.package.url), tried=places)


def _short(error: Exception) -> str:
    inner: BaseException = error
    while (reason := getattr(inner, "reason", None) or (inner.args[0] if inner.args else None)) and isinstance(reason, BaseException):
        inner = reason
    return f"no answer ({str(inner).rpartition('>: ')[2] or type(inner).__name__})"[:300]
