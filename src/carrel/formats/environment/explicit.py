"""Text files of conda (CEP 23): ``@EXPLICIT`` with one address per package, or one match specification per line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from carrel.core.errors import InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment import unlockable
from carrel.formats.environment.archive_names import name_and_version
from carrel.formats.environment.checks import check_build, check_name, check_url, check_version
from carrel.formats.environment.conda_specs import check_spec
from carrel.formats.environment.lock import (
    Lock,
    LockedConda,
    LockedPypi,
    LockProblem,
    in_install_order,
    split_conda_filename,
    split_conda_url,
    url_filename,
)
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import as_utf8, decode_text, invalid_line, tell_line

_WHAT = "The explicit file"
_MARK = "@EXPLICIT"
_LINE = re.compile(r"(?P<url>[^#]+(?:\.tar\.bz2|\.conda))(?:#(?:(?P<md5>[0-9a-f]{32})|(?:sha256:)?(?P<sha256>[0-9a-f]{64})))?\Z")
_PLATFORM = re.compile(r"#\s*platform:\s*(\S+)")
_PIP = re.compile(
    r"# pip (?P<name>\S+) @ (?P<url>[^\s#]+)(?:#sha256=(?P<sha256>[0-9a-f]{64}))?(?:\s+--hash=sha256:(?P<hash>[0-9a-f]{64}))?\Z"
)
_EXPORTED = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)=(?P<version>[^=\s]+)=(?P<build>[^=\s]+)\Z")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
_MOST_LINES = 20_000


def is_explicit(data: bytes) -> bool:
    """Whether a line of *data* is ``@EXPLICIT``."""
    return any(line.strip() == b"@EXPLICIT" for line in as_utf8(data).splitlines())


def write(lock: Lock, *, digest: str = "sha256") -> bytes:
    """Return the conda packages of *lock* as an explicit file, dependencies first.

    SHA-256 digests carry their prefix, which conda needs to tell them from others. Packages from PyPI stand in comments
    that conda-lock knows, and conda passes over.

    Parameters
    ----------
    lock : Lock
    digest : str
        ``sha256``, or ``md5`` for conda before 23.9, which knows no other. A package that lacks it has the other one.
    """
    lines = [f"# platform: {lock.platform}", _MARK]
    for item in in_install_order(lock.conda):
        anchors = [f"#sha256:{item.sha256}" if item.sha256 else "", f"#{item.md5}" if item.md5 else ""]
        chosen = [anchor for anchor in (reversed(anchors) if digest == "md5" else anchors) if anchor]
        lines.append(check_url(item.url, item.name) + (chosen[0] if chosen else ""))
    for python in sorted(lock.pypi, key=lambda item: canonicalize_name(item.name)):
        lines.append(f"# pip {python.name} @ {check_url(python.url, python.name)}" + (f"#sha256={python.sha256}" if python.sha256 else ""))
    return ("\n".join(lines) + "\n").encode()


def read(data: bytes) -> Lock:
    """Return the packages of an explicit file.

    Relative paths, ``~`` and environment variables, which mean something on the reader's own machine alone, are refused.

    Raises
    ------
    InvalidFile
        With the number of the line under ``line``.
    """
    platform = ""
    explicit = False
    packages: dict[str, LockedConda] = {}
    pypi: dict[str, LockedPypi] = {}
    problems: list[LockProblem] = []
    native: dict[str, int] = {}
    for number, line in _lines(data):
        if comment := _PLATFORM.match(line):
            platform = comment[1] if is_subdir(comment[1]) else ""
        elif python := _PIP.match(line):
            _add_python(python, number, pypi, problems)
        elif line == _MARK:
            explicit = True
        elif line and not line.startswith("#"):
            item = _package(line, number)
            known = packages.setdefault(item.name, item)
            if known.url != item.url:
                raise invalid_line(number, f"{item.name} is named a second time.")
            if item.subdir not in ("", "noarch"):
                native.setdefault(item.subdir, number)
    if not explicit:
        raise InvalidFile(f"{_WHAT} has no line {_MARK}.")
    if len(native) > 1:
        first, second = list(native.items())[:2]
        raise invalid_line(second[1], f"{_WHAT} mixes packages for {first[0]} and {second[0]}.")
    return Lock(
        platform=next(iter(native), "") or platform or "noarch",
        python_version=packages["python"].version if "python" in packages else "",
        channels=tuple(dict.fromkeys(item.channel for item in packages.values())),
        conda=tuple(sorted(packages.values(), key=lambda item: item.name)),
        pypi=tuple(pypi[key] for key in sorted(pypi)),
        problems=tuple(problems),
    )


def read_specs(data: bytes) -> EnvironmentSpec:
    """Return what a text file without ``@EXPLICIT`` asks for: match specifications, or what ``conda list --export`` wrote.

    Raises
    ------
    InvalidFile
        With the number of the line under ``line``.
    """
    platform = ""
    dependencies: list[str] = []
    pip: list[str] = []
    for number, line in _lines(data):
        if comment := _PLATFORM.match(line):
            platform = comment[1] if is_subdir(comment[1]) and comment[1] != "noarch" else ""
            continue
        text = re.sub(r"(?:^|\s)#.*\Z", "", line)
        if not text:
            continue
        exported = _EXPORTED.match(text)
        try:
            if exported and exported["build"].startswith("pypi_"):
                pip.append(f"{exported['name']}=={exported['version']}")
            else:
                dependencies.append(check_spec(text, f"{text[:40]!r}"))
        except InvalidFile as error:
            tell_line(error, number)
            raise
    return EnvironmentSpec(dependencies=tuple(dependencies), pip=tuple(pip), platforms=(platform,) if platform else ())


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    lines = decode_text(as_utf8(data), _WHAT).splitlines()
    if len(lines) > _MOST_LINES:
        raise InvalidFile(f"{_WHAT} has {len(lines)} lines; at most {_MOST_LINES} are allowed.")
    return enumerate(map(str.strip, lines), start=1)


def _package(line: str, number: int) -> LockedConda:
    match = _LINE.match(line)
    if match is None:
        raise invalid_line(number, f"{line.partition('#')[0][:80]!r} is not the full address of a conda package, with a digest or without.")
    try:
        url = check_url(_address(match["url"]), "The line")
    except InvalidFile as error:
        tell_line(error, number)
        raise
    channel, subdir, filename = split_conda_url(url)
    try:
        name, version, build = split_conda_filename(unquote(filename))
        check_name(name, "The line")
        check_version(version, "The line")
        check_build(build, "The line")
    except InvalidFile as error:
        tell_line(error, number)
        raise
    except ValueError as error:
        raise invalid_line(number, f"{filename[:80]!r} is not a name of the form name-version-build.conda.") from error
    return LockedConda(
        name=name,
        version=version,
        build=build,
        url=url,
        sha256=match["sha256"] or "",
        md5=match["md5"] or "",
        subdir=subdir if is_subdir(subdir) else "",
        channel=channel,
    )


def _address(text: str) -> str:
    """Return the URL that *text* is, or is a path for."""
    if "://" in text:
        return text
    if _WINDOWS.match(text):
        return PureWindowsPath(text).as_uri()
    if not text.startswith("/"):
        raise InvalidFile(f"{text[:80]!r} is not the full address of a conda package.")
    return PurePosixPath(text).as_uri()


def _add_python(match: re.Match[str], number: int, pypi: dict[str, LockedPypi], problems: list[LockProblem]) -> None:
    """Add the Python package of a comment of conda-lock."""
    name, url = match["name"], match["url"]
    if not url.startswith(("https://", "http://")):
        problems.append(unlockable.from_repository(name) if "+" in url.partition(":")[0] else unlockable.from_file(name))
        return
    try:
        url = check_url(url, "The line")
        check_name(name, "The line")
    except InvalidFile as error:
        tell_line(error, number)
        raise
    told = name_and_version(unquote(url_filename(url)))
    if told is None:
        problems.append(unlockable.from_repository(name))  # an archive whose name tells no version
        return
    pypi.setdefault(str(canonicalize_name(name)), LockedPypi(name, told[1], url, match["sha256"] or match["hash"] or ""))
