"""Small sure operations on files: replace at once, link or copy, remove with what becomes empty."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from carrel.core.digests import Digests, digest


def write_atomically(path: Path, data: bytes) -> None:
    """Write *path* so that it holds either what it held or *data*, also after a power failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name that nobody can guess: in a folder of several users, a link could wait at any other
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def free_bytes(path: Path) -> int:
    """Return how much room there is at *path*."""
    return shutil.disk_usage(path).free


def digests(path: Path) -> Digests:
    """Return the digests of the bytes of a file."""
    with path.open("rb") as file:
        return digest(iter(lambda: file.read(1 << 20), b""))


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
    for _ in range(3):
        try:
            os.link(source, target, follow_symlinks=False)
            return
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            if os.path.samestat(source.lstat(), target.lstat()):
                return
            target.unlink()
        except (OSError, NotImplementedError):
            break
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def remove_files(files: Iterable[Path], root: Path) -> None:
    """Remove *files*, their compiled forms, and folders below *root* that become empty; what does not lie below *root* stays."""
    folders: set[Path] = set()
    sources: list[Path] = []
    inside = f"{os.path.normpath(root)}{os.sep}"
    for file in files:
        if not os.path.normpath(file).startswith(inside):
            continue
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
            file.unlink()
        folders.add(file.parent)
        if file.suffix == ".py":
            sources.append(file)
    folders |= remove_compiled(sources)
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


def remove_compiled(sources: Iterable[Path]) -> set[Path]:
    """Remove the compiled forms of Python files; return the folders that they were in.

    They name the time and size of their source, which two versions of a file from one archive tool may share.
    """
    by_folder: dict[Path, set[str]] = {}
    for source in sources:
        by_folder.setdefault(source.parent / "__pycache__", set()).add(source.stem)
    for folder, stems in by_folder.items():
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for name in [entry.name for entry in entries if entry.name.endswith(".pyc")]:
                # module.cpython-311.pyc, module.cpython-311.opt-1.pyc
                if name.split(".cpython-")[0].split(".pypy")[0] in stems or name.rpartition(".")[0] in stems:
                    with contextlib.suppress(OSError):
                        Path(folder, name).unlink()
    return set(by_folder)


def remove_tree(path: Path) -> None:
    """Remove *path* and everything below, even read-only folders of our own; of links only themselves, and nothing else is changed."""

    def unlock(function: Any, name: str, _error: Any) -> None:
        stuck = Path(name)
        with contextlib.suppress(OSError):
            opened = [_open_folder(folder) for folder in (stuck.parent, stuck)]
            if not any(opened):
                return
            if not stat.S_ISDIR(stuck.lstat().st_mode):
                stuck.unlink()
            elif function is os.rmdir:
                stuck.rmdir()
            else:
                shutil.rmtree(stuck, onerror=unlock)

    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, onerror=unlock)


def _open_folder(path: Path) -> bool:
    """Let its owner change the folder *path* (on Windows: or remove a file); return whether that was needed. Links are not followed."""
    mode = path.lstat().st_mode
    closed = stat.S_ISDIR(mode) and mode & 0o700 != 0o700
    if os.name == "nt" and not stat.S_ISLNK(mode):
        closed = not mode & stat.S_IWRITE
    if closed:
        path.chmod(0o755)
    return closed
