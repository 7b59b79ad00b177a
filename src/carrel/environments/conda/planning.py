"""The conda half of a plan: what the solver says, in lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from carrel.core.errors import BadRequest
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import conda_meta, inspection, needs, policies, specs
from carrel.environments.conda import engine
from carrel.environments.credentials import strip_url
from carrel.environments.distributions import Distribution
from carrel.environments.models import CondaStep, Environment, PlannedPackage, Policy, Sources, Spec
from carrel.environments.naming import normalize
from carrel.environments.wishes import PROTECTED, Wishes

DISK_FACTOR = 4
"""Extracted size of a conda archive over its own, roughly: for those that are not in the cache."""


class CondaHalf:
    """What conda would do; nothing by default.

    Attributes
    ----------
    added, changed, removed : tuple of PlannedPackage
    entries : dict
        What the solver tells of each line, by name.
    broken_bounds : dict
        What pip's packages need and would not have any more: the distributions' names by match specification.
    """

    def __init__(self, answer: Mapping[str, Any] | None = None, requested: Mapping[str, tuple[str, ...]] | None = None) -> None:
        answer = answer or {"added": [], "changed": [], "removed": []}
        self.added = tuple(_line(entry, to_version=True) for entry in answer["added"])
        self.changed = tuple(_line(entry, to_version=True) for entry in answer["changed"])
        self.removed = tuple(_line(entry, to_version=False) for entry in answer["removed"])
        incoming = [*answer["added"], *answer["changed"]]
        self.entries = {entry["record"]["name"]: entry for entry in (*incoming, *answer["removed"])}
        self.download_bytes = sum(entry["record"].get("size") or 0 for entry in incoming if not entry["cached"])
        self.channels: Mapping[str, str] = answer.get("channels") or {}
        self.unmet_pins: list[str] = answer.get("unmet_pins") or []
        self.held: Mapping[str, str] = answer.get("held") or {}
        self.bounds: dict[str, list[str]] = {}
        self.broken_bounds: list[str] = answer.get("broken_bounds") or []
        self.step = CondaStep(
            records=tuple(entry["record"] for entry in incoming),
            remove=tuple(line.name for line in self.removed),
            requested=requested or {},
        )

    def replaced_pypi(self, distributions: Mapping[str, Distribution]) -> set[str]:
        """Return the distributions that a conda package of the same name replaces."""
        return {normalize(line.name) for line in (*self.added, *self.changed)} & set(distributions)

    def owned_after(self, prefix: Path) -> dict[str, str]:
        """Return the Python distributions that conda will own, with versions: nothing else may touch them."""
        owned: dict[str, str] = {}
        leaving = {line.name for line in (*self.removed, *self.changed)}
        for folder, record in inspection.conda_owned(prefix).items():
            if record.name not in leaving:
                name, _, version = folder.rsplit(".", 1)[0].partition("-")
                owned[normalize(name)] = version.split("-")[0]
        for line in (*self.added, *self.changed):
            # a conda package seldom says which distributions it brings; its own name is nearly always one
            if line.to_version and "python" in " ".join(self.entries[line.name]["record"].get("depends") or []):
                owned[normalize(line.name)] = line.to_version
        return owned


def _line(entry: Mapping[str, Any], *, to_version: bool) -> PlannedPackage:
    record = entry["record"]
    size = record.get("size") or 0
    return PlannedPackage(
        name=record["name"],
        from_version=entry["from"],
        to_version=record["version"] if to_version else None,
        build=record["build"],
        source="conda",
        channel=strip_url(record.get("channel") or "").rstrip("/"),
        size=size,
        url=strip_url(record.get("url") or ""),
        sha256=record.get("sha256") or "",
        reason=entry["reason"],
        from_build=entry["from_build"],
        disk_bytes=(entry["disk"] or size * DISK_FACTOR) if to_version else 0,
    )


def request(environment: Environment, wishes: Wishes, policy: Policy) -> dict[str, Any]:
    """Return what the solver is asked."""
    pinned = [specs.conda_text(spec) for spec in policies.pins_of_file(conda_meta.pins(environment.prefix))]
    needed = {name for one in wishes.distributions.values() for name in needs.names(one, environment.python_version)}
    return {
        "add": [specs.conda_text(spec) for spec in wishes.conda_add],
        "remove": wishes.conda_remove,
        "update": wishes.conda_update,
        "protected": PROTECTED,
        "pins": [*pinned, *policies.conda_pins(policy)],
        "bounds": list(bounds(environment, wishes)),
        "requested": {name: list(found) for name, found in wishes.requested.items()},
        "keep": sorted({owner for name in needed if (owner := wishes.owner_of(name))}),
        "exclude_newer": policies.until(policy),
    }


def bounds(environment: Environment, wishes: Wishes) -> dict[str, list[str]]:
    """Return what pip's packages that stay as they are need of conda's: their names by match specification."""
    found: dict[str, list[str]] = {}
    moving = {*wishes.pypi_remove, *wishes.pypi_update, *(normalize(spec.name) for spec in wishes.pypi_add)}
    for distribution in wishes.distributions.values():
        if distribution.key in moving:
            continue
        for requirement in needs.requirements(distribution, environment.python_version):
            owner = None if normalize(requirement.name) in wishes.distributions else wishes.owner_of(normalize(requirement.name))
            if owner is None or owner in wishes.conda_remove:
                continue
            try:
                text = specs.conda_text(Spec(owner, str(requirement.specifier) or None))
            except BadRequest:
                continue
            found.setdefault(text, []).append(distribution.name)
    return found


def plan_conda(
    environment: Environment, wishes: Wishes, sources: Sources, policy: Policy, on_event: OnProgress, cancel: CancelSignal
) -> CondaHalf:
    """Return what conda would do.

    Raises
    ------
    carrel.core.errors.CarrelError
        As :func:`carrel.environments.conda.engine.solve`.
    """
    answer = engine.solve(environment.prefix, sources=sources, on_event=on_event, cancel=cancel, **request(environment, wishes, policy))
    gone = {entry["record"]["name"] for entry in answer["removed"]}
    outgrown = set(answer["outgrown"])
    # an update may lead beyond what was asked for once: what is noted down must be true of what is installed
    requested = {name: (name,) if name in outgrown else found for name, found in wishes.requested.items() if name not in gone}
    # a channel in the wish is where it came from, which its record says; what is noted down must stay readable for conda
    requested |= {spec.name.lower(): (specs.conda_text(_to_note(spec)),) for spec in wishes.conda_add}
    half = CondaHalf(answer, requested)
    half.bounds = bounds(environment, wishes)
    return half


def _to_note(spec: Spec) -> Spec:
    return replace(spec, channel=None, url=None, conditions=()) if spec.url else replace(spec, channel=None)
