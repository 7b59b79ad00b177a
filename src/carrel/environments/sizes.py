"""How much an environment grows by a plan."""

from __future__ import annotations

from collections.abc import Collection

from carrel.environments.conda.planning import DISK_FACTOR, CondaHalf
from carrel.environments.models import PlannedPackage
from carrel.environments.naming import normalize
from carrel.environments.wishes import Wishes


def growth(
    added: Collection[PlannedPackage],
    changed: Collection[PlannedPackage],
    removed: Collection[PlannedPackage],
    wishes: Wishes,
    conda: CondaHalf,
) -> int:
    """Return by how many bytes: what comes, measured where it is in the cache, less what goes, as installed."""
    coming = sum(line.disk_bytes for line in (*added, *changed))
    return coming - sum(_installed(line, wishes, conda) for line in (*changed, *removed))


def _installed(line: PlannedPackage, wishes: Wishes, conda: CondaHalf) -> int:
    if line.source == "pypi":
        distribution = wishes.distributions.get(normalize(line.name))
        return distribution.size if distribution else 0
    measured: int | None = conda.entries[line.name]["from_disk"]
    if measured is not None:
        return measured
    record = wishes.records.get(line.name)
    return record.size * DISK_FACTOR if record else 0
