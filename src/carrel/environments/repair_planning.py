"""What of an environment's problems can be put right for sure, and how: found out before anything is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carrel.environments import conda_meta, distributions, salvaging
from carrel.environments.conda_meta import CondaRecord, DamagedRecord
from carrel.environments.distributions import Distribution
from carrel.environments.models import Problem
from carrel.environments.overwritten import overwritten

_RELINKED = ("damaged_record", "duplicate_record", "missing_files", "pip_over_conda", "dangling_interpreter")


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that would be done: the problem and how, as a sentence."""

    problem: Problem
    action: str


@dataclass(slots=True)
class Work:
    """Everything that a repair of packages does."""

    relink: dict[str, dict[str, Any]] = field(default_factory=dict)
    damaged: list[DamagedRecord] = field(default_factory=list)
    superfluous: list[CondaRecord] = field(default_factory=list)
    reinstall: dict[str, Distribution] = field(default_factory=dict)
    take_away: list[Distribution] = field(default_factory=list)
    shadowed: list[tuple[Distribution, Distribution]] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)
    rewrite: dict[Path, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.relink or self.superfluous or self.reinstall or self.take_away or self.shadowed or self.leftovers)


def plan(prefix: Path, found: Sequence[Problem]) -> tuple[Work, tuple[Repair, ...]]:
    """Return what is to be done about the problems *found* in *prefix*, for the computer and in words."""
    work, planned = Work(), []
    is_conda = conda_meta.is_conda_prefix(prefix)
    scanned, damaged = conda_meta.scan_records(prefix) if is_conda else ([], [])
    records: dict[str, list[CondaRecord]] = {}
    for record in scanned:
        records.setdefault(record.name, []).append(record)
    broken = {record.name: record for record in damaged}
    owned = {folder for record in scanned for folder in record.distributions}
    pypi: dict[str, list[Distribution]] = {}
    for one in distributions.read_distributions(prefix, without=owned):
        pypi.setdefault(one.key, []).append(one)
    signed: dict[str, list[Distribution]] = {}
    if any(problem.code == "pip_over_conda" for problem in found):
        for record, one in overwritten(prefix, scanned):
            signed.setdefault(record.name, []).append(one)
    for problem in found:
        action = ""
        match problem.code:
            case "interrupted_change":
                action = "bring back what was there before the change"
            case "half_built":
                action = f"remove {prefix}"
            case "no_history":
                action = "write an empty conda-meta/history"
            case "leftover":
                leftovers = [path for path in distributions.damaged_folders(prefix) if path.name == problem.names[0]]
                work.leftovers += leftovers
                action = f"remove {problem.names[0]}" if leftovers else ""
            case "duplicate_distribution":
                action = _one_of_several(work, prefix, pypi.get(problem.names[0], []))
            case code if code in _RELINKED:
                conda_name = problem.names[-1] if problem.names else ""
                if conda_name in broken and (text := salvaging.text_of(broken[conda_name], prefix)) is not None:
                    work.rewrite[broken[conda_name].path] = text
                    planned.append(Repair(problem, f"write conda's record of {conda_name} again as it was"))
                    continue
                if conda_name in records or conda_name in broken:
                    action = _relink(work, prefix, records.get(conda_name, []), broken.get(conda_name))
                    if action and code == "pip_over_conda":
                        there = [*pypi.get(problem.names[0], []), *signed.get(conda_name, [])]
                        over = [one for one in there if one not in work.take_away]
                        work.take_away += over
                        action = f"remove {problem.names[0]} {', '.join(one.version for one in over)} and {action}" if over else action
                elif len(pypi.get(conda_name, [])) == 1:
                    action = _reinstall(work, pypi[conda_name][0])
        if action:
            planned.append(Repair(problem, action))
    return work, tuple(planned)


def _relink(work: Work, prefix: Path, records: Sequence[CondaRecord], broken: DamagedRecord | None) -> str:
    chosen: CondaRecord | DamagedRecord | None = broken
    if records:
        # of several, the one whose files are there; then the one that was written last
        gone = {record.path: _absent(prefix, conda_meta.files_of(record.path)) for record in records}
        chosen = min(records, key=lambda record: (gone[record.path], -record.path.stat().st_mtime))
    if chosen is None:
        return ""
    archive = salvaging.archive_of(chosen, prefix)
    if archive is None:
        return ""
    if chosen.name not in work.relink:
        work.relink[chosen.name] = archive
        work.superfluous += [record for record in records if record is not chosen]
        if broken is not None:
            work.damaged.append(broken)
    return f"install {chosen.name} {chosen.version} {chosen.build} again".rstrip()


def _reinstall(work: Work, one: Distribution) -> str:
    if one.direct_url:
        return ""  # from a folder, a repository or a file: not the same again for sure
    work.reinstall[one.key] = one
    return f"install {one.name} {one.version} again"


def _one_of_several(work: Work, prefix: Path, several: Sequence[Distribution]) -> str:
    if len(several) < 2:
        return ""
    kept = max(several, key=lambda one: (_fitting(one), one.path.stat().st_mtime))
    work.shadowed += [(one, kept) for one in several if one is not kept]
    return f"keep {kept.name} {kept.version}, remove {', '.join(one.version for one in several if one is not kept)}"


def _fitting(one: Distribution) -> float:
    """Return which part of the files of *one* is there in the size that it should have."""
    rows = [row for row in distributions.record_rows(one.path) if len(row) > 2 and row[2].isdigit()]
    fitting = 0
    for row in rows:
        try:
            fitting += (one.site_packages / row[0]).stat().st_size == int(row[2])
        except OSError:
            continue
    return fitting / len(rows) if rows else 0.0


def _absent(prefix: Path, names: Iterable[str]) -> int:
    return sum(not os.path.lexists(prefix / name) for name in names)
