"""What is wrong with the conda packages of an environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from carrel.environments import conda_meta
from carrel.environments.conda_meta import CondaRecord, DamagedRecord
from carrel.environments.models import Problem

_FIX = "'carrel env doctor --fix' does it."
_SHOWN = 3


class Files(Protocol):
    """Tells which files do not exist."""

    def missing(self, files: Iterable[str]) -> list[str]:
        """Return those of *files* (relative to the prefix) that do not exist."""


@dataclass(frozen=True, slots=True)
class CondaSide:
    """What conda wrote down about an environment.

    Attributes
    ----------
    records : tuple of CondaRecord
    damaged : tuple of DamagedRecord
    files : mapping of Path to tuple of str
        What each record owns, by the record's path.
    owner : mapping of str to CondaRecord
        Whose a file is.
    """

    records: tuple[CondaRecord, ...] = ()
    damaged: tuple[DamagedRecord, ...] = ()
    files: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)
    owner: Mapping[str, CondaRecord] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> CondaSide:
        """Return that of an environment without conda."""
        return cls()

    @classmethod
    def read(cls, prefix: Path) -> CondaSide:
        """Read everything."""
        records, damaged = conda_meta.scan_records(prefix)
        files = {record.path: conda_meta.files_of(record.path) for record in records}
        owner = {file: record for record in records for file in files[record.path]}
        return cls(tuple(records), tuple(damaged), files, owner)

    @property
    def folders(self) -> set[str]:
        """Names of the folders of metadata that conda packages own (``numpy-2.3.dist-info``)."""
        return {folder for record in self.records for folder in record.distributions}


def conda_problems(prefix: Path, conda: CondaSide, files: Files) -> list[Problem]:
    """Return what is wrong with conda packages."""
    native, unreadable = _native(conda.records)
    found = [*_damaged(conda.damaged), *(_unreadable(record) for record in unreadable), *_twice(conda.records)]
    found += _missing_files(conda, files)
    found += _dependencies(conda, native)
    return found


def _damaged(records: Iterable[DamagedRecord]) -> Iterator[Problem]:
    for record in records:
        yield Problem(
            "damaged_record",
            f"conda's record {record.path.name} cannot be read: {record.reason}. Nobody knows which files {record.name} has.",
            (record.name,),
            f"Install {record.name} {record.version} again over it. {_FIX}",
        )


def _unreadable(record: CondaRecord) -> Problem:
    message = f"conda's record {record.path.name} lacks what every record has; programs of conda refuse the whole environment."
    return Problem("damaged_record", message, (record.name,), f"Install {record.name} {record.version} again over it. {_FIX}")


def _twice(records: Iterable[CondaRecord]) -> Iterator[Problem]:
    by_name: dict[str, list[CondaRecord]] = {}
    for record in records:
        by_name.setdefault(record.name, []).append(record)
    for name, several in by_name.items():
        if len(several) > 1:
            versions = " and ".join(f"{record.version} {record.build}" for record in several)
            message = f"{name} is written down {len(several)} times ({versions}): an installation was interrupted."
            yield Problem("duplicate_record", message, (name,), f"Keep one and install it again. {_FIX}")


def _missing_files(conda: CondaSide, files: Files) -> Iterator[Problem]:
    for record in conda.records:
        owned = conda.files[record.path]
        gone = files.missing(owned)
        if gone:
            shown = ", ".join(gone[:_SHOWN]) + (" …" if len(gone) > _SHOWN else "")
            message = f"{record.name} {record.version} lacks {len(gone)} of its {len(owned)} files: {shown}"
            yield Problem("missing_files", message, (record.name,), f"Install {record.name} {record.version} again. {_FIX}")


def _native(records: Iterable[CondaRecord]) -> tuple[dict[str, Any], list[CondaRecord]]:
    """Return conda's own objects for *records*, by name, and the records that it refuses.

    The library is loaded in this process for its grammar of requirements alone. What is kept in a child process elsewhere is
    its runtime, which installs and solves; comparing versions starts none.
    """
    from rattler import PrefixRecord

    found: dict[str, Any] = {}
    refused = []
    for record in records:
        try:
            found[record.name] = PrefixRecord.from_path(record.path)
        except Exception:  # the library's errors have no common base
            refused.append(record)
    return found, refused


def _dependencies(conda: CondaSide, native: Mapping[str, Any]) -> Iterator[Problem]:
    damaged = {record.name for record in conda.damaged}
    machine: dict[str, Any] | None = None
    for name, record in native.items():
        for text in record.depends:
            spec = _spec(text)
            if spec is None:
                continue
            wanted = spec.name.normalized
            if wanted.startswith("__"):
                machine = _machine() if machine is None else machine
                present = machine.get(wanted)
                if present is None or not spec.matches(present):
                    has = f"has {wanted} {present.version}" if present is not None else "does not have it"
                    message = f"{name} {record.version} needs {text}, and this machine {has}."
                    yield Problem("unsatisfied_platform", message, (name,), f"Install a build of {name} that is made for this machine.")
                continue
            present = native.get(wanted)
            if present is None:
                if wanted not in damaged:
                    message = f"{name} {record.version} needs {text}, which is not installed."
                    yield Problem("missing_dependency", message, (name, wanted), f"carrel env install {_quoted(text)}")
            elif not spec.matches(present):
                message = f"{name} {record.version} needs {text}, and {wanted} {present.version} {present.build} is installed."
                yield Problem("unsatisfied_dependency", message, (name, wanted), f"carrel env update {name} {wanted}")
        for text in record.constrains:
            spec = _spec(text)
            present = native.get(spec.name.normalized) if spec is not None else None
            if spec is not None and present is not None and not spec.matches(present):
                other = spec.name.normalized
                message = f"{name} {record.version} goes with {text} only, and {other} {present.version} {present.build} is installed."
                yield Problem("unsatisfied_dependency", message, (name, other), f"carrel env update {name} {other}")


@lru_cache(maxsize=8192)
def _spec(text: str) -> Any:
    from rattler import MatchSpec

    # a requirement that holds under a condition cannot be judged without knowing the condition
    if "when=" in text or "; if " in text:
        return None
    try:
        spec = MatchSpec(text)
    except Exception:  # what was built long ago need not satisfy today's grammar
        return None
    return spec if spec.name is not None else None


def _machine() -> dict[str, Any]:
    """Return the virtual packages of this machine."""
    from rattler import PackageRecord, VirtualPackage

    found = {}
    for package in VirtualPackage.detect():
        one = package.into_generic()
        found[one.name.normalized] = PackageRecord(one.name, str(one.version), one.build_string, 0, "noarch")
    return found


def _quoted(text: str) -> str:
    return f"'{text}'" if " " in text else text
