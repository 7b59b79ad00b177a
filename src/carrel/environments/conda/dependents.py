"""Who needs whom among installed or solved packages (worker side)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from carrel.environments.conda.failure import Failure


def leaving_names(installed: Mapping[str, Any], request: dict[str, Any], protected: set[str]) -> dict[str, str]:
    """Return the names that go away and why: the asked ones, all that need them, and what is left without use."""
    leaving = {name: "requested" for name in request.get("remove") or [] if name in installed}
    pending = list(leaving)
    while pending:
        name = pending.pop()
        for dependent in dependents(installed, name):
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
        candidates = requirements(installed, leaving) - set(leaving) - needed
        while True:
            kept = {name for name in candidates if any(d not in candidates and d not in leaving for d in dependents(installed, name))}
            if not kept:
                break
            candidates -= kept
        for name in candidates:
            leaving[name] = "nothing needs it any more"
    return leaving


def requirements(records: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """Return everything *names* need, directly or not."""
    seen: set[str] = set()
    pending = list(names)
    while pending:
        for dependency in records[pending.pop()].depends:
            name = name_of(dependency)
            if name in records and name not in seen:
                seen.add(name)
                pending.append(name)
    return seen


def dependents(records: Mapping[str, Any], name: str) -> list[str]:
    """Return the names of *records* that need *name* directly."""
    return [other for other, record in records.items() if other != name and any(name_of(d) == name for d in record.depends)]


def name_of(dependency: str) -> str:
    """Return the name in a dependency."""
    return dependency.split(" ", 1)[0].split("[", 1)[0].rpartition("::")[2].lower()


def listed(names: list[str]) -> str:
    """Return names for a sentence, at most three."""
    shown = sorted(names)[:3]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
