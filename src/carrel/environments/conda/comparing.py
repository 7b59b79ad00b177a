"""The difference between what is installed and what was solved, and what is to be known of each line (worker side)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rattler import MatchSpec

from carrel.environments.conda.cache import PackageStore, contents
from carrel.environments.conda.dependents import dependents, leaving_names, listed, name_of
from carrel.environments.conda.records import to_json


def difference(
    installed: Mapping[str, Any], result: Mapping[str, Any], request: dict[str, Any], added: set[str], updates: set[str]
) -> dict[str, Any]:
    """Return what is added, changed and removed, with all that a plan tells of it.

    ``disk`` and ``from_disk`` are bytes where files tell, else None. Changed ones have ``downgrade`` and ``abi``: whether the
    new version is outside of what the old one exported for those built with it (None: it exports nothing that is known),
    and which staying compiled packages need it in whatever version.
    """
    store = PackageStore(Path(request["cache"]))
    reasons = _why_leaving(installed, result, request)
    new, changed, removed = [], [], []
    for name, record in sorted(result.items()):
        old = installed.get(name)
        if old is not None and _same(old, record):
            continue
        described = to_json(record)
        asked = name in added or name in updates
        line: dict[str, Any] = {
            "record": described,
            "cached": store.holds(described),
            "asked": asked,
            "from": str(old.version) if old is not None else None,
            "from_build": str(old.build) if old is not None else "",
            "from_disk": _size(old) if old is not None else 0,
        }
        line["disk"] = contents(store.entry(described))["size"] or None if line["cached"] else None
        if old is None:
            new.append({**line, "reason": "requested" if name in added else f"needed by {listed(dependents(result, name))}"})
        else:
            line |= {"downgrade": bool(record.version < old.version), "abi": _abi(old, record, installed, result, store)}
            changed.append({**line, "reason": _why_changed(name, old, result, asked)})
    for name, old in sorted(installed.items()):
        if name not in result:
            reason = reasons.get(name, "conflicts with the change")
            removed.append(
                {
                    "record": to_json(old),
                    "from": str(old.version),
                    "from_build": str(old.build),
                    "from_disk": _size(old),
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
    reasons = leaving_names(installed, request, protected)
    for name, record in installed.items():
        if name in result or name in reasons:
            continue
        for dependency in record.depends:
            other = result.get(name_of(dependency))
            if other is not None and not other.matches(MatchSpec(dependency, strict=False)):
                reasons[name] = f"{name} {record.version} needs {dependency}, and {other.name.normalized} becomes {other.version}"
    return reasons


def _why_changed(name: str, old: Any, result: Mapping[str, Any], asked: bool) -> str:
    if asked:
        return "requested"
    for other, record in sorted(result.items()):
        for dependency in record.depends:
            if name_of(dependency) == name and not old.matches(MatchSpec(dependency, strict=False)):
                return f"{other} {record.version} needs {dependency}"
    return "the installed build does not fit the other changes"


def _size(installed: Any) -> int | None:
    """Return the bytes of an installed package's files, None when its record does not tell."""
    return sum(entry.size_in_bytes or 0 for entry in installed.paths_data.paths) or None


def _abi(old: Any, new: Any, installed: Mapping[str, Any], result: Mapping[str, Any], store: PackageStore) -> dict[str, Any]:
    name = new.name.normalized
    described = {"name": name, "version": str(old.version), "build": old.build}
    exported = [text for text in _exports(store.entry(described)) if name_of(text) == name]
    unbounded = [
        other
        for other in dependents(result, name)
        if result[other].subdir != "noarch"
        and other in installed
        and _same(installed[other], result[other])
        and all(" " not in text.strip() for text in result[other].depends if name_of(text) == name)
    ]
    broken = any(not new.matches(MatchSpec(text, strict=False)) for text in exported) if exported else None
    return {"broken": broken, "unbounded": unbounded}


def _exports(entry: Path) -> list[str]:
    """Return the ``run_exports`` of an extracted package."""
    try:
        data = json.loads((entry / "info" / "run_exports.json").read_bytes())
    except (OSError, ValueError):
        return []
    if isinstance(data, list):
        return [str(text) for text in data]
    return [str(text) for key in ("strong", "weak") for text in data.get(key) or []] if isinstance(data, dict) else []
