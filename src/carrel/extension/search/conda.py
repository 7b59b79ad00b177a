"""Packages of conda channels outside the hub: names kept on disk, records asked for by name, all in a child process."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from carrel.core.clock import to_rfc3339
from carrel.core.errors import CarrelError, Unavailable, UpstreamError
from carrel.core.progress import NeverCancelled
from carrel.environments import processes
from carrel.environments.credentials import redact
from carrel.environments.locations import conda_cache_folder
from carrel.extension.search.compatibility import Offer, conda_reason, is_prerelease

_NAMES_SECONDS = 12 * 3600.0
_RECORDS_SECONDS = 600.0
_LOAD_SECONDS = 120.0
_RETRY_SECONDS = 60.0
_ADDRESS_SECONDS = 20.0


class CondaChannels:
    """Looks into conda channels.

    Parameters
    ----------
    cache : pathlib.Path
        Folder for the kept lists of names.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._names: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}
        self._loading: dict[tuple[str, str], threading.Event] = {}
        self._failed: dict[tuple[str, str], tuple[float, str]] = {}
        self._addresses: dict[str, str] = {}
        self._records: dict[tuple[str, str, str], tuple[float, list[dict[str, Any]]]] = {}

    def names(self, channel: str, platform: str, wait: float) -> tuple[str, ...]:
        """Return the names of all packages of *channel* for *platform*.

        The first time they are loaded in the background; later an old list is used while a new one is fetched.

        Raises
        ------
        carrel.core.errors.Unavailable
            The list is not there within *wait* seconds; it will be soon.
        """
        key = (channel, platform)
        with self._lock:
            known = self._names.get(key)
        if known is None:
            known = self._read(key)
        if known is not None and time.time() - known[0] < _NAMES_SECONDS:
            return known[1]
        event = self._load(key)
        if known is not None:
            return known[1]
        with self._lock:
            failed = self._failed.get(key)
        if failed is None and event.wait(wait):
            with self._lock:
                known, failed = self._names.get(key), self._failed.get(key)
        if known is not None:
            return known[1]
        if failed is not None:
            raise UpstreamError(f"The channel could not be read: {failed[1]}")
        raise Unavailable("The list of its packages is still being loaded.", code="index_loading")

    def loaded_names(self, channel: str, platform: str) -> tuple[str, ...]:
        """Return the names if they are there, else none; never waits."""
        with self._lock:
            known = self._names.get((channel, platform))
        return known[1] if known else ()

    def offers(self, channel: str, platform: str, names: Sequence[str], python_version: str, timeout: float) -> dict[str, list[Offer]]:
        """Return what *channel* offers under each of *names*."""
        moment = time.monotonic()
        with self._lock:
            known = {
                name: entry[1]
                for name in names
                if (entry := self._records.get((channel, platform, name))) and moment - entry[0] < _RECORDS_SECONDS
            }
        missing = [name for name in names if name not in known]
        if missing:
            found = self._ask({"command": "records", "channel": channel, "platforms": [platform, "noarch"], "names": missing}, timeout)
            with self._lock:
                for name in missing:
                    self._records[channel, platform, name] = (moment, found.get(name, []))
            known.update({name: found.get(name, []) for name in missing})
        return {name: [_offer(record, platform, python_version) for record in known[name]] for name in names}

    def address(self, channel: str) -> str | None:
        """Return the address that conda's settings give to a channel name; None when it cannot be found out."""
        if "://" in channel:
            return channel
        with self._lock:
            known = self._addresses.get(channel)
        if known is None:
            try:
                known = str(self._ask({"command": "address", "channel": channel}, _ADDRESS_SECONDS))
            except CarrelError:
                return None
            with self._lock:
                self._addresses[channel] = known
        return known

    def license(self, channel: str, platform: str, name: str) -> str | None:
        """Return the licence of the newest known record of *name*."""
        with self._lock:
            entry = self._records.get((channel, platform, name))
        return next((record["license"] for record in entry[1] if record["license"]), None) if entry else None

    def _load(self, key: tuple[str, str]) -> threading.Event:
        with self._lock:
            event = self._loading.get(key)
            failed = self._failed.get(key)
            if event is not None:
                return event
            event = threading.Event()
            if failed is not None and time.monotonic() - failed[0] < _RETRY_SECONDS:
                return event
            self._loading[key] = event
            self._failed.pop(key, None)
        threading.Thread(target=self._fetch_names, args=(key, event), name="carrel-channel-names", daemon=True).start()
        return event

    def _fetch_names(self, key: tuple[str, str], event: threading.Event) -> None:
        channel, platform = key
        try:
            names = tuple(self._ask({"command": "names", "channel": channel, "platforms": [platform, "noarch"]}, _LOAD_SECONDS))
            with self._lock:
                self._names[key] = (time.time(), names)
            self._write(key, names)
        except Exception as error:  # the reason is shown with the source; a thread has nobody to raise to
            with self._lock:
                self._failed[key] = (time.monotonic(), redact(getattr(error, "detail", None) or str(error))[:300])
        finally:
            with self._lock:
                self._loading.pop(key, None)
            event.set()

    def _path(self, key: tuple[str, str]) -> Path:
        return self._cache / "names" / (hashlib.sha256("\0".join(key).encode()).hexdigest()[:24] + ".json")

    def _read(self, key: tuple[str, str]) -> tuple[float, tuple[str, ...]] | None:
        path = self._path(key)
        try:
            names = json.loads(path.read_text("utf-8"))
            known = (path.stat().st_mtime, tuple(str(name) for name in names))
        except (OSError, ValueError, TypeError):
            return None
        with self._lock:
            self._names[key] = known
        return known

    def _write(self, key: tuple[str, str], names: tuple[str, ...]) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{threading.get_ident()}.new")
        temporary.write_text(json.dumps(names), "utf-8")
        temporary.replace(path)

    @staticmethod
    def _ask(request: Mapping[str, Any], timeout: float) -> Any:
        request = {**request, "cache": str(conda_cache_folder())}
        try:
            finished = processes.run(
                [sys.executable, "-P", "-m", "carrel.extension.search.conda_worker"],
                cancel=NeverCancelled(),
                stdin=json.dumps(request) + "\n",
                timeout=timeout,
            )
            answer = json.loads(finished.stdout)
        except TimeoutError as error:
            raise Unavailable(f"The channel did not answer within {timeout:.0f} s.") from error
        except ValueError as error:
            raise UpstreamError("The channel could not be read.") from error
        if "error" in answer:
            # the library tells a chain of causes, one per line; the last one says what happened
            cause = str(answer["error"]).strip().splitlines()[-1:] or ["unknown"]
            raise UpstreamError(redact(cause[0].strip().removeprefix("Caused by: "))[:300])
        return answer["value"]


def _offer(record: Mapping[str, Any], platform: str, python_version: str) -> Offer:
    timestamp = record["timestamp"]
    if timestamp and timestamp > 1e11:  # some channels write milliseconds
        timestamp /= 1000
    return Offer(
        version=record["version"],
        build=record["build"],
        published_at=to_rfc3339(datetime.fromtimestamp(timestamp, UTC)) if timestamp else None,
        size=record["size"],
        reason=conda_reason(record, platform, python_version),
        prerelease=is_prerelease(record["version"]),
        depends=tuple(record["depends"]),
        kind="conda",
    )
