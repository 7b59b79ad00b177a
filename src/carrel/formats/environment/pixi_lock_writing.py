"""``pixi.lock``, written in a version that released pixis read."""

from __future__ import annotations

from typing import Any, Literal

from packaging.utils import canonicalize_name

from carrel.core.errors import InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment.checks import check_url
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockSet, split_conda_filename, split_conda_url
from carrel.formats.parsing import dump_yaml


def write(locks: LockSet, *, environment: str = "default", version: Literal[6, 7] = 6) -> bytes:
    """Return *locks* as ``pixi.lock`` with one environment.

    The format has no place for what was asked for, when it was captured, what could not be locked, and the sizes of Python packages.

    Parameters
    ----------
    locks : LockSet
    environment : str
    version : int
        6 is what every pixi since 0.40 reads; 7 tells virtual packages and which index each Python package came from too.

    Raises
    ------
    InvalidFile
        An address carries credentials (code ``credentials_in_file``); a lock is for no platform, or two are for the same
        (code ``invalid_platform``).
    """
    names = list(locks.platforms)
    if not names or len(set(names)) < len(names) or any(not is_subdir(name) or name == "noarch" for name in names):
        raise InvalidFile("A pixi.lock is for one or more platforms, each of them once, and none of them noarch.", code="invalid_platform")
    channels = dict.fromkeys(url for lock in locks.locks for url in (lock.channels or [item.channel for item in lock.conda]))
    indexes = dict.fromkeys(item.index for lock in locks.locks for item in lock.pypi if item.index)
    described: dict[str, Any] = {"channels": [{"url": _folder(check_url(url, "channel"))} for url in channels]}
    if indexes:
        described["indexes"] = [check_url(url, "index") for url in indexes]
    described["packages"] = {lock.platform: _references(lock) for lock in locks.locks}
    conda = {item.url: item for lock in locks.locks for item in lock.conda}
    pypi = {item.url: item for lock in locks.locks for item in lock.pypi}
    document: dict[str, Any] = {"version": version}
    if version >= 7:
        document["platforms"] = [_platform(lock) for lock in sorted(locks.locks, key=lambda lock: lock.platform)]
    document["environments"] = {environment: described}
    document["packages"] = [_conda(conda[url]) for url in sorted(conda)] + [_pypi(pypi[url], version) for url in sorted(pypi)]
    return dump_yaml(document)


def _folder(url: str) -> str:
    return url.rstrip("/") + "/" if "://" in url else url


def _platform(lock: Lock) -> dict[str, Any]:
    described: dict[str, Any] = {"name": lock.platform}
    if lock.virtual_packages:
        described["virtual-packages"] = list(lock.virtual_packages)
    return described


def _references(lock: Lock) -> list[dict[str, str]]:
    conda = [{"conda": item.url} for item in sorted(lock.conda, key=lambda item: item.url)]
    return conda + [{"pypi": item.url} for item in sorted(lock.pypi, key=lambda item: item.url)]


def _conda(item: LockedConda) -> dict[str, Any]:
    channel, subdir, filename = split_conda_url(item.url)
    described: dict[str, Any] = {"conda": check_url(item.url, item.name)}
    try:
        derived = split_conda_filename(filename)
    except ValueError:
        derived = ("", "", "")
    for key, value, known in zip(("name", "version", "build"), (item.name, item.version, item.build), derived, strict=True):
        if value != known:
            described[key] = value
    if item.subdir and item.subdir != subdir:
        described["subdir"] = item.subdir
    for key, digest in (("sha256", item.sha256), ("md5", item.md5)):
        if digest:
            described[key] = digest
    if item.depends:
        described["depends"] = list(item.depends)
    if item.channel and item.channel != channel and "://" in item.channel:
        described["channel"] = check_url(item.channel, item.name)
    if item.size:
        described["size"] = item.size
    return described


def _pypi(item: LockedPypi, version: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "pypi": check_url(item.url, item.name),
        "name": str(canonicalize_name(item.name)),
        "version": item.version,
    }
    if item.sha256:
        described["sha256"] = item.sha256
    if version >= 7 and item.index:
        described["index"] = check_url(item.index, item.name)
    if item.requires_dist:
        described["requires_dist"] = list(item.requires_dist)
    if item.requires_python:
        described["requires_python"] = item.requires_python
    return described
