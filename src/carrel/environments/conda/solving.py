"""Solving: from wishes to the exact difference (worker side)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rattler import BuildString, Channel, ChannelPriority, Gateway, GenericVirtualPackage, MatchSpec, PackageName, Version, VirtualPackage
from rattler import solve as rattler_solve
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

from carrel.environments.conda.cache import PackageStore
from carrel.environments.conda.failure import Failure
from carrel.environments.conda.network import make_client
from carrel.environments.conda.records import prefix_records, to_json

if TYPE_CHECKING:
    from carrel.environments.conda.fetching import Report


async def solve(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return the difference that fulfils ``add``, ``remove`` and ``update`` while changing as little as possible.

    Everything installed stays and is preferred as it is; Python keeps its minor version unless asked otherwise;
    ``protected`` names are never taken away; what only the removed packages needed goes with them, except ``keep``.
    A package comes from the first of the ``channels`` that has it (strict channel priority).

    Further members of *request*, all optional:

    ``pins``
        Match specifications that hold for whatever is installed, without causing an installation.
    ``exclude_newer``
        RFC 3339: records that were published later, or that do not say when, are not considered. What is installed stays.
    ``platform``
        conda's name of the platform to solve for; this machine's by default.
    ``virtual_packages``
        ``name=version=build`` (``__osx=11.0=0``), in place of those of this machine.
    """
    report("solve", 0, 0, "", "Reading channels")
    installed = prefix_records(request["prefix"]) if request.get("prefix") else {}
    protected = {name for name in request.get("protected") or [] if name in installed}
    leaving = _leaving(installed, request, protected)
    additions = [_parse(spec) for spec in request.get("add") or []]
    added_names = {spec.name.normalized: spec for spec in additions}
    updates = [name for name in request.get("update") or [] if name in installed and name not in leaving]
    stay = [name for name in installed if name not in leaving and name not in added_names]
    specs = list(additions)
    for name in stay:
        if name in updates:
            specs.append(_parse(f"{name} >={installed[name].version}"))
        elif name == "python":
            specs.append(_parse(f"python {'.'.join(str(installed[name].version).split('.')[:2])}.*"))
        else:
            specs.append(_parse(name))
    solver = _Solver(request)
    preferred = [record for name, record in installed.items() if name not in leaving and name not in updates and name not in added_names]
    # a package asked for again with a version that it already has does not move
    preferred += [installed[name] for name, spec in added_names.items() if name in installed and installed[name].matches(spec)]
    try:
        solved = await solver.run(specs, preferred)
    except SolverError as first:
        solved = await _second_try(solver, specs, additions, preferred, installed, updates, request, first)
    result = {record.name.normalized: record for record in solved}
    for name in leaving:
        if name in result:
            needing = _dependents(result, name)
            raise Failure("protected", f"{name} cannot be removed: {_and(needing) or 'another package'} needs it.", name=name)
    return _difference(installed, result, request, set(added_names), set(updates))


def virtual_packages(described: Iterable[str] | None) -> list[Any]:
    """Return virtual packages from ``name=version=build``; those of this machine when none are described."""
    if described is None:
        return list(VirtualPackage.detect())
    found = []
    for text in described:
        name, _, rest = text.partition("=")
        version, _, build = rest.partition("=")
        try:
            found.append(GenericVirtualPackage(PackageName(name), Version(version or "0"), BuildString(build or "0")))
        except Exception as error:  # the library has one exception for each part
            raise Failure("request", f"{text!r} is not a virtual package: write NAME=VERSION=BUILD.") from error
    return found


def moment(text: str | None) -> datetime | None:
    """Return the moment that an RFC 3339 *text* names."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Failure("request", f"{text!r} is not a date.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class _Solver:
    """The library's solver with the sources of one request."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._channels = [Channel(channel) for channel in request["channels"]]
        self._gateway = Gateway(cache_dir=Path(request["cache"]) / "repodata", client=make_client(request.get("headers") or {}))
        self._constraints = [_parse(pin) for pin in request.get("pins") or []]
        self._platforms = [request["platform"], "noarch"] if request.get("platform") else None
        self._virtual = virtual_packages(request.get("virtual_packages"))
        self._exclude_newer = moment(request.get("exclude_newer"))

    async def run(self, specs: list[MatchSpec], preferred: list[Any]) -> list[Any]:
        try:
            solved: list[Any] = await rattler_solve(
                self._channels,
                specs,
                gateway=self._gateway,
                locked_packages=preferred,
                platforms=self._platforms,
                virtual_packages=self._virtual,
                channel_priority=ChannelPriority.Strict,
                exclude_newer=self._exclude_newer,
                constraints=self._constraints,
            )
            return solved
        except GatewayError as error:
            raise Failure("network", str(error)) from error


async def _second_try(
    solver: _Solver,
    specs: list[MatchSpec],
    additions: list[MatchSpec],
    preferred: list[Any],
    installed: Mapping[str, Any],
    updates: list[str],
    request: dict[str, Any],
    first: SolverError,
) -> list[Any]:
    """Solve again, less strictly; the first conflict is the one that is told when this fails too."""
    # an update may find nothing newer, or the installed version in no channel any more
    if updates:
        preferred = preferred + [installed[name] for name in updates]
    # what nobody asked for may go, for instance when a package was split or renamed
    asked = {*(request.get("requested") or {}), *(request.get("protected") or []), *(request.get("keep") or []), *updates}
    names = {spec.name.normalized for spec in additions}
    relaxed = [spec for spec in specs if spec.name.normalized in asked | names | {"python"}]
    for attempt in (specs if updates else [], relaxed if len(relaxed) < len(specs) else []):
        if not attempt:
            continue
        try:
            return await solver.run(attempt, preferred)
        except SolverError:
            continue
    raise Failure("unsolvable", str(first)) from first


def _parse(spec: str) -> MatchSpec:
    try:
        return MatchSpec(spec, strict=True)
    except InvalidMatchSpecError as error:
        raise Failure("request", f"{spec!r} is not a package specification: {error}", spec=spec) from error


def _leaving(installed: Mapping[str, Any], request: dict[str, Any], protected: set[str]) -> dict[str, str]:
    """Return the names that go away and why: the asked ones, all that need them, and what is left without use."""
    leaving = {name: "requested" for name in request.get("remove") or [] if name in installed}
    pending = list(leaving)
    while pending:
        name = pending.pop()
        for dependent in _dependents(installed, name):
            if dependent not in leaving:
                leaving[dependent] = f"needs {name}"
                pending.append(dependent)
    for name in leaving:
        if name in protected:
            why = leaving[name]
            because = "" if why == "requested" else f" (it {why})"
            raise Failure("protected", f"{name} cannot be removed: this environment does not work without it{because}.", name=name)
    if leaving:
        needed = {*(request.get("requested") or {}), *protected, *(request.get("keep") or [])}
        candidates = _requirements(installed, leaving) - set(leaving) - needed
        while True:
            kept = {name for name in candidates if any(d not in candidates and d not in leaving for d in _dependents(installed, name))}
            if not kept:
                break
            candidates -= kept
        for name in candidates:
            leaving[name] = "nothing needs it any more"
    return leaving


def _requirements(records: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """Return everything *names* need, directly or not."""
    seen: set[str] = set()
    pending = list(names)
    while pending:
        for dependency in records[pending.pop()].depends:
            name = _name_of(dependency)
            if name in records and name not in seen:
                seen.add(name)
                pending.append(name)
    return seen


def _dependents(records: Mapping[str, Any], name: str) -> list[str]:
    return [other for other, record in records.items() if other != name and any(_name_of(d) == name for d in record.depends)]


def _name_of(dependency: str) -> str:
    return dependency.split(" ", 1)[0].split("[", 1)[0].rpartition("::")[2].lower()


def _difference(
    installed: Mapping[str, Any], result: Mapping[str, Any], request: dict[str, Any], added: set[str], updates: set[str]
) -> dict[str, Any]:
    store = PackageStore(Path(request["cache"]))
    reasons = _why_leaving(installed, result, request)
    new, changed, removed = [], [], []
    for name, record in sorted(result.items()):
        old = installed.get(name)
        if old is not None and _same(old, record):
            continue
        described = to_json(record)
        asked = name in added or name in updates
        line = {
            "record": described,
            "cached": store.holds(described),
            "asked": asked,
            "from": str(old.version) if old is not None else None,
            "from_build": str(old.build) if old is not None else "",
        }
        if old is None:
            new.append({**line, "reason": "requested" if name in added else f"needed by {_and(_dependents(result, name))}"})
        else:
            changed.append({**line, "reason": _why_changed(name, old, result, asked)})
    for name, old in sorted(installed.items()):
        if name not in result:
            reason = reasons.get(name, "conflicts with the change")
            removed.append(
                {
                    "record": to_json(old),
                    "from": str(old.version),
                    "from_build": str(old.build),
                    "reason": reason,
                    "asked": reason == "requested",
                }
            )
    return {"added": new, "changed": changed, "removed": removed}


def _same(old: Any, new: Any) -> bool:
    if old.sha256 and new.sha256:
        return bool(old.sha256 == new.sha256)
    return (str(old.version), str(old.build), old.subdir) == (str(new.version), str(new.build), new.subdir)


def _why_leaving(installed: Mapping[str, Any], result: Mapping[str, Any], request: dict[str, Any]) -> dict[str, str]:
    protected = {name for name in request.get("protected") or [] if name in installed}
    reasons = _leaving(installed, request, protected)
    for name, record in installed.items():
        if name in result or name in reasons:
            continue
        for dependency in record.depends:
            other = result.get(_name_of(dependency))
            if other is not None and not other.matches(MatchSpec(dependency, strict=False)):
                reasons[name] = f"{name} {record.version} needs {dependency}, and {other.name.normalized} becomes {other.version}"
    return reasons


def _why_changed(name: str, old: Any, result: Mapping[str, Any], asked: bool) -> str:
    if asked:
        return "requested"
    for other, record in sorted(result.items()):
        for dependency in record.depends:
            if _name_of(dependency) == name and not old.matches(MatchSpec(dependency, strict=False)):
                return f"{other} {record.version} needs {dependency}"
    return "the installed build does not fit the other changes"


def _and(names: list[str]) -> str:
    shown = sorted(names)[:3]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
