"""Fetching archives into the package cache, verified, before anything is linked (worker side).

The library can fill its cache only by installing, does not check archives that lie in local folders, and does not report
which bytes came instead of the expected ones. So archives are fetched here, through the library's client: verified,
extracted beside the cache and moved into it (see :mod:`carrel.environments.conda.cache`). One process fetches an archive;
others that want it at the same time wait for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rattler.networking import Client
from rattler.package_streaming import extract

from carrel.core.errors import Forbidden, InvalidFile
from carrel.environments import locks
from carrel.environments.conda.cache import PackageStore, SharedArchives, contents, remove, temporary
from carrel.environments.conda.downloading import Meter, Report, download, is_streamed, stream
from carrel.environments.conda.failure import Failure
from carrel.environments.conda.network import make_client
from carrel.environments.locations import shared_archives_folder

_PARALLEL = 50  # as many as the library's own installer: of most archives nearly all is waiting for the first byte
_WAIT_SECONDS = 0.1
_DIGEST = re.compile(r"[0-9a-f]{32,64}\Z")


async def fetch(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Fetch the archives of ``records`` that the cache lacks; return the ``contents`` of all, in order.

    With ``copies_in`` or ``others`` (channels), several places are tried for each; see
    :mod:`carrel.environments.conda.locating`. Where records are ``locked``, what a server sends is not looked into before its
    digest is known: the digests are not its own then.
    """
    store = PackageStore(Path(request["cache"]))
    store.sweep(own=True)  # one request at a time: what is left is of a failed one
    shared = SharedArchives(folder) if (folder := shared_archives_folder()) else None
    if shared is not None:
        shared.sweep()
    wanted: list[dict[str, Any]] = request["records"]
    missing = [record for record in wanted if not store.holds(record)]
    total = sum(record.get("size") or 0 for record in missing)
    found: dict[Path, dict[str, Any]] = {}
    if missing:
        free = shutil.disk_usage(store.folder).free
        if free < total * 4:  # the archive and about three times as much extracted
            raise Failure("storage", "There is not enough room in the package cache.", needed=total * 4, free=free, path=str(store.folder))
        client = make_client(request.get("headers") or {})
        if request.get("copies_in") or request.get("others"):
            from carrel.environments.conda.locating import add_places

            await add_places(missing, request, client)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            fetching = _Fetching(store, shared, client, Meter(total, report), pool, streams=not (shared or request.get("locked")))
            tasks = [asyncio.ensure_future(fetching.fetch(record)) for record in missing]
            watching = asyncio.ensure_future(fetching.meter.watch_network())
            try:
                found = dict(zip(map(store.entry, missing), await asyncio.gather(*tasks), strict=True))
            except BaseException:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
            finally:
                watching.cancel()
        fetching.meter.show()
    return {"contents": [found.get(entry) or contents(entry) for entry in map(store.entry, wanted)]}


@dataclass
class _Fetching:
    """What all archives of one request have in common."""

    store: PackageStore
    shared: SharedArchives | None
    client: Client
    meter: Meter
    pool: ThreadPoolExecutor
    streams: bool
    limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PARALLEL))

    async def fetch(self, record: dict[str, Any]) -> dict[str, Any]:
        """Fetch an archive, or wait for the process that is fetching it; return what the package brings."""
        key = str(record.get("sha256") or record.get("md5") or "")
        if not _DIGEST.match(key):  # it names a file
            key = hashlib.sha256(str(record["url"]).encode()).hexdigest()
        lock = (self.shared.folder if self.shared else self.store.folder).parent / "locks" / key
        while True:
            # while another process fetches this one, the next is begun
            async with self.limit:
                try:
                    release = locks.acquire(lock)
                except Forbidden:  # another user's, for themselves alone: then both fetch
                    release = _nothing
                if release is not None:
                    try:
                        if self.store.holds(record):
                            self.meter.add(record.get("size") or 0, local=True)
                            return contents(self.store.entry(record))
                        return await self._fetch(record)
                    finally:
                        release()
            await asyncio.sleep(_WAIT_SECONDS)

    async def _fetch(self, record: dict[str, Any]) -> dict[str, Any]:
        filename = record.get("fn") or record["url"].rpartition("/")[2]
        streamed, folder = temporary(self.store.folder, f"{filename}.s"), temporary(self.store.folder, f"{filename}.d")
        try:
            sha256, size = record.get("sha256"), record.get("size") or 0
            believed = self.streams and record["url"].startswith("http") and is_streamed(size)
            if sha256 and believed and await stream(record["url"], size, sha256, streamed, self.client, self.meter):
                self.meter.add(size)
                return await self._place(streamed, filename, record)
            extracted = await self._extracted(record, filename, folder)
            return await self._place(folder, filename, {**record, "sha256": extracted})
        finally:
            remove(streamed)
            remove(folder)

    async def _extracted(self, record: dict[str, Any], filename: str, folder: Path) -> str:
        """Have the archive in *folder*; return its SHA-256."""
        loop, archive, sha256 = asyncio.get_running_loop(), temporary(self.store.folder, filename), record.get("sha256") or ""

        def count(number: int) -> None:
            loop.call_soon_threadsafe(partial(self.meter.add, number, local=True))

        try:
            shared = self.shared
            if not (shared and sha256 and await loop.run_in_executor(self.pool, shared.take, sha256, filename, archive, count)):
                sha256 = await download(record, filename, archive, self.client, self.meter)
                if shared:
                    await loop.run_in_executor(self.pool, shared.put, archive, sha256, filename)
            try:
                await loop.run_in_executor(self.pool, extract, archive, folder)
            except Exception as error:
                raise Failure("archive", f"{filename} cannot be extracted: {error}", filename=filename) from error
        finally:
            archive.unlink(missing_ok=True)
        return sha256

    async def _place(self, folder: Path, filename: str, record: dict[str, Any]) -> dict[str, Any]:
        """Move an extracted package into the cache; return what it brings."""

        def place() -> dict[str, Any]:
            try:
                brought = contents(folder)
            except InvalidFile as error:
                raise Failure("archive", error.detail.replace(folder.name, filename), filename=filename) from error
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise Failure("archive", f"{filename} does not say which files it has: {error!r}", filename=filename) from error
            self.store.place(folder, record)
            return brought

        return await asyncio.get_running_loop().run_in_executor(self.pool, place)


def _nothing() -> None:
    pass
