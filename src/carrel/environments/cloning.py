"""A private copy of an environment: the same packages and files at another place, where they may be changed.

What conda installed is linked from the package cache where that has the very same archive; everything else is copied from
the environment itself, made to name its new place (see :mod:`carrel.environments.tree_copy`), so that neither a channel nor
an index is needed. A copy never shares bytes with an environment that it was made of: what its owner does there later does
not reach it. It is built like any other environment (:mod:`carrel.environments.building`), started, and compared with what
it was made of before anybody sees it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from carrel.core import clock
from carrel.core.errors import BadRequest, Conflict, InvalidFile, PreconditionFailed, Unprocessable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import (
    building,
    conda_copies,
    conda_meta,
    distributions,
    files,
    inspection,
    kernels,
    python_copies,
    python_wishes,
    revisions,
    transactions,
    usage,
    verifying,
)
from carrel.environments.models import Environment

_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")
_RESERVED = frozenset({"python2", "python3"})  # names that Jupyter gives to the Python it runs in, with or without a kernelspec


def clone(
    source: str | Path,
    target: str | Path,
    *,
    program: str = "",
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Environment:
    """Make a working private copy of the environment at *source* at *target*.

    A conda environment becomes one with the same packages, and its other files are copied too (not environments and package
    caches inside it). A virtual environment becomes one of the same base interpreter; a system's Python becomes a virtual
    environment of it with the same distributions. What was frozen or read-only can be changed in the copy.

    Parameters
    ----------
    program : str
        On whose behalf, for the history (``carrel env``, ``jupyter``); guessed by default.
    on_event : callable
        Called with :class:`~carrel.core.progress.Progress`: bytes while files are copied.

    Raises
    ------
    carrel.core.errors.Conflict
        Something is at *target* (code ``prefix_taken``).
    carrel.core.errors.NotFound
        There is no environment, or the interpreter that a virtual environment was made of is gone (code ``python_not_found``).
    carrel.core.errors.Forbidden
        A file may not be read.
    carrel.core.errors.PreconditionFailed
        The environment was changed meanwhile.
    carrel.core.errors.Unprocessable
        The new path is too long for a binary file (code ``prefix_too_long``), or the copy differs (code ``copy_differs``).
    carrel.core.errors.InsufficientStorage
    carrel.core.errors.Cancelled
    """
    cancel = cancel or NeverCancelled()
    environment = inspection.inspect(source)
    prefix = inspection.absolute(target)
    real, original = prefix.resolve(), environment.prefix.resolve()
    if real.is_relative_to(original) or original.is_relative_to(real):
        raise BadRequest(f"{prefix} is not a place for a copy of {environment.prefix}: one would lie in the other.", code="copy_inside")
    with building.exclusive(prefix, on_event, cancel), _unchanging(environment):
        _clear(prefix)
        with building.in_place(prefix, {"copy_of": str(environment.prefix)}):
            state = inspection.state_digest(environment.prefix)
            if environment.kind == "conda":
                conda_copies.copy(environment, prefix, on_event, cancel)
            else:
                python_copies.copy(environment, prefix, on_event, cancel)
            on_event(Progress("verify", message="Starting the interpreter"))
            verifying.verify(prefix, verifying.modules_of(environment.prefix), cancel=cancel)
            if state != inspection.state_digest(environment.prefix):
                raise PreconditionFailed("The environment was changed while it was copied. Try again.", code="source_changed")
            different = differences(environment.prefix, prefix)
            if different:
                raise Unprocessable(f"The copy differs from {environment.name} in: {', '.join(different[:8])}.", code="copy_differs")
            _begin_history(environment.prefix, prefix, program)
            note = {"copy_of": str(environment.prefix), "state": inspection.state_digest(prefix), "built_at": clock.to_rfc3339(clock.now())}
            building.write_mark(prefix, note)
            usage.touch_used(prefix)
    return inspection.inspect(prefix)


def differences(source: Path, copy: Path) -> list[str]:
    """Return the names of packages that are not the same in both: their records, where these do not tell of places, and files."""
    before, after = _records(source), _records(copy)
    found = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    if conda_meta.is_conda_prefix(source):
        for record in conda_meta.read_records(source):
            if any(os.path.lexists(source / file) and not os.path.lexists(copy / file) for file in conda_meta.files_of(record.path)):
                found.add(record.name)
    if inspection.kind_of(source) != "system":
        for one in inspection.python_distributions(source):
            owned = [path for path in distributions.files_of(one) if os.path.lexists(path)]
            if not all(os.path.lexists(copy / path.relative_to(source)) for path in owned):
                found.add(one.key)
    return sorted(found)


def give_kernel(environment: Environment, display_name: str, user_data_folder: Path) -> str | None:
    """Make kernelspecs for a copy and return the name of the first; None when nothing in the environment is a kernel.

    Parameters
    ----------
    user_data_folder : Path
        Jupyter's data folder of the user.
    """
    if not kernels.kernels_in(environment.prefix):
        return None
    base = _NOT_IN_NAMES.sub("-", environment.name.lower()).strip("-.")[:80] or "environment"
    from jupyter_core.paths import jupyter_path

    folders = dict.fromkeys([user_data_folder / "kernels", *map(Path, jupyter_path("kernels"))])
    name, number = base, 1
    # A kernelspec of the user's goes before those of the machine: every notebook with one of that name would change its kernel.
    while name in _RESERVED or any(_is_anothers(folder / name / "kernel.json", environment.prefix) for folder in folders):
        number += 1
        name = f"{base}-{number}"
    return kernels.install_kernelspecs(environment.prefix, name, display_name, user_data_folder=user_data_folder)[0].name


@contextlib.contextmanager
def _unchanging(environment: Environment) -> Iterator[None]:
    """Keep others from changing an environment meanwhile, if this user may, and put right what a dead process left in it."""
    if environment.writable and inspection.state_folder(environment.prefix).is_dir():
        with transactions.exclusive(environment.prefix):
            yield
    else:
        yield


def _begin_history(source: Path, prefix: Path, program: str) -> None:
    """Write down that *prefix* is a copy of *source*, with what is known there of its Python packages."""
    archives: dict[str, Mapping[str, Any]] = {}
    with contextlib.suppress(InvalidFile):  # a damaged history of the source is none of the copy's
        archives = revisions.archives_of(source)
    request = (f"copy {source}", *python_wishes.lines(source))
    revisions.record(prefix, "created", f"copied from {source}", request=request, program=program, archives=archives)


def _clear(prefix: Path) -> None:
    if building.is_marked(prefix):
        files.remove_tree(prefix)
    elif os.path.lexists(prefix) and not (prefix.is_dir() and not any(prefix.iterdir())):
        raise Conflict(f"{prefix} exists. Choose another place for the copy.", code="prefix_taken", path=str(prefix))


def _is_anothers(file: Path, prefix: Path) -> bool:
    """Whether a kernelspec of this name belongs to another environment."""
    try:
        return kernels.prefix_of_spec(json.loads(file.read_bytes()), file) != prefix
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _records(prefix: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if conda_meta.is_conda_prefix(prefix):
        for record in conda_meta.read_records(prefix):
            whole = json.loads(record.path.read_bytes())
            found[record.name] = {key: value for key, value in whole.items() if key not in conda_copies.LOCAL}
    for one in inspection.python_distributions(prefix):
        found.setdefault(f"{one.key} (Python)", (one.version, one.installer, one.requested, one.tags, one.requires, one.import_names))
    return found
