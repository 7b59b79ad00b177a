"""Solving: from wishes to the exact difference (worker side)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rattler import BuildString, Channel, ChannelPriority, Gateway, GenericVirtualPackage, MatchSpec, PackageName, Version, VirtualPackage
from rattler import solve as rattler_solve
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

from carrel.environments.conda.comparing import difference
from carrel.environments.conda.dependents import dependents, leaving_names, listed
from carrel.environments.conda.failure import Failure
from carrel.environments.conda.network import make_client
from carrel.environments.conda.records import prefix_records

if TYPE_CHECKING:
    from carrel.environments.conda.downloading import Report


async def solve(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return the difference that fulfils ``add``, ``remove`` and ``update`` while changing as little as possible.

    Everything installed stays and is preferred as it is; Python keeps its minor version unless asked otherwise;
    ``protected`` names are never taken away; what only the removed packages needed goes with them, except ``keep``.
    A package comes from the first of the ``channels`` that has it (strict channel priority).

    Further members of *request*, all optional:

    ``pins``
        Match specifications that hold for whatever is installed, without causing an installation. What is installed and
        does not fulfil its pin stays as it is, unless something is asked of it; such pins are told in ``unmet_pins``.
    ``bounds``
        Match specifications that others than conda packages rely on. They are kept if that is possible at all; those that
        are not are told in ``broken_bounds``, and what they keep from being updated in ``held`` (name to version).
    ``exclude_newer``
        RFC 3339: records that were published later, or that do not say when, are not considered. What is installed stays.
    ``platform``
        conda's name of the platform to solve for; this machine's by default.
    ``virtual_packages``
        ``name=version=build`` (``__osx=11.0=0``), in place of those of this machine.

    The answer's ``channels`` tells under which names channels were given, by address; ``outgrown`` are names in ``requested``
    (specifications by name) that come in versions which do not fulfil these any more.
    """
    report("solve", 0, 0, "", "Reading channels")
    return await _Task(request, Solver(request)).run()


async def solve_each(request: dict[str, Any], report: Report) -> list[dict[str, Any] | None]:
    """Return the differences that fulfil each of ``requests``, None for those without one; at most ``seconds`` are spent.

    What they do not say themselves is as in *request*.
    """
    gateway = Solver(request).gateway
    end = time.monotonic() + float(request.get("seconds") or 10)
    found: list[dict[str, Any] | None] = []
    for number, one in enumerate(request["requests"], start=1):
        report("solve", number, len(request["requests"]), "", "Looking for ways out")
        whole = {**request, **one}
        left = end - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            found.append(await asyncio.wait_for(_Task(whole, Solver(whole, gateway, timedelta(seconds=left))).run(), left))
        except (Failure, TimeoutError):
            found.append(None)
    return found


class _Task:
    """One request."""

    def __init__(self, request: dict[str, Any], solver: Solver) -> None:
        self.request, self.solver = request, solver
        self.installed = prefix_records(request["prefix"]) if request.get("prefix") else {}
        self.kept = self._of_any_date()
        self.protected = {name for name in request.get("protected") or [] if name in self.installed}
        self.leaving = leaving_names(self.installed, request, self.protected)
        self.wanted = [parse(text) for text in request.get("add") or []]
        self.additions = {spec.name.normalized: spec for spec in self.wanted}
        self.updates = [name for name in request.get("update") or [] if name in self.installed and name not in self.leaving]
        bounds = {text: parse(text) for text in request.get("bounds") or []}
        self.bounds = {text: spec for text, spec in bounds.items() if self._fits(spec)}
        self.unmet: list[str] = []
        self.pins = list(self._pins())

    def _of_any_date(self) -> dict[str, Any]:
        """Return what is installed in a form that no ``exclude_newer`` shuts out: the date is for what comes, not for what is there."""
        until = moment(self.request.get("exclude_newer"))
        if until is None or not self.installed:
            return self.installed
        copies = prefix_records(self.request["prefix"])
        for record in copies.values():
            record.indexed_timestamp = until
        return copies

    def _fits(self, spec: MatchSpec) -> bool:
        """Whether what is installed fulfils *spec*: what is broken already cannot be kept."""
        present = self.installed.get(spec.name.normalized)
        return present is not None and present.matches(spec)

    def _stays(self, name: str) -> bool:
        return all(self._fits(spec) for spec in self.wanted if spec.name.normalized == name)

    def _pins(self) -> Iterator[MatchSpec]:
        for text in self.request.get("pins") or []:
            pin = parse(text)
            name = pin.name.normalized
            if name in self.installed and not self._fits(pin) and name not in self.additions and name not in self.updates:
                self.unmet.append(text)
            else:
                yield pin

    async def run(self) -> dict[str, Any]:
        result = await self._solved(list(self.bounds.values()))
        for name in self.leaving:
            if name in result:
                needing = dependents(result, name)
                raise Failure("protected", f"{name} cannot be removed: {listed(needing) or 'another package'} needs it.", name=name)
        broken = [text for text, bound in self.bounds.items() if not _holds(result, bound)]
        found = difference(self.installed, result, self.request, set(self.additions), set(self.updates))
        told = {"unmet_pins": self.unmet, "broken_bounds": broken, "held": await self._held(result), "channels": self.solver.names}
        return {**found, **told, "outgrown": self._outgrown(found["changed"], result)}

    def _outgrown(self, changed: Iterable[Mapping[str, Any]], result: Mapping[str, Any]) -> list[str]:
        before: Mapping[str, Iterable[str]] = self.request.get("requested") or {}
        names = [line["record"]["name"] for line in changed]
        return [name for name in names if not all(_fulfils(result[name], text) for text in before.get(name, ()))]

    async def _solved(self, bounds: list[MatchSpec]) -> dict[str, Any]:
        specs, preferred = self._specs(), self._preferred()
        try:
            solved = await self.solver.run(specs, preferred, self.pins + bounds)
        except SolverError as error:
            solved = await self._again(specs, preferred, bounds, error)
        return {record.name.normalized: record for record in solved}

    def _specs(self) -> list[MatchSpec]:
        specs = list(self.wanted)
        # the library asks channels for what fits the specification only: by the bare name it sees which channel is the first
        # that has the package at all
        specs += [parse(name) for name, spec in self.additions.items() if spec.channel is None and not spec_has_url(spec)]
        for name, record in self.installed.items():
            if name in self.leaving or name in self.additions:
                continue
            if name in self.updates:
                specs.append(parse(f"{name} >={record.version}"))
            elif name == "python":
                specs.append(parse(f"python {'.'.join(str(record.version).split('.')[:2])}.*"))
            else:
                specs.append(parse(name))
        return specs

    def _preferred(self) -> list[Any]:
        moving = {*self.leaving, *self.updates, *self.additions}
        preferred = [record for name, record in self.kept.items() if name not in moving]
        # a package asked for again with a version that it already has does not move
        return preferred + [self.kept[name] for name in self.additions if name in self.kept and self._stays(name)]

    async def _again(self, specs: list[MatchSpec], preferred: list[Any], bounds: list[MatchSpec], first: SolverError) -> list[Any]:
        """Solve again, less strictly; the first conflict is the one that is told when this fails too."""
        # an update may find nothing newer, or the installed version in no channel any more
        preferred = preferred + [self.kept[name] for name in self.updates]
        # what nobody asked for may go, for instance when a package was split or renamed
        asked = {name for key in ("requested", "protected", "keep") for name in self.request.get(key) or []}
        asked |= {*self.updates, *self.additions, "python"}
        relaxed = [spec for spec in specs if spec.name.normalized in asked]
        told = first
        for kept in [bounds, []] if bounds else [[]]:
            for attempt in (specs if self.updates or kept is not bounds else [], relaxed if len(relaxed) < len(specs) else []):
                try:
                    if attempt:
                        return await self.solver.run(attempt, preferred, self.pins + kept)
                except SolverError as error:
                    # that the bounds cannot be kept is not what makes it impossible
                    told = error if bounds and not kept and told is first else told
        raise Failure("unsolvable", str(told)) from told

    async def _held(self, result: Mapping[str, Any]) -> dict[str, str]:
        """Return what would be updated further were it not for the bounds."""
        names = {bound.name.normalized for bound in self.bounds.values()} & {*self.updates, *self.additions}
        if not names:
            return {}
        with contextlib.suppress(Failure):
            free = await self._solved([])
            return {
                name: str(free[name].version)
                for name in sorted(names)
                if name in free and name in result and free[name].version > result[name].version
            }
        return {}


def _fulfils(record: Any, text: str) -> bool:
    # other programs write channels in ways of their own, and where a package comes from its record says
    with contextlib.suppress(InvalidMatchSpecError):
        return bool(record.matches(MatchSpec(text.rpartition("::")[2], strict=False)))
    return True


def _holds(result: Mapping[str, Any], bound: MatchSpec) -> bool:
    present = result.get(bound.name.normalized)
    return present is not None and bool(present.matches(bound))


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
    """Return the moment that an RFC 3339 *text* names, in UTC: the library takes the hour for it, whatever the offset says."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Failure("request", f"{text!r} is not a date.") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


class Solver:
    """The library's solver with the sources of one request."""

    def __init__(self, request: dict[str, Any], gateway: Gateway | None = None, timeout: timedelta | None = None) -> None:
        self.channels = [Channel(channel) for channel in request["channels"]]
        self.gateway = gateway or Gateway(cache_dir=Path(request["cache"]) / "repodata", client=make_client(request.get("headers") or {}))
        self.names = {channel.base_url: given for channel, given in zip(self.channels, request["channels"], strict=True)}
        self._platforms = [request["platform"], "noarch"] if request.get("platform") else None
        self._virtual = virtual_packages(request.get("virtual_packages"))
        self._exclude_newer = moment(request.get("exclude_newer"))
        self._timeout = timeout

    async def run(self, specs: list[MatchSpec], preferred: list[Any], constraints: list[MatchSpec]) -> list[Any]:
        """Return the records that fulfil *specs* and *constraints*, the *preferred* ones where they fit."""
        try:
            solved: list[Any] = await rattler_solve(
                self.channels,
                specs,
                gateway=self.gateway,
                locked_packages=preferred,
                platforms=self._platforms,
                virtual_packages=self._virtual,
                timeout=self._timeout,
                channel_priority=ChannelPriority.Strict,
                exclude_newer=self._exclude_newer,
                constraints=constraints,
            )
            return solved
        except GatewayError as error:
            raise Failure("network", str(error)) from error


def spec_has_url(spec: MatchSpec) -> bool:
    """Whether a specification is the address of one archive."""
    return "url=" in str(spec)


def parse(spec: str) -> MatchSpec:
    """Return a match specification, strictly read."""
    try:
        return MatchSpec(spec, strict=True)
    except InvalidMatchSpecError as error:
        raise Failure("request", f"{spec!r} is not a package specification: {error}", spec=spec) from error
