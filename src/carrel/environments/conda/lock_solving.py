"""Solving a whole environment for one platform, and finding records in channels (worker side)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rattler import Channel, ChannelPriority, Gateway, MatchSpec, Version
from rattler import solve as rattler_solve
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

from carrel.environments.conda.failure import Failure
from carrel.environments.conda.network import make_client
from carrel.environments.conda.records import to_json
from carrel.environments.conda.solving import moment, virtual_packages

if TYPE_CHECKING:
    from carrel.environments.conda.downloading import Report


async def lock(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return the records of an environment that fulfils ``specs`` on ``platform``, where nothing is installed yet.

    ``like``
        Versions to prefer, by name; where the platform lacks one, the nearest is preferred: the greatest below it, else the
        least above.
    ``optional``
        Names that are left out where the platform has no package of that name; told in the answer's ``absent``.
    ``pins``, ``exclude_newer``, ``virtual_packages``
        As for a solve; ``undated`` lets records pass that do not say when they were published.

    With ``like``, a spec that nothing on the platform fulfils gives way to its name alone; told in ``relaxed``.
    """
    report("solve", 0, 0, "", f"Solving for {request['platform']}")
    channels, gateway = _channels(request), _gateway(request)
    platforms = [request["platform"], "noarch"]
    until = moment(request.get("exclude_newer"))
    specs = [_parse(text) for text in request["specs"]]
    like: Mapping[str, str] = request.get("like") or {}
    preferred: list[Any] = []
    absent: list[str] = []
    relaxed: dict[str, str] = {}
    if like:
        names = {*like, *(spec.name.normalized for spec in specs if spec.name is not None)}
        known = await _query(gateway, channels, platforms, sorted(names))
        for name, records in known.items():
            known[name] = [record for record in records if _is_old_enough(record, until, undated=bool(request.get("undated")))]
        preferred = [found for name, version in like.items() if (found := nearest(known.get(name, ()), version)) is not None]
        specs = _possible(specs, known, set(request.get("optional") or ()), absent, relaxed)
    try:
        solved = await rattler_solve(
            channels,
            specs,
            gateway=gateway,
            platforms=platforms,
            locked_packages=preferred,
            virtual_packages=virtual_packages(request["virtual_packages"]),
            channel_priority=ChannelPriority.Strict,
            exclude_newer=until,
            timestamp_policy="allow-missing" if request.get("undated") else "require-timestamp",
            constraints=[_parse(pin) for pin in request.get("pins") or []],
        )
    except GatewayError as error:
        raise Failure("network", str(error)) from error
    except SolverError as error:
        raise Failure("unsolvable", str(error)) from error
    return {"records": [to_json(record) for record in solved], "absent": absent, "relaxed": relaxed}


def _possible(
    specs: Iterable[MatchSpec], known: Mapping[str, Sequence[Any]], optional: set[str], absent: list[str], relaxed: dict[str, str]
) -> list[MatchSpec]:
    """Return what can be asked for on the platform; fill in what cannot."""
    possible = []
    for spec in specs:
        name = spec.name.normalized if spec.name is not None else ""
        records = known.get(name, ())
        if not records and name in optional:
            absent.append(name)
        elif records and not any(record.matches(spec) for record in records):
            relaxed[name] = str(spec)
            possible.append(MatchSpec(name))
        else:
            possible.append(spec)
    return possible


def nearest(records: Sequence[Any], version: str) -> Any | None:
    """Return the record of *version*, else of the greatest version below it, else of the least above; its highest build."""
    if not records:
        return None
    wanted = Version(version)
    below = [record for record in records if record.version <= wanted]
    if below:
        return max(below, key=lambda record: (record.version, record.build_number))
    least = min(record.version for record in records)
    return max((record for record in records if record.version == least), key=lambda record: record.build_number)


async def find(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return the records of ``names`` in each of ``channels`` by themselves; channels that cannot be read are left out."""
    report("capture", 0, 0, "", "Looking up where packages came from")
    gateway = _gateway(request)
    found: list[dict[str, Any]] = []
    for channel in _channels(request):
        try:
            known = await _query(gateway, [channel], [request["platform"], "noarch"], request["names"])
        except Failure:
            continue
        found += [to_json(record) for records in known.values() for record in records]
    return {"records": found}


async def _query(gateway: Gateway, channels: Sequence[Channel], platforms: Sequence[str], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the records of *names*, each from the first channel that has it."""
    known: dict[str, list[Any]] = {}
    try:
        # "disabled": exactly the given channels, in their order
        answer = await gateway.query(list(channels), list(platforms), list(names), recursive=False, channel_relations="disabled")
    except GatewayError as error:
        raise Failure("network", str(error)) from error
    per_channel = len(answer) // max(len(channels), 1) or 1
    for start in range(0, len(answer), per_channel):
        here: dict[str, list[Any]] = {}
        for records in answer[start : start + per_channel]:
            for record in records:
                here.setdefault(record.name.normalized, []).append(record)
        for name, of_name in here.items():
            known.setdefault(name, of_name)
    return known


def _is_old_enough(record: Any, until: datetime | None, *, undated: bool) -> bool:
    if until is None:
        return True
    published = record.indexed_timestamp or record.timestamp
    if published is None:
        return undated
    published = published if published.tzinfo else published.replace(tzinfo=UTC)
    return bool(published <= until)


def _channels(request: Mapping[str, Any]) -> list[Channel]:
    return [Channel(channel) for channel in request["channels"]]


def _gateway(request: Mapping[str, Any]) -> Gateway:
    return Gateway(cache_dir=Path(request["cache"]) / "repodata", client=make_client(request.get("headers") or {}))


def _parse(spec: str) -> MatchSpec:
    try:
        return MatchSpec(spec, strict=True)
    except InvalidMatchSpecError as error:
        raise Failure("request", f"{spec!r} is not a package specification: {error}", spec=spec) from error
