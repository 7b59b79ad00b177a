"""What channels know of names: whether there are packages, in which versions, and which names are near (worker side)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rattler import MatchSpec
from rattler.exceptions import GatewayError

from carrel.environments.conda.failure import Failure
from carrel.environments.conda.solving import Solver
from carrel.environments.spelling import near

if TYPE_CHECKING:
    from carrel.environments.conda.downloading import Report

_VERSIONS = 5


async def ask(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return what the channels know of ``names``.

    For each name: ``versions``, newest first, at most five, and ``near``, names like it where there is no such package.
    ``platform`` is that of the packages.
    """
    report("solve", 0, 0, "", "Looking up names")
    solver = Solver(request)
    platforms = [request["platform"], "noarch"]
    wanted = [MatchSpec(name) for name in request["names"]]
    found: dict[str, dict[str, list[str]]] = {name: {"versions": [], "near": []} for name in request["names"]}
    try:
        answer = await solver.gateway.query(solver.channels, platforms, wanted, recursive=False)
        for records in answer:
            for record in records:
                if (name := record.name.normalized) in found:
                    found[name].setdefault("records", []).append(record.version)
        missing = [name for name, known in found.items() if "records" not in known]
        names = [name.normalized for name in await solver.gateway.names(solver.channels, platforms)] if missing else []
    except GatewayError as error:
        raise Failure("network", str(error)) from error
    for name in missing:
        found[name]["near"] = near(name, names)
    for known in found.values():
        newest = sorted(set(known.pop("records", [])), reverse=True)
        known["versions"] = [str(version) for version in newest[:_VERSIONS]]
    return found
