"""The side of the engine that starts conda workers and turns their failures into errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carrel.core.errors import (
    BadRequest,
    CarrelError,
    Conflict,
    DigestMismatch,
    Forbidden,
    InsufficientStorage,
    InvalidFile,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unsolvable,
    UpstreamError,
)
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import conflicts
from carrel.environments.conda import workers
from carrel.environments.conda.cache import PackageStore, complete, contents
from carrel.environments.credentials import redact, strip_url
from carrel.environments.locations import conda_cache_folder
from carrel.environments.models import Sources


def solve(
    prefix: Path | None = None,
    *,
    sources: Sources,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
    **wishes: Any,
) -> dict[str, Any]:
    """Return the difference that fulfils *wishes*: ``{"added": […], "changed": […], "removed": […]}``.

    Each entry holds the whole ``record`` (JSON), what was there before (``from``, ``from_build``) and the ``reason``. Without a
    *prefix* nothing is installed yet, and ``platform`` may be any. What can be wished for is told at
    :func:`carrel.environments.conda.solving.solve`.

    Raises
    ------
    carrel.core.errors.Unsolvable
    """
    request = {"command": "solve", "prefix": str(prefix) if prefix else None, "channels": list(sources.channels), **wishes}
    try:
        result: dict[str, Any] = _call(request, sources.headers, on_event, cancel or NeverCancelled())
    except Unsolvable as error:
        asked = conflicts.Asked(add=wishes.get("add") or (), pins=wishes.get("pins") or ())
        tree = error.fields["explanation"]
        raise Unsolvable(conflicts.conda_sentence(tree, asked), explanation=tree) from error
    return result


def lock(
    platform: str,
    specs: Sequence[str],
    *,
    sources: Sources,
    on_event: OnProgress,
    cancel: CancelSignal,
    **wishes: Any,
) -> dict[str, Any]:
    """Return the ``records`` of an environment that fulfils *specs* on *platform*.

    What else can be wished for is told at :func:`carrel.environments.conda.lock_solving.lock`.

    Raises
    ------
    carrel.core.errors.Unsolvable
    """
    request = {"command": "lock", "platform": platform, "specs": list(specs), "channels": list(sources.channels), **wishes}
    result: dict[str, Any] = _call(request, sources.headers, on_event, cancel)
    return result


def find(names: Sequence[str], platform: str, *, sources: Sources, on_event: OnProgress, cancel: CancelSignal) -> list[dict[str, Any]]:
    """Return what the channels that can be read have under *names*."""
    request = {"command": "find", "platform": platform, "names": list(names), "channels": list(sources.channels)}
    records: list[dict[str, Any]] = _call(request, sources.headers, on_event, cancel)["records"]
    return records


def solve_each(
    prefix: Path | None,
    requests: Sequence[Mapping[str, Any]],
    *,
    sources: Sources,
    on_event: OnProgress,
    cancel: CancelSignal,
    **common: Any,
) -> list[dict[str, Any] | None]:
    """Return the differences that fulfil each of *requests*, None for those that nothing fulfils, or not in the time given.

    They are as for :func:`solve`, with *common* in all of them; ``seconds`` is the time for all.
    """
    request = {"command": "solve_each", "prefix": str(prefix) if prefix else None, "channels": list(sources.channels), **common}
    result: list[dict[str, Any] | None] = _call({**request, "requests": list(requests)}, sources.headers, on_event, cancel)
    return result


def ask(
    names: Sequence[str], platform: str, *, sources: Sources, on_event: OnProgress, cancel: CancelSignal
) -> dict[str, dict[str, list[str]]]:
    """Return what the channels know of *names*: their ``versions``, newest first, or the names ``near`` to them."""
    request = {"command": "ask", "names": list(names), "platform": platform, "channels": list(sources.channels)}
    result: dict[str, dict[str, list[str]]] = _call(request, sources.headers, on_event, cancel)
    return result


class Fetched:
    """Packages that are in the cache.

    Attributes
    ----------
    records : list of dict
        Complete.
    """

    def __init__(self, records: list[dict[str, Any]], contents: list[dict[str, Any]] | None) -> None:
        self.records, self._contents = records, contents

    def contents(self) -> list[dict[str, Any]]:
        """Return for each package the files it will bring."""
        if self._contents is None:
            self._contents = contents_of(self.records)
        return self._contents


def fetch(
    records: Sequence[Mapping[str, Any]],
    *,
    headers: Mapping[str, Mapping[str, str]],
    on_event: OnProgress,
    cancel: CancelSignal,
    locked: bool = False,
    copies_in: Sequence[str] = (),
    others: Sequence[str] = (),
) -> Fetched:
    """Bring the archives of *records* into the cache, verified, and return the complete records, in order.

    With *locked*, the records come from a lock and are completed from the packages. What is in the cache already needs no
    worker.

    Parameters
    ----------
    copies_in, others : sequence of str
        Channels that are asked for a copy with the same digest first, and channels that are tried last. That a place had other
        bytes and the next one was taken is reported in the stage ``warning``.
    """
    store = PackageStore(conda_cache_folder())
    wanted = [dict(record) for record in records]
    brought = None
    if not all(store.holds(record) for record in wanted):
        request = {"command": "fetch", "records": wanted, "locked": locked, "copies_in": list(copies_in), "others": list(others)}
        brought = _call(request, headers, on_event, cancel)["contents"]
    return Fetched([complete(record, store.entry(record)) for record in wanted] if locked else wanted, brought)


def contents_of(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each of the fetched *records* the files it will bring."""
    store = PackageStore(conda_cache_folder())
    return [contents(store.entry(record)) for record in records]


def link(
    prefix: Path,
    records: Sequence[Mapping[str, Any]],
    *,
    remove: Sequence[str] = (),
    requested: Mapping[str, Sequence[str]],
    headers: Mapping[str, Mapping[str, str]],
    on_event: OnProgress,
    cancel: CancelSignal,
) -> None:
    """Link fetched *records* into *prefix* and take *remove* away; half-done work stays when it fails or is cancelled."""
    request = {
        "command": "link",
        "prefix": str(prefix),
        "records": [dict(record) for record in records],
        "remove": list(remove),
        "requested": {name: list(specs) for name, specs in requested.items()},
    }
    _call(request, headers, on_event, cancel)


def _call(request: dict[str, Any], headers: Mapping[str, Mapping[str, str]], on_event: OnProgress, cancel: CancelSignal) -> Any:
    cache = conda_cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    request = {**request, "cache": str(cache), "headers": {prefix: dict(values) for prefix, values in headers.items()}}

    def on_progress(message: Mapping[str, Any]) -> None:
        on_event(Progress(message["stage"], message["done"], message["total"], message["unit"], message["message"]))

    try:
        answer = workers.ask(request, on_progress, cancel)
    except workers.WorkerDied as death:
        raise CarrelError(
            f"{death.detail} Nothing was left half-done; try again.", code=death.code, log=redact(death.stderr[-2000:], headers).strip()
        ) from None
    if answer["type"] == "error":
        raise _with_places(_error(answer, headers), answer, headers)
    return answer["value"]


def _error(answer: Mapping[str, Any], headers: Mapping[str, Mapping[str, str]]) -> CarrelError:
    message = redact(str(answer["message"]), headers)
    filename = str(answer.get("filename") or "")
    url = strip_url(answer["url"]) if answer.get("url") else ""
    match answer["kind"]:
        case "unsolvable":
            return _unsolvable(message)
        case "protected":
            return Conflict(message, code="protected_package", name=answer.get("name"))
        case "digest":
            return DigestMismatch(
                f"{filename} is not the file that was expected: its {answer['algorithm'].upper()} digest is {answer['found']}, "
                f"not {answer['expected']}. Nothing was changed. Do not trust this source before its owner has explained it.",
                filename=filename,
                expected=answer["expected"],
                found=answer["found"],
                url=url,
            )
        case "http":
            return _http_error(int(answer["status"]), filename, url)
        case "network":
            what = f"{filename} could not be fetched" if filename else "A channel could not be read"
            return UpstreamError(f"{what}: {_first_lines(message)} Nothing was changed; try again, or take the source out.", url=url)
        case "storage":
            return InsufficientStorage(
                f"Not enough room in {answer['path']}: {answer['needed'] >> 20} MB are needed, {answer['free'] >> 20} MB are free.",
                needed=answer["needed"],
                free=answer["free"],
            )
        case "archive":
            return InvalidFile(message, filename=filename)
        case "request":
            return BadRequest(message)
        case "link":
            return Unavailable(f"Linking failed: {_first_lines(message)}", code="link_failed")
        case _:
            return CarrelError(f"The conda engine failed: {message}", code="engine_failed")


def _with_places(error: CarrelError, answer: Mapping[str, Any], headers: Mapping[str, Mapping[str, str]]) -> CarrelError:
    """Return *error* with all places that were tried, where there were several."""
    tried = [{"url": strip_url(url), "reason": redact(why, headers)} for url, why in answer.get("tried") or []]
    if len(tried) < 2:
        return error
    places = "; ".join(f"{place['url']}: {place['reason']}" for place in tried)
    detail = f"{answer['filename']} could not be had from any of {len(tried)} places. {places}. Nothing was changed."
    return type(error)(detail, code=error.code, **{**error.fields, "tried": tried})


def _http_error(status: int, filename: str, url: str) -> CarrelError:
    where = url or "the channel"
    match status:
        case 401:
            return Unauthenticated(f"{where} wants you to sign in to fetch {filename}.", url=url)
        case 403:
            return Forbidden(f"{where} does not let you fetch {filename}: your token may lack the right to read.", url=url)
        case 404 | 410:
            return NotFound(
                f"{filename} does not exist at {where} any more. Nothing was changed.", code="archive_gone", filename=filename, url=url
            )
        case _:
            return UpstreamError(f"{where} answered {status} for {filename}. Nothing was changed; try again later.", url=url)


def _unsolvable(message: str) -> Unsolvable:
    tree = message.removeprefix("Cannot solve the request because of: ").strip()
    return Unsolvable(conflicts.conda_sentence(tree), explanation=tree)


def _first_lines(message: str) -> str:
    lines = [line.strip().removeprefix("Caused by: ") for line in message.splitlines() if line.strip()]
    return "; ".join(lines[:3]).rstrip(".") + "."
