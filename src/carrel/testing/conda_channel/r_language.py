"""R, its kernel and what the kernel needs, as conda packages made of what is installed on this machine.

``r-base`` is the installed R with the packages that belong to the language; each R package becomes an ``r-<name>`` of its
own, so that solving, locking and linking have as much to do as with a real channel. Help, documentation and translations
are left out, and R keeps using the system's libraries.
"""

from __future__ import annotations

import email.parser
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from carrel.testing.conda_channel.packages import PLACEHOLDER, Member, Package, write_package

_HOME = "lib/R"
_OF_THE_LANGUAGE = ("base", "methods", "stats", "utils", "grDevices", "graphics", "datasets", "tools", "grid", "compiler")
_DROPPED_FOLDERS = {"help", "html", "doc", "demo", "tests", "translations", "po", "include", "examples", "Sweave", "afm", "icc", "testdata"}
_REQUIREMENT = re.compile(r"([A-Za-z][A-Za-z0-9.]*)\s*(?:\(\s*>=?\s*([^)\s]+)\s*\))?")
_ACTIVATE = b"""\
if [ -n "${RSTUDIO_WHICH_R:-}" ]; then
  export CARREL_BACKUP_RSTUDIO_WHICH_R="${RSTUDIO_WHICH_R}"
fi
export RSTUDIO_WHICH_R="${CONDA_PREFIX}/bin/R"
"""
_DEACTIVATE = b"""\
unset RSTUDIO_WHICH_R
if [ -n "${CARREL_BACKUP_RSTUDIO_WHICH_R:-}" ]; then
  export RSTUDIO_WHICH_R="${CARREL_BACKUP_RSTUDIO_WHICH_R}"
  unset CARREL_BACKUP_RSTUDIO_WHICH_R
fi
"""


class UnsupportedR(RuntimeError):
    """No packages can be made of the R on this machine, or there is none."""


@dataclass(frozen=True, slots=True)
class InstalledR:
    """An R on this machine: its home, and the folders its packages lie in."""

    version: str
    home: Path
    libraries: tuple[Path, ...]

    def package(self, name: str) -> Path | None:
        """Return the folder of the R package *name*."""
        return next((found for library in self.libraries if (found := library / name).joinpath("DESCRIPTION").is_file()), None)


def find_r() -> InstalledR:
    """Return the R on the path.

    Raises
    ------
    UnsupportedR
    """
    program = shutil.which("Rscript")
    if program is None:
        raise UnsupportedR("Rscript was not found; install r-base-core and r-cran-irkernel")
    code = 'cat(as.character(getRversion()), R.home(), .libPaths(), sep = "\\n")'
    said = subprocess.run([program, "--vanilla", "-e", code], check=True, capture_output=True, text=True).stdout.split("\n")
    found = InstalledR(said[0], Path(said[1]), tuple(Path(line) for line in said[2:] if line))
    if found.package("IRkernel") is None:
        raise UnsupportedR("the R package IRkernel was not found; install r-cran-irkernel")
    if not (found.home / "lib" / "libR.so").is_file():
        raise UnsupportedR("packages are made of an R with a shared library only")
    return found


def write_r_packages(channel: Path, subdir: str, names: Sequence[str] = ("IRkernel",)) -> tuple[str, ...]:
    """Write ``r-base`` and the R packages *names*, with all they need, into the folder *channel*; it is to be indexed afterwards.

    Returns
    -------
    tuple of str
        conda names of what was written.

    Raises
    ------
    UnsupportedR
    """
    r = find_r()
    packages = [_base(r, subdir), *(_package(r, name, subdir) for name in _closure(r, names))]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda package: write_package(package, channel, level=1), packages))
    return tuple(package.name for package in packages)


def _base(r: InstalledR, subdir: str) -> Package:
    members = [
        _script("bin/R", f'#!/bin/sh\nexec "{PLACEHOLDER}/{_HOME}/bin/R" "$@"\n'),
        _script("bin/Rscript", f'#!/bin/sh\nRHOME="{PLACEHOLDER}/{_HOME}" exec "{PLACEHOLDER}/{_HOME}/bin/Rscript" "$@"\n'),
        _script(f"{_HOME}/bin/R", _relocated((r.home / "bin" / "R").read_text(encoding="utf-8"))),
        *(_file(r.home / name, f"{_HOME}/{name}") for name in ("bin/Rscript", "bin/Rcmd", "bin/exec/R", "lib/libR.so")),
        *(_file(path, f"{_HOME}/modules/{path.name}") for path in sorted((r.home / "modules").glob("*.so")) if "X11" not in path.name),
        *(_file(r.home / "etc" / name, f"{_HOME}/etc/{name}") for name in ("ldpaths", "repositories", "Makeconf")),
        Member(f"{_HOME}/etc/Renviron", _environ((r.home / "etc" / "Renviron").read_text(encoding="utf-8"))),
        Member("etc/conda/activate.d/activate-r-base.sh", _ACTIVATE),
        Member("etc/conda/deactivate.d/deactivate-r-base.sh", _DEACTIVATE),
    ]
    for name in _OF_THE_LANGUAGE:
        members += _library_members(r.home / "library" / name)
    about = {"license": "GPL-2.0-or-later", "summary": "Software environment for statistical computing and graphics"}
    return Package("r-base", r.version, tuple(sorted(members, key=lambda member: member.path)), subdir=subdir, about=about)


def _relocated(text: str) -> str:
    """Return the start script *text* with its folders below the prefix."""
    for variable, folder in (("R_HOME_DIR", ""), ("R_SHARE_DIR", "/share"), ("R_INCLUDE_DIR", "/include"), ("R_DOC_DIR", "/doc")):
        text, number = re.subn(rf"^{variable}=.*$", f"{variable}={PLACEHOLDER}/{_HOME}{folder}", text, count=1, flags=re.MULTILINE)
        if not number:
            raise UnsupportedR(f"the start script of this R does not set {variable}")
    return text


def _environ(text: str) -> bytes:
    # neither the system's packages nor the person's may answer for the environment
    text = re.sub(r"^R_LIBS_(?:SITE|USER)=.*\n?", "", text, flags=re.MULTILINE)
    return f"{text.rstrip()}\nR_LIBS_SITE=${{R_LIBS_SITE-'NULL'}}\nR_LIBS_USER=${{R_LIBS_USER-'NULL'}}\n".encode()


def _package(r: InstalledR, name: str, subdir: str) -> Package:
    folder = r.package(name)
    if folder is None:
        raise UnsupportedR(f"the R package {name} was not found")
    description = _description(folder)
    depends = [f"r-base >={r.version.rpartition('.')[0]}"]
    for needed, version in _requirements(description):
        if needed not in _OF_THE_LANGUAGE and needed != "R":
            depends.append(f"{_conda_name(needed)} {'>=' + _version(version) if version else ''}".strip())
    members = _library_members(folder)
    if name == "IRkernel":
        members += _kernelspec(folder / "kernelspec")
    about = {"license": description.get("License", "unknown"), "summary": " ".join(description.get("Title", "").split())}
    version = _version(description["Version"])
    return Package(_conda_name(name), version, tuple(members), tuple(sorted(set(depends))), subdir=subdir, about=about)


def _kernelspec(folder: Path) -> list[Member]:
    spec = json.loads((folder / "kernel.json").read_bytes())
    spec["argv"][0] = f"{PLACEHOLDER}/{_HOME}/bin/R"
    target = "share/jupyter/kernels/ir"
    logos = [_file(path, f"{target}/{path.name}") for path in sorted(folder.iterdir()) if path.name != "kernel.json"]
    return [Member(f"{target}/kernel.json", json.dumps(spec, indent=1).encode()), *logos]


def _closure(r: InstalledR, names: Iterable[str]) -> list[str]:
    """Return *names* and all R packages that they need, those of the language left out."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name in _OF_THE_LANGUAGE or name == "R":
            continue
        found[name] = None
        folder = r.package(name)
        if folder is not None:
            waiting += [needed for needed, _ in _requirements(_description(folder))]
    return sorted(found)


def _description(folder: Path) -> Message:
    return email.parser.Parser().parsestr((folder / "DESCRIPTION").read_text(encoding="utf-8", errors="replace"))


def _requirements(description: Message) -> Iterator[tuple[str, str]]:
    for field in ("Depends", "Imports"):
        for part in (description.get(field) or "").split(","):
            if match := _REQUIREMENT.match(part.strip()):
                yield match[1], match[2] or ""


def _conda_name(name: str) -> str:
    return f"r-{name.lower()}"


def _version(text: str) -> str:
    # '-' separates name, version and build in conda
    return text.replace("-", "_")


def _library_members(folder: Path) -> list[Member]:
    members = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _DROPPED_FOLDERS)
        for name in sorted(names):
            path = Path(root, name)
            members.append(_file(path, f"{_HOME}/library/{folder.name}/{path.relative_to(folder).as_posix()}"))
    return members


def _script(path: str, text: str) -> Member:
    return Member(path, text.encode(), executable=True)


def _file(source: Path, path: str) -> Member:
    return Member(path, source.read_bytes(), executable=os.access(source, os.X_OK))
