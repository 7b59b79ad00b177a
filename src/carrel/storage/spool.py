"""Temporary files of uploads under way: locked by their writer, so that a sweep knows which ones are dead."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: age alone decides there
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".part"


class SpoolFile:
    """One temporary file, open for writing and locked until it is closed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{os.getpid()}-{secrets.token_hex(12)}{_SUFFIX}"
        self._descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o640)
        if fcntl is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append *data*."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def reader(self) -> BinaryIO:
        """Open the file for reading."""
        return self.path.open("rb")

    def sync(self) -> None:
        """Make the bytes durable."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close and unlock; the file stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> None:
        """Close and remove."""
        self.close()
        self.path.unlink(missing_ok=True)


def sweep_spool(folder: Path, older_than: float) -> int:
    """Remove temporary files of dead writers not written for *older_than* seconds; return how many."""
    removed = 0
    for path in folder.glob(f"*{_SUFFIX}"):
        try:
            if time.time() - path.stat().st_mtime < older_than or _is_locked(path):
                continue
            path.unlink()
            removed += 1
        except FileNotFoundError:
            continue
    return removed


def _is_locked(path: Path) -> bool:
    if fcntl is None:
        return False
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
