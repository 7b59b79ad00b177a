"""Carrying out a plan, and going back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from carrel.core.errors import Cancelled, CarrelError, InsufficientStorage, PreconditionFailed, Unavailable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import conda_meta, distributions, files, inspection, states, transactions, verifying
from carrel.environments.conda import engine
from carrel.environments.credentials import strip_url
from carrel.environments.models import Applied, Plan, PypiStep, Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi import pylock, uv


def apply(
    plan: Plan,
    *,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Applied:
    """Do what *plan* says, whole or not at all.

    Everything is fetched and verified first. Then the packages that will change are kept, the change is made, and the
    interpreter is started (and ``ipykernel`` imported, if it was there). On any failure and on cancel, the environment is
    brought back before this returns.

    Raises
    ------
    carrel.core.errors.PreconditionFailed
        The environment is not what the plan was made for.
    carrel.core.errors.Locked
        Another process is changing it.
    carrel.core.errors.DigestMismatch
        An archive is not what it should be; its name is in the field ``filename``.
    carrel.core.errors.Cancelled
    """
    cancel = cancel or NeverCancelled()
    prefix = plan.prefix
    with transactions.exclusive(prefix):
        if inspection.state_digest(prefix) != plan.base_state:
            raise PreconditionFailed(
                "The environment has changed since this was worked out. Look at the new plan and apply that.", code="plan_outdated"
            )
        if plan.is_empty:
            _note_requested(prefix, plan)
            return Applied((), "")
        records, incoming = _fetch(plan, on_event, cancel)
        modules = _modules_to_verify(prefix)
        names_before = _import_names(prefix, plan)
        conda_touched = _touched_conda(prefix, plan)
        pypi_touched = {*plan.pypi.install, *plan.pypi.remove}
        if cancel.is_set():
            raise Cancelled("The work was cancelled; nothing was changed.")
        state = transactions.begin(prefix, summarize(plan), conda_touched, pypi_touched, incoming)
        try:
            _change(plan, records, on_event, cancel)
            on_event(Progress("verify", message="Starting the interpreter"))
            verifying.verify(prefix, modules, cancel=cancel)
            if conda_meta.is_conda_prefix(prefix):
                _write_history(prefix, state, plan)
        except BaseException as error:
            on_event(Progress("restore", message="Bringing the environment back"))
            transactions.roll_back(prefix)
            raise _restored(error) from error
        transactions.commit(prefix)
    return Applied(tuple(sorted(names_before)), state.id)


def restore(
    prefix: str | Path,
    snapshot_id: str,
    *,
    sources: Sources | None = None,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Applied:
    """Go back to a snapshot. This is a change like any other: it has a snapshot of its own and can be undone.

    Packages come from what was kept; those that changed behind our back are fetched again from where they came from
    (*sources* tells indexes and headers).

    Raises
    ------
    carrel.core.errors.NotFound
        There is no such snapshot.
    """
    cancel = cancel or NeverCancelled()
    sources = sources or Sources()
    path = inspection.absolute(prefix)
    with transactions.exclusive(path):
        target = states.load(path, snapshot_id)
        before = states.current_state(path, "")
        gone_conda = {name for name, entry in before.conda.items() if _differs(target.conda.get(name), entry)}
        gone_pypi = {name for name, entry in before.pypi.items() if _differs(target.pypi.get(name), entry)}
        lacking = transactions.missing(path, target)
        records, incoming = _fetch_lacking(target, lacking, sources, on_event, cancel)
        names = _names_of(path, gone_conda, gone_pypi)
        modules = _modules_to_verify(path)
        summary = f"went back to {target.created_at[:16].replace('T', ' ')}"
        state = transactions.begin(path, summary, gone_conda, gone_pypi, [*incoming, *transactions.kept_files(path, target)])
        try:
            on_event(Progress("link", message="Putting packages back"))
            transactions.to_state(path, target)
            if lacking.conda:
                engine.link(path, records, requested=target.requested, headers={}, on_event=on_event, cancel=cancel)
            if lacking.pypi:
                _install_again(path, target, lacking.pypi, sources, on_event, cancel)
            if cancel.is_set():
                raise Cancelled("The work was cancelled.")
            on_event(Progress("verify", message="Starting the interpreter"))
            verifying.verify(path, [name for name in modules if "ipykernel" in {*target.conda, *target.pypi}], cancel=cancel)
        except BaseException as error:
            on_event(Progress("restore", message="Bringing the environment back"))
            transactions.roll_back(path)
            raise _restored(error) from error
        transactions.commit(path)
    return Applied(names, state.id)


def summarize(plan: Plan) -> str:
    """Return one line that says what *plan* does: ``installed numpy, removed six and 2 more``."""
    parts = []
    for verb, lines in (("installed", plan.added), ("changed", plan.changed), ("removed", plan.removed)):
        asked = [line.name for line in lines if line.reason == "requested"] or [line.name for line in lines]
        if asked:
            more = len(lines) - len(asked[:3])
            parts.append(f"{verb} {', '.join(asked[:3])}" + (f" and {more} more" if more else ""))
    return ", ".join(parts)


def _fetch(plan: Plan, on_event: OnProgress, cancel: CancelSignal) -> tuple[list[dict[str, Any]], list[str]]:
    """Fetch everything; return complete conda records and the files that they will bring."""
    needed, free = plan.disk_bytes, shutil.disk_usage(plan.prefix).free
    if needed > free:
        raise InsufficientStorage(
            f"About {needed >> 20} MB are needed for this and {free >> 20} MB are free at {plan.prefix}.", needed=needed, free=free
        )
    records: list[dict[str, Any]] = []
    incoming: list[str] = []
    if plan.conda.records:
        fetched = engine.fetch(plan.conda.records, headers=plan.sources.headers, on_event=on_event, cancel=cancel)
        records = [_without_credentials(record) for record in fetched]
        incoming = transactions.new_files(engine.contents_of(records), records, _python_after(plan))
        if plan.pypi.install:
            # conda's part must not begin before pip's archives are known to be good
            _prefetch_pypi(plan, on_event, cancel)
    return records, incoming


def _prefetch_pypi(plan: Plan, on_event: OnProgress, cancel: CancelSignal) -> None:
    scratch = inspection.state_folder(plan.prefix) / "prefetch"
    python = inspection.python_executable(plan.prefix)
    if python is None:
        return
    try:
        uv.install_lock(python, plan.pypi.pylock, sources=plan.sources, on_event=on_event, cancel=cancel, target=scratch)
    finally:
        files.remove_tree(scratch)


def _without_credentials(record: Mapping[str, Any]) -> dict[str, Any]:
    # what is linked is written down in conda-meta, where a token would be read by everyone who sees the environment
    return {**record, "url": strip_url(record["url"]), "channel": strip_url(record.get("channel") or "")}


def _python_after(plan: Plan) -> str:
    for line in (*plan.added, *plan.changed):
        if line.name == "python" and line.source == "conda":
            return line.to_version or ""
    return inspection.python_version(plan.prefix, plan.kind)


def _touched_conda(prefix: Path, plan: Plan) -> set[str]:
    """Return the installed conda packages whose files the plan changes."""
    touched = {line.name for line in (*plan.changed, *plan.removed) if line.source == "conda"}
    if "python" in touched:
        # another Python means another site-packages: every pure Python package is linked again
        touched |= {record.name for record in conda_meta.read_records(prefix) if record.noarch == "python"}
    return touched


def _change(plan: Plan, records: Sequence[Mapping[str, Any]], on_event: OnProgress, cancel: CancelSignal) -> None:
    prefix = plan.prefix
    present = {distribution.key: distribution for distribution in inspection.python_distributions(prefix)}
    for name in plan.pypi.remove:
        if name in present:
            on_event(Progress("link", message=f"Removing {name}"))
            transactions.remove_distribution(present[name], prefix)
    if plan.conda:
        engine.link(prefix, records, remove=plan.conda.remove, requested=plan.conda.requested, headers={}, on_event=on_event, cancel=cancel)
    if plan.pypi.install:
        python = inspection.python_executable(prefix)
        if python is None:
            raise Unavailable("The environment has no Python any more.")
        uv.install_lock(python, plan.pypi.pylock, sources=plan.sources, on_event=on_event, cancel=cancel)
        mark_requested(prefix, plan.pypi)


def mark_requested(prefix: Path, step: PypiStep) -> None:
    """Correct the ``REQUESTED`` marks: uv, given a lock, takes every package in it for requested."""
    for distribution in inspection.python_distributions(prefix):
        if distribution.key in step.install and distribution.requested and distribution.key not in step.requested:
            rows = (distribution.path / "RECORD").read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in rows if not line.startswith(f"{distribution.path.name}/REQUESTED,")]
            files.write_atomically(distribution.path / "RECORD", "".join(kept).encode())
            (distribution.path / "REQUESTED").unlink(missing_ok=True)


def _note_requested(prefix: Path, plan: Plan) -> None:
    """Note down that something which was there as a dependency is now wanted for itself."""
    for record in conda_meta.read_records(prefix) if plan.conda.requested else []:
        wanted = plan.conda.requested.get(record.name, ())
        if wanted and tuple(wanted) != record.requested:
            data = json.loads(record.path.read_bytes())
            files.write_json(record.path, {**data, "requested_specs": list(wanted)})


def _modules_to_verify(prefix: Path) -> list[str]:
    return ["ipykernel"] if any((folder / "ipykernel").is_dir() for folder in distributions.site_packages(prefix)) else []


def _import_names(prefix: Path, plan: Plan) -> set[str]:
    """Return the modules of packages that change or go, as they are before."""
    conda = {line.name for line in (*plan.changed, *plan.removed) if line.source == "conda"}
    pypi = {normalize(line.name) for line in (*plan.changed, *plan.removed) if line.source == "pypi"}
    return set(_names_of(prefix, conda, pypi))


def _names_of(prefix: Path, conda: Iterable[str], pypi: Iterable[str]) -> tuple[str, ...]:
    wanted_conda, wanted_pypi = set(conda), set(pypi)
    names: set[str] = set()
    if wanted_conda:
        names |= {name for record in conda_meta.read_records(prefix) if record.name in wanted_conda for name in record.import_names}
    if wanted_pypi:
        names |= {name for one in inspection.python_distributions(prefix) if one.key in wanted_pypi for name in one.import_names}
    return tuple(sorted(names))


def _differs(wanted: Any, present: Any) -> bool:
    return wanted is None or wanted.key != present.key


def _fetch_lacking(
    target: states.State, lacking: transactions.Missing, sources: Sources, on_event: OnProgress, cancel: CancelSignal
) -> tuple[list[dict[str, Any]], list[str]]:
    if not lacking.conda:
        return [], []
    wanted = [target.conda[name].record for name in lacking.conda]
    fetched = engine.fetch(wanted, headers=sources.headers, on_event=on_event, cancel=cancel, locked=True)
    python = target.conda["python"].record["version"] if "python" in target.conda else ""
    return fetched, transactions.new_files(engine.contents_of(fetched), fetched, python)


def _install_again(
    prefix: Path, target: states.State, names: Sequence[str], sources: Sources, on_event: OnProgress, cancel: CancelSignal
) -> None:
    python = inspection.python_executable(prefix)
    if python is None:
        raise Unavailable("The environment has no Python any more.")
    pins = {name: target.pypi[name].version for name in names}
    packages = uv.lock_pins(python, pins, sources=sources, cancel=cancel)
    uv.install_lock(python, pylock.dump(packages), sources=sources, on_event=on_event, cancel=cancel)
    wanted = tuple(name for name in names if target.pypi[name].requested)
    mark_requested(prefix, PypiStep(install=pins, requested=wanted))


def _restored(error: BaseException) -> BaseException:
    if isinstance(error, Cancelled):
        return Cancelled("The work was cancelled; the environment is as it was before.")
    if isinstance(error, CarrelError):
        detail = error.detail.replace(" Nothing was changed.", "").replace(" Nothing was left half-done; try again.", "")
        return type(error)(f"{detail} The environment is as it was before.", code=error.code, **error.fields)
    return error


def _write_history(prefix: Path, before: states.State, plan: Plan) -> None:
    """Add to ``conda-meta/history`` what conda would: its ``--from-history`` and ``--revisions`` read it."""
    old = {_dist(entry.record) for entry in before.conda.values()}
    new = {_dist(entry.record) for entry in states.current_state(prefix, "").conda.values()}
    if old == new:
        return
    lines = [f"==> {datetime.now(UTC):%Y-%m-%d %H:%M:%S} <==", f"# cmd: {plan.command.splitlines()[0] if plan.command else 'carrel'}"]
    lines += [f"-{dist}" for dist in sorted(old - new)] + [f"+{dist}" for dist in sorted(new - old)]
    updated = [spec for line in plan.added + plan.changed if line.reason == "requested" for spec in plan.conda.requested.get(line.name, ())]
    if updated:
        lines.append(f"# update specs: {json.dumps(updated)}")
    removed = [line.name for line in plan.removed if line.source == "conda" and line.reason == "requested"]
    if removed:
        lines.append(f"# remove specs: {json.dumps(removed)}")
    with (prefix / "conda-meta" / "history").open("a", encoding="utf-8") as handle:
        handle.write("\n".join(lines) + "\n")


def _dist(record: Mapping[str, Any]) -> str:
    return f"{record['channel']}/{record['subdir']}::{record['name']}-{record['version']}-{record['build']}"
