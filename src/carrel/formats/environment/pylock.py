"""``pylock.toml`` (PEP 751), read and written.

What the format has no place for is kept in ``[tool.carrel]`` and ``[packages.tool.carrel]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import tomli_w
from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_hash, check_name, check_size, check_url, check_version
from carrel.formats.environment.lock import Lock, LockedPypi, LockKind, LockProblem
from carrel.formats.parsing import expect_mapping, expect_text, expect_texts, load_toml

FILENAME = "pylock.toml"

_WHAT = "The lock file"
_NAME = re.compile(r"pylock\.(?:[^.]+\.)?toml\Z")
_MOST_PACKAGES = 20_000


def is_pylock_name(filename: str) -> bool:
    """Whether PEP 751 lets a lock file be named *filename*."""
    return _NAME.match(filename) is not None


def write(lock: Lock) -> bytes:
    """Return the Python packages of *lock* as ``pylock.toml``.

    Raises
    ------
    InvalidFile
        An address carries credentials (code ``credentials_in_file``).
    """
    document: dict[str, Any] = {"lock-version": "1.0"}
    if lock.python_version:
        document["requires-python"] = "==" + ".".join(lock.python_version.split(".")[:2]) + ".*"
    document["created-by"] = "carrel"
    document["packages"] = [_write_package(item) for item in sorted(lock.pypi, key=lambda item: canonicalize_name(item.name))]
    document["tool"] = {
        "carrel": {
            "kind": str(lock.kind),
            "platform": lock.platform,
            "python-version": lock.python_version,
            "requested": list(lock.requested),
            "captured-at": lock.captured_at.astimezone(UTC).replace(microsecond=0),
            "digest": lock.digest,
            "problems": [{"code": item.code, "message": item.message, "name": item.name} for item in lock.problems],
        }
    }
    return tomli_w.dumps(document).encode()


def _write_package(item: LockedPypi) -> dict[str, Any]:
    file: dict[str, Any] = {"name": item.filename, "url": check_url(item.url, item.name)}
    if item.size:
        file["size"] = item.size
    file["hashes"] = {"sha256": item.sha256} if item.sha256 else {}
    package: dict[str, Any] = {"name": str(canonicalize_name(item.name)), "version": item.version}
    if item.requires_python:
        package["requires-python"] = item.requires_python
    if item.index:
        package["index"] = check_url(item.index, item.name)
    if item.filename.endswith(".whl"):
        package["wheels"] = [file]
    else:
        package["sdist"] = file
    extra: dict[str, Any] = {"name": item.name} if item.name != package["name"] else {}
    if item.requires_dist:
        extra["requires-dist"] = list(item.requires_dist)
    if extra:
        package["tool"] = {"carrel": extra}
    return package


def read(data: bytes, tags: Iterable[Tag] | None = None) -> Lock:
    """Return the packages of a ``pylock.toml``.

    Parameters
    ----------
    data : bytes
    tags : iterable of Tag, optional
        What the interpreter accepts, best first; used where a package lists several wheels. Without it a wheel for
        every platform is preferred, else the first.

    Raises
    ------
    InvalidFile
        The file breaks the specification; has packages from folders, archives or repositories, which cannot be
        fetched from an index (code ``not_from_index``); or carries credentials (code ``credentials_in_file``).
    """
    pylock = parse(data)
    extra = _extra(pylock.tool)
    order = list(tags) if tags is not None else None
    pypi = {package.name: _read_package(package, order) for package in pylock.packages}
    told = _text(extra, "python-version")
    return Lock(
        platform=_text(extra, "platform"),
        python_version=told,
        requested=tuple(expect_texts(extra.get("requested"), "tool.carrel.requested")),
        channels=(),
        pypi=tuple(pypi[name] for name in sorted(pypi)),
        captured_at=_captured_at(extra),
        kind=LockKind.VENV,
        problems=_problems(extra),
    )


def parse(data: bytes) -> Pylock:
    """Return a ``pylock.toml`` as :mod:`packaging` understands it, packages from folders and repositories included.

    Raises
    ------
    InvalidFile
    """
    try:
        pylock = Pylock.from_dict(load_toml(data, _WHAT))
    except (PylockValidationError, ValueError, TypeError) as error:
        raise InvalidFile(f"{_WHAT} breaks PEP 751: {str(error)[:300]}.") from error
    if len(pylock.packages) > _MOST_PACKAGES:
        raise InvalidFile(f"{_WHAT} has more than {_MOST_PACKAGES} packages.")
    return pylock


def _read_package(package: Package, tags: Sequence[Tag] | None) -> LockedPypi:
    what = str(package.name)
    file = _choose(package, tags)
    url = file.url
    if url is None:
        raise InvalidFile(f"{what} in the lock file has no address to fetch it from.", code="not_from_index", field=what)
    extra = _extra(package.tool)
    return LockedPypi(
        name=check_name(extra.get("name", what), what),
        version=check_version(str(package.version) if package.version is not None else None, what),
        url=check_url(url, what),
        sha256=check_hash(file.hashes.get("sha256"), 64, what),
        size=check_size(file.size, what),
        index=check_url(package.index, what) if package.index else "",
        requires_python=str(package.requires_python or ""),
        requires_dist=tuple(expect_texts(extra.get("requires-dist"), f"{what}.requires-dist")),
    )


def _choose(package: Package, tags: Sequence[Tag] | None) -> Any:
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
        field=str(package.name),
    )


def _wheel_tags(wheel: Any) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(wheel.filename)[3]
    except InvalidWheelFilename as error:
        raise InvalidFile(f"{wheel.filename[:200]!r} in the lock file is not the name of a wheel.") from error


def _extra(tool: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return expect_mapping((tool or {}).get("carrel", {}), "tool.carrel")


def _text(extra: Mapping[str, Any], key: str) -> str:
    return expect_text(extra.get(key, ""), f"tool.carrel.{key}")


def _captured_at(extra: Mapping[str, Any]) -> datetime:
    value = extra.get("captured-at")
    return value if isinstance(value, datetime) and value.tzinfo is not None else Lock("").captured_at


def _problems(extra: Mapping[str, Any]) -> tuple[LockProblem, ...]:
    problems = extra.get("problems", [])
    if not isinstance(problems, list):
        raise InvalidFile("tool.carrel.problems must be a list.", field="problems")
    return tuple(
        LockProblem(_text(item, "code"), _text(item, "message"), _text(item, "name"))
        for item in (expect_mapping(problem, "tool.carrel.problems") for problem in problems[:10_000])
    )
