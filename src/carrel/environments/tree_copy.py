"""Copying the files of an environment to another place: as cheaply as the file system allows, and made to name their new place."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from carrel.core.errors import Cancelled, Forbidden, InsufficientStorage
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import relocating
from carrel.environments.relocating import Relocation

_FICLONE = 0x40049409  # <linux/fs.h>; the same number on all architectures that Python runs on but mips, powerpc and sparc
_CHUNK = 16 << 20
_REPORT_SECONDS = 0.1
_NEVER_CLONED = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EPERM})


@dataclass(frozen=True, slots=True)
class Item:
    """A file or a symbolic link to copy: where it is, where it goes (relative to the prefixes), how many bytes."""

    source: Path
    relative: str
    size: int


@dataclass(frozen=True, slots=True)
class Written:
    """How a record says that a file names its prefix: ``text``, ``binary`` or ``unknown``, and how much room a path has."""

    mode: str
    room: int = 0


@dataclass
class TreeCopy:
    """Copies items below one prefix to below another.

    Attributes
    ----------
    target : Path
        The new prefix.
    relocation : Relocation
    written : mapping of str to Written
        Files that name their prefix, as records tell; an entry of None says that the file does not.
    may_link : callable
        Whether a file may have a second name instead of second bytes.
    rewritten : set of str
        After the copy: the files whose bytes had to change.
    """

    target: Path
    relocation: Relocation
    on_event: OnProgress
    cancel: CancelSignal
    written: Mapping[str, Written | None] = field(default_factory=dict)
    may_link: Callable[[str, os.stat_result], bool] = lambda _relative, _status: False
    rewritten: set[str] = field(default_factory=set)
    _clones: bool = True
    _done: int = 0
    _total: int = 0
    _reported: float = 0.0

    def copy(self, items: list[Item]) -> None:
        """Copy *items*; what is there already is replaced.

        Raises
        ------
        carrel.core.errors.InsufficientStorage
        carrel.core.errors.Forbidden
            A file cannot be read.
        carrel.core.errors.Cancelled
        """
        self._total = sum(item.size for item in items)
        self._check_room(items)
        self._report(force=True)
        for item in items:
            if self.cancel.is_set():
                raise Cancelled("The work was cancelled; nothing was made.")
            try:
                self._copy(item)
            except PermissionError as error:
                raise Forbidden(f"You may not read {item.source}, so no copy can be made.", path=str(item.source)) from error
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    free = shutil.disk_usage(self.target).free
                    message = f"The disk became full at {self.target}. Nothing was left of the copy."
                    raise InsufficientStorage(message, needed=self._total - self._done, free=free) from error
                raise
        self._report(force=True)

    def _copy(self, item: Item) -> None:
        target = self.target / item.relative
        target.parent.mkdir(parents=True, exist_ok=True)
        status = item.source.lstat()
        with contextlib.suppress(FileNotFoundError):
            target.unlink()
        if stat.S_ISLNK(status.st_mode):
            target.symlink_to(self.relocation.link(str(item.source.readlink())))
        elif (data := self._changed(item)) is not None:
            target.write_bytes(data)
            target.chmod(_private(status.st_mode))
            if not relocating.is_text(data):
                relocating.sign(target)
            self.rewritten.add(item.relative)
            self._done += item.size
        elif self.may_link(item.relative, status) and _link(item.source, target):
            self._done += item.size
        else:
            self._copy_bytes(item.source, target)
            target.chmod(_private(status.st_mode))
            # compiled files are valid for sources of exactly this time
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        self._report()

    def _changed(self, item: Item) -> bytes | None:
        """Return the new bytes of a file that names its prefix, None for all others."""
        if item.relative in self.written:
            described = self.written[item.relative]
            if described is None:
                return None
            data = item.source.read_bytes()
            binary = described.mode == "binary" or (described.mode == "unknown" and not relocating.is_text(data))
            changed = self.relocation.binary(data, described.room, item.relative) if binary else self.relocation.text(data)
            return changed if changed != data else None
        if not relocating.may_name_prefix(item.relative.split("/"), item.size):
            return None
        data = item.source.read_bytes()
        if not relocating.is_text(data) or not self.relocation.concerns(data):
            return None
        changed = self.relocation.text(data)
        return changed if changed != data else None

    def _copy_bytes(self, source: Path, target: Path) -> None:
        with source.open("rb") as reading, target.open("wb") as writing:
            size = os.fstat(reading.fileno()).st_size
            if self._clones and size:
                self._clones = clone_data(reading, writing)
                if self._clones:
                    self._done += size
                    return
            while chunk := reading.read(_CHUNK) if size > _CHUNK else reading.read():
                if self.cancel.is_set():
                    raise Cancelled("The work was cancelled; nothing was made.")
                writing.write(chunk)
                self._done += len(chunk)
                self._report()

    def _check_room(self, items: list[Item]) -> None:
        self.target.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.target).free
        if self._total > free and not (items and can_clone(items[0].source.parent, self.target)):
            message = f"About {self._total >> 20} MB are needed and {free >> 20} MB are free at {self.target.parent}."
            raise InsufficientStorage(message, needed=self._total, free=free)

    def _report(self, *, force: bool = False) -> None:
        moment = time.monotonic()
        if force or moment - self._reported > _REPORT_SECONDS:
            self._reported = moment
            self.on_event(Progress("copy", min(self._done, self._total), self._total, "bytes"))


def walk(source: Path, *, without: Container[str], skip_environments: bool = True) -> Iterator[Item]:
    """Yield every file and link below *source*, relative to it.

    Parameters
    ----------
    without : container of str
        Entries of *source* itself that are left out.
    skip_environments : bool
        Leave out environments inside this one: their copies would lead back to where they were.
    """
    folders = [(source, "")]
    while folders:
        folder, above = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except PermissionError as error:
            raise Forbidden(f"You may not read {folder}, so no copy can be made.", path=str(folder)) from error
        if above and skip_environments and any(entry.name in ("conda-meta", "pyvenv.cfg") for entry in entries):
            continue
        for entry in entries:
            relative = f"{above}{entry.name}"
            if not above and entry.name in without:
                continue
            if entry.is_symlink():
                yield Item(Path(entry.path), relative, 0)
            elif entry.is_dir():
                folders.append((Path(entry.path), f"{relative}/"))
            elif entry.is_file():
                yield Item(Path(entry.path), relative, entry.stat().st_size)


def clone_data(reading: BinaryIO, writing: BinaryIO) -> bool:
    """Let two files share their blocks until one is written to; return whether the file system can do that."""
    try:
        import fcntl

        fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
    except ImportError:
        return False
    except OSError as error:
        if error.errno in _NEVER_CLONED:
            return False
        raise
    return True


def can_clone(source: Path, target: Path) -> bool:
    """Whether files in *source* can be cloned into *target*, both folders."""
    if source.stat().st_dev != target.stat().st_dev:
        return False
    found = next((Path(entry.path) for entry in os.scandir(source) if entry.is_file(follow_symlinks=False) and entry.stat().st_size), None)
    probe = target / f".carrel-clone-{os.getpid()}"
    if found is None:
        return False
    try:
        with found.open("rb") as reading, probe.open("wb") as writing:
            return clone_data(reading, writing)
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except (OSError, NotImplementedError):
        return False
    return True


def _private(mode: int) -> int:
    """Return the mode of a copy: the owner's to change, never privileged."""
    return stat.S_IMODE(mode) & 0o777 | stat.S_IWUSR | stat.S_IRUSR
