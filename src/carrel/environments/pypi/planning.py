"""The PyPI half of a plan: what uv would do, without touching what conda owns."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packaging.requirements import Requirement

from carrel.core.errors import BadRequest, CarrelError, Unsolvable
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import needs, policies
from carrel.environments.credentials import strip_url
from carrel.environments.distributions import Distribution
from carrel.environments.models import Environment, Notice, PlannedPackage, Policy, PypiStep, Sources, Spec
from carrel.environments.naming import normalize
from carrel.environments.pypi import pylock, uv
from carrel.environments.specs import requirement

_DISK_FACTOR = 3  # installed size of a wheel over its own, roughly


@dataclass(frozen=True, slots=True)
class PypiResult:
    """What uv would do. ``direct`` are the addresses of what comes from no index, by normalized name."""

    added: tuple[PlannedPackage, ...] = ()
    changed: tuple[PlannedPackage, ...] = ()
    removed: tuple[PlannedPackage, ...] = ()
    warnings: tuple[Notice, ...] = ()
    direct: Mapping[str, str] = field(default_factory=dict)
    step: PypiStep = field(default_factory=PypiStep)


def plan_pypi(
    environment: Environment,
    *,
    add: Sequence[Spec],
    remove: Collection[str],
    update: Sequence[str],
    distributions: Sequence[Distribution],
    conda_owned: Mapping[str, str],
    conda_arriving: Collection[str],
    sources: Sources,
    policy: Policy,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> PypiResult:
    """Return what installing *add*, removing *remove* and updating *update* would do.

    conda's distributions are constraints: uv would otherwise replace them silently, and conda's records would lie. Those that
    the same plan brings (*conda_arriving*) are not there yet for uv to see, so it is told to take them for granted.
    """
    present = {distribution.key: distribution for distribution in distributions}
    leaving = {normalize(name) for name in remove}
    warnings = [*_guard_conda(add, conda_owned), *_dependents(leaving, present)]
    if not add and not update:
        return PypiResult(
            removed=tuple(_removed(present[name], "requested") for name in sorted(leaving)),
            warnings=tuple(warnings),
            step=PypiStep(remove=tuple(sorted(leaving))),
        )
    python = environment.python_executable
    if python is None:
        raise BadRequest(f"{environment.name} has no Python.", code="no_python")
    requirements = [requirement(spec) for spec in add] + [name for name in update if name in present]
    asked = {normalize(Requirement(text).name) for text in requirements}
    constraints = [f"{name}=={version}" for name, version in sorted(conda_owned.items()) if name not in asked or name not in present]
    constraints += [pin for name, pin in sorted(policies.pypi_pins(policy).items()) if name not in conda_owned]
    exclude_newer = policies.until(policy)
    narrowed = _narrow(sources, add)
    try:
        changes = uv.dry_run(
            python,
            requirements,
            upgrade=list(update),
            constraints=constraints,
            excludes=sorted(set(conda_arriving) - asked),
            exclude_newer=exclude_newer,
            sources=narrowed,
            on_event=on_event,
            cancel=cancel,
        )
    except Unsolvable as error:
        raise _explain(error, conda_owned) from error
    installing = {normalize(name): version for name, version, action in changes if action == "installed"}
    leaving |= {normalize(name) for name, _, action in changes if action == "uninstalled" and normalize(name) not in installing}
    overwritten = sorted(set(installing) & set(conda_owned) - set(present))
    if overwritten:
        raise Unsolvable(
            f"pip would replace {', '.join(overwritten)}, which conda installed. Install it from a conda channel instead.",
            code="conda_owned",
            explanation="",
        )
    direct = {normalize(spec.name): requirement(spec) for spec in add if spec.url and normalize(spec.name) in installing}
    packages = []
    if installing:
        packages = uv.lock_pins(python, installing, direct=direct, sources=narrowed, cancel=cancel, exclude_newer=exclude_newer)
        built = {normalize(package["name"]): str(package.get("version") or "") for package in packages}
        installing = {name: version or built.get(name, "") for name, version in installing.items()}
    lines = _lines(packages, installing, present, asked)
    requested = {name for name in asked if not (name in update and name in present and not present[name].requested)}
    requested |= {name for name in installing if name in present and present[name].requested}
    return PypiResult(
        added=tuple(line for line in lines if line.from_version is None),
        changed=tuple(line for line in lines if line.from_version is not None),
        removed=tuple(_removed(present[name], "requested") for name in sorted(leaving & set(present))),
        warnings=tuple(warnings),
        direct={normalize(spec.name): spec.url for spec in add if spec.url},
        step=PypiStep(
            pylock=pylock.dump(packages),
            install=installing,
            remove=tuple(sorted(leaving & set(present) - set(installing))),
            requested=tuple(sorted(requested)),
        ),
    )


def _narrow(sources: Sources, add: Sequence[Spec]) -> Sources:
    """Put the indexes that were asked for first, so that they win."""
    chosen = [spec.index for spec in add if spec.index]
    if not chosen:
        return sources
    first = list(dict.fromkeys(chosen))
    return replace(sources, indexes=(*first, *(index for index in sources.indexes if index not in first)))


def _guard_conda(add: Sequence[Spec], conda_owned: Mapping[str, str]) -> list[Notice]:
    return [
        Notice("conda_has_it", f"{spec.name} {conda_owned[normalize(spec.name)]} is already there as a conda package; pip leaves it alone.")
        for spec in add
        if normalize(spec.name) in conda_owned
    ]


def _dependents(leaving: Collection[str], present: Mapping[str, Distribution]) -> list[Notice]:
    notices = []
    for name in sorted(leaving):
        users = sorted(d.name for d in present.values() if d.key not in leaving and name in needs.names(d))
        if users:
            notices.append(Notice("still_needed", f"{', '.join(users)} will not work without {name}."))
    return notices


def _lines(
    packages: Sequence[Mapping[str, Any]], installing: Mapping[str, str], present: Mapping[str, Distribution], asked: Collection[str]
) -> list[PlannedPackage]:
    by_name = {normalize(package["name"]): package for package in packages}
    lines = []
    for name, version in sorted(installing.items()):
        old = present.get(name)
        package = by_name.get(name, {})
        archive = pylock.likely_archive(package)
        others = sorted(set(asked) - {name})
        size = int(archive.get("size") or 0)
        lines.append(
            PlannedPackage(
                name=str(package.get("name") or name),
                from_version=old.version if old else None,
                to_version=version,
                build="",
                source="pypi",
                channel=strip_url(str(package.get("index") or "")),
                size=size,
                url=strip_url(str(archive.get("url") or "")),
                sha256=str((archive.get("hashes") or {}).get("sha256") or ""),
                reason="requested" if name in asked else f"needed by {', '.join(others)}",
                # another version of the same package is a better measure than the archive
                disk_bytes=old.size if old and old.size else size * _DISK_FACTOR,
            )
        )
    return lines


def _removed(distribution: Distribution, reason: str) -> PlannedPackage:
    return PlannedPackage(distribution.name, distribution.version, None, "", "pypi", "", distribution.size, "", "", reason)


def _explain(error: Unsolvable, conda_owned: Mapping[str, str]) -> CarrelError:
    text = f"{error.detail} {error.fields.get('explanation', '')}"
    words = {normalize(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)}
    held = sorted(name for name in conda_owned if name in words)
    if not held:
        return error
    hint = ", ".join(f"{name} {conda_owned[name]}" for name in held[:3])
    return Unsolvable(
        f"{error.detail} conda installed {hint}, which pip must not replace: change it with conda first, or choose another version.",
        **error.fields,
    )
