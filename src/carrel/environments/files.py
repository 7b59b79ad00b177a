"""Small sure operations on files: replace at once, link or copy, remove with what becomes empty."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_atomically(path: Path, data: bytes) -> None:
    """Write *path* so that it holds either what it held or *data*, also after a power failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in the folder *path* outlast a power failure, where folders can be asked to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, data: Any) -> None:
    """Write *data* as JSON, atomically."""
    write_atomically(path, json.dumps(data, ensure_ascii=False, indent=1).encode())


def link_or_copy(source: Path, target: Path) -> None:
    """Put the file (or symbolic link) *source* at *target* too, replacing what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        target.unlink()
    try:
        os.link(source, target, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(source, target, follow_symlinks=False)


def remove_files(files: Iterable[Path], root: Path) -> None:
    """Remove *files*, their compiled forms, and folders below *root* that become empty."""
    folders: set[Path] = set()
    for file in files:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
            file.unlink()
        folders.add(file.parent)
        if file.suffix == ".py":
            folders.add(file.parent / "__pycache__")
            remove_compiled(file)
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        current = folder
        while current != root and root in current.parents:
            try:
                current.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                break
            current = current.parent


def remove_compiled(file: Path) -> None:
    """Remove the compiled forms of the Python file *file*.

    They name the time and size of their source, which two versions of a file from one archive tool may share.
    """
    for compiled in (file.parent / "__pycache__").glob(f"{_escape(file.stem)}.*.pyc"):
        with contextlib.suppress(OSError):
            compiled.unlink()


def _escape(name: str) -> str:
    return name.replace("[", "[[]")


def remove_tree(path: Path) -> None:
    """Remove *path* and everything below, even read-only folders of our own."""

    def unlock(function: Any, name: str, _error: Any) -> None:
        with contextlib.suppress(OSError):
            Path(name).parent.chmod(0o755)
            Path(name).chmod(0o755)
            function(name)

    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, onerror=unlock)
