"""Repairing an environment: what :func:`carrel.environments.problems` found, as far as it can be put right for sure.

Packages are put back as they were installed, from the cache or from where they came from, never in another version. It is a
change like any other: fetched first, journaled, verified, and undone whole when anything fails.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from carrel.core.errors import Cancelled, CarrelError, NotFound
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import building, conda_meta, files, inspection, repair_planning, reverting, salvaging, transactions, verifying
from carrel.environments.applying import whole_or_not
from carrel.environments.conda import engine
from carrel.environments.health import problems
from carrel.environments.health_python import relative_files
from carrel.environments.models import Problem, Sources
from carrel.environments.pypi import pylock, staging, uv
from carrel.environments.repair_planning import Repair, Work


def repairs(prefix: str | os.PathLike[str], found: Iterable[Problem] | None = None) -> tuple[Repair, ...]:
    """Return what :func:`repair` would do in the environment at *prefix* (about *found*, if it was looked for already)."""
    path = inspection.absolute(prefix)
    return repair_planning.plan(path, problems(path) if found is None else tuple(found))[1]


def repair(
    prefix: str | os.PathLike[str],
    *,
    sources: Sources | None = None,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> tuple[Repair, ...]:
    """Put right what can be in the environment at *prefix*; return what was done.

    An interrupted change is brought back first, and what is wrong afterwards is found anew. Whatever fails, packages are as
    they were before.

    Parameters
    ----------
    sources : Sources, optional
        Indexes that lost Python packages are fetched from, and headers.

    Raises
    ------
    carrel.core.errors.Locked
        Another process is changing the environment.
    carrel.core.errors.Cancelled
    """
    path, cancel, sources = inspection.absolute(prefix), cancel or NeverCancelled(), sources or Sources()
    done: list[Repair] = []
    before = problems(path)
    for problem in before:
        if problem.code == "half_built" and building.remove_ruin(path):
            return (Repair(problem, f"removed {path}"),)
    interrupted = [problem for problem in before if problem.code == "interrupted_change"]
    with transactions.exclusive(path):  # which brings an interrupted change back
        done += [Repair(problem, "brought back what was there before the change") for problem in interrupted]
        history = path / "conda-meta" / "history"
        work, planned = repair_planning.plan(path, problems(path))
        aside = {record: record.read_bytes() for record in work.rewrite}
        _put_back(work.rewrite)
        try:
            if aside:  # with the records back, files that are gone show
                work, more = repair_planning.plan(path, problems(path))
                planned += tuple(one for one in more if one.problem not in [known.problem for known in planned])
            if work or aside:
                _carry_out(path, work, sources, on_event, cancel)
        except BaseException:
            _put_back(aside)
            raise
        if any(one.problem.code == "no_history" for one in planned):
            history.touch()
        left = problems(path)
        done += [one for one in planned if one.problem not in left]
    return tuple(done)


def _carry_out(prefix: Path, work: Work, sources: Sources, on_event: OnProgress, cancel: CancelSignal) -> None:
    relinked = engine.fetch(list(work.relink.values()), headers=sources.headers, on_event=on_event, cancel=cancel, locked=True)
    fetched = relinked.records
    packages = _lock(prefix, work, sources, cancel)
    records = conda_meta.scan_records(prefix)[0] if conda_meta.is_conda_prefix(prefix) else []
    requested = conda_meta.requested_specs(prefix, records) if records else {}
    requested |= {record.name: specs for record in work.damaged if (specs := salvaging.requested_of(record))}
    incoming = transactions.new_files(relinked.contents(), fetched, _python_of(prefix, fetched))
    removed = [*_files_to_remove(prefix, work), *_loose(prefix, work)]
    if cancel.is_set():
        raise Cancelled("The work was cancelled; nothing was changed.")
    names = sorted({*work.relink, *work.reinstall, *(one.key for one in work.take_away), *(one.key for one, _ in work.shadowed)})
    summary = (
        f"repaired {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "repaired records"
    )
    touched = {*work.reinstall, *(one.key for one in work.take_away), *(one.key for one, _ in work.shadowed)}
    aside = _set_aside(prefix, work, fetched)
    try:
        with whole_or_not(prefix, on_event):
            transactions.begin(prefix, work.relink, touched, [*incoming, *removed])
            _change(prefix, work, fetched, packages, requested, sources, on_event, cancel)
            on_event(Progress("verify", message="Starting the interpreter"))
            verifying.verify(prefix, [], cancel=cancel)
            transactions.commit(prefix, "change", summary, command="carrel env doctor --fix")
    except BaseException:
        _put_back(aside)
        raise


def _change(
    prefix: Path,
    work: Work,
    fetched: Sequence[Mapping[str, Any]],
    packages: Sequence[dict[str, Any]],
    requested: Mapping[str, Sequence[str]],
    sources: Sources,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> None:
    on_event(Progress("link", message="Putting packages back"))
    for one in [*work.take_away, *work.reinstall.values()]:
        reverting.remove_distribution(one, prefix)
    for one, kept in work.shadowed:
        shared = set(relative_files(kept, prefix))
        files.remove_files((prefix / name for name in relative_files(one, prefix) if name not in shared), prefix)
        files.remove_tree(one.path)
    for path in work.leftovers:
        files.remove_tree(path)
    relinked = [record for record in conda_meta.read_records(prefix) if record.name in work.relink] if work.relink else []
    damaged = {record.path for record in work.damaged}
    whole = {record.path: record.path.read_bytes() for record in relinked if record.path not in damaged}
    for record in relinked:
        files.remove_files([*(prefix / name for name in conda_meta.files_of(record.path)), record.path], prefix)
    if fetched:
        engine.link(prefix, fetched, requested=requested, headers={}, on_event=on_event, cancel=cancel)
        _keep_records(whole)
    python = inspection.python_executable(prefix)
    if packages and python is not None:
        uv.install_lock(python, pylock.dump(packages), sources=sources, on_event=on_event, cancel=cancel)
        staging.mark_requested(prefix, work.reinstall, [name for name, one in work.reinstall.items() if one.requested])


def _keep_records(whole: Mapping[Path, bytes]) -> None:
    """Put back what the records of packages said that were linked again as they were.

    The archive alone does not tell all of it: the channel's corrections, its run exports, when it listed the package.
    """
    for path, data in whole.items():
        if not path.exists():
            continue
        before, after = json.loads(data), json.loads(path.read_bytes())
        # what a repair that was killed wrote in place of a damaged record says less than the new one
        is_whole = after.keys() <= before.keys() and set(before.get("files") or ()) == set(after.get("files") or ())
        if is_whole and before.get("sha256") == after.get("sha256"):
            files.write_atomically(path, data)


def _lock(prefix: Path, work: Work, sources: Sources, cancel: CancelSignal) -> list[dict[str, Any]]:
    """Return the very versions of the Python packages to install again, as the indexes have them.

    Packages that no index has now are left as they are, unless there is nothing else to repair: then that is the error.
    """
    python = inspection.python_executable(prefix)
    try:
        if work.reinstall and python is not None:
            if not sources.indexes:
                names = ", ".join(sorted(work.reinstall))
                raise NotFound(f"No index is set up to install {names} again from. Add the index.", code="no_index")
            return uv.lock_pins(python, {name: one.version for name, one in work.reinstall.items()}, sources=sources, cancel=cancel)
    except Cancelled:
        raise
    except CarrelError:
        if not replace(work, reinstall={}):
            raise
    work.reinstall.clear()
    return []


def _python_of(prefix: Path, fetched: Iterable[Mapping[str, Any]]) -> str:
    found = next((str(record["version"]) for record in fetched if record["name"] == "python"), "")
    return found or inspection.python_version(prefix, inspection.kind_of(prefix))


def _files_to_remove(prefix: Path, work: Work) -> list[str]:
    """Return the files that belong to a record or list of files that will be gone before the journal is written.

    Also those of what is taken away: in a folder of metadata that conda lists, no other package is known to own them.
    """
    superfluous = [name for record in work.superfluous for name in conda_meta.files_of(record.path)]
    return superfluous + [name for one in [*work.take_away, *(one for one, _ in work.shadowed)] for name in relative_files(one, prefix)]


def _loose(prefix: Path, work: Work) -> list[str]:
    """Return all files below folders that are removed as a whole."""
    found = []
    for root in [*work.leftovers, *(one.path for one, _ in work.shadowed)]:
        paths = (
            [root] if root.is_symlink() or root.is_file() else [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
        )
        found += [path.relative_to(prefix).as_posix() for path in paths]
    return found


def _set_aside(prefix: Path, work: Work, fetched: Sequence[Mapping[str, Any]]) -> dict[Path, bytes]:
    """Make the records readable, so that the journal can be written; return what they held.

    A damaged record becomes one of the same package with the files that it has: should this process die, the environment is
    better off than before. Of two records, the one whose files are not there goes.
    """
    aside: dict[Path, bytes] = {}
    by_name = {str(record["name"]): record for record in fetched}
    for broken in work.damaged:
        aside[broken.path] = broken.path.read_bytes()
        record = by_name[broken.name]
        owned = transactions.new_files(engine.contents_of([record]), [dict(record)], _python_of(prefix, fetched))
        described = {**record, "files": owned, "requested_specs": list(salvaging.requested_of(broken))}
        files.write_json(broken.path, described)
    for superfluous in work.superfluous:
        aside[superfluous.path] = superfluous.path.read_bytes()
        superfluous.path.unlink()
    return aside


def _put_back(aside: Mapping[Path, bytes]) -> None:
    for path, data in aside.items():
        files.write_atomically(path, data)
