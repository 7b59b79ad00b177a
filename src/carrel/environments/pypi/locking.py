"""Python packages for one platform: resolved by uv, beside what conda provides and without touching it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import tomli_w
from packaging.version import InvalidVersion, Version

from carrel.core.errors import BadRequest, Unsolvable
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import virtual_packages
from carrel.environments.credentials import strip_url
from carrel.environments.models import Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi import archives, uv
from carrel.formats.environment import pylock
from carrel.formats.environment.lock import LockedPypi, LockProblem
from carrel.formats.environment.targets import Target

_GLIBC_OF_UV = (17, 28, *range(31, 41))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be resolved.

    Attributes
    ----------
    requirements : tuple of str
        PEP 508.
    platform : str
        conda's name of it.
    virtual_packages : tuple of str
        They tell the oldest C library that wheels may need.
    python_version : str
    provided : mapping of str to str
        Distributions that conda provides, by normalised name: they are taken as installed, at exactly these versions.
    like : mapping of str to str
        Versions to prefer.
    constraints : tuple of str
    exclude_newer : str or None
        RFC 3339.
    prereleases : bool
    hashes : mapping of str to collection of str
        The only SHA-256 digests that files of these packages (normalised names) may have.
    """

    requirements: tuple[str, ...]
    platform: str
    virtual_packages: tuple[str, ...]
    python_version: str
    provided: Mapping[str, str] = field(default_factory=dict)
    like: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    exclude_newer: str | None = None
    prereleases: bool = False
    hashes: Mapping[str, Collection[str]] = field(default_factory=dict)


def lock(
    wanted: Wanted, *, sources: Sources, on_event: OnProgress, cancel: CancelSignal
) -> tuple[tuple[LockedPypi, ...], tuple[LockProblem, ...]]:
    """Return the packages to install beside what conda provides, and what cannot be locked.

    Wheels are preferred: only where no set of wheels fulfils the requirements, source distributions are considered.

    Raises
    ------
    carrel.core.errors.Unsolvable
    carrel.core.errors.InvalidFile
        No file has one of the digests that it must have.
    carrel.core.errors.BadRequest
        There are no Python packages for this platform.
    """
    if not wanted.requirements:
        return (), ()
    try:
        text = _compile(wanted, sources, on_event, cancel, only_wheels=True)
    except Unsolvable as error:
        try:
            text = _compile(wanted, sources, on_event, cancel, only_wheels=False)
        except Unsolvable:
            raise error from None
    data = _plain(text, wanted.provided).encode()
    found = pylock.read(data, tags=_tags(wanted), python_version=wanted.python_version, hashes=wanted.hashes or None)
    packages = tuple(replace(package, index=package.index or archives.index_of(package.url, sources.indexes)) for package in found.pypi)
    return archives.complete(packages, sources, cancel), found.problems


def _compile(wanted: Wanted, sources: Sources, on_event: OnProgress, cancel: CancelSignal, *, only_wheels: bool) -> str:
    files = {"requirements.in": wanted.requirements, "overrides.txt": (), "excludes.txt": ()}
    with uv.workspace(files) as folder:
        constraints, excluded = list(wanted.constraints), []
        for name, version in sorted(wanted.provided.items()):
            # a wheel of the very version that conda brings stands for it: nothing else can be chosen, nothing is fetched
            stub = _stub(folder, name, version)
            if stub is None:
                excluded.append(name)
            else:
                constraints.append(f"{name} @ {stub.as_uri()}")
        (folder / "constraints.txt").write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
        (folder / "excludes.txt").write_text("".join(f"{name}\n" for name in excluded), encoding="utf-8")
        output = folder / "pylock.toml"
        if wanted.like:  # uv prefers what its output holds already
            packages = [{"name": normalize(name), "version": version} for name, version in sorted(wanted.like.items())]
            output.write_text(tomli_w.dumps({"lock-version": "1.0", "created-by": "carrel", "packages": packages}), encoding="utf-8")
        arguments: list[str | Path] = ["pip", "compile", folder / "requirements.in", "-c", folder / "constraints.txt"]
        arguments += ["--format", "pylock.toml", "-o", output, "--no-header", "--quiet", "--python", sys.executable]
        arguments += ["--python-platform", _platform(wanted), "--python-version", wanted.python_version]
        arguments += ["--excludes", folder / "excludes.txt"] if excluded else []
        arguments += ["--only-binary", ":all:"] if only_wheels else []
        arguments += ["--prerelease", "allow"] if wanted.prereleases else []
        arguments += ["--exclude-newer", wanted.exclude_newer] if wanted.exclude_newer else []
        uv.run(arguments, sources=sources, cancel=cancel, on_event=on_event, stage="solve")
        return output.read_text(encoding="utf-8")


def _stub(folder: Path, name: str, version: str) -> Path | None:
    """Write a wheel without content; None when *version* is none of Python's."""
    try:
        version = str(Version(version))
    except InvalidVersion:
        return None
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: carrel\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def _glibc(virtual: Iterable[str]) -> tuple[int, int]:
    version = virtual_packages.parse(virtual).get("__glibc", ("2.28", ""))[0].split(".")
    return (int(version[0]), int(version[1])) if len(version) > 1 and all(part.isdigit() for part in version[:2]) else (2, 28)


def _platform(wanted: Wanted) -> str:
    machine = {"linux-64": "x86_64", "linux-aarch64": "aarch64"}.get(wanted.platform)
    if machine:
        newest = _glibc(wanted.virtual_packages)[1]
        return f"{machine}-manylinux_2_{max((known for known in _GLIBC_OF_UV if known <= newest), default=17)}"
    if wanted.platform not in uv.PLATFORMS:
        raise BadRequest(f"Python packages cannot be resolved for {wanted.platform}.", code="unknown_platform")
    return uv.PLATFORMS[wanted.platform]


def _tags(wanted: Wanted) -> list[Any]:
    return Target(wanted.platform, wanted.python_version, _glibc(wanted.virtual_packages)).tags()


def _plain(text: str, provided: Mapping[str, str]) -> str:
    """Return the lock without what conda provides, and without credentials in addresses."""
    document = tomllib.loads(text)
    packages = [package for package in document.get("packages", ()) if normalize(package["name"]) not in provided]
    for package in packages:
        if "index" in package:
            package["index"] = strip_url(package["index"])
        for archive in (*package.get("wheels", ()), package.get("sdist"), package.get("archive")):
            if archive and "url" in archive:
                archive.setdefault("name", archive["url"].partition("#")[0].partition("?")[0].rpartition("/")[2])
                archive["url"] = strip_url(archive["url"])
    return tomli_w.dumps({**document, "packages": packages})
