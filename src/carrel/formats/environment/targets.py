"""The machine that a lock for many is read for: its markers (PEP 508) and the tags of wheels it takes (PEP 425)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.markers import Environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.version import InvalidVersion, Version

from carrel.core.errors import BadRequest

_GLIBC = (2, 28)  # what installers take for granted where they are not told
_NEWEST_GLIBC = 45
_MACOS = (14, 0)
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
# conda's name: os.name, sys.platform, platform.system(), platform.machine()
_PLATFORMS = {
    "linux-64": ("posix", "linux", "Linux", "x86_64"),
    "linux-32": ("posix", "linux", "Linux", "i686"),
    "linux-aarch64": ("posix", "linux", "Linux", "aarch64"),
    "linux-armv7l": ("posix", "linux", "Linux", "armv7l"),
    "linux-ppc64le": ("posix", "linux", "Linux", "ppc64le"),
    "linux-riscv64": ("posix", "linux", "Linux", "riscv64"),
    "linux-s390x": ("posix", "linux", "Linux", "s390x"),
    "osx-64": ("posix", "darwin", "Darwin", "x86_64"),
    "osx-arm64": ("posix", "darwin", "Darwin", "arm64"),
    "win-32": ("nt", "win32", "Windows", "x86"),
    "win-64": ("nt", "win32", "Windows", "AMD64"),
    "win-arm64": ("nt", "win32", "Windows", "ARM64"),
}
_MINORS = range(8, 31)


@dataclass(frozen=True, slots=True)
class Target:
    """A CPython of one version on one platform.

    Attributes
    ----------
    platform : str
        conda's name of it.
    python_version : str
        ``3.12.4``, or ``3.12`` for its first release.
    glibc : tuple of int
        Of Linux. Wheels that need a newer one are taken only where there is no other: whether they run is for the
        machine to tell.
    """

    platform: str
    python_version: str
    glibc: tuple[int, int] = _GLIBC

    def __post_init__(self) -> None:
        if self.platform not in _PLATFORMS:
            raise BadRequest(f"{self.platform[:40]!r} is not a platform that Python packages are made for.", code="unknown_platform")
        try:
            Version(self.python_version)
        except InvalidVersion as error:
            raise BadRequest(f"{self.python_version[:40]!r} is not a version of Python.", code="invalid_version") from error

    @property
    def release(self) -> tuple[int, int, int]:
        """Version of Python in three numbers."""
        version = Version(self.python_version)
        return version.major, version.minor, version.micro

    def environment(self) -> Environment:
        """Return the values of environment markers."""
        os_name, sys_platform, system, machine = _PLATFORMS[self.platform]
        major, minor, _ = self.release
        full = self.python_version if self.python_version.count(".") > 1 else f"{major}.{minor}.0"
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": os_name,
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": system,
            "platform_version": "",
            "python_full_version": full,
            "python_version": f"{major}.{minor}",
            "sys_platform": sys_platform,
        }

    def tags(self) -> list[Tag]:
        """Return the tags of wheels that fit, best first."""
        major, minor, _ = self.release
        interpreter = f"cp{major}{minor}"
        found: dict[Tag, None] = {}
        for platforms in (list(self._platforms()), list(self._last_resorts())):
            if platforms:
                found.update(dict.fromkeys(cpython_tags((major, minor), abis=[interpreter], platforms=platforms)))
                found.update(dict.fromkeys(compatible_tags((major, minor), interpreter, platforms)))
        return list(found)

    def _platforms(self) -> Iterator[str]:
        _, system, _, machine = _PLATFORMS[self.platform]
        if system == "darwin":
            yield from mac_platforms(_MACOS, machine)
        elif system == "win32":
            yield {"AMD64": "win_amd64", "ARM64": "win_arm64", "x86": "win32"}[machine]
        else:
            newest = self.glibc[1]
            oldest = 5 if machine in ("x86_64", "i686") else 17
            for known in range(newest, oldest - 1, -1):
                yield f"manylinux_2_{known}_{machine}"
                if known in _LEGACY:
                    yield f"{_LEGACY[known]}_{machine}"
            yield f"linux_{machine}"

    def _last_resorts(self) -> Iterator[str]:
        _, system, _, machine = _PLATFORMS[self.platform]
        if system == "linux":
            for newer in range(self.glibc[1] + 1, _NEWEST_GLIBC + 1):
                yield f"manylinux_2_{newer}_{machine}"


def python_for(requires_python: str | SpecifierSet | None) -> str:
    """Return a version of Python that *requires_python* takes: that of this process if it does, else the oldest that does.

    Raises
    ------
    BadRequest
        None does.
    """
    allowed = SpecifierSet(str(requires_python or ""))
    here = ".".join(map(str, sys.version_info[:3]))
    if allowed.contains(here):
        return here
    for minor in _MINORS:
        for patch in range(31):
            if allowed.contains(f"3.{minor}.{patch}"):
                return f"3.{minor}.{patch}" if patch else f"3.{minor}"
    raise BadRequest(f"No version of Python is {str(allowed)[:80]!r}.", code="no_python")
