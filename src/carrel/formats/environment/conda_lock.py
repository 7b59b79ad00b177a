"""``conda-lock.yml`` (CEP 37), read and written.

What the format has no place for (sizes, requested specifications, indexes, problems) is kept as one JSON text in
``metadata.custom_metadata.carrel``, where other tools keep or ignore it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment.checks import check_hash, check_name, check_size, check_url, check_version
from carrel.formats.environment.lock import (
    Lock,
    LockedConda,
    LockedPypi,
    LockKind,
    LockProblem,
    problem_to_json,
    split_conda_filename,
    split_conda_url,
)
from carrel.formats.parsing import dump_yaml, expect_mapping, expect_text, expect_texts, load_json, load_yaml

FILENAME = "conda-lock.yml"

_WHAT = "The lock file"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MOST_PACKAGES = 20_000
_SPEC = re.compile(r"([^\s\[=<>!~]+)\s*(.*)\Z", re.DOTALL)


def write(lock: Lock) -> bytes:
    """Return *lock* as ``conda-lock.yml``.

    Raises
    ------
    InvalidFile
        An address carries credentials (code ``credentials_in_file``).
    """
    document = {
        "version": 1,
        "metadata": {
            "content_hash": {lock.platform: lock.digest},
            "channels": [{"url": check_url(url, "channel"), "used_env_vars": []} for url in lock.channels],
            "platforms": [lock.platform],
            "sources": ["environment.yml"],
            "time_metadata": {"created_at": lock.captured_at.astimezone(UTC).strftime(_TIME)},
            "custom_metadata": {"carrel": json.dumps(_extra(lock), ensure_ascii=False, sort_keys=True, separators=(",", ":"))},
        },
        "package": [_write_conda(item, lock.platform) for item in sorted(lock.conda, key=lambda item: item.name)]
        + [_write_pypi(item, lock.platform) for item in sorted(lock.pypi, key=lambda item: canonicalize_name(item.name))],
    }
    return dump_yaml(document)


def _extra(lock: Lock) -> dict[str, Any]:
    return {
        "kind": str(lock.kind),
        "python_version": lock.python_version,
        "requested": list(lock.requested),
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
            requirement = Requirement(text)
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


def platforms(document: Any) -> list[str]:
    """Return the platforms of a parsed ``conda-lock.yml``.

    Raises
    ------
    InvalidFile
    """
    metadata = expect_mapping(expect_mapping(document, _WHAT).get("metadata"), "metadata")
    found = expect_texts(metadata.get("platforms"), "metadata.platforms", count=50)
    for platform in found:
        if not is_subdir(platform) or platform == "noarch":
            raise InvalidFile(f"{platform[:80]!r} in metadata.platforms is not a platform.", field="metadata.platforms")
    if not found:
        raise InvalidFile("metadata.platforms names no platform.", field="metadata.platforms")
    return found


def read(data: bytes, platform: str | None = None) -> Lock:
    """Return the part of a ``conda-lock.yml`` for *platform*; see :func:`parse`."""
    return parse(load_yaml(data, _WHAT), platform)


def parse(document: Any, platform: str | None = None) -> Lock:
    """Return the part of a parsed ``conda-lock.yml`` for *platform*.

    Parameters
    ----------
    document : mapping
    platform : str, optional
        Needed when the file is for several.

    Raises
    ------
    InvalidFile
    BadRequest
        The file is not for *platform*, or for several (code ``platform_required``, field ``platforms``).
    """
    known = platforms(document)
    if platform is None and len(known) > 1:
        raise BadRequest(f"The lock file is for {', '.join(known)}: say which.", code="platform_required", platforms=known)
    platform = platform or known[0]
    if platform not in known:
        raise BadRequest(f"The lock file is for {', '.join(known)}, not for {platform}.", code="wrong_platform", platforms=known)
    if document.get("version", 1) != 1:
        raise InvalidFile("The version of the lock file is not 1, the only one there is.", field="version")
    metadata = document["metadata"]
    extra = _read_extra(metadata)
    packages = document.get("package")
    if not isinstance(packages, list) or len(packages) > _MOST_PACKAGES:
        raise InvalidFile(f"'package' must be a list of at most {_MOST_PACKAGES} packages.", field="package")
    conda: dict[str, LockedConda] = {}
    pypi: dict[str, LockedPypi] = {}
    for position, entry in enumerate(packages):
        what = f"package[{position}]"
        item = expect_mapping(entry, what)
        if item.get("platform") not in known:
            raise InvalidFile(f"{what}.platform is not among metadata.platforms.", field=what)
        manager = item.get("manager")
        if manager not in {"conda", "pip"}:
            raise InvalidFile(f"{what}.manager must be 'conda' or 'pip'.", field=what)
        if item["platform"] != platform or item.get("optional") is True:
            continue
        name = check_name(item.get("name"), what)
        if manager == "conda":
            conda.setdefault(name, _read_conda(item, name, what, _sub(extra, "conda", name)))
        else:
            key = str(canonicalize_name(name))
            pypi.setdefault(key, _read_pypi(item, name, what, _sub(extra, "pypi", key)))
    python = conda.get("python")
    return Lock(
        platform=platform,
        python_version=_text(extra, "python_version") or (python.version if python else ""),
        requested=tuple(expect_texts(extra.get("requested"), "requested")),
        channels=_channels(metadata),
        conda=tuple(sorted(conda.values(), key=lambda item: item.name)),
        pypi=tuple(pypi[key] for key in sorted(pypi)),
        captured_at=_captured_at(metadata),
        kind=LockKind.VENV if extra.get("kind") == "venv" else LockKind.CONDA,
        problems=_problems(extra),
    )


def _channels(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    channels = metadata.get("channels")
    if not isinstance(channels, list) or len(channels) > 1000:
        raise InvalidFile("metadata.channels must be a list.", field="metadata.channels")
    urls = []
    for position, channel in enumerate(channels):
        what = f"metadata.channels[{position}]"
        urls.append(check_url(expect_text(expect_mapping(channel, what).get("url"), f"{what}.url"), what))
    return tuple(urls)


def _captured_at(metadata: Mapping[str, Any]) -> datetime:
    times = metadata.get("time_metadata")
    text = times.get("created_at") if isinstance(times, dict) else None
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC) if isinstance(text, str) else Lock("").captured_at
    except ValueError as error:
        raise InvalidFile("metadata.time_metadata.created_at is not a time like 2026-01-31T12:00:00Z.", field="created_at") from error


def _read_conda(item: Mapping[str, Any], name: str, what: str, extra: Mapping[str, Any]) -> LockedConda:
    url = check_url(expect_text(item.get("url"), f"{what}.url"), what)
    channel, subdir, filename = split_conda_url(url)
    try:
        _, _, build = split_conda_filename(filename)
    except ValueError as error:
        raise InvalidFile(f"{what}.url does not end in the name of a conda package.", field=what) from error
    sha256, md5 = _hashes(item, what)
    told = item.get("build")
    depends = tuple(expect_texts(extra.get("depends"), f"{what}.depends")) or tuple(
        f"{other} {constraint}".strip() if not constraint.startswith("[") else other + constraint
        for other, constraint in _dependencies(item, what).items()
    )
    return LockedConda(
        name=name,
        version=check_version(item.get("version"), what),
        build=expect_text(told, f"{what}.build", length=64) if told is not None else build,
        url=url,
        sha256=sha256,
        md5=md5,
        size=check_size(extra.get("size", 0), what),
        subdir=subdir,
        channel=check_url(_text(extra, "channel") or channel, what),
        depends=depends,
    )


def _read_pypi(item: Mapping[str, Any], name: str, what: str, extra: Mapping[str, Any]) -> LockedPypi:
    sha256, _ = _hashes(item, what)
    index = _text(extra, "index")
    return LockedPypi(
        name=name,
        version=check_version(item.get("version"), what),
        url=check_url(expect_text(item.get("url"), f"{what}.url"), what),
        sha256=sha256,
        size=check_size(extra.get("size", 0), what),
        index=check_url(index, what) if index else "",
        requires_python=_text(extra, "requires_python"),
        requires_dist=tuple(expect_texts(extra.get("requires_dist"), f"{what}.requires_dist"))
        or tuple(other + constraint for other, constraint in _dependencies(item, what).items()),
    )


def _hashes(item: Mapping[str, Any], what: str) -> tuple[str, str]:
    hashes = expect_mapping(item.get("hash"), f"{what}.hash")
    return check_hash(hashes.get("sha256"), 64, what), check_hash(hashes.get("md5"), 32, what)


def _dependencies(item: Mapping[str, Any], what: str) -> dict[str, str]:
    dependencies = item.get("dependencies")
    if dependencies is None:
        return {}
    entries = expect_mapping(dependencies, f"{what}.dependencies")
    return {name: expect_text(str(value or ""), f"{what}.dependencies") for name, value in entries.items()}


def _read_extra(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    custom = metadata.get("custom_metadata")
    text = custom.get("carrel") if isinstance(custom, dict) else None
    if text is None:
        return {}
    what = "metadata.custom_metadata.carrel"
    return expect_mapping(load_json(expect_text(text, what, length=16_000_000).encode(), what), what)


def _sub(extra: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    entries = extra.get(section)
    entry = entries.get(name) if isinstance(entries, dict) else None
    return entry if isinstance(entry, dict) else {}


def _text(extra: Mapping[str, Any], key: str) -> str:
    return expect_text(extra.get(key, ""), key)


def _problems(extra: Mapping[str, Any]) -> tuple[LockProblem, ...]:
    problems = extra.get("problems", [])
    if not isinstance(problems, list):
        raise InvalidFile("'problems' must be a list.", field="problems")
    return tuple(
        LockProblem(_text(item, "code"), _text(item, "message"), _text(item, "name"), _text(item, "remedy"))
        for item in (expect_mapping(problem, "problems") for problem in problems[:10_000])
    )
