"""``conda-lock.yml`` (CEP 37), written: one lock, or locks of one environment for several platforms."""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from carrel.core.errors import InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment.checks import check_url, parse_requirement
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockSet, problem_to_json
from carrel.formats.parsing import dump_yaml

TIME = "%Y-%m-%dT%H:%M:%SZ"

_SPEC = re.compile(r"([^\s\[=<>!~]+)\s*(.*)\Z", re.DOTALL)


def write(lock: Lock) -> bytes:
    """Return *lock* as ``conda-lock.yml``; see :func:`write_all`."""
    return write_all(LockSet((lock,)))


def write_all(locks: LockSet) -> bytes:
    """Return *locks* as ``conda-lock.yml``.

    Raises
    ------
    InvalidFile
        An address carries credentials (code ``credentials_in_file``); a lock is for no platform, or two are for the
        same (code ``invalid_platform``).
    """
    names = list(locks.platforms)
    if not names or len(set(names)) < len(names) or any(not is_subdir(name) or name == "noarch" for name in names):
        raise InvalidFile(
            "A conda-lock.yml is for one or more platforms, each of them once, and none of them noarch.", code="invalid_platform"
        )
    first = locks.locks[0]
    channels = dict.fromkeys(url for lock in locks.locks for url in lock.channels)
    extra = _extra(first) if len(names) == 1 else {"platforms": {lock.platform: _extra_of_several(lock) for lock in locks.locks}}
    document = {
        "version": 1,
        "metadata": {
            "content_hash": {lock.platform: lock.digest for lock in locks.locks},
            "channels": [{"url": check_url(url, "channel"), "used_env_vars": []} for url in channels],
            "platforms": names,
            "sources": ["environment.yml"],
            "time_metadata": {"created_at": first.captured_at.astimezone(UTC).strftime(TIME)},
            "custom_metadata": {"carrel": json.dumps(extra, ensure_ascii=False, sort_keys=True, separators=(",", ":"))},
        },
        "package": [
            *(_write_conda(item, lock.platform) for lock in locks.locks for item in sorted(lock.conda, key=lambda item: item.name)),
            *(
                _write_pypi(item, lock.platform)
                for lock in locks.locks
                for item in sorted(lock.pypi, key=lambda item: canonicalize_name(item.name))
            ),
        ],
    }
    return dump_yaml(document)


def _extra_of_several(lock: Lock) -> dict[str, Any]:
    return {**_extra(lock), "channels": list(lock.channels), "captured_at": lock.captured_at.astimezone(UTC).strftime(TIME)}


def _extra(lock: Lock) -> dict[str, Any]:
    return {
        "kind": str(lock.kind),
        "python_version": lock.python_version,
        "requested": list(lock.requested),
        "virtual_packages": list(lock.virtual_packages),
        "exclude_newer": lock.exclude_newer.isoformat() if lock.exclude_newer is not None else "",
        "problems": [problem_to_json(item) for item in lock.problems],
        "conda": {item.name: {"size": item.size, "channel": item.channel, "depends": list(item.depends)} for item in lock.conda},
        "pypi": {
            str(canonicalize_name(item.name)): {
                "size": item.size,
                "index": check_url(item.index, "index") if item.index else "",
                "requires_python": item.requires_python,
                "requires_dist": list(item.requires_dist),
            }
            for item in lock.pypi
        },
    }


def _write_conda(item: LockedConda, platform: str) -> dict[str, Any]:
    dependencies: dict[str, str] = {}
    for depend in item.depends:
        match = _SPEC.match(depend.strip())
        if match is None:
            continue
        name, constraint = match[1], match[2]
        known = dependencies.get(name, "")
        if known and constraint and not set(" [") & set(known + constraint):
            dependencies[name] = f"{known},{constraint}"  # two entries for one name: both hold
        else:
            dependencies[name] = known or constraint
    return {
        "name": item.name,
        "version": item.version,
        "manager": "conda",
        "platform": platform,
        "dependencies": dependencies,
        "url": check_url(item.url, item.name),
        "hash": {key: value for key, value in (("md5", item.md5), ("sha256", item.sha256)) if value},
        "build": item.build,
        "category": "main",
        "optional": False,
    }


def _write_pypi(item: LockedPypi, platform: str) -> dict[str, Any]:
    dependencies: dict[str, str] = {}
    for text in item.requires_dist:
        try:
            requirement = parse_requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None and requirement.url is None:
            dependencies[str(canonicalize_name(requirement.name))] = str(requirement.specifier)
    return {
        "name": item.name,
        "version": item.version,
        "manager": "pip",
        "platform": platform,
        "dependencies": dependencies,
        "url": check_url(item.url, item.name),
        "hash": {"sha256": item.sha256} if item.sha256 else {},
        "category": "main",
        "optional": False,
    }
