"""Keeping the files of packages that are about to change, so that going back needs neither network nor index.

A kept package is a folder ``.carrel/kept/<key>`` with a ``manifest.json`` and its files, hard links where the file system
has them, so keeping costs names rather than bytes. Whatever conda, pip or uv then does unlinks the old name and leaves the
kept one. Records (``conda-meta/*.json``, ``RECORD`` …) are copied, because installers rewrite those in place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from carrel.environments import conda_meta, distributions
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.distributions import Distribution
from carrel.environments.files import link_or_copy, remove_tree, write_json

_UNSAFE = re.compile(r"[^A-Za-z0-9._+!-]")


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept package: its key and its files relative to the prefix."""

    key: str
    files: tuple[str, ...]


class Store:
    """The kept packages of one prefix."""

    def __init__(self, prefix: Path, state: Path) -> None:
        self._prefix = prefix
        self._folder = state / "kept"

    def keep(self, key: str, files: Iterable[str], copied: Iterable[str]) -> None:
        """Keep *files* and *copied* (relative to the prefix) under *key*, unless they are kept already."""
        final = self._folder / key
        if final.exists():
            return
        partial = self._folder / f".{key}.{os.getpid()}"
        remove_tree(partial)
        names = []
        for relative in [*files, *copied]:
            source = self._prefix / relative
            if os.path.lexists(source) and not (source.is_dir() and not source.is_symlink()):
                names.append(relative)
        to_copy = set(copied)
        for relative in names:
            target = partial / "files" / relative
            if relative in to_copy:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._prefix / relative, target, follow_symlinks=False)
            else:
                link_or_copy(self._prefix / relative, target)
        write_json(partial / "manifest.json", {"files": names, "copied": sorted(to_copy)})
        partial.rename(final)

    def has(self, key: str) -> bool:
        """Whether *key* is kept."""
        return (self._folder / key / "manifest.json").is_file()

    def files(self, key: str) -> tuple[str, ...]:
        """Return the files kept under *key*, relative to the prefix."""
        return tuple(json.loads((self._folder / key / "manifest.json").read_bytes())["files"])

    def put_back(self, key: str) -> None:
        """Put the files of *key* where they were. They stay kept."""
        manifest = json.loads((self._folder / key / "manifest.json").read_bytes())
        copied = set(manifest["copied"])
        for relative in manifest["files"]:
            source, target = self._folder / key / "files" / relative, self._prefix / relative
            if relative in copied:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
            elif not (os.path.lexists(target) and os.path.samestat(source.lstat(), target.lstat())):
                link_or_copy(source, target)

    def retain(self, keys: set[str]) -> None:
        """Drop everything but *keys*."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in keys:
                    remove_tree(path)


def conda_key(record: CondaRecord) -> str:
    """Return the key of an installed conda package."""
    return _UNSAFE.sub("_", f"conda-{record.key}-{(record.sha256 or record.md5)[:16]}-{record.files_digest}")


def distribution_key(distribution: Distribution) -> str:
    """Return the key of an installed Python distribution."""
    return _UNSAFE.sub("_", f"pypi-{distribution.key}-{distribution.version}-{distributions.record_identity(distribution)}")


def keep_conda(store: Store, prefix: Path, record: CondaRecord) -> None:
    """Keep an installed conda package."""
    store.keep(conda_key(record), conda_meta.files_of(record.path), [_relative(record.path, prefix)])


def keep_distribution(store: Store, prefix: Path, distribution: Distribution) -> None:
    """Keep an installed Python distribution. Its metadata is copied, its code linked."""
    owned = [path for path in distributions.files_of(distribution) if "__pycache__" not in path.parts]
    metadata = [path for path in owned if distribution.path in path.parents]
    if distribution.path.is_file():
        metadata = [distribution.path]
    else:
        metadata = sorted({*metadata, *(path for path in distribution.path.rglob("*") if path.is_file())})
    code = [path for path in owned if distribution.path not in path.parents]
    store.keep(distribution_key(distribution), [_relative(path, prefix) for path in code], [_relative(path, prefix) for path in metadata])


def _relative(path: Path, prefix: Path) -> str:
    return path.relative_to(prefix).as_posix()
