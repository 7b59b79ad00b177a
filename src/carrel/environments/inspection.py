"""What an environment is and what is in it, read from disk.

Nothing of the environment is run: it may be broken, busy or not to be trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from carrel.core.errors import NotFound
from carrel.environments.conda_meta import (
    CondaRecord,
    DamagedRecord,
    is_conda_prefix,
    read_record,
    read_records,
    requested_specs,
    scan_records,
)
from carrel.environments.distributions import Distribution, legacy_distributions, read_distributions, read_summaries, site_packages
from carrel.environments.locations import STATE_FOLDER, current_platform
from carrel.environments.models import Environment, EnvironmentKind, Installed
from carrel.environments.naming import normalize

_PATCHLEVEL = re.compile(r'#define\s+PY_VERSION\s+"([^"]+)"')


def find_prefix(python_executable: str | os.PathLike[str]) -> Path:
    """Return the prefix of the environment that *python_executable* belongs to.

    Symbolic links are followed one at a time and only as long as no environment is found beside them: the interpreter of a
    venv is a link to that of another environment, and following it would lead there.

    Raises
    ------
    NotFound
        There is no such program.
    """
    name = os.fspath(python_executable)
    found = shutil.which(name) if os.path.dirname(name) == "" else name  # noqa: PTH120 - "./python" and "python" differ
    if not found or not os.path.lexists(found):
        raise NotFound(f"There is no program {name!r} here.", code="interpreter_not_found")
    path = Path(os.path.abspath(found))  # noqa: PTH100 - resolve() would follow the links
    for _ in range(40):
        for prefix in (path.parent.parent, path.parent):
            if (prefix / "pyvenv.cfg").is_file() or is_conda_prefix(prefix):
                return prefix
        if not path.is_symlink():
            break
        path = Path(os.path.normpath(path.parent / path.readlink()))
    return path.parent.parent if path.parent.name in ("bin", "Scripts") else path.parent


def environment_id(prefix: Path) -> str:
    """Return the id of the environment at *prefix*."""
    return hashlib.sha256(os.fsencode(absolute(prefix))).hexdigest()[:16]


def absolute(prefix: str | os.PathLike[str]) -> Path:
    """Return *prefix* absolute and normalized, symbolic links as they are."""
    return Path(os.path.abspath(prefix))  # noqa: PTH100 - resolve() would follow the links


def inspect(prefix: str | os.PathLike[str]) -> Environment:
    """Return what the environment at *prefix* is.

    Raises
    ------
    NotFound
        There is no environment.
    """
    path = absolute(prefix)
    kind = kind_of(path)
    executable = python_executable(path)
    reason = _reason_read_only(path, kind)
    return Environment(
        id=environment_id(path),
        prefix=path,
        kind=kind,
        name=_name(path, kind),
        python_version=python_version(path, kind),
        python_executable=executable,
        platform=_platform(path, kind),
        writable=not reason,
        reason_read_only=reason,
        made_by=_made_by(path, kind),
    )


def _name(prefix: Path, kind: EnvironmentKind) -> str:
    if kind == "venv" and prefix.name in (".venv", "venv", ".env", "env"):
        return prefix.parent.name
    project = _pixi(prefix).get("manifest_path") if kind == "conda" else None
    if isinstance(project, str) and project:
        folder = Path(project).parent.name
        return folder if prefix.name == "default" else f"{folder}:{prefix.name}"
    return prefix.name


def _made_by(prefix: Path, kind: EnvironmentKind) -> str:
    if kind == "conda":
        return "pixi" if (prefix / "conda-meta" / "pixi").exists() else "conda"
    if kind == "venv":
        settings = pyvenv_settings(prefix)
        return next((program for program in ("uv", "virtualenv") if program in settings), "venv")
    return ""


def _pixi(prefix: Path) -> dict[str, Any]:
    """Return what pixi wrote down about an environment of its own; empty for others."""
    try:
        found = json.loads((prefix / "conda-meta" / "pixi").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def kind_of(prefix: Path) -> EnvironmentKind:
    """Return the kind of the environment at *prefix*.

    Raises
    ------
    NotFound
    """
    if is_conda_prefix(prefix):
        return "conda"
    if (prefix / "pyvenv.cfg").is_file():
        return "venv"
    if python_executable(prefix) is not None:
        return "system"
    raise NotFound(f"There is no environment at {prefix}. It may have been removed.", code="environment_not_found")


def python_executable(prefix: Path) -> Path | None:
    """Return the interpreter of *prefix*, not resolved."""
    names = ("python.exe", "Scripts/python.exe") if os.name == "nt" else ("bin/python", "bin/python3")
    return next((prefix / name for name in names if (prefix / name).exists()), None)


def python_version(prefix: Path, kind: EnvironmentKind) -> str:
    """Return the version of Python, as exactly as files tell; empty without Python."""
    if kind == "conda":
        # the file name says it: no need to read a record of a megabyte
        for path in (prefix / "conda-meta").glob("python-[0-9]*.json"):
            return path.name.split("-")[1]
        return ""
    if kind == "venv":
        settings = pyvenv_settings(prefix)
        version = settings.get("version_info") or settings.get("version") or ""
        if match := re.match(r"\d+\.\d+(?:\.\d+\w*)?", version):
            return match[0]
    for header in sorted(prefix.glob("include/python3.*/patchlevel.h"), reverse=True):
        if match := _PATCHLEVEL.search(header.read_text(encoding="utf-8", errors="replace")):
            return match[1].rstrip("+")
    folders = [folder for folder in site_packages(prefix) if folder.parent.name != "python3"] or list(prefix.glob("lib/python3.*"))
    for folder in folders:
        if match := re.search(r"python(3\.\d+)", str(folder)):
            return match[1]
    return ""


def base_of_venv(prefix: Path) -> Path | None:
    """Return the environment whose packages the venv at *prefix* sees as well, None when it sees its own alone."""
    settings = pyvenv_settings(prefix)
    if settings.get("include-system-site-packages", "").lower() != "true" or not settings.get("home"):
        return None
    home = Path(settings["home"])
    return home.parent if home.name in ("bin", "Scripts") else home


def pyvenv_settings(prefix: Path) -> dict[str, str]:
    """Return what ``pyvenv.cfg`` says, names in lower case; empty without one."""
    settings: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines():
            key, separator, value = line.partition("=")
            if separator:
                settings[key.strip().lower()] = value.strip()
    return settings


def _platform(prefix: Path, kind: EnvironmentKind) -> str:
    if kind == "conda":
        for path in (prefix / "conda-meta").glob("python-[0-9]*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                subdir = read_record(path).subdir
                if subdir and subdir != "noarch":
                    return subdir
    return current_platform()


def _reason_read_only(prefix: Path, kind: EnvironmentKind) -> str:
    if kind == "system":
        for marker in prefix.glob("lib/python3*/EXTERNALLY-MANAGED"):
            if marker.is_file():
                return "This Python belongs to the operating system, which manages its packages. Make an environment of your own."
    folders = [prefix, *site_packages(prefix)]
    if kind == "conda":
        folders.append(prefix / "conda-meta")
        if (prefix / "conda-meta" / "frozen").exists():
            return "This environment is frozen: its owner does not want it changed. Make a copy of your own."
    for folder in folders:
        if not os.access(folder, os.W_OK):
            return f"You may not write to {folder}. Make a copy of the environment to change packages."
    return ""


def conda_owned(prefix: Path) -> dict[str, CondaRecord]:
    """Return the Python distributions that conda packages own, by folder name (``numpy-2.3.dist-info``)."""
    if not is_conda_prefix(prefix):
        return {}
    return {folder: record for record in read_records(prefix) for folder in record.distributions}


def python_distributions(prefix: Path) -> list[Distribution]:
    """Return the distributions that no conda package owns."""
    return read_distributions(prefix, without=conda_owned(prefix))


def installed(prefix: str | os.PathLike[str]) -> list[Installed]:
    """Return everything installed in the environment at *prefix*, by name.

    What is damaged does not hide the rest: a conda package whose record cannot be read is told as far as the name of the record
    says. :func:`carrel.environments.problems` tells what is wrong.

    Raises
    ------
    NotFound
    """
    path = absolute(prefix)
    kind_of(path)
    records, damaged = scan_records(path) if is_conda_prefix(path) else ([], [])
    owned = {folder for record in records for folder in record.distributions}
    lost = {normalize(record.name) for record in damaged}
    packages = [
        _from_distribution(distribution)
        for distribution in [*read_distributions(path, without=owned), *legacy_distributions(path)]
        if not (distribution.installer == "conda" and distribution.key in lost)
    ]
    if records:
        asked, summaries = requested_specs(path, records), read_summaries(path, owned)
        packages += [_from_record(record, asked, summaries) for record in records]
    packages += [_from_damaged(record) for record in damaged]
    return sorted(packages, key=lambda package: (package.name.lower(), package.source))


def _from_record(record: CondaRecord, asked: dict[str, tuple[str, ...]], summaries: dict[str, str]) -> Installed:
    summary = next((summaries[folder] for folder in record.distributions if summaries.get(folder)), "")
    return Installed(
        name=record.name,
        version=record.version,
        build=record.build,
        source="conda",
        channel=record.channel,
        requested=record.name in asked,
        size=record.size,
        summary=summary or _about(record),
        import_names=record.import_names,
        installer="conda",
        origin=record.url if record.url and not record.channel else "",
    )


def _from_damaged(record: DamagedRecord) -> Installed:
    return Installed(record.name, record.version, record.build, "conda", "", False, 0, "", (), installer="conda")


def _about(record: CondaRecord) -> str:
    """Return the summary from the extracted package, if it is still in the cache."""
    if not record.extracted:
        return ""
    try:
        about = json.loads(Path(record.extracted, "info", "about.json").read_bytes())
        return str(about.get("summary") or "").strip()
    except (OSError, ValueError, AttributeError):
        return ""


def _from_distribution(distribution: Distribution) -> Installed:
    return Installed(
        name=distribution.name,
        version=distribution.version,
        build="",
        source="pypi",
        channel="",
        requested=distribution.requested,
        size=distribution.size,
        summary=distribution.summary,
        import_names=distribution.import_names,
        location=distribution.editable_location,
        installer=distribution.installer,
        origin=distribution.origin,
    )


def state_digest(prefix: Path) -> str:
    """Return a digest of which packages *prefix* holds: what a plan is made for."""
    names = sorted(path.name for path in (prefix / "conda-meta").glob("*.json"))
    for folder in site_packages(prefix):
        with os.scandir(folder) as entries:
            names += sorted(f"{folder.name}/{entry.name}" for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def is_running_environment(prefix: Path) -> bool:
    """Whether this very process runs from *prefix*."""
    return absolute(prefix) == absolute(sys.prefix) or prefix.samefile(sys.prefix)


def state_folder(prefix: Path) -> Path:
    """Return the folder of our own records in *prefix*, present or not."""
    return prefix / STATE_FOLDER
