"""How much environments take on disk, where files have several names.

Packages are hard links to the package cache, so what an environment seems to take and what is free when it is gone are
different numbers.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from carrel.core.errors import Cancelled
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes on disk.

    Attributes
    ----------
    own : int
        Of files that lie here alone: what is free when the folder is gone.
    shared : int
        Of files that have names elsewhere too, in the package cache or in other environments; each counted once.
    """

    own: int = 0
    shared: int = 0

    @property
    def total(self) -> int:
        """What the folder seems to take."""
        return self.own + self.shared


@dataclass(slots=True)
class _Found:
    """Files of one folder: bytes with one name, and by inode (bytes, names, names seen here)."""

    single: int = 0
    linked: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)

    @property
    def size(self) -> Size:
        own = sum(size for size, names, seen in self.linked.values() if seen >= names)
        return Size(self.single + own, sum(size for size, names, seen in self.linked.values() if seen < names))


def measure(folder: Path, cancel: CancelSignal | None = None) -> Size:
    """Return what *folder* takes."""
    return _look(folder, cancel or NeverCancelled()).size


def measure_all(
    folders: Iterable[Path], *, on_event: OnProgress = ignore_progress, cancel: CancelSignal | None = None
) -> tuple[Mapping[Path, Size], int]:
    """Return what each of *folders* takes, and what they take together, every file counted once.

    Raises
    ------
    carrel.core.errors.Cancelled
    """
    wanted = list(folders)
    sizes: dict[Path, Size] = {}
    shared: dict[tuple[int, int], int] = {}
    total = 0
    for number, folder in enumerate(wanted):
        on_event(Progress("measure", number, len(wanted), "folders", folder.name))
        found = _look(folder, cancel or NeverCancelled())
        sizes[folder] = found.size
        total += found.single
        shared |= {inode: size for inode, (size, _, _) in found.linked.items()}
    on_event(Progress("measure", len(wanted), len(wanted), "folders"))
    return sizes, total + sum(shared.values())


def _look(folder: Path, cancel: CancelSignal) -> _Found:
    found = _Found()
    waiting = [str(folder)]
    while waiting:
        if cancel.is_set():
            raise Cancelled("Counting was cancelled.")
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    size = getattr(status, "st_blocks", -(-status.st_size // _BLOCK)) * _BLOCK
                    if stat.S_ISDIR(status.st_mode):
                        found.single += size
                        waiting.append(entry.path)
                    elif status.st_nlink > 1:
                        inode = (status.st_dev, status.st_ino)
                        _, _, seen = found.linked.get(inode, (0, 0, 0))
                        found.linked[inode] = (size, status.st_nlink, seen + 1)
                    else:
                        found.single += size
    return found
