"""Explicit text files (CEP 23): ``@EXPLICIT`` and one address per package."""

from __future__ import annotations

import re

from carrel.core.errors import InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment.checks import check_url
from carrel.formats.environment.lock import Lock, LockedConda, in_install_order, split_conda_filename, split_conda_url
from carrel.formats.parsing import decode_text

_WHAT = "The explicit file"
_MARK = "@EXPLICIT"
_LINE = re.compile(r"(?P<url>[^#]+(?:\.tar\.bz2|\.conda))(?:#(?:(?P<md5>[0-9a-f]{32})|(?:sha256:)?(?P<sha256>[0-9a-f]{64})))?\Z")
_PLATFORM = re.compile(r"#\s*platform:\s*(\S+)")
_MOST_LINES = 20_000


def is_explicit(data: bytes) -> bool:
    """Whether a line of *data* is ``@EXPLICIT``."""
    return any(line.strip() == b"@EXPLICIT" for line in data.splitlines())


def write(lock: Lock) -> bytes:
    """Return the conda packages of *lock* as an explicit file, dependencies first.

    SHA-256 digests carry their prefix, which conda needs to tell them from others.
    """
    lines = [f"# platform: {lock.platform}", _MARK]
    for item in in_install_order(lock.conda):
        anchor = f"#sha256:{item.sha256}" if item.sha256 else f"#{item.md5}" if item.md5 else ""
        lines.append(check_url(item.url, item.name) + anchor)
    return ("\n".join(lines) + "\n").encode()


def read(data: bytes) -> Lock:
    """Return the packages of an explicit file.

    Raises
    ------
    InvalidFile
        With the number of the line under ``line``.
    """
    platform = ""
    explicit = False
    packages: dict[str, LockedConda] = {}
    lines = decode_text(data, _WHAT).splitlines()
    if len(lines) > _MOST_LINES:
        raise InvalidFile(f"{_WHAT} has {len(lines)} lines; at most {_MOST_LINES} are allowed.")
    for number, line in enumerate(map(str.strip, lines), start=1):
        if comment := _PLATFORM.match(line):
            platform = comment[1] if is_subdir(comment[1]) else ""
        elif line == _MARK:
            explicit = True
        elif line and not line.startswith("#"):
            item = _package(line, number)
            if item.name in packages:
                raise InvalidFile(f"Line {number} of the explicit file names {item.name} a second time.", line=number)
            packages[item.name] = item
    if not explicit:
        raise InvalidFile(f"{_WHAT} has no line {_MARK}.")
    native = sorted({item.subdir for item in packages.values()} - {"noarch", ""})
    if len(native) > 1:
        raise InvalidFile(f"{_WHAT} mixes packages for {', '.join(native)}.")
    python = packages.get("python")
    return Lock(
        platform=native[0] if native else platform or "noarch",
        python_version=python.version if python else "",
        channels=tuple(dict.fromkeys(item.channel for item in packages.values())),
        conda=tuple(sorted(packages.values(), key=lambda item: item.name)),
    )


def _package(line: str, number: int) -> LockedConda:
    match = _LINE.match(line)
    if match is None or "://" not in line:
        raise InvalidFile(f"Line {number} of the explicit file is not the full address of a conda package.", line=number)
    url = check_url(match["url"], f"Line {number}")
    channel, subdir, filename = split_conda_url(url)
    try:
        name, version, build = split_conda_filename(filename)
    except ValueError as error:
        raise InvalidFile(f"Line {number} of the explicit file does not end in name-version-build.", line=number) from error
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
