"""Changing an environment so that it ends as planned or as it was.

Before the first file changes, the packages that are about to change are kept and a journal is written. Whatever happens then
— a failure, a cancel, the death of this process — :func:`roll_back` brings every file of every package back. A journal that
is found without a living owner is rolled back by the next one who takes the lock.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.environments import conda_meta, distributions, inspection, keeping, locks, states
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.distributions import Distribution
from carrel.environments.files import link_or_copy, remove_files, remove_tree, write_json
from carrel.environments.states import State

_FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Missing:
    """What a state has and neither the environment nor the kept packages do."""

    conda: tuple[str, ...]
    pypi: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything is missing."""
        return bool(self.conda or self.pypi)


@contextlib.contextmanager
def exclusive(prefix: Path) -> Iterator[None]:
    """Hold the lock of *prefix* meanwhile, after putting right what a dead process left.

    Raises
    ------
    carrel.core.errors.Locked
    """
    state = inspection.state_folder(prefix)
    with locks.locked(state / "lock", f"the environment {prefix.name}"):
        recover(prefix)
        yield


def recover(prefix: Path) -> bool:
    """Roll back what a dead process left half-done; return whether there was anything. The lock must be held."""
    journal = _journal_path(prefix)
    if not journal.exists():
        return False
    roll_back(prefix)
    return True


def is_interrupted(prefix: Path) -> bool:
    """Whether a process died while it changed *prefix*, and nobody has put it right."""
    return _journal_path(prefix).exists() and not locks.is_held(inspection.state_folder(prefix) / "lock")


def begin(prefix: Path, summary: str, touched_conda: Iterable[str], touched_pypi: Iterable[str], incoming: Iterable[str]) -> State:
    """Keep the named packages and write the journal; return the state to go back to.

    Parameters
    ----------
    incoming : iterable of str
        Files (relative to the prefix) that new packages will bring.
    """
    state = states.current_state(prefix, summary)
    store = _store(prefix)
    records = {record.name: record for record in conda_meta.read_records(prefix)} if conda_meta.is_conda_prefix(prefix) else {}
    found = {distribution.key: distribution for distribution in inspection.python_distributions(prefix)}
    conda = [records[name] for name in sorted(set(touched_conda)) if name in records]
    pypi = [found[name] for name in sorted(set(touched_pypi)) if name in found]
    for record in conda:
        keeping.keep_conda(store, prefix, record)
    for distribution in pypi:
        keeping.keep_distribution(store, prefix, distribution)
    kept = {file for record in conda for file in store.files(keeping.conda_key(record))}
    kept |= {file for distribution in pypi for file in store.files(keeping.distribution_key(distribution))}
    new, foreign = [], []
    for relative in incoming:
        if not os.path.lexists(prefix / relative):
            new.append(relative)
        elif relative not in kept:
            foreign.append(relative)
    remove_tree(_foreign(prefix))
    for relative in foreign:
        # somebody else's file that a package is about to replace
        if not (prefix / relative).is_dir():
            link_or_copy(prefix / relative, _foreign(prefix) / relative)
    states.save(prefix, state)
    journal = {
        "snapshot": state.id,
        "pid": os.getpid(),
        "conda": [record.name for record in conda],
        "pypi": [distribution.key for distribution in pypi],
        "incoming": new,
        "listing": _listing(prefix, pypi),
        "history": _history_size(prefix),
    }
    write_json(_journal_path(prefix), journal)
    return state


def commit(prefix: Path) -> None:
    """End the work: from here on, going back is an undo."""
    _journal_path(prefix).unlink(missing_ok=True)
    remove_tree(_foreign(prefix))


def roll_back(prefix: Path) -> None:
    """Bring every package back to what it was when the journal was written."""
    journal = json.loads(_journal_path(prefix).read_bytes())
    state = states.load(prefix, journal["snapshot"])
    remove_files((prefix / relative for relative in journal["incoming"]), prefix)
    _sweep(prefix, journal["listing"])
    to_state(prefix, state, again_conda=journal["conda"], again_pypi=journal["pypi"])
    _put_foreign_back(prefix)
    if journal["history"] is not None:
        with contextlib.suppress(OSError):
            os.truncate(prefix / "conda-meta" / "history", journal["history"])
    states.discard(prefix, state.id)
    commit(prefix)


def missing(prefix: Path, state: State) -> Missing:
    """Return what :func:`to_state` could not bring back."""
    store = _store(prefix)
    conda, pypi = _present(prefix)
    return Missing(
        conda=tuple(name for name, entry in state.conda.items() if _key(conda.get(name)) != entry.key and not store.has(entry.key)),
        pypi=tuple(
            name
            for name, entry in state.pypi.items()
            if not any(keeping.distribution_key(one) == entry.key for one in pypi if one.key == name) and not store.has(entry.key)
        ),
    )


def to_state(prefix: Path, state: State, *, again_conda: Iterable[str] = (), again_pypi: Iterable[str] = ()) -> None:
    """Make the packages of *prefix* those of *state*, out of what is kept.

    *again_conda* and *again_pypi* are put back even where their records look right, because their files may not be.
    """
    store = _store(prefix)
    conda, pypi = _present(prefix)
    returning: list[str] = []
    for name, record in conda.items():
        entry = state.conda.get(name)
        if entry is None or entry.key != keeping.conda_key(record):
            files = [prefix / file for file in conda_meta.files_of(record.path)]
            remove_files([*files, record.path], prefix)
    for distribution in pypi:
        wanted = state.pypi.get(distribution.key)
        if wanted is None or wanted.key != keeping.distribution_key(distribution):
            remove_distribution(distribution, prefix)
    conda, pypi = _present(prefix)
    present = {keeping.conda_key(record) for record in conda.values()} | {keeping.distribution_key(one) for one in pypi}
    for name, entry in state.conda.items():
        if entry.key not in present or name in set(again_conda):
            returning.append(entry.key)
    for name, kept in state.pypi.items():
        if kept.key not in present or name in set(again_pypi):
            returning.append(kept.key)
    for key in returning:
        if store.has(key):
            store.put_back(key)
    _set_requested(prefix, state)


def kept_files(prefix: Path, state: State) -> list[str]:
    """Return the files that :func:`to_state` would put back (relative to the prefix)."""
    store = _store(prefix)
    conda, pypi = _present(prefix)
    present = {keeping.conda_key(record) for record in conda.values()} | {keeping.distribution_key(one) for one in pypi}
    return [file for key in sorted(state.keys - present) if store.has(key) for file in store.files(key)]


def remove_distribution(distribution: Distribution, prefix: Path) -> None:
    """Remove a Python distribution: its files and its metadata."""
    remove_files(distributions.files_of(distribution), prefix)
    remove_tree(distribution.path)


def new_files(contents: Iterable[dict[str, Any]], records: Iterable[dict[str, Any]], python_version: str) -> list[str]:
    """Return where the files of packages will be, relative to the prefix (``noarch: python`` ones move)."""
    windows = os.name == "nt"
    library = "Lib" if windows else f"lib/python{'.'.join(python_version.split('.')[:2])}"
    scripts = "Scripts" if windows else "bin"
    result = []
    for content, record in zip(contents, records, strict=True):
        if record.get("noarch") != "python":
            result += content["paths"]
            continue
        for path in content["paths"]:
            first, _, rest = path.partition("/")
            moved = {"site-packages": f"{library}/site-packages/{rest}", "python-scripts": f"{scripts}/{rest}"}
            result.append(moved.get(first, path))
        result += [f"{scripts}/{script}" for script in content["scripts"]]
        result += [f"{scripts}/{script}{suffix}" for script in content["scripts"] for suffix in (("-script.py", ".exe") if windows else ())]
    return result


def _present(prefix: Path) -> tuple[dict[str, CondaRecord], list[Distribution]]:
    conda = {record.name: record for record in conda_meta.read_records(prefix)} if conda_meta.is_conda_prefix(prefix) else {}
    return conda, inspection.python_distributions(prefix)


def _key(record: CondaRecord | None) -> str:
    return keeping.conda_key(record) if record else ""


def _set_requested(prefix: Path, state: State) -> None:
    """Write down again what people asked for: installers rewrite it in records that they do not otherwise touch."""
    if not conda_meta.is_conda_prefix(prefix):
        return
    for record in conda_meta.read_records(prefix):
        wanted = state.requested.get(record.name, ())
        if tuple(record.requested) != tuple(wanted):
            data = json.loads(record.path.read_bytes())
            data.pop("requested_spec", None)
            data["requested_specs"] = list(wanted)
            write_json(record.path, data)


def _listing(prefix: Path, touched: list[Distribution]) -> dict[str, list[str]]:
    """Return what lies in the folders that an installer killed half-way may leave files in without a record of them."""
    listing = {}
    scripts = prefix / ("Scripts" if os.name == "nt" else "bin")
    for folder in [*distributions.site_packages(prefix), scripts, prefix / "conda-meta"]:
        if folder.is_dir():
            listing[folder.relative_to(prefix).as_posix()] = sorted(path.name for path in folder.iterdir())
    packages = {distribution.site_packages / name for distribution in touched for name in distribution.import_names}
    for package in packages:
        for walked, folders, names in os.walk(package):
            if not walked.endswith("__pycache__"):
                listing[Path(walked).relative_to(prefix).as_posix()] = sorted([*folders, *names])
    return listing


def _sweep(prefix: Path, listing: dict[str, list[str]]) -> None:
    """Remove what has come into the listed folders."""
    for relative, names in listing.items():
        folder = prefix / relative
        if folder.is_dir():
            known = {*names, "__pycache__"}
            # records of packages are needed to know their files; half-written ones have other names
            for path in [path for path in folder.iterdir() if path.name not in known and path.suffix != ".json"]:
                with contextlib.suppress(OSError):
                    remove_tree(path)


def _put_foreign_back(prefix: Path) -> None:
    root = _foreign(prefix)
    for folder, _, names in os.walk(root):
        for name in names:
            source = Path(folder, name)
            link_or_copy(source, prefix / source.relative_to(root))


def _history_size(prefix: Path) -> int | None:
    try:
        return (prefix / "conda-meta" / "history").stat().st_size
    except OSError:
        return None


def _store(prefix: Path) -> keeping.Store:
    return keeping.Store(prefix, inspection.state_folder(prefix))


def _foreign(prefix: Path) -> Path:
    return inspection.state_folder(prefix) / _FOREIGN


def _journal_path(prefix: Path) -> Path:
    return inspection.state_folder(prefix) / "transaction.json"
