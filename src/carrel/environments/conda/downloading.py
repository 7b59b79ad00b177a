"""Downloading one archive, from the first of its places that has it (worker side)."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from rattler.networking import Client
from rattler.package_streaming import download_and_extract, download_to_path

from carrel.environments.conda.failure import Failure
from carrel.environments.conda.received import Received, is_known
from carrel.environments.timeouts import network_timeout

_Result = TypeVar("_Result")
Report = Callable[[str, int, int, str, str], None]
_ATTEMPTS = 3
_LOOK_SECONDS = 0.1
_CHUNK = 1 << 20
_SMALL_BYTES, _STREAMED_BYTES = 1_000_000, 500_000_000
_EXTRACTED_BYTES = 100_000_000  # more of a small archive is extracted once its digest is known
_SLACK_BYTES = 10_000_000
_STATUS = re.compile(r"\((\d{3})\b")


class _Endless(Exception):
    """A server sends far more than there is."""


class Meter:
    """Adds up bytes of all downloads and reports them, at most some twenty times a second.

    Attributes
    ----------
    received : int
        Bytes that have come over the network, for whatever, where the system tells.
    """

    def __init__(self, total: int, report: Report) -> None:
        self._total, self._report, self._done, self._last = total, report, 0, 0.0
        self._local, self.received = 0, 0

    def add(self, count: int, *, local: bool = False) -> None:
        """Count bytes that have come, *local* ones without the network, or with a negative number that were of no use."""
        self._done += count
        self._local += count if local else 0
        if time.monotonic() - self._last > 0.05:
            self.show()

    async def watch_network(self) -> None:
        """Count also what is under way, where the system tells, until this is cancelled."""
        received = Received()
        while is_known():
            await asyncio.sleep(_LOOK_SECONDS)
            self.received = received.count()
            self.show()

    def warn(self, message: str) -> None:
        """Report something that people should know of."""
        self._report("warning", self._done, max(self._total, self._done), "bytes", message)

    def show(self) -> None:
        """Report how much has come."""
        self._last = time.monotonic()
        done = max(self._done, min(self._local + self.received, self._total))
        self._report("download", done, max(self._total, done), "bytes", "")


def is_streamed(size: int) -> bool:
    """Whether an archive of *size* bytes may be streamed: large ones only where the system tells how much of them has come."""
    return 0 < size <= (_STREAMED_BYTES if is_known() else _SMALL_BYTES)


async def stream(url: str, size: int, sha256: str, folder: Path, client: Client, meter: Meter) -> bool:
    """Fetch the archive at *url* and extract it to *folder* as it comes; return whether its digest is *sha256*.

    This is the fastest way, for sources that are believed: nothing is checked before it is extracted, the library extracts
    several at once without keeping Python waiting, and what went wrong is not told; :func:`download` finds that out.
    """
    most, look_seconds = max(_EXTRACTED_BYTES, 40 * size), 1.0 if size <= _SMALL_BYTES else 3.0

    def there() -> int:
        return sum(path.lstat().st_size for path in folder.rglob("*"))

    try:
        transfer = download_and_extract(client, url, folder)
        # some archives can only be extracted when they have come whole
        found, _ = await _watched(transfer, there, min(look_seconds, network_timeout() / 4), most=most, alive=lambda: meter.received)
    except Exception:
        return False
    return bool(found.hex() == sha256)


async def download(record: dict[str, Any], filename: str, archive: Path, client: Client, meter: Meter) -> str:
    """Download the archive of *record* to the file *archive*, verify it, and return its SHA-256.

    Raises
    ------
    Failure
        No place has it: what the most telling one said, and all that were ``tried``.
    """
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
    return failure.kind == "network" and not isinstance(failure.__cause__, FileNotFoundError | TimeoutError | _Endless)


def _reason(failure: Failure) -> str:
    if failure.kind == "digest":
        return f"other bytes: its {failure.fields['algorithm'].upper()} digest is {failure.fields['found']}"
    if failure.kind == "http":
        return f"answered {failure.fields['status']}"
    return str(failure).strip().splitlines()[-1] if str(failure).strip() else "no answer"


async def _watched(
    transfer: Awaitable[_Result], there: Callable[[], int], look_seconds: float, *, most: float, alive: Callable[[], int] = lambda: 0
) -> _Result:
    """Wait for *transfer* as long as something comes; the library would wait for a silent server without end.

    Every *look_seconds*, *there* is asked how many bytes are on the disk, which is not filled with more than *most*. When neither
    they nor what *alive* tells become more, nothing comes.
    """
    patience, task, last, since = network_timeout(), asyncio.ensure_future(transfer), (-1, -1), time.monotonic()
    try:
        while not (await asyncio.wait({task}, timeout=min(look_seconds, patience)))[0]:
            count = there()
            if count > most:
                raise _Endless("the server sends far more bytes than the file has")
            if (count, alive()) != last:
                last, since = (count, alive()), time.monotonic()
            elif time.monotonic() - since > patience:
                raise TimeoutError(f"the server has sent nothing for {patience:.0f} s")
        return await task
    finally:
        task.cancel()


async def _download_from(url: str, record: dict[str, Any], filename: str, archive: Path, client: Client, meter: Meter) -> str:
    counted = 0

    def count(size: int) -> int:
        nonlocal counted
        meter.add(size - counted)
        counted = size
        return size

    def there() -> int:
        return count(archive.stat().st_size if archive.exists() else 0)

    loop = asyncio.get_running_loop()
    try:
        transfer = loop.run_in_executor(None, _copy, url, archive) if url.startswith("file:") else download_to_path(client, url, archive)
        size = record.get("size") or 0
        await _watched(transfer, there, _LOOK_SECONDS, most=2 * size + _SLACK_BYTES if size else math.inf)
    except Exception as error:
        count(0)
        status = _STATUS.search(str(error))
        code = int(status[1]) if status else 0
        raise Failure("http" if status else "network", str(error), filename=filename, url=url, status=code) from error
    there()
    try:
        return await loop.run_in_executor(None, _verified, archive, record, filename, url)
    except Failure:
        count(0)
        raise


def _verified(archive: Path, record: dict[str, Any], filename: str, url: str) -> str:
    """Return the SHA-256 of *archive*; by MD5 it is only checked when nothing better is known."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with archive.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            if not record.get("sha256"):
                md5.update(chunk)
    for algorithm, found in (("sha256", sha256.hexdigest()),) if record.get("sha256") else (("md5", md5.hexdigest()),):
        expected = record.get(algorithm)
        if expected and found != expected:
            raise Failure("digest", "", filename=filename, url=url, expected=expected, found=found, algorithm=algorithm)
    return sha256.hexdigest()


def _copy(url: str, archive: Path) -> None:
    path = unquote(urlsplit(url).path)
    file = Path(path.lstrip("/") if os.name == "nt" else path)
    if file.exists() and not file.is_file():  # a lock may name devices, which never end
        raise FileNotFoundError(f"{file} is not a file")
    shutil.copyfile(file, archive)
