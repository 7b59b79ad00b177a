"""From wishes to a plan: what exactly would happen, before anything does."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from carrel.core.errors import Forbidden, Unsolvable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import conda_meta, equivalents, inspection, notices, policies, protecting, risks, sizes, transactions, ways_out
from carrel.environments.conda.planning import CondaHalf, plan_conda
from carrel.environments.models import Change, Environment, Plan, PlannedPackage, Policy, Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi.planning import PypiResult, plan_pypi
from carrel.environments.wishes import Wishes


def plan(
    prefix: str | Path,
    change: Change,
    sources: Sources,
    *,
    policy: Policy | None = None,
    loaded: Collection[str] = (),
    find_ways_out: bool = True,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Plan:
    """Return what would be done to fulfil *change*. Nothing is changed, except that work which died half-way is rolled back.

    Parameters
    ----------
    prefix : path
    change : Change
    sources : Sources
    policy : Policy, optional
        Rules that the plan keeps.
    loaded : collection of str, optional
        Import names that live kernels of the environment have loaded: what becomes of them is told.
    find_ways_out : bool, optional
        Whether other changes are tried when this one is impossible (some seconds).
    on_event : callable
        Called with :class:`~carrel.core.progress.Progress`, in this thread.
    cancel : CancelSignal, optional

    Raises
    ------
    carrel.core.errors.Unsolvable
        No set of packages satisfies it; the detail says why, the field ``explanation`` at length, the field ``ways_out`` which
        other changes are possible: ``{"text": sentence, "change": {"add": […], "remove": […], "update": […]}}``, each tried. The
        field ``missing`` names a Python package that no index has.
    carrel.core.errors.Conflict
        It would take away what the environment cannot be without (code ``protected_package``).
    carrel.core.errors.Forbidden
        The environment is read-only (code ``read_only_environment``, field ``remedy``), or a source is not allowed
        (``source_not_allowed``).
    carrel.core.errors.BadRequest
        A name or version cannot be understood, or is not installed.
    """
    policy = policy or Policy()
    cancel = cancel or NeverCancelled()
    environment = inspection.inspect(prefix)
    if not environment.writable:
        raise Forbidden(environment.reason_read_only, code="read_only_environment", remedy="clone")
    if transactions.is_interrupted(environment.prefix):
        with transactions.exclusive(environment.prefix):
            pass
    base_state = inspection.state_digest(environment.prefix)
    sources = policies.narrow(policy, sources, change.add)
    task = _Task(environment, change, sources, policy, on_event, cancel)
    on_event(Progress("solve", message="Working out what to change"))
    try:
        conda, pypi = task.solve()
    except Unsolvable as error:
        if not find_ways_out:
            raise
        raise ways_out.explained(error, environment, task.wishes, change, sources, policy, on_event=on_event, cancel=cancel) from error
    policies.check_lines(policy, (*conda.added, *conda.changed, *pypi.added, *pypi.changed), channels=conda.channels, direct=pypi.direct)
    protecting.check(environment, task.wishes, conda, pypi)
    return _put_together(task, conda, pypi, base_state, loaded)


@dataclass
class _Task:
    """What both halves of a plan are worked out from."""

    environment: Environment
    change: Change
    sources: Sources
    policy: Policy
    on_event: OnProgress
    cancel: CancelSignal
    wishes: Wishes = field(init=False)

    def __post_init__(self) -> None:
        self.wishes = Wishes(self.environment, self.change)

    def solve(self) -> tuple[CondaHalf, PypiResult]:
        wishes, environment = self.wishes, self.environment
        conda = CondaHalf()
        if wishes.needs_conda:
            conda = plan_conda(environment, wishes, self.sources, self.policy, self.on_event, self.cancel)
            protecting.check_interpreter(wishes, conda)
        pypi = plan_pypi(
            environment,
            add=wishes.pypi_add,
            remove=wishes.pypi_remove | conda.replaced_pypi(wishes.distributions),
            update=wishes.pypi_update,
            distributions=list(wishes.distributions.values()),
            conda_owned=conda.owned_after(environment.prefix),
            conda_arriving={normalize(line.name) for line in (*conda.added, *conda.changed)},
            sources=self.sources,
            policy=self.policy,
            on_event=self.on_event,
            cancel=self.cancel,
        )
        return conda, pypi


def _put_together(task: _Task, conda: CondaHalf, pypi: PypiResult, base_state: str, loaded: Collection[str]) -> Plan:
    environment, wishes, change = task.environment, task.wishes, task.change
    about = _circumstances(task, conda, pypi, loaded)
    added = risks.assess((*conda.added, *pypi.added), about)
    changed = risks.assess(sorted((*conda.changed, *pypi.changed), key=_is_asked), about)
    removed = risks.assess(sorted((*conda.removed, *pypi.removed), key=_is_asked), about)
    return Plan(
        id=secrets.token_hex(8),
        prefix=environment.prefix,
        kind=environment.kind,
        added=added,
        changed=changed,
        removed=removed,
        download_bytes=conda.download_bytes + sum(line.size for line in (*pypi.added, *pypi.changed)),
        disk_bytes=sizes.growth(added, changed, removed, wishes, conda),
        warnings=(
            *notices.of_plan(environment, wishes, conda, (*changed, *removed)),
            *risks.notices((*changed, *removed), about),
            *pypi.warnings,
        ),
        command=equivalents.command(environment, wishes, change, task.sources),
        base_state=base_state,
        conda=conda.step,
        pypi=pypi.step,
        sources=task.sources,
        change=change,
        policy=task.policy,
    )


def _is_asked(line: PlannedPackage) -> bool:
    return line.reason == "requested"


def _circumstances(task: _Task, conda: CondaHalf, pypi: PypiResult, loaded: Collection[str]) -> risks.Circumstances:
    wishes, change = task.wishes, task.change
    pins = {normalize(spec.name): spec.version or "" for spec in policies.pins_of_file(conda_meta.pins(task.environment.prefix))}
    pins |= {normalize(name): version for name, version in task.policy.pins.items()}
    moving = {normalize(line.name) for line in (*pypi.added, *pypi.changed, *pypi.removed)}
    names: dict[tuple[str, str], Collection[str]] = {("conda", normalize(r.name)): r.import_names for r in wishes.records.values()}
    names |= {("pypi", d.key): d.import_names for d in wishes.distributions.values()}
    return risks.Circumstances(
        requested={normalize(name) for name in wishes.requested} | {d.key for d in wishes.distributions.values() if d.requested},
        asked={normalize(name) for name in (*(spec.name for spec in change.add), *change.remove, *change.update)},
        pinned=pins,
        loaded=loaded,
        import_names=names,
        staying=[one for one in wishes.distributions.values() if one.key not in moving],
        entries=conda.entries,
    )
