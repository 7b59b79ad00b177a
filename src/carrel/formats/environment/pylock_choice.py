"""Which packages of a ``pylock.toml`` are for one machine, and which of their files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from packaging.pylock import Package, Pylock, PylockSelectError
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment.archive_names import wheel_tags
from carrel.formats.environment.targets import Target, python_for

_PLATFORM_MARKER = re.compile(r"sys_platform|platform_|os_name")


def select(
    pylock: Pylock,
    tags: Iterable[Tag] | None,
    platform: str | None,
    version: str,
    extras: Collection[str],
    groups: Collection[str] | None,
    hashes: Mapping[str, Collection[str]] | None,
) -> tuple[list[tuple[Package, Any]], str]:
    """Return the packages for one platform, each with its file, and the version of Python."""
    if platform is None:
        if len({package.name for package in pylock.packages}) < len(pylock.packages) or (tags is None and _depends_on_platform(pylock)):
            raise BadRequest("The lock file is for several platforms: say which.", code="platform_required")
        order = list(tags) if tags is not None else None
        return [(package, choose(pylock, package, order, hashes)) for package in pylock.packages], version
    version = version or python_for(pylock.requires_python)
    target = Target(platform, version)
    packages = []
    for package in pylock.packages:
        with about(pylock, package):
            packages.append(_only(package, hashes))
    try:
        found = dataclasses.replace(pylock, packages=packages).select(
            environment=target.environment(),
            tags=list(tags) if tags is not None else target.tags(),
            extras=extras,
            dependency_groups=groups,
        )
        return list(found), version
    except PylockSelectError as error:
        code = "not_from_index" if "wheel" in str(error) else "wrong_platform"
        raise InvalidFile(f"The lock file does not fit Python {version} on {platform}: {str(error)[:300]}.", code=code) from error


def _depends_on_platform(pylock: Pylock) -> bool:
    return any(package.marker is not None and _PLATFORM_MARKER.search(str(package.marker)) for package in pylock.packages)


def _only(package: Package, hashes: Mapping[str, Collection[str]] | None) -> Package:
    """Return *package* without the files whose digests are not among *hashes*.

    Raises
    ------
    InvalidFile
        None is left (code ``not_from_index``).
    """
    allowed = None if hashes is None else hashes.get(package.name)
    if not allowed or package.is_direct:
        return package
    wheels = [wheel for wheel in package.wheels or () if wheel.hashes.get("sha256") in allowed]
    sdist = package.sdist if package.sdist is not None and package.sdist.hashes.get("sha256") in allowed else None
    if not wheels and sdist is None:
        raise InvalidFile(
            f"No file of {package.name} has one of the digests that it must have.", code="not_from_index", field=str(package.name)
        )
    return dataclasses.replace(package, wheels=wheels or None, sdist=sdist)


def choose(pylock: Pylock, package: Package, tags: Sequence[Tag] | None, hashes: Mapping[str, Collection[str]] | None) -> Any:
    """Return the file of *package*, whatever its markers say."""
    direct = package.vcs or package.directory or package.archive
    if direct is not None:
        return direct
    with about(pylock, package):
        package = _only(package, hashes)
    wheels = list(package.wheels or ())
    if tags is not None and wheels:
        rank = {tag: position for position, tag in enumerate(tags)}
        ranked = [(min((rank[tag] for tag in _wheel_tags(wheel) if tag in rank), default=-1), wheel) for wheel in wheels]
        fitting = [pair for pair in ranked if pair[0] >= 0]
        if fitting:
            return min(fitting, key=lambda pair: pair[0])[1]
    elif wheels:
        return next((wheel for wheel in wheels if wheel.filename.endswith("-none-any.whl")), wheels[0])
    if package.sdist is not None:
        return package.sdist
    raise InvalidFile(
        f"{package.name} in the lock file has no wheel for this machine and no source distribution.",
        code="not_from_index",
        field=_place(pylock, package),
    )


@contextmanager
def about(pylock: Pylock, package: Package) -> Iterator[None]:
    """Let errors that are raised within be about the place of *package* in the file."""
    try:
        yield
    except InvalidFile as error:
        error.fields["field"] = _place(pylock, package)
        raise


def _place(pylock: Pylock, package: Package) -> str:
    position = next((position for position, other in enumerate(pylock.packages) if other is package), None)
    if position is None:  # a copy without some of its files
        position = next((position for position, other in enumerate(pylock.packages) if other.name == package.name), 0)
    return f"packages[{position}]"


def _wheel_tags(wheel: Any) -> frozenset[Tag]:
    try:
        return wheel_tags(wheel.filename)
    except InvalidWheelFilename as error:
        raise InvalidFile(f"{wheel.filename[:200]!r} in the lock file is not the name of a wheel.") from error
