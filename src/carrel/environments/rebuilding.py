"""Rebuilding an environment from its lock, byte for byte, without solving.

What makes a folder a rebuilt environment is its completion mark, written last; see :mod:`carrel.environments.building` for
what becomes of those that are not completed.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from carrel.core import clock
from carrel.core.errors import BadRequest, Conflict, InsufficientStorage, InvalidFile, NotFound, Unprocessable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import (
    archive_sources,
    asked,
    building,
    compiling,
    conda_meta,
    files,
    inspection,
    revisions,
    transactions,
    usage,
    verifying,
)
from carrel.environments.conda import engine
from carrel.environments.locations import current_platform, environments_folder
from carrel.environments.models import Change, Environment, Origin, Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi import staging, uv
from carrel.formats.environment.conda_specs import name_of
from carrel.formats.environment.lock import Lock, LockKind, LockSet

_MOST_REFERENCES = 200


def environment_folder(lock: Lock, root: Path | None = None) -> Path:
    """Return where the environment of *lock* lives: equal locks share one folder."""
    return (root or environments_folder()) / lock.digest[:16]


def already_built(lock: Lock, prefix: Path) -> bool:
    """Whether *prefix* holds exactly what *lock* says and has not been changed since it was rebuilt."""
    mark = building.read_mark(prefix)
    if not mark or mark.get("digest") != lock.digest or building.is_marked(prefix) or transactions.is_interrupted(prefix):
        return False
    return bool(mark.get("state") == inspection.state_digest(prefix))


def lock_here(locks: Lock | LockSet) -> Lock:
    """Return the lock for this platform.

    Raises
    ------
    carrel.core.errors.Unprocessable
        There is none (code ``other_platform``, field ``platforms``).
    """
    found = locks if isinstance(locks, Lock) else locks.for_platform(current_platform())
    platforms = (locks.platform,) if isinstance(locks, Lock) else locks.platforms
    if found is None or (found.platform and found.platform not in (current_platform(), "noarch")):
        raise Unprocessable(
            f"This environment was captured on {', '.join(platforms)}; here is {current_platform()}. Its packages do not run here.",
            code="other_platform",
            errors=[{"field": "platform", "message": platforms[0]}],
            platforms=list(platforms),
        )
    return found


def rebuild(
    lock: Lock | LockSet,
    prefix: Path,
    *,
    sources: Sources | None = None,
    hubs: Sequence[str] = (),
    reference: str = "",
    replace_changed: bool = False,
    compile_files: bool | None = None,
    origin: Origin | None = None,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Environment:
    """Build the environment of *lock* at *prefix*, or return it if it is there.

    Whoever wants the same environment in the same place shares one build: others wait for the one who builds, and take over
    when that one dies. One that is there is only compared with the lock, which needs no right to write.

    Parameters
    ----------
    lock : Lock or LockSet
        Of several, the one for this platform is taken.
    sources : Sources, optional
        Headers for the servers in the lock; its channels and indexes are tried for archives that are gone from where they were.
    hubs : sequence of str
        Addresses of hubs. Their channels and indexes among *sources* and in the lock are asked first, for copies with the locked
        digest.
    reference : str
        What the environment is for (a publication, the path of a notebook); kept with it for whoever clears up.
    replace_changed : bool
        Whether an environment that was rebuilt here and changed since may be replaced.
    compile_files : bool, optional
        Whether Python files are compiled ahead of their first import; by default when archives had to be fetched: what is in the
        cache is there at once.
    origin : Origin, optional
        What the history of the environment begins with if it is built now; by default that it was rebuilt from *reference*.

    Raises
    ------
    carrel.core.errors.DigestMismatch
        An archive is not the locked one (fields ``filename``, ``expected``, ``found``); nothing is left. Where several places
        were tried, this error, like those of missing archives, has the field ``tried``: objects with ``url`` and ``reason``.
    carrel.core.errors.Unprocessable
        The lock is for another platform (code ``other_platform``), or names packages without a digest (``incomplete_lock``).
    carrel.core.errors.NotFound
        No interpreter of the locked version is on this machine (code ``python_not_found``).
    carrel.core.errors.Conflict
        Something else is at *prefix* (code ``prefix_taken``), or this environment, changed since (``environment_changed``). The
        field ``path`` says where; ``remedy`` is ``replace`` where *replace_changed* would replace it.
    carrel.core.errors.Cancelled
    """
    cancel = cancel or NeverCancelled()
    sources = sources or Sources()
    prefix = inspection.absolute(prefix)
    lock = lock_here(lock)
    _check(lock)
    if not already_built(lock, prefix):
        with building.exclusive(prefix, on_event, cancel):
            if not already_built(lock, prefix):
                _clear(prefix, lock, replace_changed)
                with building.in_place(prefix, {"digest": lock.digest}):
                    origin = origin or Origin(f"rebuilt from {reference or 'a lock'}", (f"rebuild {reference or lock.digest}",))
                    _build_and_check(lock, prefix, sources, hubs, compile_files, origin, on_event, cancel)
    if reference:
        add_reference(prefix, reference)
    usage.touch_used(prefix)
    return inspection.inspect(prefix)


def add_reference(prefix: Path, reference: str) -> None:
    """Note that the rebuilt environment at *prefix* is used for *reference*; one that may not be written to keeps no such notes."""
    mark = building.read_mark(prefix)
    if mark is None:
        return
    known = mark.get("references")
    others = [one for one in known if isinstance(one, dict) and one.get("to") != reference] if isinstance(known, list) else []
    latest = {"to": reference, "at": clock.to_rfc3339(clock.now())}
    with contextlib.suppress(OSError):
        building.write_mark(prefix, {**mark, "references": [*others, latest][-_MOST_REFERENCES:]})


def _build_and_check(
    lock: Lock,
    prefix: Path,
    sources: Sources,
    hubs: Sequence[str],
    compile_files: bool | None,
    origin: Origin,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> None:
    fetched = False

    def watch(event: Progress) -> None:
        nonlocal fetched
        fetched = fetched or (event.stage == "download" and event.done > 0) or event.message.startswith("Prepared")  # as uv says it
        on_event(event)

    _build(lock, prefix, sources, hubs, watch, cancel)
    names = {package.name for package in lock.conda} | {normalize(package.name) for package in lock.pypi}
    if compile_files or (compile_files is None and fetched):
        compiling.compile_packages(prefix, names, on_event=on_event, cancel=cancel)
    on_event(Progress("verify", message="Starting the interpreter"))
    modules = ["ipykernel"] if "ipykernel" in names else []
    with ThreadPoolExecutor(1) as pool:  # the records are read while the interpreter starts
        comparison = pool.submit(_compare_and_record, lock, prefix, origin)
        verifying.verify(prefix, modules, cancel=cancel)
        comparison.result()
    mark = {"digest": lock.digest, "state": inspection.state_digest(prefix), "built_at": clock.to_rfc3339(clock.now())}
    building.write_mark(prefix, mark)


def _check(lock: Lock) -> None:
    incomplete = [package.name for package in lock.conda if not (package.sha256 or package.md5) or not package.url]
    incomplete += [package.name for package in lock.pypi if not package.sha256 or not package.url]
    if incomplete:
        raise Unprocessable(
            f"The lock does not say exactly what these are: {', '.join(sorted(incomplete)[:8])}. Capture the environment again.",
            code="incomplete_lock",
            errors=[{"field": name, "message": "no digest or address"} for name in incomplete],
        )
    if lock.kind is LockKind.VENV and not lock.python_version:
        raise BadRequest("The lock does not say which Python it is for.", code="incomplete_lock")


def _clear(prefix: Path, lock: Lock, replace_changed: bool) -> None:
    if not prefix.exists() or (prefix.is_dir() and not any(prefix.iterdir())):
        return
    if building.is_marked(prefix):
        files.remove_tree(prefix)
        return
    mark = building.read_mark(prefix)
    if mark is None:
        raise Conflict(f"{prefix} exists and was not made here. Choose another place.", code="prefix_taken", path=str(prefix))
    if not replace_changed and mark.get("digest") != lock.digest:
        message = f"{prefix} holds another environment. Choose another place to keep it."
        raise Conflict(message, code="prefix_taken", path=str(prefix), remedy="replace")
    if not replace_changed:
        message = f"{prefix} was changed after it was rebuilt. Choose another place to keep it as it is."
        raise Conflict(message, code="environment_changed", path=str(prefix), remedy="replace")
    building.refuse_others_inside(prefix)
    with transactions.exclusive(prefix):
        pass
    files.remove_tree(prefix)


def _build(lock: Lock, prefix: Path, sources: Sources, hubs: Sequence[str], on_event: OnProgress, cancel: CancelSignal) -> None:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    needed, free = lock.download_bytes * 4, shutil.disk_usage(prefix.parent).free
    if needed > free:
        message = f"About {needed >> 20} MB are needed and {free >> 20} MB are free at {prefix.parent}."
        raise InsufficientStorage(message, needed=needed, free=free)
    if lock.kind is LockKind.CONDA:
        _link_conda(lock, prefix, sources, hubs, on_event, cancel)
    else:
        uv.create_venv(prefix, _interpreter(lock.python_version, cancel), cancel=cancel)
    if lock.pypi:
        python = inspection.python_executable(prefix)
        if python is None:
            raise InvalidFile("The lock has Python packages but no Python.", code="incomplete_lock")
        on_event(Progress("download", 0, sum(p.size for p in lock.pypi), "bytes", f"Fetching {len(lock.pypi)} Python packages"))
        archive_sources.install_python(python, lock, sources, hubs, on_event=on_event, cancel=cancel)
        wanted = {normalize(name_of(text)) for text in lock.requested}
        pins = {normalize(p.name) for p in lock.pypi}
        staging.mark_requested(prefix, pins, wanted)


def _link_conda(lock: Lock, prefix: Path, sources: Sources, hubs: Sequence[str], on_event: OnProgress, cancel: CancelSignal) -> None:
    # explicit files say nothing of dependencies: then the packages do
    told = any(package.depends for package in lock.conda)
    wanted = [
        {
            "name": package.name,
            "version": package.version,
            "build": package.build,
            "url": package.url,
            "sha256": package.sha256 or None,
            "md5": package.md5 or None,
            "size": package.size or None,
            "subdir": package.subdir or None,
            "channel": package.channel or None,
            "depends": list(package.depends) if told else None,
        }
        for package in lock.conda
    ]
    copies, others = archive_sources.conda_places(lock, sources, hubs)
    fetched = engine.fetch(wanted, headers=sources.headers, on_event=on_event, cancel=cancel, locked=True, copies_in=copies, others=others)
    (prefix / "conda-meta").mkdir(parents=True)
    names = {package.name for package in lock.conda}
    requested = {name: (text,) for text in lock.requested if (name := name_of(text)) in names}
    engine.link(prefix, fetched.records, requested=requested, headers={}, on_event=on_event, cancel=cancel)


def _interpreter(version: str, cancel: CancelSignal) -> Path:
    """Return an interpreter of this machine with the minor version of *version*, the very same version if there is one.

    Raises
    ------
    NotFound
    """
    minor = version.split(".")[:2]
    here = ".".join(map(str, sys.version_info[:3]))
    own = Path(getattr(sys, "_base_executable", None) or sys.executable)
    if here == version:
        return own
    found = [(here, own), *uv.find_interpreters(cancel=cancel)]
    fitting = [(candidate, path) for candidate, path in found if candidate.split(".")[:2] == minor]
    if not fitting:
        versions = ", ".join(sorted({candidate for candidate, _ in found}))
        wanted = ".".join(minor)
        raise NotFound(
            f"This environment needs Python {wanted}, and this machine has {versions}. Install Python {wanted} and try again.",
            code="python_not_found",
            needed=version,
            found=sorted({candidate for candidate, _ in found}),
        )
    return next((path for candidate, path in fitting if candidate == version), fitting[0][1])


def _compare_and_record(lock: Lock, prefix: Path, origin: Origin) -> None:
    """Make sure that *prefix* is what *lock* says, and begin its history with that."""
    _compare(lock, prefix)
    request = (*origin.request, *revisions.request_of(Change(add=asked.wishes(lock))))
    archives = {normalize(package.name): archive_sources.entry(package) for package in lock.pypi}
    revisions.record(prefix, "created", origin.summary, request=request, program=origin.program, archives=archives)


def _compare(lock: Lock, prefix: Path) -> None:
    """Make sure that what is installed is what is locked, and nothing else."""
    conda = {(r.name, r.version, r.build, r.sha256) for r in conda_meta.read_records(prefix)} if lock.conda else set()
    wanted = {(p.name, p.version, p.build, p.sha256 or _sha256(conda, p.name)) for p in lock.conda}
    pypi = {(d.key, d.version) for d in inspection.python_distributions(prefix)}
    wanted_pypi = {(normalize(p.name), p.version) for p in lock.pypi}
    different = sorted({item[0] for item in conda ^ wanted} | {item[0] for item in pypi ^ wanted_pypi})
    if different:
        raise InvalidFile(f"The rebuilt environment differs from the lock in: {', '.join(different[:8])}.", code="rebuild_differs")


def _sha256(records: set[tuple[str, str, str, str]], name: str) -> str:
    # locked by MD5 alone, which was enforced when it was fetched
    return next((sha256 for record, _, _, sha256 in records if record == name), "")
