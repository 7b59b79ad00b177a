"""The environments of this machine: which there are, who needs them, and taking away those that nobody does.

What lies directly in the folder of environments (:func:`~carrel.environments.locations.environments_folder`) was made here
and may be removed from here. Others are known from Jupyter's kernelspecs, conda's own list and running processes; they are
listed alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from carrel.core import clock
from carrel.core.errors import Conflict, Forbidden, NotFound
from carrel.environments import building, conda_meta, files, inspection, locks, transactions, usage
from carrel.environments.kernels import remove_kernelspec
from carrel.environments.locations import environments_folder
from carrel.environments.models import EnvironmentKind
from carrel.environments.usage import Referrer

State = Literal["ok", "broken", "building", "ruin", "missing"]
_TRASH = ".trash"


@dataclass(frozen=True, slots=True)
class KnownEnvironment:
    """An environment of this machine.

    Attributes
    ----------
    kind : {"conda", "venv", "system"} or None
        None when there is no environment any more, or not yet.
    managed : bool
        Whether it was made here and may be removed from here.
    state : {"ok", "broken", "building", "ruin", "missing"}
        ``broken`` when it has no interpreter, or a change of it was never brought to an end; ``ruin`` when whoever made it died;
        ``missing`` when something refers to it and it does not exist.
    last_used : datetime or None
    referrers : tuple of Referrer
    """

    prefix: Path
    kind: EnvironmentKind | None
    name: str
    python_version: str
    managed: bool
    state: State
    last_used: datetime | None
    referrers: tuple[Referrer, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether a process runs in it, or makes it."""
        return self.state == "building" or any(one.kind in ("kernel", "process") for one in self.referrers)


def known(*, root: Path | None = None, kernel_folders: Sequence[Path] | None = None) -> list[KnownEnvironment]:
    """Return the environments that are known here, managed ones first, those last used before others.

    Parameters
    ----------
    root : Path, optional
        The folder of environments.
    kernel_folders : sequence of Path, optional
        Where kernelspecs are (``…/share/jupyter/kernels``); by default where Jupyter looks.
    """
    root = inspection.absolute(root or environments_folder())
    specs = usage.kernelspecs(kernel_folders if kernel_folders is not None else jupyter_folders())
    prefixes = dict.fromkeys([*_managed(root), *specs, *_active(), *_listed_by_conda()])
    runs = usage.running(prefixes)
    found = [_describe(prefix, root, specs.get(prefix, []), runs.get(prefix, [])) for prefix in prefixes]
    oldest = datetime.min.replace(tzinfo=clock.now().tzinfo)
    return sorted(
        (one for one in found if one is not None), key=lambda one: (one.managed, one.last_used or oldest, str(one.prefix)), reverse=True
    )


def unused(older_than: timedelta, *, root: Path | None = None, kernel_folders: Sequence[Path] | None = None) -> list[KnownEnvironment]:
    """Return the environments that may be removed: made here, not running, not used since *older_than* ago; and all ruins."""
    now = clock.now()
    return [
        one
        for one in known(root=root, kernel_folders=kernel_folders)
        if one.managed
        and not one.is_running
        and (one.state != "missing" or any(referrer.own for referrer in one.referrers))  # then only kernelspecs are left to remove
        and (one.state in ("ruin", "missing") or one.last_used is None or now - one.last_used >= older_than)
    ]


def remove(prefix: str | Path, *, root: Path | None = None, kernel_folders: Sequence[Path] | None = None) -> list[str]:
    """Remove an environment that was made here, with the kernelspecs that were made for it; return their names.

    It is renamed first, so whatever happens meanwhile, nobody finds half of it where it was.

    Raises
    ------
    carrel.core.errors.Forbidden
        It was not made here (code ``not_managed``).
    carrel.core.errors.NotFound
    carrel.core.errors.Conflict
        Something runs in it (code ``environment_in_use``, field ``processes``), or others lie in it (``contains_environments``).
    carrel.core.errors.Locked
        It is being made or changed.
    """
    path = inspection.absolute(prefix)
    root = inspection.absolute(root or environments_folder())
    if path.parent != root or path.name.startswith("."):
        raise Forbidden(f"{path} was not made here: only environments in {root} are removed.", code="not_managed")
    specs = usage.kernelspecs(kernel_folders if kernel_folders is not None else jupyter_folders()).get(path, [])
    own = [spec for spec in specs if spec.own and spec.path is not None]
    if not os.path.lexists(path) and not own:
        raise NotFound(f"There is no environment at {path}.", code="environment_not_found")
    with locks.locked(building.lock_path(path), f"the environment {path.name}"), _not_changing(path):
        building.refuse_others_inside(path)
        runs = usage.running([path]).get(path, [])
        if runs:
            message = f"{path.name} is in use by {_processes(runs)}. Shut them down first."
            raise Conflict(message, code="environment_in_use", processes=[one.pid for one in runs])
        doomed = root / _TRASH / f"{path.name}-{secrets.token_hex(4)}"
        if os.path.lexists(path):
            doomed.parent.mkdir(exist_ok=True)
            path.rename(doomed)
        building.partial(path).unlink(missing_ok=True)
    locks.discard(building.lock_path(path))
    removed = [
        spec.name for spec in own if spec.path is not None and remove_kernelspec(spec.name, user_data_folder=spec.path.parent.parent)
    ]
    files.remove_tree(doomed)
    return removed


def sweep(root: Path | None = None) -> list[Path]:
    """Remove what killed builders and killed removals left behind; return what was removed."""
    root = inspection.absolute(root or environments_folder())
    removed = building.sweep(root)
    for doomed in list((root / _TRASH).iterdir()) if (root / _TRASH).is_dir() else ():
        with contextlib.suppress(OSError):
            files.remove_tree(doomed)
            removed.append(doomed)
    return removed


def jupyter_folders() -> list[Path]:
    """Return the folders in which Jupyter looks for kernelspecs."""
    from jupyter_core.paths import jupyter_path

    return [Path(folder) for folder in jupyter_path("kernels")]


def _managed(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    there = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return [*there, *(root / marker.name[1:].removesuffix(".partial") for marker in root.glob(".*.partial"))]


def _active() -> list[Path]:
    told = [os.environ.get(name) for name in ("VIRTUAL_ENV", "CONDA_PREFIX")]
    return [inspection.absolute(path) for path in (sys.prefix, *told) if path and Path(path).is_dir()]


def _listed_by_conda() -> list[Path]:
    with contextlib.suppress(OSError, RuntimeError):
        lines = (Path.home() / ".conda" / "environments.txt").read_text(encoding="utf-8", errors="replace").splitlines()
        return [inspection.absolute(line.strip()) for line in lines if line.strip() and conda_meta.is_conda_prefix(Path(line.strip()))]
    return []


def _describe(prefix: Path, root: Path, specs: list[Referrer], runs: list[Referrer]) -> KnownEnvironment | None:
    managed = prefix.parent == root
    referrers = (*specs, *usage.references(prefix), *runs)
    used = usage.last_used(prefix) if prefix.is_dir() else None
    if building.is_marked(prefix):
        state: State = "building" if building.is_being_built(prefix) else "ruin"
        return KnownEnvironment(prefix, None, prefix.name, "", managed, state, used, referrers)
    if not prefix.is_dir():
        return KnownEnvironment(prefix, None, prefix.name, "", managed, "missing", None, referrers) if referrers else None
    try:
        environment = inspection.inspect(prefix)
    except NotFound:
        return KnownEnvironment(prefix, None, prefix.name, "", managed, "broken", used, referrers) if managed or referrers else None
    broken = transactions.is_interrupted(prefix) or (environment.kind != "conda" and environment.python_executable is None)
    return KnownEnvironment(
        prefix, environment.kind, environment.name, environment.python_version, managed, "broken" if broken else "ok", used, referrers
    )


@contextlib.contextmanager
def _not_changing(prefix: Path) -> Iterator[None]:
    state = inspection.state_folder(prefix)
    if state.is_dir() and not prefix.is_symlink():
        with locks.locked(state / "lock", f"the environment {prefix.name}"):
            yield
    else:
        yield


def _processes(runs: Sequence[Referrer]) -> str:
    kernels = sum(one.kind == "kernel" for one in runs)
    parts = [f"{kernels} running kernel{'s' if kernels > 1 else ''}"] if kernels else []
    parts += [f"process {one.pid} ({one.name})" for one in runs if one.kind == "process"][:3]
    return ", ".join(parts)
