"""Who uses an environment, and when somebody last did.

An environment that Carrel made or changed has a file ``.carrel/used``, which is touched when it is made or changed and
when a kernel is started in it. Interpreters that are started by hand leave another trace: the compiled files of packages are
read when those are imported.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from carrel.environments import building, distributions, inspection
from carrel.environments.kernels import prefix_of_spec

_TOUCHED = "used"  # the kernel launcher knows it too


@dataclass(frozen=True, slots=True)
class Referrer:
    """Something that needs an environment.

    Attributes
    ----------
    kind : {"kernelspec", "kernel", "process", "reference"}
        A kernel that Jupyter offers; one that runs; another process that runs; a publication or notebook that the environment
        was rebuilt for.
    name : str
    path : Path or None
        Folder of a kernelspec.
    own : bool
        Whether a kernelspec was made by Carrel.
    pid : int or None
    """

    kind: Literal["kernelspec", "kernel", "process", "reference"]
    name: str
    path: Path | None = None
    own: bool = False
    pid: int | None = None


def touch_used(prefix: Path) -> None:
    """Note that the environment at *prefix* is used now; where Carrel keeps no records, nothing is noted."""
    folder = inspection.state_folder(prefix)
    if folder.is_dir():
        with contextlib.suppress(OSError):
            (folder / _TOUCHED).touch()


def last_used(prefix: Path) -> datetime | None:
    """Return when the environment at *prefix* was last used, as far as its files tell."""
    moments = [*_moment(inspection.state_folder(prefix) / _TOUCHED, "st_mtime"), *_imports(prefix)]
    if not moments and (python := inspection.python_executable(prefix)) is not None:
        moments = _moment(python, "st_atime")
    if not moments:
        moments = _moment(prefix, "st_mtime")
    return datetime.fromtimestamp(max(moments), UTC) if moments else None


def _imports(prefix: Path) -> list[float]:
    """Return when packages were imported: files with several names may have been read in another environment."""
    folders = [*distributions.site_packages(prefix), *prefix.glob("lib/python3.*")]
    compiled = [file for folder in dict.fromkeys(folders) for file in folder.glob("*/__pycache__/__init__.*.pyc")]
    found = []
    for file in compiled:
        with contextlib.suppress(OSError):
            status = file.stat()
            if status.st_nlink == 1:
                found.append(status.st_atime)
    return found


def _moment(file: Path, which: Literal["st_atime", "st_mtime"]) -> list[float]:
    with contextlib.suppress(OSError):
        return [float(getattr(file.stat(), which))]
    return []


def references(prefix: Path) -> list[Referrer]:
    """Return the publications and notebooks that the environment was rebuilt for; notebooks that are gone are left out."""
    known = (building.read_mark(prefix) or {}).get("references")
    noted = [str(one["to"]) for one in known if isinstance(one, dict) and "to" in one] if isinstance(known, list) else []
    return [Referrer("reference", one) for one in noted if not Path(one).is_absolute() or Path(one).exists()]


def kernelspecs(folders: Iterable[Path]) -> dict[Path, list[Referrer]]:
    """Return the kernelspecs in *folders* (``…/share/jupyter/kernels``) by the environment that they start."""
    found: dict[Path, list[Referrer]] = {}
    for file in sorted(file for folder in dict.fromkeys(folders) for file in folder.glob("*/kernel.json")):
        try:
            spec: Mapping[str, Any] = json.loads(file.read_bytes())
            prefix = prefix_of_spec(spec, file)
        except (OSError, ValueError, AttributeError, TypeError):
            continue
        if prefix is not None and not file.is_relative_to(prefix):  # what an environment brings itself does not refer to it
            own = isinstance((spec.get("metadata") or {}).get("carrel"), Mapping)
            found.setdefault(inspection.absolute(prefix), []).append(Referrer("kernelspec", file.parent.name, file.parent, own))
    return found


def running(prefixes: Iterable[Path]) -> dict[Path, list[Referrer]]:
    """Return the processes of this machine that run programs of *prefixes*, by prefix."""
    import psutil

    wanted = {folder: prefix for prefix in prefixes for folder in (prefix, *_resolved(prefix))}
    found: dict[Path, list[Referrer]] = {}
    for process in psutil.process_iter(["pid", "cmdline", "exe"]):
        words = process.info["cmdline"] or []
        programs = [word for word in [*words[:1], process.info["exe"]] if word and Path(word).is_absolute()]
        prefix = next((wanted[above] for program in programs for above in Path(program).parents if above in wanted), None)
        if prefix is not None:
            kernel = any(word.endswith(".json") and "kernel" in Path(word).name for word in words) or "ipykernel_launcher" in words
            name = next((Path(word).stem for word in words if word.endswith(".json")), "") if kernel else Path(programs[0]).name
            found.setdefault(prefix, []).append(Referrer("kernel" if kernel else "process", name, pid=process.info["pid"]))
    return found


def _resolved(prefix: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [prefix.resolve()]
    return []
