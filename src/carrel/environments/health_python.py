"""What is wrong with the Python packages of an environment, those that no conda package owns."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from carrel.environments import distributions, inspection
from carrel.environments.distributions import Distribution
from carrel.environments.health_conda import CondaSide, Files
from carrel.environments.models import EnvironmentKind, Problem
from carrel.environments.naming import normalize
from carrel.environments.overwritten import overwritten

_FIX = "'carrel env doctor --fix' does it."
_SHOWN = 3
_FOLDER = re.compile(r"(.+?)-([^-]+)(?:-py[0-9.]+)?\.(?:dist|egg)-info\Z")
_PYTHON = re.compile(r"python(3\.\d+)")
_ONLY_EXTRA = re.compile(r";(?!.*\bor\b).*\bextra\s*==")


def python_problems(prefix: Path, kind: EnvironmentKind, version: str, conda: CondaSide, files: Files) -> list[Problem]:
    """Return what is wrong with Python packages."""
    owned = conda.folders
    lost = {normalize(record.name) for record in conda.damaged}
    found = [one for one in distributions.read_distributions(prefix, without=owned) if not (one.installer == "conda" and one.key in lost)]
    seen = [*found, *distributions.legacy_distributions(prefix)]
    here, elsewhere = _by_python(found, version)
    result = [*_damaged(prefix), *_elsewhere(elsewhere, version), *(_twice(here) if kind != "system" else ())]
    over = list(_over_conda(prefix, here, conda))
    result += over
    result += _missing_files(prefix, kind, here, files)
    present = {**_of_conda(conda), **_of_base(prefix, kind), **{one.key: one.version for one in seen}}
    result += _requirements(here, present, version)
    return result


def _by_python(found: Iterable[Distribution], version: str) -> tuple[list[Distribution], list[Distribution]]:
    minor = ".".join(version.split(".")[:2])
    here: list[Distribution] = []
    elsewhere: list[Distribution] = []
    for one in found:
        match = _PYTHON.search(str(one.site_packages.relative_to(distributions.prefix_of(one.site_packages))))
        (elsewhere if match and minor and match[1] != minor else here).append(one)
    return here, elsewhere


def _damaged(prefix: Path) -> Iterator[Problem]:
    for path in distributions.damaged_folders(prefix):
        if path.name.startswith("~"):
            message = f"{path.name} in {path.parent} was left by an interrupted pip."
            yield Problem("leftover", message, (path.name,), f"Remove it. {_FIX}")
            continue
        match = _FOLDER.match(path.name)
        name = match[1] if match else path.stem
        message = f"{path.name} in {path.parent} does not say what is installed: its METADATA is missing or empty."
        remedy = f"Install {name} {match[2] if match else ''}".rstrip() + " again, or remove the folder."
        yield Problem("damaged_distribution", message, (normalize(name),), remedy)


def _elsewhere(found: list[Distribution], version: str) -> Iterator[Problem]:
    by_folder: dict[Path, list[str]] = {}
    for one in found:
        by_folder.setdefault(one.site_packages, []).append(one.name)
    for folder, names in by_folder.items():
        shown = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
        message = f"For another Python than {version} are installed, in {folder}: {shown} ({len(names)} in all)."
        yield Problem("other_python", message, tuple(names), "Install them again for this Python, and remove the old folder.")


def _twice(found: Iterable[Distribution]) -> Iterator[Problem]:
    by_name: dict[str, list[Distribution]] = {}
    for one in found:
        by_name.setdefault(one.key, []).append(one)
    for several in by_name.values():
        if len(several) > 1:
            name = several[0].name
            versions = " and ".join(sorted(one.version for one in several))
            message = f"{name} is installed {len(several)} times ({versions}): which one is imported is left to chance."
            yield Problem("duplicate_distribution", message, (several[0].key,), f"Keep the one whose files are there. {_FIX}")


def _over_conda(prefix: Path, found: Iterable[Distribution], conda: CondaSide) -> Iterator[Problem]:
    if not conda.records:
        return
    base = {normalize(match[1]): record for record in conda.records for folder in record.distributions if (match := _FOLDER.match(folder))}
    for one in found:
        overlap: dict[str, int] = {}
        for file in relative_files(one, prefix):
            owner = conda.owner.get(file)
            if owner is not None and not file.endswith(".pyc"):
                overlap[owner.name] = overlap.get(owner.name, 0) + 1
        same = base.get(one.key)
        if same is not None:
            overlap.setdefault(same.name, 0)
        records = {record.name: record for record in conda.records if record.name in overlap}
        for name, count in sorted(overlap.items()):
            record = records[name]
            by = one.installer or "pip"
            files = f" ({count} {'file' if count == 1 else 'files'} of it)" if count else ""
            message = f"{one.name} {one.version} was installed by {by} over conda's {name} {record.version}{files}."
            yield _over(one, name, message)
    for record, one in overwritten(prefix, conda.records):
        message = f"{one.name} {one.version} was installed by {one.installer} over conda's {record.name}, in the same version."
        yield _over(one, record.name, message)


def _over(one: Distribution, name: str, message: str) -> Problem:
    return Problem("pip_over_conda", message, tuple(dict.fromkeys((one.key, name))), f"Put conda's {name} back in its place. {_FIX}")


def _missing_files(prefix: Path, kind: EnvironmentKind, found: Iterable[Distribution], files: Files) -> Iterator[Problem]:
    if kind == "system":  # systems keep their own lists of files
        return
    for one in found:
        if one.path.suffix != ".dist-info":
            continue
        owned = relative_files(one, prefix)
        if not owned:
            if not (one.path / "RECORD").exists():
                message = f"{one.name} {one.version} has no list of its files (RECORD): it can neither be checked nor removed."
                yield Problem("no_file_list", message, (one.key,), f"Install {one.name} {one.version} again.")
            continue
        gone = files.missing(owned)
        if gone:
            shown = ", ".join(gone[:_SHOWN]) + (" …" if len(gone) > _SHOWN else "")
            message = f"{one.name} {one.version} lacks {len(gone)} of its {len(owned)} files: {shown}"
            yield Problem("missing_files", message, (one.key,), f"Install {one.name} {one.version} again. {_FIX}")


def relative_files(distribution: Distribution, prefix: Path) -> list[str]:
    """Return the files of *distribution* relative to the prefix, with ``/``; those outside of it are left out."""
    base = distribution.site_packages.relative_to(prefix).as_posix()
    result = []
    for row in distributions.record_rows(distribution.path):
        name = row[0]
        if name.startswith("../") or "/../" in name:
            name = os.path.normpath(f"{base}/{name}").replace(os.sep, "/")
            if name.startswith(".."):
                continue
        elif name.startswith("/") or (os.name == "nt" and ":" in name):
            continue
        else:
            name = f"{base}/{name}"
        result.append(name)
    return result


def _of_conda(conda: CondaSide) -> dict[str, str]:
    present = {normalize(record.name): record.version for record in conda.records}
    for record in conda.records:
        for folder in record.distributions:
            if match := _FOLDER.match(folder):
                present[normalize(match[1])] = match[2]
    return present


def _of_base(prefix: Path, kind: EnvironmentKind) -> dict[str, str]:
    """Return what a venv that sees the packages of its base finds there."""
    base = inspection.base_of_venv(prefix) if kind == "venv" else None
    if base is None:
        return {}
    return {one.key: one.version for one in distributions.read_distributions(base)}


def _requirements(found: Iterable[Distribution], present: Mapping[str, str], version: str) -> Iterator[Problem]:
    markers = _markers(version)
    by_key = {one.key: one for one in found}
    todo: list[tuple[Distribution, str]] = [(one, "") for one in by_key.values()]
    done = {todo_key(one, extra) for one, extra in todo}
    while todo:
        one, extra = todo.pop()
        for text in one.requires:
            if not extra and _ONLY_EXTRA.search(text):
                continue
            requirement = _requirement(text)
            if requirement is None or not _applies(requirement, markers, extra):
                continue
            key = canonicalize_name(requirement.name)
            there = present.get(key)
            if there is None:
                via = f" for its extra {extra}" if extra else ""
                message = f"{one.name} {one.version} needs {_bare(requirement)}{via}, which is not installed."
                yield Problem("missing_dependency", message, (one.key, key), f"carrel env install --pypi {_quoted(_bare(requirement))}")
            elif not _satisfies(requirement, there):
                message = f"{one.name} {one.version} needs {_bare(requirement)}, and {key} {there} is installed."
                yield Problem("unsatisfied_dependency", message, (one.key, key), f"carrel env update {one.key} {key}")
            target = by_key.get(key)
            for wanted in requirement.extras if target is not None else ():
                if target is not None and todo_key(target, wanted) not in done:
                    done.add(todo_key(target, wanted))
                    todo.append((target, wanted))


def todo_key(distribution: Distribution, extra: str) -> tuple[str, str]:
    """Return what tells apart the requirements of *distribution* with and without an extra."""
    return distribution.key, extra


@lru_cache(maxsize=16384)
def _requirement(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _applies(requirement: Requirement, markers: Mapping[str, str], extra: str) -> bool:
    marker = requirement.marker
    if marker is None:
        return not extra
    if not extra:
        return bool(marker.evaluate({**markers, "extra": ""}))
    # what holds without the extra too was looked at then
    return bool(marker.evaluate({**markers, "extra": extra})) and not marker.evaluate({**markers, "extra": ""})


def _satisfies(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True


def _bare(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _quoted(text: str) -> str:
    return f"'{text}'" if any(sign in text for sign in "<>*![ ") else text


def _markers(version: str) -> dict[str, Any]:
    """Return what markers ask for, of the environment's Python on this machine."""
    minor = ".".join(version.split(".")[:2]) or f"{sys.version_info[0]}.{sys.version_info[1]}"
    full = version if version.count(".") >= 2 else f"{minor}.0"
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": "CPython",
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": full,
        "python_version": minor,
        "sys_platform": sys.platform,
    }
