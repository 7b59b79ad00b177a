"""Building an environment in its place, so that nothing half-made is ever taken for one.

Environments cannot be moved once built (conda packages and scripts hold their prefix), so they are built where they will
be. While that goes on, a marker file beside the prefix says so, and a lock beside it says that the builder lives. A prefix
with a marker and no living builder is a ruin: the next builder of the same prefix, or :func:`sweep`, removes it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from carrel.core import clock
from carrel.core.errors import Cancelled, Locked
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import files, locks
from carrel.environments.locations import environments_folder

_WAIT_SECONDS = 0.2


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


def is_ruin(prefix: Path) -> bool:
    """Whether somebody died while building *prefix*."""
    return partial(prefix).exists() and not locks.is_held(lock_path(prefix))


def is_being_built(prefix: Path) -> bool:
    """Whether somebody is building *prefix* now."""
    return partial(prefix).exists() and locks.is_held(lock_path(prefix))


def sweep(root: Path | None = None) -> list[Path]:
    """Remove ruins below *root* (the folder of environments); return what was removed."""
    folder = root or environments_folder()
    removed = []
    for marker in folder.glob(".*.partial") if folder.is_dir() else ():
        prefix = folder / marker.name[1:].removesuffix(".partial")
        with contextlib.suppress(Locked), locks.locked(lock_path(prefix), prefix.name):
            if marker.exists():
                files.remove_tree(prefix)
                marker.unlink(missing_ok=True)
                removed.append(prefix)
    return removed


def partial(prefix: Path) -> Path:
    """Return the marker that *prefix* is half-made, present or not."""
    return prefix.parent / f".{prefix.name}.partial"


def lock_path(prefix: Path) -> Path:
    """Return the builder's lock of *prefix*."""
    return prefix.parent / f".{prefix.name}.lock"
