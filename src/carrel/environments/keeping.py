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
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from carrel.environments import conda_meta, distributions
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.distributions import Distribution
from carrel.environments.files import link_or_copy, remove_compiled, remove_tree, sync_folder, write_json

_UNSAFE = re.compile(r"[^A-Za-z0-9._+!-]")


class Store:
    """The kept packages of one prefix."""

    def __init__(self, prefix: Path, state: Path) -> None:
        self._prefix = prefix
        self._folder = state / "kept"

    def keep(self, key: str, files: Iterable[str], copied: Iterable[str]) -> None:
        """Keep *files* and *copied* (relative to the prefix) under *key*, unless they are kept as they are now."""
        final = self._folder / key
        partial = self._folder / f".{key}"
        remove_tree(partial)
        names = []
        for relative in [*files, *copied]:
            source = self._prefix / relative
            if os.path.lexists(source) and not (source.is_dir() and not source.is_symlink()):
                names.append(relative)
        if self.has(key):
            if self._is_current(key, names):
                return
            old = self._folder / f".old-{key}"
            remove_tree(old)
            remove_tree(final.rename(old))
        to_copy = set(copied)
        for relative in names:
            target = partial / "files" / relative
            if relative in to_copy:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._prefix / relative, target, follow_symlinks=False)
            else:
                link_or_copy(self._prefix / relative, target)
        size = sum((partial / "files" / relative).lstat().st_size for relative in names)
        write_json(partial / "manifest.json", {"files": names, "copied": sorted(to_copy), "bytes": size})
        partial.rename(final)
        sync_folder(self._folder)

    def _is_current(self, key: str, names: Sequence[str]) -> bool:
        if list(self.files(key)) != names:
            return False
        for relative in names:
            try:
                kept, there = (self._folder / key / "files" / relative).lstat(), (self._prefix / relative).lstat()
            except OSError:
                return False
            if not os.path.samestat(kept, there) and (kept.st_size, kept.st_mtime_ns) != (there.st_size, there.st_mtime_ns):
                return False
        return True

    def has(self, key: str) -> bool:
        """Whether *key* is kept."""
        return (self._folder / key / "manifest.json").is_file()

    def files(self, key: str) -> tuple[str, ...]:
        """Return the files kept under *key*, relative to the prefix."""
        return tuple(self._manifest(key)["files"])

    def put_back(self, key: str) -> None:
        """Put the files of *key* where they were, without compiled forms of other versions. They stay kept."""
        manifest = self._manifest(key)
        copied = set(manifest["copied"])
        replaced: list[Path] = []
        for relative in manifest["files"]:
            source, target = self._folder / key / "files" / relative, self._prefix / relative
            if relative in copied:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
            elif not (os.path.lexists(target) and os.path.samestat(source.lstat(), target.lstat())):
                link_or_copy(source, target)
                if target.suffix == ".py":
                    replaced.append(target)
        remove_compiled(replaced)

    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not self._folder.is_dir() or not any(self._folder.iterdir())

    def retain(self, keys: Sequence[str], limit: int) -> None:
        """Drop everything but *keys*, of which the first ones that take *limit* bytes together stay."""
        stay: set[str] = set()
        total = 0
        for key in keys:
            if self.has(key):
                total += int(self._manifest(key).get("bytes") or 0)
                if total > limit:
                    break
                stay.add(key)
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            if path.name not in stay:
                # renamed first: what is half removed must not be taken for kept
                doomed = path if path.name.startswith(".") else path.rename(path.with_name(f".{path.name}"))
                remove_tree(doomed)

    def _manifest(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / key / "manifest.json").read_bytes())
        return found


def conda_key(record: CondaRecord) -> str:
    """Return the key of an installed conda package."""
    return _UNSAFE.sub("_", f"conda-{record.key}-{(record.sha256 or record.md5)[:16]}-{record.files_digest}")


def distribution_key(distribution: Distribution) -> str:
    """Return the key of an installed Python distribution."""
    return _UNSAFE.sub("_", f"pypi-{distribution.key}-{distribution.version}-{distributions.record_identity(distribution)}")


def keep_conda(store: Store, record: CondaRecord) -> None:
    """Keep an installed conda package."""
    store.keep(conda_key(record), conda_meta.files_of(record.path), [])


def keep_distribution(store: Store, prefix: Path, distribution: Distribution) -> None:
    """Keep an installed Python distribution. Its metadata is copied, its code linked."""
    owned = [path for path in distributions.files_of(distribution) if "__pycache__" not in path.parts]
    metadata = [path for path in owned if distribution.path in path.parents]
    if distribution.path.is_file():
        metadata = [distribution.path]
    else:
        metadata = sorted({*metadata, *(path for path in distribution.path.rglob("*") if path.is_file())})
    code = [path for path in owned if distribution.path not in path.parents]
    if not (distribution.path / "RECORD").is_file():
        code += _files_of_modules(distribution)
    store.keep(distribution_key(distribution), [_relative(path, prefix) for path in code], [_relative(path, prefix) for path in metadata])


def _files_of_modules(distribution: Distribution) -> list[Path]:
    """Return the files of the modules of *distribution*: where no list says which are its own, uv removes them all."""
    found = []
    for name in distribution.import_names:
        module = distribution.site_packages / name
        found += [path for path in module.rglob("*") if not path.is_dir() and "__pycache__" not in path.parts]
        found += [path for path in (module.with_name(f"{name}.py"),) if path.is_file()]
    return sorted(found)


def _relative(path: Path, prefix: Path) -> str:
    return path.relative_to(prefix).as_posix()
