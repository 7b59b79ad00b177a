"""A lock for a platform that a lock file has none for: the same wishes, solved anew as of the moment of capture.

That is not the captured environment, so what differs comes with it, and nobody is given it unasked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carrel.core import clock
from carrel.core.errors import Unprocessable
from carrel.core.progress import CancelSignal, OnProgress, ignore_progress
from carrel.environments import differences
from carrel.environments.differences import Changed, Difference, Package
from carrel.environments.locations import current_platform
from carrel.environments.models import Policy, Sources
from carrel.formats.environment.lock import Lock, LockSet


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A lock that was solved for another platform than the captured one's.

    Attributes
    ----------
    lock : Lock
        What can be rebuilt there; its ``problems`` say what does not exist on its platform.
    captured : Lock
        What it stands for.
    difference : Difference
        From the captured packages to the solved ones, builds and archives included.
    """

    lock: Lock
    captured: Lock
    difference: Difference

    @property
    def other_versions(self) -> tuple[Changed, ...]:
        """Packages with another version, or from another source."""
        return tuple(
            pair for pair in self.difference.changed if (pair.before.version, pair.before.source) != (pair.after.version, pair.after.source)
        )

    @property
    def other_builds(self) -> tuple[Changed, ...]:
        """Packages with the same version in another build or archive: what another platform always brings."""
        versions = set(self.other_versions)
        return tuple(pair for pair in self.difference.changed if pair not in versions)

    @property
    def missing(self) -> tuple[Package, ...]:
        """Packages that are not there."""
        return self.difference.removed

    @property
    def extra(self) -> tuple[Package, ...]:
        """Packages that are there in addition."""
        return self.difference.added

    def to_json(self) -> dict[str, Any]:
        """Return what differs as plain values."""
        return {
            "platform": self.lock.platform,
            "captured_on": self.captured.platform,
            "solved_as_of": clock.to_rfc3339(self.lock.exclude_newer or self.captured.captured_at),
            "packages": len(self.lock.conda) + len(self.lock.pypi),
            "download_bytes": self.lock.download_bytes,
            "versions": [
                {"name": pair.name, "from": pair.before.version, "to": pair.after.version, "source": pair.after.source}
                for pair in self.other_versions
            ],
            "builds": [{"name": pair.name, "from": pair.before.build, "to": pair.after.build} for pair in self.other_builds],
            "missing": [{"name": one.name, "version": one.version, "source": one.source} for one in self.missing],
            "extra": [{"name": one.name, "version": one.version, "source": one.source} for one in self.extra],
            "problems": [{"code": one.code, "message": one.message, "name": one.name} for one in self.lock.problems],
        }

    def lines(self) -> list[str]:
        """Return what differs as text: versions first, builds by number."""
        total = len(self.lock.conda) + len(self.lock.pypi)
        found = [f"~ {pair.name} {pair.before.version} → {pair.after.version}" for pair in self.other_versions]
        found += [f"- {one.name} {one.version}" for one in self.missing]
        found += [f"+ {one.name} {one.version}" for one in self.extra]
        same = total - len(self.other_versions) - len(self.extra)
        return [*found, f"{same} of {total} packages have the captured version, {len(self.other_builds)} of them in another build"]


def solve_elsewhere(
    captured: Lock | LockSet,
    platform: str,
    sources: Sources,
    *,
    policy: Policy | None = None,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Elsewhere:
    """Return the lock of the same environment for *platform*, solved at the moment of capture, with what differs.

    Parameters
    ----------
    captured : Lock or LockSet
        Of several, the first one is what was captured.
    sources : Sources
        Indexes, and how to sign in; channels are those of the lock.

    Raises
    ------
    carrel.core.errors.Unsolvable
        It cannot be had there.
    carrel.core.errors.BadRequest
        *platform* is none.
    """
    from carrel.environments import locking

    lock = captured if isinstance(captured, Lock) else captured.locks[0]
    solved = locking.for_platforms(lock, (platform,), sources, policy=policy, on_event=on_event, cancel=cancel).for_platform(platform)
    if solved is None:
        raise Unprocessable(f"Nothing was solved for {platform}.", code="platform_mismatch", solvable=False)
    return Elsewhere(solved, lock, differences.compare(differences.of_lock(lock), differences.of_lock(solved)))


def platform_mismatch(what: str, platforms: Sequence[str]) -> Unprocessable:
    """Return the error for *what*, which was captured on *platforms* and not for this one; it may be solved anew."""
    there, here = ", ".join(platforms), current_platform()
    return Unprocessable(
        f"{what} was captured on {there}, and this machine is {here}. Its packages do not run here. They can be solved anew for {here}, "
        "as of the time when they were captured; you are shown what differs.",
        code="platform_mismatch",
        platform=here,
        platforms=list(platforms),
        solvable=True,
    )
