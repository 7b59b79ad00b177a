"""What may go from the caches: everything in them can be fetched again, so only what nothing uses now.

Nothing is taken from another user, and nothing that a process on this machine may be about to link.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from carrel.core.errors import CarrelError, Locked, Unavailable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import inspection, keeping, locks, revisions, transactions
from carrel.environments.conda import cache
from carrel.environments.conda.cache import PackageStore
from carrel.environments.disk_usage import measure
from carrel.environments.locations import conda_cache_folder, shared_archives_folder
from carrel.environments.models import Sources
from carrel.environments.pypi import uv

_RECENT = timedelta(hours=1)
_INDEX_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What went from one place, or would go.

    Attributes
    ----------
    what : {"packages", "archives", "indexes", "uv", "kept"}
        Extracted conda packages that no environment links to; archives of this user in a shared cache; indexes of channels; uv's
        cache; files of packages that old revisions of an environment would need.
    path : Path
    count : int
        Packages, archives or files; 0 where that is not told.
    bytes : int
        What becomes free; 0 where that is not known before.
    """

    what: Literal["packages", "archives", "indexes", "uv", "kept"]
    path: Path
    count: int
    bytes: int


def clean_caches(
    *,
    unused_for: timedelta = timedelta(days=30),
    prefixes: Iterable[Path] = (),
    everything: bool = False,
    dry_run: bool = False,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> list[Cleaned]:
    """Take away what nothing uses and return what that was; with *dry_run*, what it would be.

    Parameters
    ----------
    unused_for : timedelta
        How long a shared archive must not have been used.
    prefixes : iterable of Path
        Environments of which files that only old revisions need are dropped.
    everything : bool
        Drop all such files; going back then fetches packages again.
    """
    cancel = cancel or NeverCancelled()
    found: list[Cleaned] = []
    on_event(Progress("clean", message="Looking for packages that no environment uses"))
    store = PackageStore(conda_cache_folder())
    found.append(_packages(store, dry_run, cancel))
    if (archives := shared_archives_folder()) is not None:
        found.append(_remove_files("archives", archives, _own_files(archives, "*.*"), unused_for, dry_run))
    indexes = conda_cache_folder() / "repodata"
    found.append(_remove_files("indexes", indexes, _own_files(indexes, "**/*"), _INDEX_AGE, dry_run))
    if not dry_run:
        store.sweep()
        if archives is not None:
            cache.sweep(archives)
        for lock in (conda_cache_folder() / "locks").glob("*"):
            with contextlib.suppress(CarrelError):
                locks.discard(lock)
        on_event(Progress("clean", message="Cleaning uv's cache"))
        found += _uv(cancel)
    for prefix in prefixes:
        on_event(Progress("clean", message=f"Files of old revisions of {prefix.name}"))
        found += _kept(prefix, everything, dry_run, cancel)
    return [one for one in found if one.count or one.bytes]


def _packages(store: PackageStore, dry_run: bool, cancel: CancelSignal) -> Cleaned:
    count = freed = 0
    with store.exclusive():  # nobody links meanwhile
        for entry in sorted(store.folder.iterdir()):
            lock = entry.with_name(f"{entry.name}.lock")
            if entry.name.startswith(".") or not entry.is_dir() or _is_recent(lock if lock.exists() else entry) or _is_linked(entry):
                continue
            count, freed = count + 1, freed + measure(entry, cancel).own
            if not dry_run:
                lock.unlink(missing_ok=True)  # without it the entry is none, should this process die now
                doomed = cache.temporary(store.folder, f"old-{entry.name}")
                entry.rename(doomed)
                cache.remove(doomed)
    return Cleaned("packages", store.folder, count, freed)


def _is_recent(path: Path) -> bool:
    # what was just fetched is about to be linked
    return time.time() - path.stat().st_mtime < _RECENT.total_seconds()


def _is_linked(entry: Path) -> bool:
    """Whether a file of the package has another name: in an environment."""
    return any(Path(folder, name).lstat().st_nlink > 1 for folder, _, names in os.walk(entry) for name in names)


def _own_files(folder: Path, pattern: str) -> Iterator[tuple[Path, os.stat_result]]:
    user = os.getuid() if hasattr(os, "getuid") else None
    for path in folder.glob(pattern) if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and user in (None, status.st_uid) and not path.name.startswith("."):
                yield path, status


def _remove_files(
    what: Literal["archives", "indexes"], folder: Path, found: Iterable[tuple[Path, os.stat_result]], age: timedelta, dry_run: bool
) -> Cleaned:
    count = freed = 0
    for path, status in found:
        if time.time() - max(status.st_mtime, status.st_atime) < age.total_seconds():
            continue
        with contextlib.suppress(OSError):
            if not dry_run:
                path.unlink()
            count, freed = count + 1, freed + status.st_size
    return Cleaned(what, folder, count, freed)


def _uv(cancel: CancelSignal) -> list[Cleaned]:
    try:
        folder = Path(uv.run(["cache", "dir"], sources=Sources(), cancel=cancel).strip())
        before = measure(folder, cancel).total
        uv.run(["cache", "prune"], sources=Sources(), cancel=cancel)
    except Unavailable:  # uv is not there, or somebody else's cache
        return []
    return [Cleaned("uv", folder, 0, max(0, before - measure(folder, cancel).total))]


def _kept(prefix: Path, everything: bool, dry_run: bool, cancel: CancelSignal) -> list[Cleaned]:
    state = inspection.state_folder(prefix)
    if not (state / "kept").is_dir() or not os.access(state / "kept", os.W_OK):
        return []
    before = measure(state / "kept", cancel).own
    if dry_run:
        return [Cleaned("kept", prefix, 0, before)] if everything else []
    try:
        with transactions.exclusive(prefix):
            if everything:
                keeping.Store(prefix, state).retain([], 0)
            else:
                revisions.prune(prefix)
    except Locked:  # somebody is changing it
        return []
    return [Cleaned("kept", prefix, 0, max(0, before - measure(state / "kept", cancel).own))]
