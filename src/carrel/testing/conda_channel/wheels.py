"""Wheels, fetched by pip and turned into conda packages."""

from __future__ import annotations

import base64
import configparser
import email.parser
import email.policy
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path, PurePosixPath
from typing import cast

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from carrel.testing.conda_channel.interpreter import Interpreter
from carrel.testing.conda_channel.packages import PLACEHOLDER, Member, Package

# Where the established conda name is not the normalised Python name.
_UNDERSCORED = """
async-lru importlib-metadata ipython-pygments-lexers jupyter-client jupyter-core jupyter-events jupyter-server
jupyter-server-terminals jupyterlab-pygments jupyterlab-server nest-asyncio2 pure-eval stack-data typing-extensions
"""
_CONDA_NAMES = {
    **{name: name.replace("-", "_") for name in _UNDERSCORED.split()},
    "matplotlib": "matplotlib-base",
    "msgpack": "msgpack-python",
    "tzdata": "python-tzdata",
}


def conda_name(name: str) -> str:
    """Return the conda name of the Python project *name*."""
    normalised = canonicalize_name(name)
    return _CONDA_NAMES.get(normalised, str(normalised))


def fetch_wheels(requirements: Sequence[str], python: Path, cache: Path) -> list[Path]:
    """Return wheels for *requirements* and everything they need, by ``pip download`` as it is configured.

    Wheels are kept in *cache*, and pip is asked for more only when those do not suffice.

    Raises
    ------
    RuntimeError
        With pip's words, when it finds no wheels.
    """
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "download", "--quiet"]
    command += ["--only-binary", ":all:", "--find-links", str(cache)]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        for extra in (["--no-index"], []):
            process = subprocess.run([*command, *extra, "--dest", folder, *requirements], capture_output=True, text=True)
            if process.returncode == 0:
                break
        else:
            raise RuntimeError(f"pip found no wheels for {', '.join(requirements)}:\n{process.stderr.strip()}")
        names = [Path(shutil.move(path, cache / path.name)).name for path in sorted(Path(folder).glob("*.whl"))]
    return [cache / name for name in names]


def wheel_package(wheel: Path, interpreter: Interpreter, extras: Mapping[str, Wheel]) -> Package:
    """Return *wheel* as a conda package: ``noarch: python`` when pure, else for the platform of *interpreter*.

    Parameters
    ----------
    extras : Mapping
        Normalised names to wheels of the whole set, to resolve requirements on extras.
    """
    return Wheel(wheel).package(interpreter, extras)


class Wheel:
    """A wheel file, opened for reading its metadata and members."""

    def __init__(self, path: Path) -> None:
        self.path = path
        name, version, _, tags = parse_wheel_filename(path.name)
        self.name, self.version = str(name), str(version)
        self.pure = all(tag.platform == "any" for tag in tags)
        self._zip = zipfile.ZipFile(path)
        self._dist_info = next(n.split("/")[0] for n in self._zip.namelist() if n.split("/")[0].endswith(".dist-info"))
        parser = email.parser.BytesParser(policy=email.policy.compat32)
        self.metadata = cast(EmailMessage, parser.parsebytes(self._zip.read(f"{self._dist_info}/METADATA")))

    def requirements(self, interpreter: Interpreter, extra: str = "") -> Iterator[Requirement]:
        """Yield the requirements that hold for *interpreter*, with *extra*."""
        environment = {
            **default_environment(),
            "python_version": interpreter.tag,
            "python_full_version": interpreter.version,
            "extra": extra,
        }
        for line in self.metadata.get_all("Requires-Dist", []):
            requirement = Requirement(str(line))
            if requirement.marker is None or requirement.marker.evaluate(cast(dict[str, str], environment)):
                yield requirement

    def package(self, interpreter: Interpreter, others: Mapping[str, Wheel]) -> Package:
        """Return this wheel as a conda package."""
        purpose = "site-packages" if self.pure else f"lib/python{interpreter.tag}/site-packages"
        scripts = "python-scripts" if self.pure else "bin"
        entry_points = self._entry_points()
        members = list(self._members(purpose, scripts, interpreter))
        if not self.pure:
            members += [Member(f"bin/{line.split(' = ')[0]}", _launcher(line, interpreter), executable=True) for line in entry_points]
            python = [
                f"python >={interpreter.tag},<{_next_minor(interpreter.tag)}.0a0",
                f"python_abi {interpreter.tag}.* *_{interpreter.abi}",
            ]
        else:
            python = [f"python {self.metadata.get('Requires-Python', '')}".replace(", ", ",").strip()]
        requires = [*self._depends(interpreter, others)]
        licenses = {
            PurePosixPath(name).name: self._zip.read(name)
            for name in self._zip.namelist()
            if name.startswith(f"{self._dist_info}/") and re.search(r"licen[cs]e|copying|notice", PurePosixPath(name).name, re.IGNORECASE)
        }
        about = {
            "summary": str(self.metadata.get("Summary") or ""),
            "license": str(self.metadata.get("License-Expression") or self.metadata.get("License") or "unknown").splitlines()[0][:100],
            "home": self._home(),
        }
        return Package(
            conda_name(self.name),
            self.version.replace("-", "_"),
            tuple(sorted(members, key=lambda m: m.path)),
            depends=tuple(sorted({*python, *requires})),
            subdir="noarch" if self.pure else interpreter.subdir,
            noarch="python" if self.pure else None,
            build=("pyh" if self.pure else f"py{interpreter.tag.replace('.', '')}h", "_0"),
            entry_points=entry_points if self.pure else (),
            about=about,
            licenses=licenses,
        )

    def timezones(self) -> Package:
        """Return conda's ``tzdata`` (the zone files alone), made of the Python project of the same name."""
        members = [
            Member(f"share/{name.removeprefix('tzdata/')}", self._zip.read(name))
            for name in self._zip.namelist()
            if name.startswith("tzdata/zoneinfo/") and not name.endswith((".py", "/"))
        ]
        version = str(self.metadata["Version"])
        about = {"license": "LicenseRef-Public-Domain", "summary": "The Time Zone Database"}
        return Package("tzdata", version, tuple(members), noarch="generic", about=about)

    def _home(self) -> str:
        urls = [str(line).partition(", ")[2] for line in self.metadata.get_all("Project-URL", [])]
        return str(self.metadata.get("Home-page") or next(iter(urls), ""))

    def _depends(self, interpreter: Interpreter, others: Mapping[str, Wheel]) -> Iterator[str]:
        for requirement in self.requirements(interpreter):
            yield _match_spec(requirement)
            other = others.get(canonicalize_name(requirement.name))
            for extra in requirement.extras if other else ():
                yield from (_match_spec(needed) for needed in cast(Wheel, other).requirements(interpreter, extra))

    def _entry_points(self) -> tuple[str, ...]:
        try:
            text = self._zip.read(f"{self._dist_info}/entry_points.txt").decode()
        except KeyError:
            return ()
        parser = configparser.RawConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[method-assign,assignment]
        parser.read_string(text)
        sections = [s for s in ("console_scripts", "gui_scripts") if parser.has_section(s)]
        return tuple(sorted(f"{name} = {target.split('[')[0].strip()}" for s in sections for name, target in parser.items(s)))

    def _members(self, site_packages: str, scripts: str, interpreter: Interpreter) -> Iterator[Member]:
        data_folder = f"{self._dist_info.removesuffix('.dist-info')}.data/"
        homes = {"purelib": site_packages, "platlib": site_packages, "scripts": scripts, "data": "", "headers": f"include/{self.name}"}
        for item in self._zip.infolist():
            name, path = item.filename, f"{site_packages}/{item.filename}"
            if item.is_dir() or name == f"{self._dist_info}/RECORD":
                continue
            data, executable = self._zip.read(item), bool(item.external_attr >> 16 & 0o111)
            if name.startswith(data_folder):
                category, _, rest = name.removeprefix(data_folder).partition("/")
                path = f"{homes[category]}/{rest}".lstrip("/")
                if category == "scripts":
                    executable = True
                    data = re.sub(rb"\A#!pythonw?", f"#!{PLACEHOLDER}/bin/python{interpreter.tag}".encode(), data)
            yield Member(path, data, executable)
        installer = b"conda\n"
        digest = base64.urlsafe_b64encode(hashlib.sha256(installer).digest()).rstrip(b"=").decode()
        record = self._zip.read(f"{self._dist_info}/RECORD").decode().rstrip("\n").replace("\r\n", "\n")
        yield Member(f"{site_packages}/{self._dist_info}/INSTALLER", installer)
        lines = f"{record}\n{self._dist_info}/INSTALLER,sha256={digest},{len(installer)}\n"
        yield Member(f"{site_packages}/{self._dist_info}/RECORD", lines.encode())


def _match_spec(requirement: Requirement) -> str:
    return f"{conda_name(requirement.name)} {_version_spec(requirement.specifier)}".strip()


def _version_spec(specifiers: SpecifierSet) -> str:
    """Return conda's form: ``==1.2.*`` is ``1.2.*`` there."""
    parts = [s.version if s.operator == "==" and s.version.endswith(".*") else f"{s.operator}{s.version}" for s in specifiers]
    return ",".join(sorted(parts))


def _next_minor(tag: str) -> str:
    major, minor = tag.split(".")
    return f"{major}.{int(minor) + 1}"


def _launcher(line: str, interpreter: Interpreter) -> bytes:
    module, _, attribute = line.split(" = ")[1].partition(":")
    function = attribute.split(".")[0]
    script = f"#!{PLACEHOLDER}/bin/python{interpreter.tag}\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({attribute}())\n"
    return script.encode()
