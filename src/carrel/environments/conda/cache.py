"""The caches of conda packages, and what is in their entries. Used on both sides: they need no native library.

What is extracted (:class:`PackageStore`) belongs to one user, who links it into environments without another look: nobody
else can write there. Its layout is the library's: a folder ``name-version-build`` and beside it a ``.lock`` file with a
revision (8 bytes) and the SHA-256 (32 bytes) of the archive. Should another version of the library want another layout, it
does not find our entries and fetches again by itself.

Where ``CARREL_CACHE_DIR`` is a folder that several users may write to, they share the archives alone
(:class:`SharedArchives`). This is promised there:

* An archive is fetched once, however many processes and users want it at the same time; the others wait for it.
* Whatever is taken from there is copied first, and the copy is used only if its SHA-256 is the one that the channel or the
  lock says. So another user, or a program of theirs, can keep an archive from being found, and cannot put another in its place.
* Indexes of channels are never shared: who could change them could change the digests too.
* Nobody removes what another user has put there, not even what looks left behind.

The folder should be the group's, with the set-group-id bit (``chmod 2770``); the folders in it are made for the same users,
with the sticky bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from carrel.core.errors import InvalidFile
from carrel.environments.naming import leads_inside

_STALE_SECONDS = 24 * 3600
_CHUNK = 1 << 20
_TEMPORARY = re.compile(r"\.carrel-(\d+)@([^-]*)-")
_HOST = re.sub(r"[^A-Za-z0-9.]", "", platform.node())
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_numbers = itertools.count()
_ENTRY = re.compile(r"[A-Za-z0-9_][^/\\\x00-\x1f:]*\Z")


def temporary(folder: Path, name: str) -> Path:
    """Return a path in *folder* that says whose work it is, so that others know when nobody works on it any more.

    It is another one each time: what was cancelled may still be written for a moment.
    """
    return folder / f".carrel-{os.getpid()}@{_HOST}-{next(_numbers)}-{name}"


def sweep(folder: Path, *, own: bool = False) -> None:
    """Remove what killed processes of this user left behind in *folder*, with *own* also what this one has not finished."""
    user = os.getuid() if hasattr(os, "getuid") else None
    for path in folder.glob(".*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if user is not None and status.st_uid != user:
                continue
            match = _TEMPORARY.match(path.name)
            if match and match[2] == _HOST:
                dead = own if int(match[1]) == os.getpid() else not _is_running(int(match[1]))
            else:  # another machine's, or the library's own
                left = bool(match) or stat.S_ISDIR(status.st_mode)
                dead = left and time.time() - status.st_mtime > _STALE_SECONDS
            if dead:
                remove(path)


def _is_running(pid: int) -> bool:
    import psutil  # here, because it is seldom needed

    return bool(psutil.pid_exists(pid))


class SharedArchives:
    """Archives as they were fetched, by their SHA-256, for all users of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, sha256: str, filename: str, target: Path, on_bytes: Callable[[int], None]) -> bool:
        """Copy the archive with this digest to *target*; return whether there was one."""
        try:
            # neither a link nor a pipe that somebody put there is followed
            handle = os.open(self._path(sha256, filename), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return False
        found, copied = hashlib.sha256(), 0
        with os.fdopen(handle, "rb") as reading:
            if not stat.S_ISREG(os.fstat(reading.fileno()).st_mode):
                return False
            with target.open("wb") as writing:
                while chunk := reading.read(_CHUNK):
                    writing.write(chunk)
                    found.update(chunk)
                    copied += len(chunk)
                    on_bytes(len(chunk))
        if found.hexdigest() == sha256:
            return True
        on_bytes(-copied)
        with contextlib.suppress(OSError):
            self._path(sha256, filename).unlink()  # one's own damaged one; another user's cannot be removed
        return False

    def put(self, archive: Path, sha256: str, filename: str) -> None:
        """Keep a verified archive for everyone; where that is not possible, it is not kept."""
        final, partial = self._path(sha256, filename), temporary(self.folder, f"{sha256[:16]}-{filename}")
        try:
            shutil.copyfile(archive, partial)
            readable = stat.S_IMODE(self.folder.stat().st_mode) & 0o055
            partial.chmod(0o400 | readable & 0o044)
            partial.replace(final)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what this user's killed processes left behind."""
        sweep(self.folder)

    def _path(self, sha256: str, filename: str) -> Path:
        if not _DIGEST.match(sha256):
            raise InvalidFile(f"{sha256[:80]!r} is no SHA-256 digest.")
        suffix = ".tar.bz2" if filename.endswith(".tar.bz2") else ".conda"
        return self.folder / f"{sha256}{suffix}"


class PackageStore:
    """The cache of extracted packages of this user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pkgs"
        self.folder.mkdir(parents=True, exist_ok=True)

    def entry(self, described: Mapping[str, Any]) -> Path:
        """Return the folder of a package, present or not.

        Raises
        ------
        carrel.core.errors.InvalidFile
            Name, version and build lead elsewhere: they come from locks of strangers, and what is in the way here is removed.
        """
        name = f"{described['name']}-{described['version']}-{described['build']}"
        if not _ENTRY.match(name):
            raise InvalidFile(f"{name[:120]!r} is not the name, version and build of a package.", code="invalid_package")
        return self.folder / name

    def holds(self, described: Mapping[str, Any]) -> bool:
        """Whether exactly these bytes were extracted here."""
        entry = self.entry(described)
        try:
            locked = entry.with_name(entry.name + ".lock").read_bytes()
        except OSError:
            return False
        return locked[8:40].hex() == described.get("sha256") and (entry / "info" / "index.json").is_file()

    def sweep(self, *, own: bool = False) -> None:
        """Remove what killed extractions left behind, with *own* also what this process has not finished."""
        sweep(self.folder, own=own)

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
                discarded = temporary(self.folder, f"old-{entry.name}")
                entry.rename(discarded)
                remove(discarded)
            extracted.rename(entry)
            partial = temporary(self.folder, f"{entry.name}.lock")
            partial.write_bytes((1).to_bytes(8, "big") + bytes.fromhex(described["sha256"]))
            partial.replace(lock)

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
    """Return what a package brings: its paths, its entry points, its size when linked.

    Raises
    ------
    carrel.core.errors.InvalidFile
        It would write outside of the environment.
    """
    try:
        paths = json.loads((entry / "info" / "paths.json").read_bytes())["paths"]
    except FileNotFoundError:  # packages from before paths.json
        paths = [{"_path": line} for line in (entry / "info" / "files").read_text().splitlines() if line]
    scripts: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        link = json.loads((entry / "info" / "link.json").read_bytes())
        scripts = [point.partition("=")[0].strip() for point in link.get("noarch", {}).get("entry_points") or []]
    for name in (*(path["_path"] for path in paths), *scripts):
        if not leads_inside(name):
            raise InvalidFile(f"{entry.name} would write outside of the environment, to {name[:200]!r}.", code="invalid_package")
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
    for key in ("fn", "mirrors"):  # of where it is, a package does not tell
        described.pop(key, None)
    described.update({key: value for key, value in locked.items() if value is not None})
    return described
