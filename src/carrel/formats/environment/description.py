"""What is told about an environment file, whatever its format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from carrel.formats.environment.lock import Lock

_MOST_LISTED = 2000


@dataclass(frozen=True, slots=True)
class ListedPackage:
    """One package of an environment file; the version is empty where the file leaves it open."""

    name: str
    version: str = ""
    build: str = ""
    source: str = "conda"
    channel: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the members that are known."""
        entry = {"name": self.name, "version": self.version, "source": self.source}
        if self.build:
            entry["build"] = self.build
        if self.channel:
            entry["channel" if self.source == "conda" else "index"] = self.channel
        return entry


@dataclass(frozen=True, slots=True)
class Description:
    """What one environment file says.

    Attributes
    ----------
    format : str
        ``conda-lock``, ``pylock``, ``pixi-lock``, ``explicit``, ``environment.yml`` or ``requirements``.
    locked : bool
        Whether every package is pinned to one file.
    name : str
        Name the file gives itself; may be empty.
    platforms, channels, requested : tuple of str
    python_version : str
        A version, or what is required of it.
    packages : tuple of ListedPackage
        Those of the first platform.
    digest : str
        Of a lock for one platform; otherwise empty.
    problems : tuple of (str, str)
        Code and message of what could not be locked.
    download_bytes : int
    """

    format: str
    locked: bool
    name: str = ""
    platforms: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()
    python_version: str = ""
    packages: tuple[ListedPackage, ...] = ()
    digest: str = ""
    problems: tuple[tuple[str, str], ...] = ()
    download_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the attributes that the hub keeps."""
        return {
            "format": self.format,
            "locked": self.locked,
            "name": self.name,
            "platform": self.platforms[0] if self.platforms else "",
            "platforms": list(self.platforms),
            "python_version": self.python_version,
            "package_count": len(self.packages),
            "pypi_count": sum(item.source == "pypi" for item in self.packages),
            "packages": [item.to_json() for item in self.packages[:_MOST_LISTED]],
            "channels": list(self.channels),
            "requested": list(self.requested[:_MOST_LISTED]),
            "digest": self.digest,
            "problems": [{"code": code, "message": message} for code, message in self.problems[:100]],
            "download_bytes": self.download_bytes,
        }


def of_lock(lock: Lock, format_: str, platforms: Iterable[str] = ()) -> Description:
    """Return the description of *lock*, read from a file of *format_* for *platforms*."""
    all_platforms = tuple(platforms) or ((lock.platform,) if lock.platform else ())
    return Description(
        format=format_,
        locked=True,
        platforms=all_platforms,
        channels=lock.channels,
        requested=lock.requested,
        python_version=lock.python_version,
        packages=tuple(
            [ListedPackage(item.name, item.version, item.build, "conda", item.channel) for item in lock.conda]
            + [ListedPackage(item.name, item.version, "", "pypi", item.index) for item in lock.pypi]
        ),
        digest=lock.digest if len(all_platforms) <= 1 else "",
        problems=tuple((item.code, item.message) for item in lock.problems),
        download_bytes=lock.download_bytes,
    )
