"""Carrying out a plan: fetch and verify, keep, change, compile, check, commit."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from carrel.core.errors import Cancelled, CarrelError, InsufficientStorage, PreconditionFailed, Unavailable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import (
    compiling,
    conda_history,
    conda_meta,
    counting,
    files,
    inspection,
    python_wishes,
    reverting,
    revisions,
    states,
    transactions,
    verifying,
)
from carrel.environments.conda import engine
from carrel.environments.credentials import strip_url
from carrel.environments.models import Applied, Plan
from carrel.environments.naming import normalize
from carrel.environments.pypi import overlap, staging

_FULL_BYTES = 500_000


def apply(
    plan: Plan,
    *,
    compile_files: bool | None = None,
    program: str = "",
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Applied:
    """Do what *plan* says, whole or not at all.

    Everything is fetched and verified first. Then the packages that will change are kept, the change is made, and the
    interpreter is started (and ``ipykernel`` imported, if it was there). On any failure and on cancel, the environment is
    brought back before this returns.

    Parameters
    ----------
    compile_files : bool, optional
        Whether Python files are compiled ahead of their first import; by default in environments that held nothing before.
    program : str
        On whose behalf, for the history (``carrel env``, ``jupyter``); guessed by default.

    Raises
    ------
    carrel.core.errors.PreconditionFailed
        The environment is not what the plan was made for.
    carrel.core.errors.Locked
        Another process is changing it.
    carrel.core.errors.DigestMismatch
        An archive is not what it should be; its name is in the field ``filename``.
    carrel.core.errors.InsufficientStorage
        The disk is full.
    carrel.core.errors.Cancelled
    """
    cancel = cancel or NeverCancelled()
    prefix = plan.prefix
    with transactions.exclusive(prefix), staging.cleared(prefix):
        if inspection.state_digest(prefix) != plan.base_state:
            raise PreconditionFailed(
                "The environment has changed since this was worked out. Look at the new plan and apply that.", code="plan_outdated"
            )
        if plan.is_empty:
            return Applied((), _note_requested(prefix, plan, program))
        records, incoming, staged = _fetch(plan, on_event, cancel)
        modules = verifying.modules_of(prefix)
        names_before = _import_names(prefix, plan)
        if cancel.is_set():
            raise Cancelled("The work was cancelled; nothing was changed.")
        with whole_or_not(prefix, on_event):
            base = transactions.begin(prefix, _touched_conda(prefix, plan), {*plan.pypi.install, *plan.pypi.remove}, incoming)
            before = revisions.state_of(prefix, base)
            _change(plan, records, staged, on_event, cancel)
            if compile_files or (compile_files is None and not before.names):
                arrived = {line.name for line in (*plan.added, *plan.changed)}
                compiling.compile_packages(prefix, arrived | set(plan.pypi.install), on_event=on_event, cancel=cancel)
            on_event(Progress("verify", message="Starting the interpreter"))
            with ThreadPoolExecutor(1) as pool:  # the records are needed next, and what has been read is remembered
                pool.submit(states.read, prefix)
                verifying.verify(prefix, modules, cancel=cancel)
            if conda_meta.is_conda_prefix(prefix):
                conda_history.append(prefix, before, plan)
            revision = transactions.commit(
                prefix,
                "change",
                summarize(plan),
                request=revisions.request_of(plan.change),
                command=plan.command,
                policy=plan.policy,
                program=program,
                archives=counting.packages_of(plan.pypi.pylock),
            )
    return Applied(tuple(sorted(names_before)), revision.number)


class whole_or_not:  # noqa: N801 - used like a function
    """Bring the environment at *prefix* back, and say so in the error, when the block does not end well."""

    def __init__(self, prefix: Path, on_event: OnProgress) -> None:
        self._prefix, self._on_event = prefix, on_event

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Bring back what was there, if need be."""
        if error is None:
            return
        is_full = False
        with contextlib.suppress(OSError):
            is_full = shutil.disk_usage(self._prefix).free < _FULL_BYTES
        if isinstance(error, Exception):
            self._on_event(Progress("restore", message="Bringing the environment back"))
        try:
            transactions.recover(self._prefix)
        except (OSError, CarrelError) as trouble:
            raise CarrelError(
                f"The change failed ({error}), and the environment could not be brought back now: {trouble}. What is needed for it is "
                "kept: put that right, and the next call brings it back.",
                code="not_restored",
            ) from error
        raise _restored(error, is_full=is_full) from error


def summarize(plan: Plan) -> str:
    """Return one line that says what *plan* does: ``installed numpy, removed six and 2 more``."""
    parts = []
    for verb, lines in (("installed", plan.added), ("changed", plan.changed), ("removed", plan.removed)):
        asked = [line.name for line in lines if line.reason == "requested"] or [line.name for line in lines]
        if asked:
            more = len(lines) - len(asked[:3])
            parts.append(f"{verb} {', '.join(asked[:3])}" + (f" and {more} more" if more else ""))
    return ", ".join(parts)


def _fetch(plan: Plan, on_event: OnProgress, cancel: CancelSignal) -> tuple[list[dict[str, Any]], list[str], bool]:
    """Fetch everything; return complete conda records, the files that packages will bring, and whether wheels are staged."""
    needed, free = plan.disk_bytes, files.free_bytes(plan.prefix)
    if needed > free:
        raise InsufficientStorage(
            f"About {needed >> 20} MB are needed for this and {free >> 20} MB are free at {plan.prefix}.", needed=needed, free=free
        )
    records: list[dict[str, Any]] = []
    incoming: list[str] = []
    try:
        if plan.conda.records:
            complete = engine.fetch(plan.conda.records, headers=plan.sources.headers, on_event=on_event, cancel=cancel)
            records = [_without_credentials(record) for record in complete.records]
            incoming = transactions.new_files(complete.contents(), records, _python_after(plan))
        staged = bool(plan.pypi.install) and has_python(plan.prefix, _python_after(plan))
        if staged:
            sizes = {normalize(line.name): line.size for line in (*plan.added, *plan.changed) if line.source == "pypi"}
            unpacked = staging.stage(plan.prefix, plan.pypi.pylock, plan.sources, on_event, cancel, sizes=sizes)
            leaving = {line.name for line in (*plan.changed, *plan.removed) if line.source == "conda"}
            overlap.check(plan.prefix, unpacked, leaving=leaving, arriving=incoming)
            incoming += unpacked
    except OSError as error:
        raise _in_words(error) from error
    return records, incoming, staged


def has_python(prefix: Path, version: str) -> bool:
    """Whether the Python of *prefix* can unpack wheels for Python *version*: it is the same, but for the patch level."""
    present = inspection.python_version(prefix, inspection.kind_of(prefix))
    return bool(present) and present.split(".")[:2] == version.split(".")[:2] and inspection.python_executable(prefix) is not None


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


def _change(plan: Plan, records: Sequence[Mapping[str, Any]], staged: bool, on_event: OnProgress, cancel: CancelSignal) -> None:
    prefix = plan.prefix
    present = {distribution.key: distribution for distribution in inspection.python_distributions(prefix)}
    for name in plan.pypi.remove:
        if name in present:
            on_event(Progress("link", message=f"Removing {name}"))
            reverting.remove_distribution(present[name], prefix)
    if plan.conda:
        engine.link(prefix, records, remove=plan.conda.remove, requested=plan.conda.requested, headers={}, on_event=on_event, cancel=cancel)
    if plan.pypi.install:
        if not staged:  # the Python that they are for has only come now
            transactions.expect(prefix, staging.stage(prefix, plan.pypi.pylock, plan.sources, on_event, cancel))
        staging.place(prefix, plan.pypi.pylock, plan.pypi.requested, plan.sources, on_event, cancel)


def _note_requested(prefix: Path, plan: Plan, program: str) -> int | None:
    """Note down that something which was there as a dependency is now wanted for itself; return the revision it makes."""
    rewritten = {}
    for record in conda_meta.read_records(prefix) if plan.conda.requested else []:
        wanted = plan.conda.requested.get(record.name, ())
        if wanted and tuple(wanted) != record.requested:
            rewritten[record.name] = (record.path, {**json.loads(record.path.read_bytes()), "requested_specs": list(wanted)})
    reworded = python_wishes.reworded(prefix, plan.change)
    if not rewritten and not reworded:
        return None
    with whole_or_not(prefix, ignore_progress):
        transactions.begin(prefix, (), (), ())
        for path, data in rewritten.values():
            files.write_json(path, data)
        for one in reworded:
            python_wishes.mark(one)
        names = [*rewritten, *(one.key for one in reworded)]
        summary = f"{', '.join(names)} wanted for {'itself' if len(names) == 1 else 'themselves'}"
        request = revisions.request_of(plan.change)
        return transactions.commit(prefix, "change", summary, request=request, policy=plan.policy, program=program).number


def _import_names(prefix: Path, plan: Plan) -> set[str]:
    """Return the modules of packages that change or go, as they are before."""
    conda = {line.name for line in (*plan.changed, *plan.removed) if line.source == "conda"}
    pypi = {normalize(line.name) for line in (*plan.changed, *plan.removed) if line.source == "pypi"}
    return set(import_names(prefix, conda, pypi))


def import_names(prefix: Path, conda: Iterable[str], pypi: Iterable[str]) -> tuple[str, ...]:
    """Return the modules of the named packages."""
    wanted_conda, wanted_pypi = set(conda), set(pypi)
    names: set[str] = set()
    if wanted_conda:
        names |= {name for record in conda_meta.read_records(prefix) if record.name in wanted_conda for name in record.import_names}
    if wanted_pypi:
        names |= {name for one in inspection.python_distributions(prefix) if one.key in wanted_pypi for name in one.import_names}
    return tuple(sorted(names))


def _restored(error: BaseException, *, is_full: bool) -> BaseException:
    if isinstance(error, Cancelled):
        return Cancelled("The work was cancelled; the environment is as it was before.")
    if isinstance(error, OSError):
        error = _in_words(error)
    if isinstance(error, CarrelError):
        detail = error.detail.replace(" Nothing was changed.", "").replace(" Nothing was left half-done; try again.", "")
        # installers do not always say that it was for want of room
        kind = InsufficientStorage if is_full and isinstance(error, Unavailable) else type(error)
        full = "The disk is full. " if kind is not type(error) else ""
        code = "insufficient_storage" if kind is InsufficientStorage else error.code
        return kind(f"{detail} {full}The environment is as it was before.", code=code, **error.fields)
    return error


def _in_words(error: OSError) -> CarrelError:
    """Return what the operating system says as an error for people."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InsufficientStorage(f"The disk is full{where}. Make room, then try again.")
    return Unavailable(f"A file could not be written: {error.strerror or error}{where}.", code="write_failed")
