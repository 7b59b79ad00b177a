"""Plans, their execution and undo, through the environment engine."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from carrel.core.errors import BadRequest, Forbidden, NotFound, Unsolvable
from carrel.core.names import canonical_package, validate_package
from carrel.core.units import format_bytes
from carrel.environments import (
    Change,
    Environment,
    Installed,
    Plan,
    PlannedPackage,
    Sources,
    apply,
    differences,
    history,
    plan,
    restore,
)
from carrel.extension.environments import EnvironmentRegistry, is_server_environment
from carrel.extension.jobs import JobContext
from carrel.extension.sources import SourceBook, installed_versions
from carrel.extension.waysout import WaysOut

PLAN_SECONDS = 1800.0
_KEPT_PLANS = 50
_PROGRAM = "jupyter"
# Warnings that the lines of a plan say already.
_OF_LINES = frozenset({"downgrade", "removes_requested", "changes_requested", "pinned", "loaded", "abi"})
LARGE_BYTES = 200 * 1000 * 1000
# What the running server itself needs: changing it under its feet breaks the session.
SERVER_PACKAGES = frozenset({"jupyterlab", "jupyter-server", "jupyterlab-server", "carrel", "python"})


class Changes:
    """Keeps plans until they are applied."""

    def __init__(self, registry: EnvironmentRegistry, book: SourceBook) -> None:
        self._registry = registry
        self._book = book
        self._lock = threading.Lock()
        self._plans: OrderedDict[str, tuple[float, Plan]] = OrderedDict()
        self.ways_out = WaysOut()

    def plan(self, environment: Environment, body: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        """Make a plan for what a request asks: a change, or a way out (``way_out``, its id) of one that was impossible.

        Raises
        ------
        carrel.core.errors.Unsolvable
            The ways out that were found have ids.
        """
        packages = self._registry.packages(environment)[1]
        change, sources = self._wish(environment, body, packages)
        loaded = [name for name in _list(body, "loaded", 5000) if isinstance(name, str)]
        try:
            found = plan(environment.prefix, change, sources, loaded=loaded, on_event=context.progress, cancel=context.cancel)
        except Unsolvable as error:
            self.ways_out.keep(error, environment, sources)
            raise
        with self._lock:
            self._plans[found.id] = (time.monotonic() + PLAN_SECONDS, found)
            while len(self._plans) > _KEPT_PLANS:
                self._plans.popitem(last=False)
        return plan_json(found, environment, change, packages)

    def _wish(self, environment: Environment, body: Mapping[str, Any], packages: Sequence[Installed]) -> tuple[Change, Sources]:
        if body.get("way_out") is not None:
            way = self.ways_out.take(body["way_out"], environment)
            return way.change, self._book.again(way.sources)
        add = tuple(self._book.spec(name, version, source, environment, kind) for name, version, source, kind in wishes(body))
        change = Change(add, names_of(body, "remove"), names_of(body, "update"))
        if not (change.add or change.remove or change.update):
            raise BadRequest("Say what to add, remove or update.", code="empty_change")
        return change, self._book.for_change(add, packages)

    def take(self, plan_id: object, environment: Environment) -> Plan:
        """Return a kept plan for *environment*.

        Raises
        ------
        carrel.core.errors.NotFound
        """
        with self._lock:
            kept = self._plans.get(str(plan_id))
        if kept is None or kept[0] < time.monotonic() or kept[1].prefix != environment.prefix:
            raise NotFound("This plan is not known any more. Make a new one.", code="plan_not_found")
        found = kept[1]
        if is_server_environment(environment.prefix):
            _spare_server(p.name for p in (*found.changed, *found.removed))
        return found

    def apply(self, found: Plan, environment: Environment, context: JobContext) -> dict[str, Any]:
        """Execute a plan."""
        done = apply(found, program=_PROGRAM, on_event=context.progress, cancel=context.cancel)
        with self._lock:
            self._plans.pop(found.id, None)
        return {
            "environment": environment.id,
            "revision": done.revision,
            "changed_import_names": list(done.changed_import_names),
            **_steps_json(found),
        }

    def revisions(self, environment: Environment) -> list[dict[str, Any]]:
        """Return the revisions, newest first."""
        return [dataclasses.asdict(revision) for revision in history(environment.prefix)]

    def difference(self, environment: Environment, revision: int, other: int | None) -> dict[str, Any]:
        """Return what is different in revision *other*, or now, from *revision*."""
        before = differences.of_revision(environment.prefix, revision)
        after = differences.of_prefix(environment.prefix) if other is None else differences.of_revision(environment.prefix, other)
        return {"revision": revision, "other": other, **differences.to_json(differences.compare(before, after))}

    def restore(self, environment: Environment, revision: int, context: JobContext) -> dict[str, Any]:
        """Go back to a revision.

        Raises
        ------
        carrel.core.errors.Forbidden
            The server itself would change (code ``server_environment``).
        """
        if is_server_environment(environment.prefix):
            goal = differences.of_revision(environment.prefix, revision)
            difference_now = differences.compare(differences.of_prefix(environment.prefix), goal)
            _spare_server([*(pair.name for pair in difference_now.changed), *(package.name for package in difference_now.removed)])
        before = installed_versions(self._registry.packages(environment)[1])
        done = restore(environment.prefix, revision, program=_PROGRAM, on_event=context.progress, cancel=context.cancel)
        after = installed_versions(self._registry.packages(environment)[1])
        result: dict[str, Any] = {
            "environment": environment.id,
            "revision": done.revision,
            "changed_import_names": list(done.changed_import_names),
        }
        return result | difference(before, after)


def _spare_server(names: Iterable[str]) -> None:
    """Make sure that none of *names*, packages that would change or go, is needed by the running server.

    Raises
    ------
    carrel.core.errors.Forbidden
    """
    touched = {canonical_package(name) for name in names} & SERVER_PACKAGES
    if touched:
        raise Forbidden(
            f"This would change {', '.join(sorted(touched))} while JupyterLab runs from it. Use another environment, "
            "or change it from a terminal.",
            code="server_environment",
        )


def wishes(body: Mapping[str, Any]) -> list[tuple[str, str | None, str, str | None]]:
    """Return ``(name, version, source id, kind)`` of what a request adds."""
    found: list[tuple[str, str | None, str, str | None]] = []
    for item in _list(body, "add"):
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str) or not isinstance(item.get("source"), str):
            raise BadRequest("Each member of 'add' needs a name and a source.", field="add")
        version, kind = item.get("version"), item.get("kind")
        if kind not in (None, "conda", "pypi"):
            raise BadRequest("A kind is 'conda' or 'pypi'.", field="kind")
        found.append((item["name"], str(version) if version else None, item["source"], kind))
    return found


def names_of(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the package names that a request lists under *key*."""
    names = _list(body, key)
    if not all(isinstance(name, str) for name in names):
        raise BadRequest(f"{key!r} lists names of packages.", field=key)
    return tuple(validate_package(name) for name in names)


def _list(body: Mapping[str, Any], key: str, limit: int = 500) -> list[Any]:
    value = body.get(key) or []
    if not isinstance(value, list) or len(value) > limit:
        raise BadRequest(f"{key!r} must be a list of at most {limit} members.", field=key)
    return value


def _step(step: PlannedPackage, beyond: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return one line; *beyond* are risks that the engine does not know, in codes and sentences."""
    further = list(beyond)
    return {
        "name": step.name,
        "from_version": step.from_version,
        "to_version": step.to_version,
        "build": step.build or None,
        "source": step.source,
        "channel": step.channel or None,
        "size": step.size or None,
        "reason": step.reason or None,
        "from_build": step.from_build or None,
        "disk_bytes": step.disk_bytes or None,
        "risks": [*step.risks, *(code for code, _ in further)],
        "explanations": [*step.explanations, *(sentence for _, sentence in further)],
    }


def _steps_json(found: Plan) -> dict[str, Any]:
    return {
        "added": [_step(s) for s in found.added],
        "changed": [_step(s) for s in found.changed],
        "removed": [_step(s) for s in found.removed],
    }


def plan_json(found: Plan, environment: Environment, change: Change, packages: Sequence[Installed]) -> dict[str, Any]:
    """Return a plan as the API shows it; ``reasons`` to look at it first are those that are not about a single line."""
    asked = {canonical_package(spec.name) for spec in change.add} | {canonical_package(name) for name in (*change.remove, *change.update)}
    known = installed_versions(packages)
    reasons = _reasons(found, environment)
    changed = [_step(step, _changed_beyond(step, asked, known)) for step in found.changed]
    removed = [_step(step, _removed_beyond(step, asked)) for step in found.removed]
    return {
        "id": found.id,
        "environment": environment.id,
        "added": [_step(step) for step in found.added],
        "changed": changed,
        "removed": removed,
        "download_bytes": found.download_bytes,
        "disk_bytes": max(found.disk_bytes, 0),
        "warnings": [{"code": warning.code, "message": warning.message} for warning in found.warnings if warning.code not in _OF_LINES],
        "command": found.command,
        "needs_confirmation": bool(reasons or found.warnings or any(line["risks"] for line in (*changed, *removed))),
        "reasons": reasons,
    }


def _because(step: PlannedPackage) -> str:
    return f": {step.reason}" if step.reason else ""


def _removed_beyond(step: PlannedPackage, asked: Container[str]) -> list[tuple[str, str]]:
    if canonical_package(step.name) in asked or "removes_requested" in step.risks:
        return []
    return [("removal", f"{step.name} {step.from_version} is removed{_because(step)}.")]


def _changed_beyond(step: PlannedPackage, asked: Container[str], known: Mapping[str, Installed]) -> list[tuple[str, str]]:
    name = canonical_package(step.name)
    before = known.get(name)
    if name in asked or before is None or before.source == step.source:
        return []
    return [("source", f"{step.name} changes from {before.source} to {step.source}.")]


def _reasons(found: Plan, environment: Environment) -> list[str]:
    """Return what a person should know of a plan as a whole, in sentences."""
    reasons: list[str] = []
    if found.download_bytes > LARGE_BYTES:
        reasons.append(f"{format_bytes(found.download_bytes)} are downloaded.")
    if is_server_environment(environment.prefix):
        reasons.append("JupyterLab itself runs in this environment.")
    return reasons


def difference(before: Mapping[str, Installed], after: Mapping[str, Installed]) -> dict[str, Any]:
    """Return what changed between two lists of packages."""

    def entry(old: Installed | None, new: Installed | None) -> dict[str, Any]:
        shown = new or old
        return {
            "name": shown.name if shown else "",
            "from_version": old.version if old else None,
            "to_version": new.version if new else None,
            "build": (shown.build or None) if shown else None,
            "source": shown.source if shown else "",
            "channel": (shown.channel or None) if shown else None,
            "size": None,
            "reason": "restored",
        }

    return {
        "added": [entry(None, after[name]) for name in sorted(after.keys() - before.keys())],
        "removed": [entry(before[name], None) for name in sorted(before.keys() - after.keys())],
        "changed": [
            entry(before[name], after[name])
            for name in sorted(before.keys() & after.keys())
            if (before[name].version, before[name].build) != (after[name].version, after[name].build)
        ],
    }
