"""Bringing the packages of an environment to a state, out of what is kept.

Everything here may be broken off at any moment and begun again: each step looks at what is there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from carrel.core.errors import CarrelError
from carrel.environments import conda_meta, distributions, inspection, keeping
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.distributions import Distribution
from carrel.environments.files import remove_files, remove_tree, write_atomically
from carrel.environments.states import HISTORY, State, metadata_files

_METADATA = "conda-meta"


@dataclass(frozen=True, slots=True)
class Missing:
    """What a state has and neither the environment nor the kept packages do: record files and metadata folders."""

    conda: tuple[str, ...]
    pypi: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything is missing."""
        return bool(self.conda or self.pypi)


def missing(prefix: Path, state: State) -> Missing:
    """Return what :func:`to_state` could not bring back."""
    kept, present = store(prefix), _keys(prefix)
    return Missing(
        conda=tuple(file for file, entry in state.conda.items() if entry.key not in present and not kept.has(entry.key)),
        pypi=tuple(folder for folder, entry in state.pypi.items() if entry.key not in present and not kept.has(entry.key)),
    )


def kept_files(prefix: Path, state: State) -> list[str]:
    """Return the files that :func:`to_state` would put back (relative to the prefix)."""
    kept = store(prefix)
    return [file for key in sorted(state.keys - _keys(prefix)) if kept.has(key) for file in kept.files(key)]


def to_state(
    prefix: Path,
    state: State,
    texts: Mapping[str, bytes],
    *,
    again: Collection[str] = (),
    on_package: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Make the packages of *prefix* those of *state*, their records to the byte, as far as they are there or kept.

    Parameters
    ----------
    texts : mapping
        Of the records of *state*, by digest.
    again : collection of str
        Keys of packages to put back even where their records look right, because their files may not be.
    on_package : callable
        Called with how many packages have been taken away or put back, and how many there are in all; what it raises ends this.
    """
    kept, before = store(prefix), _keys_if_readable(prefix)
    total, done = len(before ^ state.keys), 0
    for record in _readable_records(prefix, state, texts):
        entry = state.conda.get(record.path.name)
        if entry is None or entry.key != keeping.conda_key(record):
            files = [prefix / file for file in conda_meta.files_of(record.path)]
            # the record goes last: whoever begins again must know the files
            remove_files(files, prefix)
            remove_files([record.path], prefix)
            done += 1
            on_package(done, total)
    for distribution in inspection.python_distributions(prefix):
        wanted = state.pypi.get(_relative(distribution, prefix))
        if wanted is None or wanted.key != keeping.distribution_key(distribution):
            remove_distribution(distribution, prefix)
            done += 1
            on_package(done, total)
    present = _keys(prefix)
    for key in sorted(state.keys):
        if (key not in present or key in again) and kept.has(key):
            kept.put_back(key)
            done += 1
            on_package(done, max(done, total))
    settle(prefix, state, texts)


def settle(prefix: Path, state: State, texts: Mapping[str, bytes], *, arrived: Collection[str] = ()) -> None:
    """Make the records of the packages of *state* what they were, to the byte, where the packages are there.

    They are there when their records are, when they were kept (and put back), or when their key is among *arrived*.
    """
    kept, present = store(prefix), _keys(prefix)
    for file, entry in state.conda.items():
        if entry.key in present or kept.has(entry.key) or entry.key in arrived:
            _write(prefix / _METADATA / file, texts[entry.text])
    for folder, one in state.pypi.items():
        path = prefix / folder
        if "" in one.files:
            _write(path, texts[one.files[""]])
        elif path.is_dir():
            for name, found in metadata_files(path):
                if name not in one.files:
                    found.unlink()
            for name, digest in one.files.items():
                _write(path / name, texts[digest])
    if state.history:
        _write(prefix / HISTORY, texts[state.history])
    elif (prefix / HISTORY).exists():
        (prefix / HISTORY).unlink()


def remove_distribution(distribution: Distribution, prefix: Path) -> None:
    """Remove a Python distribution: its files, then its metadata."""
    remove_files((path for path in distributions.files_of(distribution) if distribution.path not in path.parents), prefix)
    remove_tree(distribution.path)


def store(prefix: Path) -> keeping.Store:
    """Return the kept packages of *prefix*."""
    return keeping.Store(prefix, inspection.state_folder(prefix))


def _readable_records(prefix: Path, state: State, texts: Mapping[str, bytes]) -> list[CondaRecord]:
    """Return conda's records, after putting right those that an installer killed half-way through has written in part."""
    found = []
    for path in sorted((prefix / _METADATA).glob("*.json")):
        try:
            json.loads(path.read_bytes())["name"]
        except (ValueError, KeyError, TypeError):
            entry = state.conda.get(path.name)
            if entry is None:
                path.unlink()
                continue
            _write(path, texts[entry.text])
        found.append(conda_meta.read_record(path))
    return found


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return
    write_atomically(path, data)


def _keys_if_readable(prefix: Path) -> set[str]:
    """Return the keys of what is there, none where a record is written in part."""
    with contextlib.suppress(ValueError, KeyError, CarrelError):
        return _keys(prefix)
    return set()


def _keys(prefix: Path) -> set[str]:
    records = conda_meta.read_records(prefix) if conda_meta.is_conda_prefix(prefix) else []
    return {keeping.conda_key(record) for record in records} | {
        keeping.distribution_key(distribution) for distribution in inspection.python_distributions(prefix)
    }


def _relative(distribution: Distribution, prefix: Path) -> str:
    return distribution.path.relative_to(prefix).as_posix()
