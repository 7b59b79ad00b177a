"""The cache of extracted conda packages, and what is in its entries. Used on both sides: it needs no native library.

The layout is the library's: a folder ``name-version-build`` and beside it a ``.lock`` file with a revision (8 bytes) and the
SHA-256 (32 bytes) of the archive. Should another version of the library want another layout, it does not find our entries
and fetches again by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_STALE_SECONDS = 24 * 3600


class PackageStore:
    """The cache of extracted packages of this user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pkgs"
        self.folder.mkdir(parents=True, exist_ok=True)

    def entry(self, described: Mapping[str, Any]) -> Path:
        """Return the folder of a package, present or not."""
        return self.folder / f"{described['name']}-{described['version']}-{described['build']}"

    def holds(self, described: Mapping[str, Any]) -> bool:
        """Whether exactly these bytes were extracted here."""
        entry = self.entry(described)
        try:
            locked = entry.with_name(entry.name + ".lock").read_bytes()
        except OSError:
            return False
        return locked[8:40].hex() == described.get("sha256") and (entry / "info" / "index.json").is_file()

    def sweep(self) -> None:
        """Remove what killed extractions left behind."""
        import psutil  # here, because linking is done without and must start at once

        for path in self.folder.glob(".*"):
            with contextlib.suppress(OSError, ValueError):
                if path.name.startswith(".carrel-"):
                    dead = not psutil.pid_exists(int(path.name.split("-")[1]))
                else:
                    dead = path.is_dir() and time.time() - path.stat().st_mtime > _STALE_SECONDS
                if dead:
                    remove(path)

    def place(self, extracted: Path, described: Mapping[str, Any]) -> None:
        """Move an extracted package into the cache."""
        entry = self.entry(described)
        lock = entry.with_name(entry.name + ".lock")
        with self.exclusive():
            if self.holds(described):
                remove(extracted)
                return
            # same name, version and build from another channel: the old entry goes whole, never file by file
            if entry.exists():
                lock.unlink(missing_ok=True)
                discarded = self.folder / f".carrel-{os.getpid()}-old-{entry.name}"
                entry.rename(discarded)
                remove(discarded)
            extracted.rename(entry)
            temporary = self.folder / f".carrel-{os.getpid()}-{entry.name}.lock"
            temporary.write_bytes((1).to_bytes(8, "big") + bytes.fromhex(described["sha256"]))
            temporary.replace(lock)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep everyone else from linking or placing meanwhile."""
        with self._locked(shared=False):
            yield

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep entries from being replaced meanwhile."""
        with self._locked(shared=True):
            yield

    @contextlib.contextmanager
    def _locked(self, *, shared: bool) -> Iterator[None]:
        try:
            import fcntl
        except ImportError:  # Windows has no shared locks; the library's own locks remain
            yield
            return
        with (self.folder / ".lock-of-entries").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            yield


def remove(path: Path) -> None:
    """Remove a file or a folder of the cache."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def contents(entry: Path) -> dict[str, Any]:
    """Return what a package brings: its paths, its entry points, its size when linked."""
    try:
        paths = json.loads((entry / "info" / "paths.json").read_bytes())["paths"]
    except FileNotFoundError:  # packages from before paths.json
        paths = [{"_path": line} for line in (entry / "info" / "files").read_text().splitlines() if line]
    scripts: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        link = json.loads((entry / "info" / "link.json").read_bytes())
        scripts = [point.partition("=")[0].strip() for point in link.get("noarch", {}).get("entry_points") or []]
    return {
        "paths": [path["_path"] for path in paths],
        "scripts": scripts,
        "size": sum(path.get("size_in_bytes") or 0 for path in paths),
    }


def complete(locked: Mapping[str, Any], entry: Path) -> dict[str, Any]:
    """Return the whole record of a locked package whose archive has been extracted to *entry*.

    Everything a lock does not hold (``noarch``, ``constrains``, licence …) is read from the package; what it holds wins,
    because a channel may correct dependencies after the package was built.
    """
    described: dict[str, Any] = json.loads((entry / "info" / "index.json").read_bytes())
    described.update({key: value for key, value in locked.items() if value is not None})
    return described
