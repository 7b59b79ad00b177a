"""``pixi.lock``, versions 4 to 7, read in pure Python: the hub describes files that strangers upload.

What pixi's own reader (py-rattler) tells of Python packages lacks their digests; and it is native code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment import unlockable
from carrel.formats.environment.archive_names import name_and_version
from carrel.formats.environment.checks import check_build, check_hash, check_name, check_size, check_url, check_version
from carrel.formats.environment.description import Description, ListedPackage
from carrel.formats.environment.lock import (
    Lock,
    LockedConda,
    LockedPypi,
    LockProblem,
    LockSet,
    split_conda_filename,
    split_conda_url,
    url_filename,
)
from carrel.formats.environment.pixi_lock_writing import write
from carrel.formats.parsing import as_utf8, expect_mapping, expect_text, expect_texts, load_yaml, with_lines

__all__ = ["FILENAME", "describe", "environments", "read", "write"]

FILENAME = "pixi.lock"

_WHAT = "pixi.lock"
_VERSIONS = range(4, 8)
_MOST = 200_000
_KINDS = ("conda", "pypi", "conda_source")
_ARCHIVES = (".whl", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".zip", ".tar")
_CONDA_PROBLEMS = frozenset({"source_package", "local_channel"})
_CONDA_ARCHIVES = (".conda", ".tar.bz2")
_SOURCE = re.compile(r"(?P<name>[^\[\s]+)\[[0-9a-f]*\]\s*@\s*(?P<location>.+)\Z")


def environments(data: bytes) -> tuple[str, ...]:
    """Return the names of the environments in a ``pixi.lock``.

    Raises
    ------
    InvalidFile
    """
    data = as_utf8(data)
    document = load_yaml(data, _WHAT)
    with with_lines(data, "yaml"):
        return tuple(_Document(document).environments)


def read(data: bytes, environment: str = "") -> LockSet:
    """Return the locks of one environment of a ``pixi.lock``, by platform in the order of the file.

    Packages that are built from sources, or stand in folders and repositories, are told in the ``problems`` of each lock.
    Where two platforms of the file are one to conda (``linux-64`` and one like it with CUDA), the plain one is taken, else the first.

    Parameters
    ----------
    data : bytes
    environment : str, optional
        By default ``default``, else the first that holds packages.

    Raises
    ------
    InvalidFile
        With the line under ``line``.
    BadRequest
        There is no such environment (code ``unknown_environment``, field ``environments``).
    """
    data = as_utf8(data)
    loaded = load_yaml(data, _WHAT)
    with with_lines(data, "yaml"):
        document = _Document(loaded)
        name = document.choose(environment)
        locks: dict[str, Lock] = {}
        for platform in document.platforms_of(name):
            if platform.subdir not in locks or platform.name == platform.subdir:
                locks[platform.subdir] = document.lock(name, platform)
        if not locks:
            raise InvalidFile(f"The environment {name[:80]!r} of pixi.lock holds no packages.", field=f"environments.{name}")
        return LockSet(tuple(locks.values()))


def describe(data: bytes) -> Description:
    """Return what a ``pixi.lock`` says of its default (or first) environment on its first platform.

    Raises
    ------
    InvalidFile
    """
    data = as_utf8(data)
    loaded = load_yaml(data, _WHAT)
    with with_lines(data, "yaml"):
        document = _Document(loaded)
        name = document.choose("")
        platforms = list(document.platforms_of(name))
        lock = document.lock(name, platforms[0]) if platforms else Lock("")
    listed = [ListedPackage(item.name, item.version, item.build, "conda", item.channel) for item in lock.conda]
    listed += [ListedPackage(item.name, item.version, "", "pypi", item.index) for item in lock.pypi]
    listed += [ListedPackage(item.name, "", "", "conda" if item.code in _CONDA_PROBLEMS else "pypi") for item in lock.problems]
    return Description(
        format="pixi-lock",
        locked=True,
        platforms=tuple(dict.fromkeys(platform.subdir for platform in platforms)),
        channels=document.channels_of(name),
        python_version=lock.python_version,
        packages=tuple(listed),
        problems=tuple((item.code, item.message) for item in lock.problems),
        download_bytes=lock.download_bytes,
    )


@dataclass(frozen=True, slots=True)
class _Platform:
    """A platform of the file: version 7 gives them names of their own."""

    name: str
    subdir: str
    virtual_packages: tuple[str, ...] = ()


class _Document:
    """A ``pixi.lock`` whose outermost members are what they must be."""

    def __init__(self, loaded: Any) -> None:
        document = expect_mapping(loaded, _WHAT)
        if document.get("version") not in _VERSIONS:
            raise InvalidFile(f"The version of pixi.lock is {str(document.get('version'))[:20]}; 4 to 7 are known.", field="version")
        self.version = int(document["version"])
        self.environments = expect_mapping(document.get("environments"), "environments")
        if not self.environments:
            raise InvalidFile("pixi.lock holds no environment.", field="environments")
        self._details: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
        self._names_indexes = False
        for position, entry in enumerate(_list(document.get("packages"), "packages")):
            self._add_details(expect_mapping(entry, f"packages[{position}]"), f"packages[{position}]")
        self._platforms = {item.name: item for item in self._named_platforms(document.get("platforms"))}

    def _add_details(self, item: Mapping[str, Any], what: str) -> None:
        kind = item.get("kind")  # version 5 and before: kind, and url or path, instead of conda: url
        for source in _KINDS:
            place = (item.get("url") or item.get("path")) if kind == source else item.get(source)
            if isinstance(place, str):
                self._details.setdefault((source, place), (what, item))
                self._names_indexes = self._names_indexes or "index" in item

    @staticmethod
    def _named_platforms(value: Any) -> Iterator[_Platform]:
        for position, entry in enumerate(_list(value, "platforms")):
            what = f"platforms[{position}]"
            item = expect_mapping(entry, what)
            name = expect_text(item.get("name"), f"{what}.name", length=255)
            subdir = expect_text(item.get("subdir") or name, f"{what}.subdir", length=255)
            yield _Platform(name, subdir, tuple(expect_texts(item.get("virtual-packages"), f"{what}.virtual-packages", count=100)))

    def choose(self, environment: str) -> str:
        """Return the name of the environment that is asked for.

        Raises
        ------
        BadRequest
        """
        names = list(self.environments)
        if not environment:
            filled = [name for name in names if self._environment(name).get("packages")] or names
            return "default" if "default" in filled else filled[0]
        if environment not in names:
            shown = ", ".join(names[:20])
            raise BadRequest(
                f"pixi.lock has no environment {environment[:80]!r}, but {shown}.", code="unknown_environment", environments=names
            )
        return environment

    def _environment(self, name: str) -> Mapping[str, Any]:
        return expect_mapping(self.environments[name], f"environments.{name}")

    def channels_of(self, name: str) -> tuple[str, ...]:
        """Return the channels of an environment, best first."""
        what = f"environments.{name}.channels"
        found = []
        for position, entry in enumerate(_list(self._environment(name).get("channels"), what)):
            inside = f"{what}[{position}]"
            url = entry if isinstance(entry, str) else expect_mapping(entry, inside).get("url")
            found.append(check_url(expect_text(url, f"{inside}.url").rstrip("/"), inside))
        return tuple(dict.fromkeys(found))

    def platforms_of(self, name: str) -> Iterator[_Platform]:
        """Yield the platforms that an environment is locked for."""
        what = f"environments.{name}.packages"
        for platform in expect_mapping(self._environment(name).get("packages") or {}, what):
            known = self._platforms.get(platform, _Platform(platform, platform))
            if not is_subdir(known.subdir):
                raise InvalidFile(f"{platform[:80]!r} is not a platform.", field=f"{what}.{platform}")
            yield known

    def lock(self, name: str, platform: _Platform) -> Lock:
        """Return the packages of an environment on *platform*.

        Raises
        ------
        InvalidFile
        """
        environment = self._environment(name)
        what = f"environments.{name}.packages.{platform.name}"
        indexes = expect_texts(environment.get("indexes"), f"environments.{name}.indexes", count=100)
        reader = _Packages(indexes[0] if len(indexes) == 1 and not self._names_indexes else "")
        for position, reference in enumerate(_list(environment["packages"][platform.name], what)):
            inside = f"{what}[{position}]"
            item = expect_mapping(reference, inside)
            source = next((kind for kind in _KINDS if kind in item), "")
            if not source:
                raise InvalidFile(f"{inside} must be 'conda', 'pypi' or 'conda_source'.", field=inside)
            place = expect_text(item[source], f"{inside}.{source}", length=4096)
            if (source, place) not in self._details:
                raise InvalidFile(f"{place[:120]!r} is not among the packages of pixi.lock.", field=inside)
            reader.add(source, place, *self._details[source, place])
        return Lock(
            platform=platform.subdir,
            python_version=reader.conda["python"].version if "python" in reader.conda else "",
            channels=self.channels_of(name),
            conda=tuple(reader.conda[key] for key in sorted(reader.conda)),
            pypi=tuple(reader.pypi[key] for key in sorted(reader.pypi)),
            problems=tuple(reader.problems),
            virtual_packages=platform.virtual_packages,
        )


class _Packages:
    """Packages of one environment on one platform."""

    def __init__(self, index: str) -> None:
        self._index = index
        self.conda: dict[str, LockedConda] = {}
        self.pypi: dict[str, LockedPypi] = {}
        self.problems: list[LockProblem] = []

    def add(self, source: str, place: str, what: str, item: Mapping[str, Any]) -> None:
        """Add the package at *place*, of which *item* tells; *what* is where."""
        if source == "conda_source":
            match = _SOURCE.match(place)
            self._built_from_sources(check_name(match["name"] if match else place, what))
        elif source == "pypi":
            self._add_python(place, what, item)
        elif not place.endswith(_CONDA_ARCHIVES):
            self._built_from_sources(check_name(item.get("name") or place.rstrip("/").rpartition("/")[2], what))
        else:
            self._add_conda(place, what, item)

    def _built_from_sources(self, name: str) -> None:
        message = (
            f"{name} is a conda package that pixi builds from sources. Build it, upload it to your namespace and install it from there."
        )
        self.problems.append(LockProblem("source_package", message, name))

    def _add_conda(self, place: str, what: str, item: Mapping[str, Any]) -> None:
        channel, subdir, filename = split_conda_url(place)
        try:
            name, version, build = split_conda_filename(unquote(filename))
        except ValueError as error:
            raise InvalidFile(f"{what}: {filename[:120]!r} is not the name of a conda package.", field=what) from error
        name = check_name(item.get("name", name), what)
        if "://" not in place or place.startswith("file:"):
            message = f"{name} comes from a file beside the lock file. Copy it to your namespace and install it from there."
            self.problems.append(LockProblem("local_channel", message, name, "copy_package"))
            return
        url = check_url(place, what)
        told = item.get("channel")
        self.conda.setdefault(
            name,
            LockedConda(
                name=name,
                version=check_version(item.get("version", version), what),
                build=check_build(item.get("build", build), what),
                url=url,
                sha256=check_hash(item.get("sha256"), 64, f"{what}.sha256"),
                md5=check_hash(item.get("md5"), 32, f"{what}.md5"),
                size=check_size(item.get("size"), f"{what}.size"),
                subdir=_subdir(item.get("subdir", subdir), f"{what}.subdir"),
                channel=check_url(expect_text(told, f"{what}.channel").rstrip("/"), f"{what}.channel") if told else channel,
                depends=tuple(expect_texts(item.get("depends"), f"{what}.depends")),
            ),
        )

    def _add_python(self, place: str, what: str, item: Mapping[str, Any]) -> None:
        direct = place.startswith("direct+")
        url = place.removeprefix("direct+")
        filename = unquote(url_filename(url))
        told_name, told_version = name_and_version(filename) or ("", None)
        name = check_name(item.get("name") or told_name or url.rstrip("/").rpartition("/")[2], what)
        archive = filename.endswith(_ARCHIVES)
        if "://" not in url or url.startswith("file:"):
            folder = unlockable.from_folder(name, editable=item.get("editable") is True)
            self.problems.append(unlockable.from_file(name) if archive else folder)
            return
        if not url.startswith(("https://", "http://")):
            self.problems.append(unlockable.from_repository(name))
            return
        version = item.get("version", told_version)
        if version is None:
            self.problems.append(unlockable.from_repository(name))
            return
        index = item.get("index")
        self.pypi.setdefault(
            str(canonicalize_name(name)),
            LockedPypi(
                name=name,
                version=check_version(version, what),
                url=check_url(url, what),
                sha256=check_hash(item.get("sha256"), 64, f"{what}.sha256"),
                size=check_size(item.get("size"), f"{what}.size"),
                index=check_url(expect_text(index, f"{what}.index"), f"{what}.index") if index else "" if direct else self._index,
                requires_python=expect_text(item.get("requires_python") or "", f"{what}.requires_python"),
                requires_dist=tuple(expect_texts(item.get("requires_dist"), f"{what}.requires_dist")),
            ),
        )


def _subdir(value: Any, what: str) -> str:
    if value and not is_subdir(expect_text(value, what)):
        raise InvalidFile(f"{what}: {value[:80]!r} is not a platform.", field=what)
    return value or ""


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST:
        raise InvalidFile(f"{what} in pixi.lock must be a list.", field=what)
    return value
