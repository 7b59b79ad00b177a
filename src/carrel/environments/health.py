"""What is wrong in an environment, read from disk: nothing of it is run, nothing is changed, and no file of a package is hashed.

Every problem has a stable code and a remedy. :mod:`carrel.environments.repairing` carries out those that can be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from carrel.environments import building, inspection, transactions
from carrel.environments.distributions import site_packages
from carrel.environments.health_conda import CondaSide, conda_problems
from carrel.environments.health_python import python_problems
from carrel.environments.models import EnvironmentKind, Problem

FIX = "'carrel env doctor --fix' does it."
_ORDER = (
    "interrupted_change",
    "half_built",
    "dangling_interpreter",
    "damaged_record",
    "duplicate_record",
    "damaged_distribution",
    "duplicate_distribution",
    "pip_over_conda",
    "missing_files",
    "missing_dependency",
    "unsatisfied_dependency",
    "unsatisfied_platform",
    "other_python",
    "leftover",
    "no_file_list",
    "no_history",
)


def problems(prefix: str | os.PathLike[str]) -> tuple[Problem, ...]:
    """Return what is wrong in the environment at *prefix*, the gravest first; empty when all is well.

    Raises
    ------
    NotFound
        There is no environment.
    """
    path = inspection.absolute(prefix)
    kind = inspection.kind_of(path)
    version = inspection.python_version(path, kind)
    found = list(_state(path, kind))
    conda = CondaSide.read(path) if kind == "conda" else CondaSide.empty()
    files = FileSystem(path)
    found += _interpreter(path, kind, version)
    found += conda_problems(path, conda, files)
    found += python_problems(path, kind, version, conda, files)
    rank = {code: number for number, code in enumerate(_ORDER)}
    return tuple(sorted(found, key=lambda problem: (rank.get(problem.code, len(rank)), problem.names)))


class FileSystem:
    """Whether files of a prefix exist: each folder is listed once, which is far cheaper than asking for each file."""

    def __init__(self, prefix: Path) -> None:
        self._prefix = os.fspath(prefix)
        self._folders: dict[str, frozenset[str]] = {}

    def missing(self, files: Iterable[str]) -> list[str]:
        """Return those of *files* (relative to the prefix) that do not exist; compiled ones may be gone, they come back."""
        gone = []
        for file in files:
            folder, _, name = file.rpartition("/")
            names = self._folders.get(folder)
            if names is None:
                names = self._folders[folder] = self._list(folder)
            if name not in names and not file.endswith(".pyc"):
                gone.append(file)
        return gone

    def _list(self, folder: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(os.path.join(self._prefix, folder)))  # noqa: PTH118, PTH208 - thousands of folders
        except OSError:
            return frozenset()


def _state(prefix: Path, kind: EnvironmentKind) -> Iterator[Problem]:
    if transactions.is_interrupted(prefix):
        yield Problem(
            "interrupted_change",
            "A change of this environment was interrupted; it is neither as before nor as wished.",
            remedy=f"Bring it back to what it was before. {FIX} So does the next change.",
        )
    if building.is_ruin(prefix):
        message = "The building of this environment was interrupted; it is not whole."
        yield Problem("half_built", message, remedy=f"Remove it and build it again. {FIX.replace('does it', 'removes it')}")
    if kind == "conda" and not (prefix / "conda-meta" / "history").is_file():
        yield Problem(
            "no_history",
            "conda-meta/history is missing: conda does not take this folder for an environment.",
            remedy=f"Write an empty one. {FIX}",
        )


def _interpreter(prefix: Path, kind: EnvironmentKind, version: str) -> Iterator[Problem]:
    if kind == "system":
        return
    windows = os.name == "nt"
    program = prefix / ("Scripts/python.exe" if windows else "bin/python")
    if kind == "conda":
        if os.path.islink(program) and not program.exists():  # noqa: PTH114 - also without the target
            yield Problem("dangling_interpreter", f"{program} leads to nothing.", ("python",), f"Link Python again. {FIX}")
        return
    if not program.exists():
        base = os.path.realpath(program)
        yield Problem(
            "dangling_interpreter",
            f"The Python that this environment is made of is gone: {base} does not exist.",
            ("python",),
            "Install that Python again, or make the environment anew: 'carrel env lock' still reads what it held.",
        )
        return
    real = re.search(r"python(3\.\d+)", Path(os.path.realpath(program)).name)
    minor = ".".join(version.split(".")[:2])
    if real and minor and real[1] != minor and site_packages(prefix):
        yield Problem(
            "other_python",
            f"This environment was made for Python {minor}, and its interpreter now is Python {real[1]}: it does not see the packages.",
            ("python",),
            f"Make the environment anew, or install Python {minor} again.",
        )
