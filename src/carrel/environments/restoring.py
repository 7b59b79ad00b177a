"""Going back to a revision, exactly."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carrel.core.errors import Cancelled, CarrelError, Unavailable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import compiling, inspection, reverting, revisions, states, transactions, verifying
from carrel.environments.applying import has_python, import_names, whole_or_not
from carrel.environments.conda import engine
from carrel.environments.models import Applied, Sources
from carrel.environments.pypi import pylock, staging, uv
from carrel.environments.states import CondaEntry, PypiEntry, State


def restore(
    prefix: str | Path,
    revision: int,
    *,
    sources: Sources | None = None,
    program: str = "",
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Applied:
    """Make an environment what it was after *revision*, its records to the byte. This is a change like any other: a revision.

    Packages come from what was kept, else from the package caches, neither of which needs a network; what is in none of them
    is fetched again from where it came (*sources* tells indexes and headers).

    Parameters
    ----------
    revision : int
        See :func:`~carrel.environments.history`. To undo the last change, one less than the newest.
    program : str
        On whose behalf, for the history; guessed by default.

    Raises
    ------
    carrel.core.errors.NotFound
        There is no such revision, or an archive does not exist any more.
    carrel.core.errors.Locked
    carrel.core.errors.Cancelled
    """
    cancel = cancel or NeverCancelled()
    sources = sources or Sources()
    path = inspection.absolute(prefix)
    with transactions.exclusive(path), staging.cleared(path):
        goal = revisions.get(path, revision)
        target, texts = revisions.state_of(path, revision), revisions.texts_of(path, revision)
        before = revisions.state_of(path, revisions.note_present(path))
        gone_conda = {entry.name for file, entry in before.conda.items() if _differs(target.conda.get(file), entry)}
        gone_pypi = {entry.name for folder, entry in before.pypi.items() if _differs(target.pypi.get(folder), entry)}
        lacking = reverting.missing(path, target)
        records, incoming = _fetch_conda(target, lacking.conda, sources, on_event, cancel)
        lock = _lock(path, target, lacking.pypi, sources, cancel)
        staged = bool(lock) and (inspection.kind_of(path) != "conda" or has_python(path, _python(target)))
        if staged:
            incoming += _stage(path, lock, sources, on_event, cancel)
        names = import_names(path, gone_conda, gone_pypi)
        modules = verifying.modules_of(path) if "ipykernel" in target.names else []
        if cancel.is_set():
            raise Cancelled("The work was cancelled; nothing was changed.")
        with whole_or_not(path, on_event):
            transactions.begin(path, gone_conda, gone_pypi, [*incoming, *reverting.kept_files(path, target)])
            total = len(before.keys ^ target.keys)
            on_event(Progress("link", 0, total, "packages", "Putting packages back"))
            reverting.to_state(path, target, texts, on_package=_Steps(on_event, cancel))
            if records:
                requested = _requested(target, texts)
                engine.link(path, records, requested=requested, headers={}, on_event=on_event, cancel=cancel)
            if lock:
                if not staged:  # the Python that they are for has only come now
                    transactions.expect(path, _stage(path, lock, sources, on_event, cancel))
                wanted = [entry.name for folder in lacking.pypi if (entry := target.pypi[folder]).requested]
                staging.place(path, lock, wanted, sources, on_event, cancel)
            if lacking:
                again = [target.conda[file] for file in lacking.conda], [target.pypi[folder] for folder in lacking.pypi]
                fetched = {entry.key: entry.name for entries in again for entry in entries}
                reverting.settle(path, target, texts, arrived=fetched)
                compiled = [entry.name for entry in again[0] if b".pyc" in texts[entry.text]]
                compiling.compile_packages(path, compiled, on_event=on_event, cancel=cancel)
            _check(path, target)
            on_event(Progress("link", total, total, "packages"))
            if cancel.is_set():
                raise Cancelled("The work was cancelled.")
            on_event(Progress("verify", message="Starting the interpreter"))
            verifying.verify(path, modules, cancel=cancel)
            made = transactions.commit(
                path,
                "restore",
                f"went back to revision {revision} ({goal.created_at[:16].replace('T', ' ')} UTC)",
                request=(f"restore {revision}",),
                program=program,
                archives={entry.name: entry.archive for entry in target.pypi.values() if entry.archive},
            )
    return Applied(names, made.number)


class _Steps:
    """Tells of each package that was put back, and ends the work when that is wished for."""

    def __init__(self, on_event: OnProgress, cancel: CancelSignal) -> None:
        self._on_event, self._cancel = on_event, cancel

    def __call__(self, done: int, total: int) -> None:
        """Take note of a package."""
        self._on_event(Progress("link", done, total, "packages"))
        if self._cancel.is_set():
            raise Cancelled("The work was cancelled.")


def note_changes(prefix: str | Path) -> int | None:
    """Make what other programs changed since the newest revision a revision of its own; return the number of the newest.

    Where nothing was ever changed from here, nothing is written down, and None returned.
    """
    path = inspection.absolute(prefix)
    if revisions.newest(path) is None:
        return None
    with transactions.exclusive(path):
        return revisions.note_present(path)


def _differs(wanted: CondaEntry | PypiEntry | None, present: CondaEntry | PypiEntry) -> bool:
    return wanted is None or wanted.key != present.key


def _versions(state: State) -> set[tuple[str, str]]:
    return {(one.name, one.version) for one in state.conda.values()} | {(one.name, one.version) for one in state.pypi.values()}


def _fetch_conda(
    target: State, lacking: Sequence[str], sources: Sources, on_event: OnProgress, cancel: CancelSignal
) -> tuple[list[dict[str, Any]], list[str]]:
    if not lacking:
        return [], []
    wanted = [target.conda[file].record for file in lacking]
    fetched = engine.fetch(wanted, headers=sources.headers, on_event=on_event, cancel=cancel, locked=True)
    return fetched.records, transactions.new_files(fetched.contents(), fetched.records, _python(target))


def _stage(prefix: Path, lock: str, sources: Sources, on_event: OnProgress, cancel: CancelSignal) -> list[str]:
    """Unpack Python packages without a network, or with one when not all are in the cache; return the files that they bring."""
    try:
        return staging.stage(prefix, lock, sources, on_event, cancel, offline=True)
    except Cancelled:
        raise
    except CarrelError:
        return staging.stage(prefix, lock, sources, on_event, cancel)


def _python(state: State) -> str:
    """Return the version of the conda package of Python in *state*."""
    return next((entry.version for entry in state.conda.values() if entry.name == "python"), "")


def _check(prefix: Path, target: State) -> None:
    """Make sure that what is there is what was there.

    Raises
    ------
    Unavailable
    """
    wanted, present = _versions(target), _versions(states.read(prefix)[0])
    if wanted != present:
        different = sorted({name for name, _ in wanted ^ present})
        raise Unavailable(f"What was there cannot be brought back whole: {', '.join(different[:8])}.", code="not_exact")


def _lock(prefix: Path, target: State, lacking: Sequence[str], sources: Sources, cancel: CancelSignal) -> str:
    """Return a lock of the *lacking* Python packages: what they were installed from, else what an index has by that version."""
    if not lacking:
        return ""
    known = {entry.name: dict(entry.archive) for folder in lacking if (entry := target.pypi[folder]).archive}
    unknown = {entry.name: entry.version for folder in lacking if not (entry := target.pypi[folder]).archive}
    packages = list(known.values())
    if unknown:
        # exact versions, nothing is solved: any interpreter will do where there is none yet
        python = inspection.python_executable(prefix) or Path(sys.executable)
        packages += uv.lock_pins(python, unknown, sources=sources, cancel=cancel)
    return pylock.dump(packages)


def _requested(target: State, texts: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    found = {entry.name: json.loads(texts[entry.text]).get("requested_specs") for entry in target.conda.values()}
    return {name: tuple(specs) for name, specs in found.items() if specs}
