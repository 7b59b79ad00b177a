"""What was uploaded of an environment so that its lock can be rebuilt elsewhere: which wheel stands for which installation.

A note ties a wheel, by its digest, to what is installed, by a digest of its files (of the sources, for an editable
installation). It holds as long as neither has changed. Notes lie in the environment; in one that cannot be written, in the
person's own data folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from carrel.environments import files, inspection
from carrel.environments.distributions import Distribution, record_identity
from carrel.environments.locations import data_folder

_NAME = "remedies.json"
_LEFT_OUT = frozenset(
    ("__pycache__", ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache")
)
_LEFT_OUT_AT_TOP = frozenset(("build", "dist", ".eggs", ".carrel"))


@dataclass(frozen=True, slots=True)
class Note:
    """One uploaded wheel.

    Attributes
    ----------
    name : str
        Normalised.
    identity : str
        Digest of what is installed.
    version : str
        Of the wheel.
    sha256 : str
    """

    name: str
    identity: str
    version: str
    sha256: str


def valid(prefix: Path, distributions: Iterable[Distribution]) -> dict[str, Note]:
    """Return the notes that hold for *distributions*, by name."""
    notes = {note.name: note for note in _read(prefix)}
    return {
        distribution.key: note
        for distribution in distributions
        if (note := notes.get(distribution.key)) is not None and note.identity == identity_of(distribution)
    }


def add(prefix: Path, note: Note) -> None:
    """Keep *note*, in place of an earlier one for the same package."""
    kept = [other for other in _read(prefix) if other.name != note.name]
    data = [asdict(one) for one in (*kept, note)]
    try:
        files.write_json(inspection.state_folder(prefix) / _NAME, data)
    except OSError:
        files.write_json(_own(prefix), data)


def identity_of(distribution: Distribution) -> str:
    """Return a text that changes when what is installed does; for an editable installation, when its sources do."""
    folder = distribution.editable_location
    if folder is None:
        return record_identity(distribution)
    return tree_digest(Path(folder))


def tree_digest(folder: Path) -> str:
    """Return a digest of the sources in *folder*: names, bytes and whether they can be run."""
    hasher = hashlib.sha256()
    for path in sources_in(folder):
        relative = path.relative_to(folder).as_posix()
        hasher.update(f"{relative}\0{int(os.access(path, os.X_OK))}\0".encode())
        if path.is_symlink():
            hasher.update(os.fsencode(path.readlink()))
        else:
            with path.open("rb") as file:
                hasher.update(hashlib.file_digest(file, "sha256").digest())
    return hasher.hexdigest()


def sources_in(folder: Path) -> Iterator[Path]:
    """Yield the files of *folder* in a fixed order, without what tools leave behind there, pipes and sockets among it."""
    for current, folders, names in os.walk(folder):
        here = Path(current)
        unwanted = _LEFT_OUT | (_LEFT_OUT_AT_TOP if here == folder else frozenset())
        folders[:] = sorted(name for name in folders if name not in unwanted and not _is_left_over(here / name))
        for name in sorted(names):
            if not name.endswith((".pyc", ".pyo")) and name not in (".DS_Store", ".coverage") and (here / name).is_file():
                yield here / name


def _is_left_over(folder: Path) -> bool:
    return folder.name.endswith(".egg-info") or (folder / "pyvenv.cfg").exists()


def _read(prefix: Path) -> Sequence[Note]:
    found: list[Note] = []
    for path in (inspection.state_folder(prefix) / _NAME, _own(prefix)):
        try:
            data = json.loads(path.read_bytes())
            found += [Note(str(one["name"]), str(one["identity"]), str(one["version"]), str(one["sha256"])) for one in data]
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return found


def _own(prefix: Path) -> Path:
    return data_folder() / "remedies" / f"{inspection.environment_id(prefix)}.json"
