"""Building an environment in its place, so that nothing half-made is ever taken for one.

Environments cannot be moved once built (conda packages and scripts hold their prefix), so they are built where they will
be. While that goes on, a marker file beside the prefix says so, and a lock beside it says that the builder lives. A prefix
with a marker and no living builder is a ruin: the next builder of the same prefix, or :func:`sweep`, removes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from carrel.core import clock
from carrel.core.errors import Cancelled, Conflict, Locked
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import files, inspection, locks
from carrel.environments.locations import environments_folder

_WAIT_SECONDS = 0.2
_MARK = "environment.json"


@contextlib.contextmanager
def exclusive(prefix: Path, on_event: OnProgress, cancel: CancelSignal) -> Iterator[None]:
    """Hold the builder's lock of *prefix*, waiting for another builder of the same environment, whose work is then shared.

    Raises
    ------
    carrel.core.errors.Cancelled
        While waiting.
    """
    told = False
    with contextlib.ExitStack() as held:
        while True:
            if cancel.is_set():
                raise Cancelled("The work was cancelled; nothing was made.")
            try:
                held.enter_context(locks.locked(lock_path(prefix), f"the environment {prefix.name}"))
                break
            except Locked:
                if not told:
                    on_event(Progress("wait", message="Another process is building the same environment"))
                    told = True
                time.sleep(_WAIT_SECONDS)
        yield


@contextlib.contextmanager
def in_place(prefix: Path, note: dict[str, Any]) -> Iterator[None]:
    """Mark *prefix* as half-made meanwhile; when the block fails, nothing is left of it. The builder's lock must be held.

    Parameters
    ----------
    note : dict
        What is being made, for those who find the marker.
    """
    try:
        files.write_json(partial(prefix), {**note, "pid": os.getpid(), "since": clock.to_rfc3339(clock.now())})
        yield
    except BaseException:
        files.remove_tree(prefix)
        raise
    finally:
        partial(prefix).unlink(missing_ok=True)


def is_marked(prefix: Path) -> bool:
    """Whether *prefix* is half-made, or was left so. A marker of somebody else beside a folder of ours says nothing about it."""
    try:
        marker = partial(prefix).lstat()
    except OSError:
        return False
    owners = {os.getuid()} if hasattr(os, "getuid") else {marker.st_uid}
    with contextlib.suppress(OSError):
        owners.add(prefix.lstat().st_uid)
    return stat.S_ISREG(marker.st_mode) and marker.st_uid in owners


def is_ruin(prefix: Path) -> bool:
    """Whether somebody died while building *prefix*."""
    return is_marked(prefix) and not locks.is_held(lock_path(prefix))


def is_being_built(prefix: Path) -> bool:
    """Whether somebody is building *prefix* now."""
    return is_marked(prefix) and locks.is_held(lock_path(prefix))


def remove_ruin(prefix: Path) -> bool:
    """Remove what somebody who died left of *prefix*; return whether there was anything."""
    with contextlib.suppress(Locked), locks.locked(lock_path(prefix), prefix.name):
        if is_marked(prefix):
            files.remove_tree(prefix)
            partial(prefix).unlink(missing_ok=True)
            return True
    return False


def environments_inside(prefix: Path) -> list[Path]:
    """Return the environments that lie in *prefix* or in its folder ``envs``, as those of an installation of conda do."""
    found = []
    for folder in (prefix, prefix / "envs"):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            inner = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
            found += [path for path in sorted(inner) if (path / "pyvenv.cfg").is_file() or (path / "conda-meta").is_dir()]
    return found


def refuse_others_inside(prefix: Path) -> None:
    """Make sure that no other environment goes when *prefix* does.

    Raises
    ------
    carrel.core.errors.Conflict
        Code ``contains_environments``, field ``prefixes``.
    """
    if inside := environments_inside(prefix):
        names = ", ".join(str(path.relative_to(prefix)) for path in inside[:5])
        message = f"Other environments lie in {prefix}: {names}. Move or remove them first."
        raise Conflict(message, code="contains_environments", prefixes=[str(path) for path in inside])


def sweep(root: Path | None = None) -> list[Path]:
    """Remove ruins below *root* (the folder of environments); return what was removed."""
    folder = root or environments_folder()
    markers = folder.glob(".*.partial") if folder.is_dir() else ()
    names = [name for marker in markers if (name := marker.name[1:].removesuffix(".partial")) not in ("", ".", "..")]
    return [folder / name for name in names if remove_ruin(folder / name)]


def read_mark(prefix: Path) -> dict[str, Any] | None:
    """Return what the completion mark of the environment at *prefix* says; None where there is none.

    Members: ``built_at``, ``state`` it had then, ``digest`` of the lock or ``copy_of`` another environment, and ``references``,
    objects with ``to`` and ``at``.
    """
    try:
        found = json.loads((inspection.state_folder(prefix) / _MARK).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_mark(prefix: Path, mark: Mapping[str, Any]) -> None:
    """Write the completion mark of the environment at *prefix*; see :func:`read_mark`."""
    files.write_json(inspection.state_folder(prefix) / _MARK, mark)


def partial(prefix: Path) -> Path:
    """Return the marker that *prefix* is half-made, present or not."""
    return prefix.parent / f".{prefix.name}.partial"


def lock_path(prefix: Path) -> Path:
    """Return the builder's lock of *prefix*."""
    return prefix.parent / f".{prefix.name}.lock"
