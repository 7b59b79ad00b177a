"""The few things the engine reads from and writes to pylock.toml (PEP 751)."""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import tomli_w
from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename


def dump(packages: Sequence[Mapping[str, Any]]) -> str:
    """Return a lock of *packages*, their addresses as they are: for uv, not for keeping.

    Sizes are left out: uv would stop at a wrong size before it knows the digest that came instead.
    """
    return tomli_w.dumps({"lock-version": "1.0", "created-by": "carrel", "packages": [_plain(package) for package in packages]})


def _plain(value: Any) -> Any:
    """Return *value* without sizes and dates."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key not in ("size", "upload-time")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def filename_of(archive: Mapping[str, Any]) -> str:
    """Return the name of the file of *archive*."""
    name = archive.get("name") or str(archive.get("url") or archive.get("path") or "").partition("#")[0].partition("?")[0]
    return str(name).rpartition("/")[2]


def wheel_with_tags(package: Mapping[str, Any], tags: Collection[str]) -> Mapping[str, Any] | None:
    """Return the wheel of *package* that has exactly *tags* (as a ``WHEEL`` file lists them)."""
    wanted = {str(tag) for text in tags for tag in parse_tag(text)}
    for wheel in package.get("wheels", ()):
        try:
            found = {str(tag) for tag in parse_wheel_filename(filename_of(wheel))[3]}
        except InvalidWheelFilename:
            continue
        if found == wanted:
            return dict(wheel)
    return None


def likely_archive(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the file of *package* that is probably installed here, for its size: a wheel for this platform, else any."""
    wheels: list[Mapping[str, Any]] = list(package.get("wheels", ()))
    fitting = list(_fitting(wheels)) or wheels
    if fitting:
        return fitting[0]
    other: Mapping[str, Any] = package.get("sdist") or package.get("archive") or {}
    return other


def _fitting(wheels: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    system = {"linux": "linux", "darwin": "macosx", "win32": "win"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    for wheel in wheels:
        platform_tag = filename_of(wheel).removesuffix(".whl").rpartition("-")[2]
        if platform_tag == "any" or (system in platform_tag and (machine in platform_tag or "universal2" in platform_tag)):
            yield wheel
