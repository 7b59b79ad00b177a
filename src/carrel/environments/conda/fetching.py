"""Fetching archives into the package cache, verified, before anything is linked (worker side).

The library can fill its cache only by installing, does not check archives that lie in local folders, and does not report
which bytes came instead of the expected ones. So archives are fetched here, through the library's client: hashed on the
way, refused when wrong, extracted beside the cache and moved into it (see :mod:`carrel.environments.conda.cache`). One process
fetches an archive; others that want it at the same time wait for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rattler.networking import Client
from rattler.package_streaming import download_to_writer, extract

from carrel.core.errors import Forbidden, InvalidFile
from carrel.environments import locks
from carrel.environments.conda.cache import PackageStore, SharedArchives, contents, remove, temporary
from carrel.environments.conda.failure import Failure
from carrel.environments.conda.network import make_client
from carrel.environments.locations import shared_archives_folder
from carrel.environments.timeouts import network_timeout

Report = Callable[[str, int, int, str, str], None]
_PARALLEL = 8
_ATTEMPTS = 3
_WAIT_SECONDS = 0.1
_STATUS = re.compile(r"\((\d{3})\b")
_DIGEST = re.compile(r"[0-9a-f]{32,64}\Z")


class _Meter:
    """Adds up bytes of all downloads and reports them, at most some twenty times a second."""

    def __init__(self, total: int, report: Report) -> None:
        self._total, self._report, self._done, self._last = total, report, 0, 0.0

    def add(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._last > 0.05:
            self.show()

    def warn(self, message: str) -> None:
        self._report("warning", self._done, max(self._total, self._done), "bytes", message)

    def show(self) -> None:
        self._last = time.monotonic()
        self._report("download", self._done, max(self._total, self._done), "bytes", "")


class _Sink:
    """A file that hashes what is written to it, by MD5 only when nothing better is known."""

    def __init__(self, path: Path, meter: _Meter, *, md5: bool) -> None:
        self._file, self._meter = path.open("wb"), meter
        self.sha256, self.size = hashlib.sha256(), 0
        self.md5 = hashlib.md5(usedforsecurity=False) if md5 else None

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self.sha256.update(data)
        if self.md5 is not None:
            self.md5.update(data)
        self.size += len(data)
        self._meter.add(len(data))
        return len(data)

    def close(self) -> None:
        self._file.close()


async def fetch(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Fetch the archives of ``records`` that the cache lacks; return how many there were.

    With ``copies_in`` or ``others`` (channels), several places are tried for each; see
    :mod:`carrel.environments.conda.locating`.
    """
    store = PackageStore(Path(request["cache"]))
    store.sweep()
    shared = SharedArchives(folder) if (folder := shared_archives_folder()) else None
    if shared is not None:
        shared.sweep()
    wanted: list[dict[str, Any]] = request["records"]
    missing = [record for record in wanted if not store.holds(record)]
    total = sum(record.get("size") or 0 for record in missing)
    if missing:
        free = shutil.disk_usage(store.folder).free
        if free < total * 4:  # the archive and about three times as much extracted
            raise Failure("storage", "There is not enough room in the package cache.", needed=total * 4, free=free, path=str(store.folder))
        meter = _Meter(total, report)
        client, limit = make_client(request.get("headers") or {}), asyncio.Semaphore(_PARALLEL)
        if request.get("copies_in") or request.get("others"):
            from carrel.environments.conda.locating import add_places

            await add_places(missing, request, client)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            tasks = [asyncio.ensure_future(_fetch_once(record, store, shared, client, meter, limit, pool)) for record in missing]
            try:
                await asyncio.gather(*tasks)
            except BaseException:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
        meter.show()
    return {"fetched": len(missing)}


async def _fetch_once(
    record: dict[str, Any],
    store: PackageStore,
    shared: SharedArchives | None,
    client: Client,
    meter: _Meter,
    limit: asyncio.Semaphore,
    pool: ThreadPoolExecutor,
) -> None:
    """Fetch an archive, or wait for the process that is fetching it."""
    key = str(record.get("sha256") or record.get("md5") or "")
    if not _DIGEST.match(key):  # it names a file
        key = hashlib.sha256(str(record["url"]).encode()).hexdigest()
    lock = (shared.folder if shared else store.folder).parent / "locks" / key
    while True:
        # while another process fetches this one, the next is begun
        async with limit:
            try:
                release = locks.acquire(lock)
            except Forbidden:  # another user's, for themselves alone: then both fetch
                release = _nothing
            if release is not None:
                try:
                    if store.holds(record):
                        meter.add(record.get("size") or 0)
                    else:
                        await _fetch_one(record, store, shared, client, meter, pool)
                finally:
                    release()
                return
        await asyncio.sleep(_WAIT_SECONDS)


def _nothing() -> None:
    pass


async def _fetch_one(
    record: dict[str, Any],
    store: PackageStore,
    shared: SharedArchives | None,
    client: Client,
    meter: _Meter,
    pool: ThreadPoolExecutor,
) -> None:
    filename = record.get("fn") or record["url"].rpartition("/")[2]
    archive, folder = temporary(store.folder, filename), temporary(store.folder, f"{filename}.d")
    loop = asyncio.get_running_loop()
    sha256 = record.get("sha256") or ""

    def count(number: int) -> None:
        loop.call_soon_threadsafe(meter.add, number)

    try:
        if not (shared and sha256 and await loop.run_in_executor(pool, shared.take, sha256, filename, archive, count)):
            sha256 = await _download(record, filename, archive, client, meter)
            if shared:
                await loop.run_in_executor(pool, shared.put, archive, sha256, filename)
        try:
            await loop.run_in_executor(pool, extract, archive, folder)
        except Exception as error:
            raise Failure("archive", f"{filename} cannot be extracted: {error}", filename=filename) from error
        try:
            contents(folder)
        except InvalidFile as error:
            raise Failure("archive", error.detail.replace(folder.name, filename), filename=filename) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failure("archive", f"{filename} does not say which files it has: {error!r}", filename=filename) from error
        await loop.run_in_executor(pool, store.place, folder, {**record, "sha256": sha256})
    finally:
        archive.unlink(missing_ok=True)
        remove(folder)


async def _download(record: dict[str, Any], filename: str, archive: Path, client: Client, meter: _Meter) -> str:
    places: list[str] = record.get("places") or [record["url"], *(record.get("mirrors") or [])]
    tried: dict[str, Failure] = {}
    for attempt in range(_ATTEMPTS):
        # each place once, then again those that did not answer: another place is likelier to than the same one at once
        pending = [url for url in places if url not in tried or _may_answer(tried[url])]
        if attempt and pending:
            await asyncio.sleep(0.3 * attempt)
        for url in pending:
            try:
                found = await _download_from(url, record, filename, archive, client, meter)
            except Failure as failure:
                tried[url] = failure
                continue
            for liar in (liar for liar, failure in tried.items() if failure.kind == "digest"):
                meter.warn(f"{filename} was taken from {url}, because what is at {liar} is not the locked file.")
            return found
    # wrong bytes are the worst that can be told of a file; else what its own address said
    worst = next((failure for failure in tried.values() if failure.kind == "digest"), None)
    told = worst or tried.get(record["url"]) or next(reversed(tried.values()))
    silent = (record.get("silent") or {}).items()
    told.fields["tried"] = [[url, _reason(one)] for url, one in tried.items()] + [[url, why] for url, why in silent]
    raise told


def _may_answer(failure: Failure) -> bool:
    return failure.kind == "network" and not isinstance(failure.__cause__, FileNotFoundError | TimeoutError)


async def _watched(transfer: Awaitable[None], sink: _Sink) -> None:
    """Wait for *transfer* as long as something comes; the library would wait for a silent server without end."""
    patience, task, seen = network_timeout(), asyncio.ensure_future(transfer), 0
    while not (await asyncio.wait({task}, timeout=patience))[0]:
        if sink.size == seen:
            task.cancel()
            raise TimeoutError(f"the server has sent nothing for {patience:.0f} s")
        seen = sink.size
    await task


def _reason(failure: Failure) -> str:
    if failure.kind == "digest":
        return f"other bytes: its {failure.fields['algorithm'].upper()} digest is {failure.fields['found']}"
    if failure.kind == "http":
        return f"answered {failure.fields['status']}"
    return str(failure).strip().splitlines()[-1] if str(failure).strip() else "no answer"


async def _download_from(url: str, record: dict[str, Any], filename: str, archive: Path, client: Client, meter: _Meter) -> str:
    sink = _Sink(archive, meter, md5=not record.get("sha256"))
    try:
        if url.startswith("file:"):
            await asyncio.get_running_loop().run_in_executor(None, _copy, url, sink)
        else:
            await _watched(download_to_writer(client, url, sink), sink)
    except Exception as error:
        meter.add(-sink.size)
        status = _STATUS.search(str(error))
        code = int(status[1]) if status else 0
        raise Failure("http" if status else "network", str(error), filename=filename, url=url, status=code) from error
    finally:
        sink.close()
    found = sink.sha256.hexdigest()
    expected = record.get("sha256")
    if expected and found != expected:
        raise Failure("digest", "", filename=filename, url=url, expected=expected, found=found, algorithm="sha256")
    if sink.md5 is not None and record.get("md5") and sink.md5.hexdigest() != record["md5"]:
        raise Failure("digest", "", filename=filename, url=url, expected=record["md5"], found=sink.md5.hexdigest(), algorithm="md5")
    return found


def _copy(url: str, sink: _Sink) -> None:
    path = unquote(urlsplit(url).path)
    file = Path(path.lstrip("/") if os.name == "nt" else path)
    if file.exists() and not file.is_file():  # a lock may name devices, which never end
        raise FileNotFoundError(f"{file} is not a file")
    with file.open("rb") as source:
        while chunk := source.read(1 << 20):
            sink.write(chunk)
