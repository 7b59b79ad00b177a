"""What a plan puts at risk: of each line in codes, of the whole in sentences.

What is checked of binary interfaces: a Python of another minor version; and packages that change beyond what their installed
build exports for those built with it (``run_exports``; where these are not known: another first component of the version)
while something compiled stays that the solver cannot judge: pip's compiled packages that need it, and conda's compiled ones
that need it in whatever version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from packaging.version import InvalidVersion, Version

from carrel.environments import needs
from carrel.environments.distributions import Distribution
from carrel.environments.models import Notice, PlannedPackage
from carrel.environments.naming import normalize
from carrel.environments.protecting import minor

_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What lines are judged by.

    Attributes
    ----------
    requested : collection of str
        Normalized names of what people asked for, ever.
    asked : collection of str
        Normalized names of what this change asks for.
    pinned : mapping of str to str
        Pins by normalized name.
    loaded : collection of str
        Import names that live kernels have loaded.
    import_names : mapping of (str, str) to collection of str
        Of what is installed, by source and normalized name.
    staying : collection of Distribution
        pip's packages that stay as they are.
    entries : mapping
        What the solver tells of conda's lines, by name.
    """

    requested: Collection[str] = ()
    asked: Collection[str] = ()
    pinned: Mapping[str, str] | None = None
    loaded: Collection[str] = ()
    import_names: Mapping[tuple[str, str], Collection[str]] | None = None
    staying: Collection[Distribution] = ()
    entries: Mapping[str, Any] | None = None


def assess(lines: Iterable[PlannedPackage], circumstances: Circumstances) -> tuple[PlannedPackage, ...]:
    """Return *lines* with their risks, in codes and in sentences."""
    return tuple(_assessed(line, circumstances) for line in lines)


def _assessed(line: PlannedPackage, about: Circumstances) -> PlannedPackage:
    codes = tuple(_risks(line, about))
    return replace(line, risks=codes, explanations=tuple(_SENTENCES[code](line, about) for code in codes))


def _risks(line: PlannedPackage, about: Circumstances) -> Iterable[str]:
    if line.from_version is None:
        return
    name = normalize(line.name)
    requested = name in about.requested and name not in about.asked
    if line.to_version is not None and is_downgrade(line, about):
        yield "downgrade"
    if requested:
        yield "removes_requested" if line.to_version is None else "changes_requested"
    if name in (about.pinned or {}):
        yield "pinned"
    if loaded_modules(line, about):
        yield "loaded"
    if line.to_version is not None and (_changes_python(line) or affected_by_abi(line, about)):
        yield "abi"


def is_downgrade(line: PlannedPackage, about: Circumstances) -> bool:
    """Whether the new version of a changed package is less than the old one, in its installer's order."""
    entry = (about.entries or {}).get(line.name) if line.source == "conda" else None
    if entry is not None and "downgrade" in entry:
        return bool(entry["downgrade"])
    try:
        return Version(line.to_version or "0") < Version(line.from_version or "0")
    except InvalidVersion:
        return False


def loaded_modules(line: PlannedPackage, about: Circumstances) -> list[str]:
    """Return the loaded modules that a changed or removed package provides."""
    provided = (about.import_names or {}).get((line.source, normalize(line.name)), ())
    return sorted(set(provided) & {name.partition(".")[0] for name in about.loaded})


def _changes_python(line: PlannedPackage) -> bool:
    return line.source == "conda" and line.name == "python" and minor(line.from_version) != minor(line.to_version)


def affected_by_abi(line: PlannedPackage, about: Circumstances) -> list[str]:
    """Return the compiled packages that stay and were built with another binary interface of a changed package."""
    entry: Mapping[str, Any] = ((about.entries or {}).get(line.name) or {}) if line.source == "conda" else {}
    told = entry.get("abi") or {}
    broken = told.get("broken")
    if broken is None:
        broken = (line.from_version or "").split(".")[0] != (line.to_version or "").split(".")[0]
    if not broken:
        return []
    name = normalize(line.name)
    by_pip = [one.name for one in about.staying if is_compiled(one) and name in needs.names(one)]
    return sorted([*by_pip, *told.get("unbounded", ())])


def is_compiled(distribution: Distribution) -> bool:
    """Whether a wheel holds compiled code, as its tags tell."""
    return any(not tag.endswith("-none-any") for tag in distribution.tags)


def notices(lines: Iterable[PlannedPackage], about: Circumstances) -> list[Notice]:
    """Return what assessed *lines* put at risk, in sentences."""
    lines = list(lines)
    found: list[Notice] = []
    for code, say in _SENTENCES.items():
        hit = [line for line in lines if code in line.risks]
        found += [Notice(code, say(line, about)) for line in hit[:_SHOWN]]
        if len(hit) > _SHOWN:
            more = ", ".join(line.name for line in hit[_SHOWN:])
            found.append(Notice(code, f"The same holds for {more}."))
    return found


def _downgrade(line: PlannedPackage, about: Circumstances) -> str:
    return f"{line.name} goes back from {line.from_version} to {line.to_version}{_because(line)}."


def _removes_requested(line: PlannedPackage, about: Circumstances) -> str:
    return f"{line.name}, which you once asked for, would be removed: {line.reason}."


def _changes_requested(line: PlannedPackage, about: Circumstances) -> str:
    what = f"{line.from_version} to {line.to_version}" if line.from_version != line.to_version else "one build to another"
    return f"{line.name}, which you once asked for, changes from {what}{_because(line)}."


def _pinned(line: PlannedPackage, about: Circumstances) -> str:
    pin = (about.pinned or {})[normalize(line.name)]
    happens = "is removed" if line.to_version is None else f"changes from {line.from_version} to {line.to_version}"
    return f"{line.name} is pinned to {pin} and {happens}."


def _loaded(line: PlannedPackage, about: Circumstances) -> str:
    modules = ", ".join(loaded_modules(line, about))
    happens = "is removed" if line.to_version is None else "changes"
    return f"A running kernel has loaded {modules}, and {line.name} {happens}: restart that kernel afterwards."


def _abi(line: PlannedPackage, about: Circumstances) -> str:
    if _changes_python(line):
        return f"Python {line.from_version} becomes {line.to_version}: packages installed by pip are lost."
    users = ", ".join(affected_by_abi(line, about))
    return f"{users} was compiled for {line.name} {line.from_version}, which becomes {line.to_version}: it may crash. Install it again."


def _because(line: PlannedPackage) -> str:
    return "" if line.reason == "requested" else f": {line.reason}"


_SENTENCES = {
    "removes_requested": _removes_requested,
    "changes_requested": _changes_requested,
    "downgrade": _downgrade,
    "pinned": _pinned,
    "loaded": _loaded,
    "abi": _abi,
}
