"""States of an environment that can be gone back to.

A snapshot says which packages there were, each with the key under which its files are kept if a later change takes them
away (see :mod:`carrel.environments.keeping`) and with what is needed to fetch it again should they not be kept.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from carrel.core import clock
from carrel.core.errors import NotFound
from carrel.environments import conda_meta, inspection, keeping
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.credentials import strip_url
from carrel.environments.distributions import Distribution
from carrel.environments.files import write_json
from carrel.environments.models import Snapshot

_RETAINED = 20


@dataclass(frozen=True, slots=True)
class CondaEntry:
    """One conda package of a state; ``record`` is enough to fetch it again."""

    key: str
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PypiEntry:
    """One Python distribution of a state; ``folder`` is its ``.dist-info``, relative to the prefix."""

    key: str
    version: str
    folder: str
    requested: bool
    direct_url: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """All packages of an environment at one moment."""

    id: str
    created_at: str
    summary: str
    conda: Mapping[str, CondaEntry] = field(default_factory=dict)
    pypi: Mapping[str, PypiEntry] = field(default_factory=dict)
    requested: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """All keys under which packages may be kept."""
        return {entry.key for entry in self.conda.values()} | {entry.key for entry in self.pypi.values()}


def current_state(prefix: Path, summary: str) -> State:
    """Return the present state of *prefix* under a new id."""
    now = clock.now()
    is_conda = conda_meta.is_conda_prefix(prefix)
    return State(
        id=f"{now:%Y%m%dT%H%M%S}-{now.microsecond:06d}-{secrets.token_hex(2)}",
        created_at=clock.to_rfc3339(now),
        summary=summary,
        conda={record.name: _conda_entry(record) for record in conda_meta.read_records(prefix)} if is_conda else {},
        pypi={distribution.key: _pypi_entry(distribution, prefix) for distribution in inspection.python_distributions(prefix)},
        requested=conda_meta.requested_specs(prefix) if is_conda else {},
    )


def _conda_entry(record: CondaRecord) -> CondaEntry:
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
    return CondaEntry(keeping.conda_key(record), described)


def _pypi_entry(distribution: Distribution, prefix: Path) -> PypiEntry:
    return PypiEntry(
        key=keeping.distribution_key(distribution),
        version=distribution.version,
        folder=distribution.path.relative_to(prefix).as_posix(),
        requested=distribution.requested,
        direct_url=strip_url(str(distribution.direct_url.get("url") or "")),
    )


def save(prefix: Path, state: State) -> None:
    """Write *state* down, and drop the oldest ones with what only they need."""
    folder = _folder(prefix)
    write_json(folder / f"{state.id}.json", asdict(state))
    old = sorted(folder.glob("*.json"))[:-_RETAINED]
    if old:
        for path in old:
            path.unlink()
        keys: set[str] = set()
        for path in folder.glob("*.json"):
            keys |= _load(path).keys
        keeping.Store(prefix, inspection.state_folder(prefix)).retain(keys)


def discard(prefix: Path, snapshot_id: str) -> None:
    """Forget a snapshot (of a change that did not come about)."""
    (_folder(prefix) / f"{snapshot_id}.json").unlink(missing_ok=True)


def load(prefix: Path, snapshot_id: str) -> State:
    """Return a snapshot.

    Raises
    ------
    NotFound
    """
    path = _folder(prefix) / f"{snapshot_id}.json"
    if "/" in snapshot_id or "\\" in snapshot_id or snapshot_id.startswith(".") or not path.is_file():
        message = f"This environment has no snapshot {snapshot_id[:60]!r}; only the last {_RETAINED} are kept."
        raise NotFound(message, code="snapshot_not_found")
    return _load(path)


def _load(path: Path) -> State:
    data = json.loads(path.read_bytes())
    return State(
        id=data["id"],
        created_at=data["created_at"],
        summary=data["summary"],
        conda={name: CondaEntry(entry["key"], entry["record"]) for name, entry in data["conda"].items()},
        pypi={name: PypiEntry(**entry) for name, entry in data["pypi"].items()},
        requested={name: tuple(specs) for name, specs in data["requested"].items()},
    )


def snapshots(prefix: Path) -> list[Snapshot]:
    """Return the snapshots of *prefix*, newest first."""
    states = [_load(path) for path in sorted(_folder(inspection.absolute(prefix)).glob("*.json"), reverse=True)]
    return [Snapshot(state.id, state.created_at, state.summary, len(state.conda) + len(state.pypi)) for state in states]


def _folder(prefix: Path) -> Path:
    return inspection.state_folder(prefix) / "snapshots"
