"""The Python half of copying an environment: virtual environments, and distributions with the records of their files."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath

from carrel.core.errors import NotFound
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import distributions, files, inspection
from carrel.environments.distributions import Distribution
from carrel.environments.locations import STATE_FOLDER
from carrel.environments.models import Environment, Sources
from carrel.environments.pypi import uv
from carrel.environments.relocating import Relocation
from carrel.environments.tree_copy import Item, TreeCopy, walk

_LEFT_OUT = frozenset({STATE_FOLDER, "pyvenv.cfg", ".lock"})
_INTERPRETER = re.compile(r"(python|pypy)[0-9.]*t?(\.exe)?\Z")


def copy(environment: Environment, target: Path, on_event: OnProgress, cancel: CancelSignal) -> None:
    """Make *target*, a new folder, a virtual environment with what is installed in *environment*."""
    source = environment.prefix
    virtual = environment.kind == "venv"
    settings = inspection.pyvenv_settings(source) if virtual else {}
    python = base_interpreter(source) if virtual else inspection.python_executable(source)
    if python is None:
        raise NotFound(f"{environment.name} has no interpreter.", code="python_not_found")
    arguments: list[str | Path] = ["venv", target, "--python", python, "--no-project", "--quiet"]
    if settings.get("include-system-site-packages", "").lower() == "true":
        arguments.append("--system-site-packages")
    if settings.get("prompt"):
        arguments += ["--prompt", settings["prompt"].strip("'\"")]
    uv.run(arguments, sources=Sources(), cancel=cancel)
    items = _of_venv(source, target) if virtual else _of_system(source, target)
    copying = TreeCopy(target, Relocation(source, target, whole=virtual), on_event, cancel, may_link=may_link(source))
    copying.copy(list(items))
    correct_records(target, copying.rewritten)


def base_interpreter(prefix: Path) -> Path:
    """Return the interpreter that the virtual environment at *prefix* was made of.

    Raises
    ------
    NotFound
    """
    settings = inspection.pyvenv_settings(prefix)
    minor = ".".join(inspection.python_version(prefix, "venv").split(".")[:2])
    candidates = [settings.get("base-executable", ""), settings.get("executable", "")]
    if home := settings.get("home"):
        candidates += [str(Path(home, name)) for name in (f"python{minor}", "python3", "python", "python.exe")]
    if (own := inspection.python_executable(prefix)) is not None:
        candidates.append(str(own.resolve()))
    for candidate in candidates:
        if candidate and Path(candidate).is_file() and os.access(candidate, os.X_OK) and not Path(candidate).is_relative_to(prefix):
            return Path(candidate)
    raise NotFound(
        f"The Python that {prefix.name} was made of ({settings.get('home') or 'unknown'}) is not there any more, so no copy would start.",
        code="python_not_found",
    )


def may_link(source: Path) -> Callable[[str, os.stat_result], bool]:
    """Return what tells whether a file of *source* may have another name in a copy.

    That is so for code which uv linked from its cache: it has several names already, all of this user, and whoever changes
    it replaces it. Everything else in an environment might be written to in place.
    """
    owned: set[str] = set()
    user = os.getuid() if hasattr(os, "getuid") else -1
    for distribution in inspection.python_distributions(source):
        if distribution.installer == "uv" and distribution.editable_location is None:
            owned |= {
                path.relative_to(source).as_posix()
                for path in distributions.files_of(distribution)
                if path.is_relative_to(distribution.site_packages) and distribution.path not in path.parents and path.suffix != ".pth"
            }

    def decide(relative: str, status: os.stat_result) -> bool:
        return status.st_nlink > 1 and status.st_uid == user and relative in owned

    return decide


def correct_records(prefix: Path, rewritten: Collection[str]) -> None:
    """Write the digests and sizes of *rewritten* files (relative to *prefix*) into the ``RECORD`` of what owns them."""
    changed = {prefix / relative for relative in rewritten}
    if not changed:
        return
    for distribution in inspection.python_distributions(prefix):
        record = distribution.path / "RECORD"
        rows = distributions.record_rows(distribution.path)
        touched = False
        for row in rows:
            file = _file_of(row[0], distribution)
            if file in changed and file != record and len(row) > 1 and row[1]:
                data = file.read_bytes()
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                row[1:] = [f"sha256={digest}", str(len(data))]
                touched = True
        if touched:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            files.write_atomically(record, text.getvalue().encode())


def _file_of(path: str, distribution: Distribution) -> Path:
    return Path(path) if PurePosixPath(path).is_absolute() else Path(os.path.normpath(distribution.site_packages / path))


def _of_venv(source: Path, target: Path) -> Iterator[Item]:
    """Yield what *target*, a new virtual environment, lacks."""
    for item in walk(source, without=_LEFT_OUT):
        parts = item.relative.split("/")
        interpreter = len(parts) == 2 and parts[0] in ("bin", "Scripts") and _INTERPRETER.match(parts[1])
        if not (interpreter and os.path.lexists(target / "bin" / "python")) and not os.path.lexists(target / item.relative):
            yield item


def _of_system(source: Path, target: Path) -> Iterator[Item]:
    """Yield the modules and distributions of a system's Python, and the programs and data that these own elsewhere."""
    place = distributions.site_packages(target)[0].relative_to(target).as_posix()
    known: set[str] = set()
    found = inspection.python_distributions(source)
    first = {distribution.key: distribution for distribution in reversed(found)}
    for folder in distributions.site_packages(source):
        shadowed = {one.path.name for one in found if one.site_packages == folder and first[one.key] is not one}
        for item in walk(folder, without=shadowed, skip_environments=False):
            relative = f"{place}/{item.relative}"
            if relative not in known and not os.path.lexists(target / relative):
                known.add(relative)
                yield Item(item.source, relative, item.size)
    for distribution in first.values():
        base = distributions.prefix_of(distribution.site_packages)
        for path in distributions.files_of(distribution):
            relative = path.relative_to(base).as_posix()
            outside = not path.is_relative_to(distribution.site_packages)
            if outside and relative not in known and path.is_file() and not os.path.lexists(target / relative):
                known.add(relative)
                yield Item(path, relative, path.stat().st_size)
