"""What installed Python distributions need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from carrel.environments.distributions import Distribution
from carrel.environments.naming import normalize


def requirements(distribution: Distribution, python_version: str = "") -> list[Requirement]:
    """Return what *distribution* needs in an environment with this Python; extras and what cannot be read left out."""
    environment = {"extra": ""}
    if python_version:
        environment |= {"python_version": ".".join(python_version.split(".")[:2]), "python_full_version": python_version}
    found = []
    for text in distribution.requires:
        try:
            parsed = Requirement(text)
            if parsed.marker is None or parsed.marker.evaluate(environment):
                found.append(parsed)
        except (InvalidRequirement, UndefinedEnvironmentName):
            continue
    return found


def names(distribution: Distribution, python_version: str = "") -> set[str]:
    """Return the normalized names of what *distribution* needs."""
    return {normalize(one.name) for one in requirements(distribution, python_version)}


def closure(start: Iterable[str], present: Mapping[str, Distribution], python_version: str = "") -> set[str]:
    """Return *start* and everything of *present* that it needs, directly or not."""
    seen: set[str] = set()
    pending = [name for name in start if name in present]
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += [other for other in names(present[name], python_version) if other in present]
    return seen
