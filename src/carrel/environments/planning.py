"""From wishes to a plan: what exactly would happen, before anything does."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from carrel.core.errors import BadRequest, Conflict, Forbidden
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import conda_meta, inspection, transactions
from carrel.environments.conda import engine
from carrel.environments.credentials import strip_url
from carrel.environments.distributions import Distribution
from carrel.environments.models import (
    Change,
    CondaStep,
    Environment,
    Notice,
    Plan,
    PlannedPackage,
    Sources,
    Spec,
)
from carrel.environments.naming import normalize
from carrel.environments.pypi import planning as pypi_planning

PROTECTED = ("python", "ipykernel")
"""Packages that no plan takes out of an environment that has them: the kernel would not start again."""

_DISK_FACTOR = 4  # extracted size of a conda archive, roughly
_SERVER_PACKAGES = ("jupyterlab", "jupyter-server", "carrel", "notebook")


def plan(
    prefix: str | Path,
    change: Change,
    sources: Sources,
    *,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Plan:
    """Return what would be done to fulfil *change*. Nothing is changed, except that work which died half-way is rolled back.

    Parameters
    ----------
    prefix : path
    change : Change
    sources : Sources
    on_event : callable
        Called with :class:`~carrel.core.progress.Progress`, in this thread.
    cancel : CancelSignal, optional

    Raises
    ------
    carrel.core.errors.Unsolvable
        No set of packages satisfies it; the detail says why, the field ``explanation`` at length.
    carrel.core.errors.Conflict
        It would take away what the environment cannot be without (code ``protected_package``).
    carrel.core.errors.Forbidden
        The environment is read-only (code ``read_only_environment``).
    carrel.core.errors.BadRequest
        A name or version cannot be understood, or is not installed.
    """
    cancel = cancel or NeverCancelled()
    environment = inspection.inspect(prefix)
    if not environment.writable:
        raise Forbidden(environment.reason_read_only, code="read_only_environment", remedy="clone")
    if transactions.is_interrupted(environment.prefix):
        with transactions.exclusive(environment.prefix):
            pass
    base_state = inspection.state_digest(environment.prefix)
    wishes = _Wishes(environment, change)
    on_event(Progress("solve", message="Working out what to change"))
    conda = _plan_conda(environment, wishes, sources, on_event, cancel) if wishes.needs_conda else _CondaResult()
    pypi = pypi_planning.plan_pypi(
        environment,
        add=wishes.pypi_add,
        remove=wishes.pypi_remove | conda.replaced_pypi(wishes.distributions),
        update=wishes.pypi_update,
        distributions=list(wishes.distributions.values()),
        conda_owned=conda.owned_after(environment.prefix),
        conda_arriving={normalize(line.name) for line in (*conda.added, *conda.changed)},
        sources=sources,
        on_event=on_event,
        cancel=cancel,
    )
    added = (*conda.added, *pypi.added)
    changed = tuple(sorted((*conda.changed, *pypi.changed), key=lambda line: line.reason == "requested"))
    removed = tuple(sorted((*conda.removed, *pypi.removed), key=lambda line: line.reason == "requested"))
    return Plan(
        id=secrets.token_hex(8),
        prefix=environment.prefix,
        kind=environment.kind,
        added=added,
        changed=changed,
        removed=removed,
        download_bytes=conda.download_bytes + sum(line.size for line in (*pypi.added, *pypi.changed)),
        disk_bytes=_disk_bytes(conda, pypi.added),
        warnings=(*_warnings(environment, wishes, conda, changed, removed), *pypi.warnings),
        command=_command(environment, change, sources),
        base_state=base_state,
        conda=conda.step,
        pypi=pypi.step,
        sources=sources,
        change=change,
    )


class _Wishes:
    """A change, sorted by which installer fulfils it and checked against what is there."""

    def __init__(self, environment: Environment, change: Change) -> None:
        self.distributions: dict[str, Distribution] = {d.key: d for d in inspection.python_distributions(environment.prefix)}
        self.requested = conda_meta.requested_specs(environment.prefix) if environment.kind == "conda" else {}
        conda = {r.name for r in conda_meta.read_records(environment.prefix)} if environment.kind == "conda" else set()
        self.conda_add: list[Spec] = []
        self.pypi_add: list[Spec] = []
        self.conda_remove: list[str] = []
        self.pypi_remove: set[str] = set()
        self.conda_update: list[str] = []
        self.pypi_update: list[str] = []
        for spec in change.add:
            if spec.source == "conda" and environment.kind != "conda":
                raise BadRequest(
                    f"{environment.name} is not a conda environment: {spec.name} can only come from a Python package index here.",
                    code="not_a_conda_environment",
                )
            if spec.source == "pypi" and environment.python_executable is None:
                raise BadRequest(f"{environment.name} has no Python, so Python packages cannot be installed in it.", code="no_python")
            (self.conda_add if spec.source == "conda" else self.pypi_add).append(spec)
        for name in change.remove:
            self._sort(name, conda, self.conda_remove, self.pypi_remove.add)
        for name in change.update:
            self._sort(name, conda, self.conda_update, self.pypi_update.append)
        for name in self.pypi_remove:
            if normalize(name) in PROTECTED:
                raise Conflict(f"{name} cannot be removed: this environment does not work without it.", code="protected_package", name=name)

    def _sort(self, name: str, conda: set[str], to_conda: list[str], to_pypi: Any) -> None:
        # where both have it, the one on top is pip's
        if normalize(name) in self.distributions:
            to_pypi(normalize(name))
        elif name.lower() in conda:
            to_conda.append(name.lower())
        else:
            raise BadRequest(f"{name} is not installed in this environment.", code="not_installed", name=name)

    @property
    def needs_conda(self) -> bool:
        return bool(self.conda_add or self.conda_remove or self.conda_update)


class _CondaResult:
    """The conda half of a plan; empty by default."""

    def __init__(self, difference: Mapping[str, Any] | None = None, requested: Mapping[str, tuple[str, ...]] | None = None) -> None:
        difference = difference or {"added": [], "changed": [], "removed": []}
        self.added = tuple(_line(entry, to_version=True) for entry in difference["added"])
        self.changed = tuple(_line(entry, to_version=True) for entry in difference["changed"])
        self.removed = tuple(_line(entry, to_version=False) for entry in difference["removed"])
        incoming = [*difference["added"], *difference["changed"]]
        self.download_bytes = sum(entry["record"].get("size") or 0 for entry in incoming if not entry["cached"])
        self.incoming_bytes = sum(line.size for line in (*self.added, *self.changed))
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
                stem = folder.rsplit(".", 1)[0]
                name, _, version = stem.partition("-")
                owned[normalize(name)] = version.split("-")[0]
        for line in (*self.added, *self.changed):
            # a conda package seldom says which distributions it brings; its own name is nearly always one
            if line.to_version and "python" in " ".join(self._depends(line.name)):
                owned[normalize(line.name)] = line.to_version
        return owned

    def _depends(self, name: str) -> list[str]:
        return next((list(record.get("depends") or []) for record in self.step.records if record["name"] == name), [])


def _line(entry: Mapping[str, Any], *, to_version: bool) -> PlannedPackage:
    record = entry["record"]
    return PlannedPackage(
        name=record["name"],
        from_version=entry["from"],
        to_version=record["version"] if to_version else None,
        build=record["build"],
        source="conda",
        channel=strip_url(record.get("channel") or "").rstrip("/"),
        size=record.get("size") or 0,
        url=strip_url(record.get("url") or ""),
        sha256=record.get("sha256") or "",
        reason=entry["reason"],
    )


def _plan_conda(environment: Environment, wishes: _Wishes, sources: Sources, on_event: OnProgress, cancel: CancelSignal) -> _CondaResult:
    needed_by_pip = {_requirement_name(text) for d in wishes.distributions.values() for text in d.requires if "extra ==" not in text}
    difference = engine.solve(
        environment.prefix,
        sources=sources,
        on_event=on_event,
        cancel=cancel,
        add=[conda_spec(spec) for spec in wishes.conda_add],
        remove=wishes.conda_remove,
        update=wishes.conda_update,
        protected=PROTECTED,
        pins=conda_meta.pins(environment.prefix),
        requested={name: list(specs) for name, specs in wishes.requested.items()},
        keep=[record.name for record in conda_meta.read_records(environment.prefix) if normalize(record.name) in needed_by_pip],
    )
    gone = {entry["record"]["name"] for entry in difference["removed"]}
    requested = {name: specs for name, specs in wishes.requested.items() if name not in gone}
    # a channel in the wish is where it came from, which its record says; what is noted down must stay readable for conda
    requested |= {spec.name.lower(): (conda_spec(replace(spec, channel=None)),) for spec in wishes.conda_add}
    return _CondaResult(difference, requested)


def conda_spec(spec: Spec) -> str:
    """Return *spec* as a conda match specification."""
    version = (spec.version or "").strip()
    text = spec.name.lower()
    if version:
        text += f" =={version}" if version[0].isdigit() and not any(c in version for c in "*,|<>=!") else f" {version}"
    return f"{strip_url(spec.channel).rstrip('/')}::{text}" if spec.channel else text


def _requirement_name(requirement: str) -> str:
    end = next((index for index, character in enumerate(requirement) if not (character.isalnum() or character in "-_.")), len(requirement))
    return normalize(requirement[:end])


def _disk_bytes(conda: _CondaResult, pypi: tuple[PlannedPackage, ...]) -> int:
    return conda.incoming_bytes * _DISK_FACTOR + sum(line.size for line in pypi) * _DISK_FACTOR


def _warnings(
    environment: Environment,
    wishes: _Wishes,
    conda: _CondaResult,
    changed: tuple[PlannedPackage, ...],
    removed: tuple[PlannedPackage, ...],
) -> list[Notice]:
    notices = []
    touched = {normalize(line.name): line for line in (*changed, *removed)}
    if environment.kind != "system" and inspection.is_running_environment(environment.prefix):
        hit = sorted(set(touched) & set(_SERVER_PACKAGES))
        if hit:
            message = f"This changes {', '.join(hit)}, from which this server runs. Restart the server afterwards."
            notices.append(Notice("changes_running_server", message))
        else:
            notices.append(Notice("running_server_environment", "This is the environment that the server itself runs in."))
    for name in sorted(conda.replaced_pypi(wishes.distributions)):
        notices.append(Notice("replaces_pip_package", f"{name} was installed by pip; the conda package replaces it."))
    for distribution in wishes.distributions.values():
        needs = sorted({_requirement_name(text) for text in distribution.requires if "extra ==" not in text} & set(touched))
        needs = [name for name in needs if touched[name].source == "conda"]
        if needs and distribution.key not in wishes.pypi_remove:
            what = ", ".join(f"{name} ({touched[name].to_version or 'removed'})" for name in needs)
            message = f"{distribution.name} was installed by pip and needs {what}: it may stop working."
            notices.append(Notice("may_break_pip_package", message))
    for line in removed:
        if line.reason != "requested" and line.name in wishes.requested:
            notices.append(Notice("removes_requested", f"{line.name}, which you once asked for, would be removed: {line.reason}."))
    for line in changed:
        if line.source == "conda" and line.name == "python" and _minor(line.from_version) != _minor(line.to_version):
            message = f"Python {line.from_version} becomes {line.to_version}: packages installed by pip are lost."
            notices.append(Notice("changes_python", message))
    return notices


def _for_shell(spec: str) -> str:
    name, _, version = spec.partition(" ")
    return spec if not version else f"{name}{version}" if version[0] in "=<>!~" else f"{name}={version}"


def _minor(version: str | None) -> str:
    return ".".join((version or "").split(".")[:2])


def _command(environment: Environment, change: Change, sources: Sources) -> str:
    """Return shell commands that ask for the same."""
    lines = []
    prefix = shlex.quote(str(environment.prefix))
    channels = " ".join(f"-c {shlex.quote(strip_url(channel))}" for channel in sources.channels)
    conda = [spec for spec in change.add if spec.source == "conda"]
    if conda:
        wanted = " ".join(shlex.quote(_for_shell(conda_spec(spec))) for spec in conda)
        lines.append(f"conda install -p {prefix} {channels} {wanted}".replace("  ", " "))
    pypi = [spec for spec in change.add if spec.source == "pypi"]
    if pypi:
        index = f"--index-url {shlex.quote(strip_url(sources.indexes[-1]))} " if sources.indexes else ""
        extra = "".join(f"--extra-index-url {shlex.quote(strip_url(url))} " for url in sources.indexes[:-1])
        wanted = " ".join(shlex.quote(pypi_planning.requirement(spec)) for spec in pypi)
        lines.append(f"{shlex.quote(str(environment.python_executable))} -m pip install {index}{extra}{wanted}")
    owned_by_pip = {d.key for d in inspection.python_distributions(environment.prefix)}
    for names, conda_verb, pip_arguments in ((change.remove, "remove", "uninstall"), (change.update, "update", "install --upgrade")):
        by_pip = [name for name in names if normalize(name) in owned_by_pip]
        by_conda = [name for name in names if normalize(name) not in owned_by_pip]
        if by_conda:
            lines.append(f"conda {conda_verb} -p {prefix} {channels} {shlex.join(by_conda)}".replace("  ", " "))
        if by_pip:
            lines.append(f"{shlex.quote(str(environment.python_executable))} -m pip {pip_arguments} {shlex.join(by_pip)}")
    return "\n".join(lines)
