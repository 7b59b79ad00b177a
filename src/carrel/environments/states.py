"""The whole state of an environment at one moment: which packages there are, and their records to the byte.

A state holds, for each package, the key under which its files may be kept (:mod:`carrel.environments.keeping`), what is
needed to fetch it again should they not be, and the digests of its records. The records themselves (``conda-meta/*.json``,
what lies in a ``.dist-info``, conda's history) are texts beside it (:mod:`carrel.environments.revisions` keeps them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from carrel.environments import conda_meta, inspection, keeping
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.credentials import strip_url
from carrel.environments.distributions import Distribution

HISTORY = "conda-meta/history"


@dataclass(frozen=True, slots=True)
class CondaEntry:
    """One conda package; ``record`` is enough to fetch it again, ``text`` the digest of its record."""

    name: str
    version: str
    build: str
    channel: str
    key: str
    record: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class PypiEntry:
    """One Python distribution.

    Attributes
    ----------
    files : mapping of str to str
        Digests of the files in its metadata folder, by name; of the metadata itself, under an empty name, when that is one file.
    archive : mapping
        Its package in the lock that it was installed from (PEP 751); empty when somebody else installed it.
    """

    name: str
    version: str
    key: str
    requested: bool
    origin: str = ""
    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    archive: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """All packages of an environment at one moment.

    Attributes
    ----------
    conda : mapping of str to CondaEntry
        By the name of their record's file.
    pypi : mapping of str to PypiEntry
        By their metadata folder, relative to the prefix.
    history : str
        Digest of conda's history; empty without one.
    """

    conda: Mapping[str, CondaEntry] = field(default_factory=dict)
    pypi: Mapping[str, PypiEntry] = field(default_factory=dict)
    history: str = ""

    @property
    def keys(self) -> set[str]:
        """All keys under which packages may be kept."""
        return {entry.key for entry in self.conda.values()} | {entry.key for entry in self.pypi.values()}

    @property
    def digests(self) -> set[str]:
        """Digests of all records."""
        found = {entry.text for entry in self.conda.values()} | {digest for one in self.pypi.values() for digest in one.files.values()}
        return found | {self.history} if self.history else found

    @property
    def names(self) -> set[str]:
        """Names of all packages."""
        return {entry.name for entry in self.conda.values()} | {entry.name for entry in self.pypi.values()}

    def is_same(self, other: State) -> bool:
        """Whether both hold the same packages with the same records, to the byte."""
        return (
            self.history == other.history
            and {file: entry.text for file, entry in self.conda.items()} == {file: entry.text for file, entry in other.conda.items()}
            and {folder: entry.files for folder, entry in self.pypi.items()} == {f: entry.files for f, entry in other.pypi.items()}
        )


def read(prefix: Path) -> tuple[State, dict[str, bytes]]:
    """Return the present state of *prefix* and the texts of its records by digest."""
    texts: dict[str, bytes] = {}

    def note(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        texts[digest] = data
        return digest

    conda: dict[str, CondaEntry] = {}
    history = ""
    if conda_meta.is_conda_prefix(prefix):
        conda = {record.path.name: _conda_entry(record, note(record.path.read_bytes())) for record in conda_meta.read_records(prefix)}
        if (prefix / HISTORY).is_file():
            history = note((prefix / HISTORY).read_bytes())
    pypi = {
        one.path.relative_to(prefix).as_posix(): _pypi_entry(
            one, {name: note(path.read_bytes()) for name, path in metadata_files(one.path)}
        )
        for one in inspection.python_distributions(prefix)
    }
    return State(conda, pypi, history), texts


def metadata_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files at the top of a metadata folder by name; the path itself, under an empty name, when it is a file."""
    if path.is_file():
        yield "", path
    elif path.is_dir():
        yield from sorted((file.name, file) for file in path.iterdir() if file.is_file())


def _conda_entry(record: CondaRecord, text: str) -> CondaEntry:
    described = {
        "name": record.name,
        "version": record.version,
        "build": record.build,
        "url": record.url,
        "sha256": record.sha256,
        "md5": record.md5,
        "size": record.size,
        "subdir": record.subdir,
        "channel": record.channel,
        "depends": list(record.depends),
    }
    return CondaEntry(record.name, record.version, record.build, record.channel, keeping.conda_key(record), described, text)


def _pypi_entry(distribution: Distribution, texts: Mapping[str, str]) -> PypiEntry:
    hashes = (distribution.direct_url.get("archive_info") or {}).get("hashes") or {}
    return PypiEntry(
        name=distribution.key,
        version=distribution.version,
        key=keeping.distribution_key(distribution),
        requested=distribution.requested,
        origin=strip_url(str(distribution.direct_url.get("url") or "")),
        digest=str(hashes.get("sha256") or ""),
        files=dict(texts),
    )


def to_json(state: State) -> dict[str, Any]:
    """Return *state* as plain values."""
    return asdict(state)


def from_json(data: Mapping[str, Any]) -> State:
    """Return the state that :func:`to_json` wrote."""
    return State(
        conda={file: CondaEntry(**entry) for file, entry in data["conda"].items()},
        pypi={folder: PypiEntry(**entry) for folder, entry in data["pypi"].items()},
        history=data["history"],
    )
