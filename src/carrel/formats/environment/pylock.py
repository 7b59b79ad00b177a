"""``pylock.toml`` (PEP 751), read and written.

What the format has no place for is kept in ``[tool.carrel]`` and ``[packages.tool.carrel]``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import tomli_w
from packaging.pylock import Package, PackageDirectory, PackageVcs, Pylock, PylockValidationError
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name

from carrel.core.errors import InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment import unlockable
from carrel.formats.environment.archive_names import check_wheel_name, name_and_version
from carrel.formats.environment.checks import check_hash, check_name, check_size, check_url, check_version
from carrel.formats.environment.lock import Lock, LockedPypi, LockKind, LockProblem, problem_to_json, url_filename
from carrel.formats.environment.pylock_choice import about, choose, select
from carrel.formats.parsing import expect_mapping, expect_text, expect_texts, load_toml, with_lines

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
            **({"virtual-packages": list(lock.virtual_packages)} if lock.virtual_packages else {}),
            **({"exclude-newer": lock.exclude_newer.astimezone(UTC)} if lock.exclude_newer else {}),
            "problems": [problem_to_json(item) for item in lock.problems],
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


def read(
    data: bytes,
    tags: Iterable[Tag] | None = None,
    *,
    platform: str | None = None,
    python_version: str | None = None,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    hashes: Mapping[str, Collection[str]] | None = None,
) -> Lock:
    """Return the packages of a ``pylock.toml`` for one platform and one Python.

    Parameters
    ----------
    data : bytes
    tags : iterable of Tag, optional
        What the interpreter accepts, best first; by default what CPython on *platform* does.
    platform : str, optional
        conda's name of the platform to read a file for several for. One that Carrel wrote is for the platform it names.
        Without a platform and without *tags* a wheel for every platform is preferred, else the first.
    python_version : str, optional
        By default the one the file names, else see :func:`~carrel.formats.environment.targets.python_for`.
    extras : collection of str
        Extras to install.
    groups : collection of str, optional
        Dependency groups to install; by default those that the file names.
    hashes : mapping of str to collection of str, optional
        The only SHA-256 digests that files of these packages (normalised names) may have.

    Returns
    -------
    Lock
        Packages from folders, repositories and files, which no index has, are among its ``problems``.

    Raises
    ------
    InvalidFile
        The file breaks the specification, or carries credentials (code ``credentials_in_file``); a package has no file that
        fits (``not_from_index``); the file is not for this platform or Python (``wrong_platform``).
    BadRequest
        The file is for several platforms, and none is named (code ``platform_required``).
    """
    pylock = parse(data)
    extra = _extra(pylock.tool)
    told = _text(extra, "platform")
    if told and not is_subdir(told):
        raise InvalidFile(f"tool.carrel.platform is {told[:80]!r}, which is not a platform.", field="tool.carrel.platform")
    version = _text(extra, "python-version") or python_version or ""
    if version:
        check_version(version, "tool.carrel.python-version")
    if told:
        chosen = [(package, choose(pylock, package, None if tags is None else list(tags), hashes)) for package in pylock.packages]
    else:
        with with_lines(data, "toml"):
            chosen, version = select(pylock, tags, platform, version, extras, groups, hashes)
    pypi: dict[str, LockedPypi] = {}
    problems = list(_problems(extra))
    for package, file in chosen:
        if problem := _unlockable(package, file):
            problems.append(problem)
        else:
            with with_lines(data, "toml"), about(pylock, package):
                pypi[package.name] = _read_package(package, file)
    return Lock(
        platform=told or platform or "",
        python_version=version,
        requested=tuple(expect_texts(extra.get("requested"), "tool.carrel.requested")),
        channels=(),
        pypi=tuple(pypi[name] for name in sorted(pypi)),
        captured_at=_moment(extra, "captured-at") or Lock("").captured_at,
        kind=LockKind.VENV,
        problems=tuple(problems),
        virtual_packages=tuple(expect_texts(extra.get("virtual-packages"), "tool.carrel.virtual-packages")),
        exclude_newer=_moment(extra, "exclude-newer"),
    )


def _unlockable(package: Package, file: Any) -> LockProblem | None:
    """Return what is to be told of a package that no index has, None for one that can be fetched."""
    if isinstance(file, PackageVcs):
        return unlockable.from_repository(package.name)
    if isinstance(file, PackageDirectory):
        return unlockable.from_folder(package.name, editable=bool(file.editable))
    if not file.url or not file.url.lower().startswith(("http://", "https://")):
        return unlockable.from_file(package.name)
    return None


def parse(data: bytes) -> Pylock:
    """Return a ``pylock.toml`` as :mod:`packaging` understands it, packages from folders and repositories included.

    Raises
    ------
    InvalidFile
    """
    document = load_toml(data, _WHAT)
    _check_wheels(document)
    try:
        pylock = Pylock.from_dict(document)
    except PylockValidationError as error:
        with with_lines(data, "toml"):
            raise InvalidFile(f"{_WHAT} breaks PEP 751: {str(error)[:300]}.", field=error.context) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidFile(f"{_WHAT} breaks PEP 751: {str(error)[:300]}.") from error
    if len(pylock.packages) > _MOST_PACKAGES:
        raise InvalidFile(f"{_WHAT} has more than {_MOST_PACKAGES} packages.")
    return pylock


def _check_wheels(document: Mapping[str, Any]) -> None:
    """Refuse names of wheels that :mod:`packaging` would take too long for."""
    packages = document.get("packages")
    for package in packages if isinstance(packages, list) else ():
        wheels = package.get("wheels") if isinstance(package, dict) else None
        for wheel in wheels if isinstance(wheels, list) else ():
            for told in (wheel.get(key) for key in ("name", "url", "path") if isinstance(wheel, dict)):
                try:
                    if isinstance(told, str):
                        check_wheel_name(re.split(r"[/\\]", unquote(url_filename(told) or told))[-1])
                except InvalidWheelFilename as error:
                    raise InvalidFile(f"{_WHAT} breaks PEP 751: {str(error)[:300]}.") from error


def _read_package(package: Package, file: Any) -> LockedPypi:
    what = str(package.name)
    url = file.url
    extra = _extra(package.tool)
    version = str(package.version) if package.version is not None else _version_in(url)
    return LockedPypi(
        name=check_name(extra.get("name", what), what),
        version=check_version(version, what),
        url=check_url(url, what),
        sha256=check_hash(file.hashes.get("sha256"), 64, what),
        size=check_size(file.size, what),
        index=check_url(package.index, what) if package.index else "",
        requires_python=str(package.requires_python or ""),
        requires_dist=tuple(expect_texts(extra.get("requires-dist"), f"{what}.requires-dist")),
    )


def _version_in(url: str) -> str | None:
    """Return the version that the name of the file at *url* tells, if it does."""
    told = name_and_version(unquote(url_filename(url)))
    return told[1] if told else None


def _extra(tool: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return expect_mapping((tool or {}).get("carrel", {}), "tool.carrel")


def _text(extra: Mapping[str, Any], key: str) -> str:
    return expect_text(extra.get(key, ""), f"tool.carrel.{key}")


def _moment(extra: Mapping[str, Any], key: str) -> datetime | None:
    value = extra.get(key)
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _problems(extra: Mapping[str, Any]) -> tuple[LockProblem, ...]:
    problems = extra.get("problems", [])
    if not isinstance(problems, list):
        raise InvalidFile("tool.carrel.problems must be a list.", field="problems")
    return tuple(
        LockProblem(_text(item, "code"), _text(item, "message"), _text(item, "name"), _text(item, "remedy"))
        for item in (expect_mapping(problem, "tool.carrel.problems") for problem in problems[:10_000])
    )
