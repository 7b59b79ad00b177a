"""``conda-lock.yml`` (CEP 37), read.

What the format has no place for (sizes, requested specifications, indexes, problems) is kept as one JSON text in
``metadata.custom_metadata.carrel``, where other tools keep or ignore it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment import unlockable
from carrel.formats.environment.checks import check_build, check_hash, check_name, check_size, check_url, check_version, parse_requirement
from carrel.formats.environment.conda_lock_writing import TIME, write, write_all
from carrel.formats.environment.lock import (
    Lock,
    LockedConda,
    LockedPypi,
    LockKind,
    LockProblem,
    LockSet,
    split_conda_filename,
    split_conda_url,
)
from carrel.formats.parsing import as_utf8, expect_mapping, expect_text, expect_texts, load_json, load_yaml, with_lines

__all__ = ["FILENAME", "parse", "platforms", "read", "read_all", "write", "write_all"]

FILENAME = "conda-lock.yml"

_WHAT = "The lock file"
_MOST_PACKAGES = 50_000
_EXTRA = "metadata.custom_metadata.carrel"


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
    return list(dict.fromkeys(found))


def read(data: bytes, platform: str | None = None) -> Lock:
    """Return the part of a ``conda-lock.yml`` for *platform*; see :func:`parse`. Errors tell the line."""
    data = as_utf8(data)
    document = load_yaml(data, _WHAT)
    with with_lines(data, "yaml"):
        return parse(document, platform)


def read_all(data: bytes) -> LockSet:
    """Return a ``conda-lock.yml`` with all its platforms, in the order of the file.

    Raises
    ------
    InvalidFile
        With the line under ``line``.
    """
    data = as_utf8(data)
    document = load_yaml(data, _WHAT)
    with with_lines(data, "yaml"):
        return LockSet(tuple(parse(document, platform) for platform in platforms(document)))


def parse(document: Any, platform: str | None = None) -> Lock:
    """Return the part of a parsed ``conda-lock.yml`` for *platform*: the packages that are not optional.

    What pip would take from a repository or a folder is told in ``problems``.

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
    extra = _read_extra(metadata, platform)
    reader = _Packages(platform, known, extra)
    reader.read(document["package"] or [] if "package" in document else None)
    python = reader.conda.get("python")
    told = expect_texts(extra.get("channels"), "metadata.custom_metadata.channels")
    return Lock(
        platform=platform,
        python_version=_python_version(extra) or (python.version if python else ""),
        requested=tuple(expect_texts(extra.get("requested"), "metadata.custom_metadata.requested")),
        channels=tuple(check_url(url, "metadata.custom_metadata.channels") for url in told) if "channels" in extra else _channels(metadata),
        conda=tuple(sorted(reader.conda.values(), key=lambda item: item.name)),
        pypi=tuple(reader.pypi[key] for key in sorted(reader.pypi)),
        captured_at=_captured_at(extra.get("captured_at") or _created_at(metadata)),
        kind=LockKind.VENV if extra.get("kind") == "venv" else LockKind.CONDA,
        problems=(*_problems(extra), *reader.problems),
        virtual_packages=tuple(expect_texts(extra.get("virtual_packages"), "metadata.custom_metadata.virtual_packages")),
        exclude_newer=_exclude_newer(extra),
    )


class _Packages:
    """The packages for one platform."""

    def __init__(self, platform: str, known: list[str], extra: Mapping[str, Any]) -> None:
        self._platform = platform
        self._known = frozenset(known)
        self._extra = extra
        self.conda: dict[str, LockedConda] = {}
        self.pypi: dict[str, LockedPypi] = {}
        self.problems: list[LockProblem] = []

    def read(self, packages: Any) -> None:
        """Add what *packages* lists.

        Raises
        ------
        InvalidFile
        """
        if not isinstance(packages, list) or len(packages) > _MOST_PACKAGES:
            raise InvalidFile(f"'package' must be a list of at most {_MOST_PACKAGES} packages.", field="package")
        for position, entry in enumerate(packages):
            what = f"package[{position}]"
            item = expect_mapping(entry, what)
            if not isinstance(item.get("platform"), str) or item["platform"] not in self._known:
                raise InvalidFile(f"{what}.platform is not among metadata.platforms.", field=f"{what}.platform")
            if item.get("manager") not in ("conda", "pip"):
                raise InvalidFile(f"{what}.manager must be 'conda' or 'pip'.", field=f"{what}.manager")
            if item["platform"] == self._platform and item.get("optional") is not True:
                self._add(item, what)

    def _add(self, item: Mapping[str, Any], what: str) -> None:
        name = check_name(item.get("name"), what)
        if item["manager"] == "conda":
            self.conda.setdefault(name, _read_conda(item, name, what, _sub(self._extra, "conda", name)))
            return
        key = str(canonicalize_name(name))
        url = expect_text(item.get("url"), f"{what}.url", length=4096)
        if url.startswith(("git+", "hg+", "svn+", "bzr+")):
            self.problems.append(unlockable.from_repository(name))
        elif "://" not in url or url.startswith("file:"):
            archive = url.partition("#")[0].endswith((".whl", ".tar.gz", ".zip"))
            self.problems.append(unlockable.from_file(name) if archive else unlockable.from_folder(name, editable=False))
        else:
            self.pypi.setdefault(key, _read_pypi(item, name, what, _sub(self._extra, "pypi", key)))


def _channels(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    channels = metadata.get("channels")
    if not isinstance(channels, list) or len(channels) > 1000:
        raise InvalidFile("metadata.channels must be a list.", field="metadata.channels")
    urls = []
    for position, channel in enumerate(channels):
        what = f"metadata.channels[{position}]"
        url = channel if isinstance(channel, str) else expect_mapping(channel, what).get("url")
        urls.append(check_url(expect_text(url, f"{what}.url"), what))
    return tuple(urls)


def _created_at(metadata: Mapping[str, Any]) -> Any:
    times = metadata.get("time_metadata")
    return times.get("created_at") if isinstance(times, dict) else None


def _captured_at(text: Any) -> datetime:
    try:
        return datetime.strptime(text, TIME).replace(tzinfo=UTC) if isinstance(text, str) else Lock("").captured_at
    except ValueError as error:
        sentence = "metadata.time_metadata.created_at is not a time like 2026-01-31T12:00:00Z."
        raise InvalidFile(sentence, field="metadata.time_metadata.created_at") from error


def _exclude_newer(extra: Mapping[str, Any]) -> datetime | None:
    text = _text(extra, "exclude_newer")
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise InvalidFile("'exclude_newer' is not a time like 2026-01-31T12:00:00+00:00.", field=_EXTRA) from error
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _read_conda(item: Mapping[str, Any], name: str, what: str, extra: Mapping[str, Any]) -> LockedConda:
    url = check_url(expect_text(item.get("url"), f"{what}.url"), f"{what}.url")
    channel, subdir, filename = split_conda_url(url)
    try:
        _, _, build = split_conda_filename(filename)
    except ValueError as error:
        raise InvalidFile(f"{what}.url does not end in the name of a conda package.", field=f"{what}.url") from error
    sha256, md5 = _hashes(item, what)
    told = item.get("build")
    depends = tuple(expect_texts(extra.get("depends"), f"{what}.depends")) or tuple(
        f"{other} {constraint}".strip() if not constraint.startswith("[") else other + constraint
        for other, constraint in _dependencies(item, what).items()
    )
    return LockedConda(
        name=name,
        version=check_version(item.get("version"), what),
        build=check_build(told if told is not None else build, what),
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
        url=check_url(expect_text(item.get("url"), f"{what}.url"), f"{what}.url"),
        sha256=sha256,
        size=check_size(extra.get("size", 0), what),
        index=check_url(index, what) if index else "",
        requires_python=_text(extra, "requires_python"),
        requires_dist=tuple(expect_texts(extra.get("requires_dist"), f"{what}.requires_dist"))
        or tuple(_requirement(*entry) for entry in _dependencies(item, what).items()),
    )


def _hashes(item: Mapping[str, Any], what: str) -> tuple[str, str]:
    hashes = expect_mapping(item.get("hash"), f"{what}.hash")
    return check_hash(hashes.get("sha256"), 64, f"{what}.hash.sha256"), check_hash(hashes.get("md5"), 32, f"{what}.hash.md5")


def _dependencies(item: Mapping[str, Any], what: str) -> dict[str, str]:
    dependencies = item.get("dependencies")
    if dependencies is None:
        return {}
    entries = expect_mapping(dependencies, f"{what}.dependencies")
    return {name: expect_text(str(value or ""), f"{what}.dependencies") for name, value in entries.items()}


def _requirement(name: str, constraint: str) -> str:
    """Return the requirement that *constraint* makes; without it where it is no specifier (Poetry's ``*`` and ``||``)."""
    try:
        return str(parse_requirement(f"{name}{constraint}"))
    except InvalidRequirement:
        return name


def _read_extra(metadata: Mapping[str, Any], platform: str) -> Mapping[str, Any]:
    """Return what only this project writes: one mapping for one platform, or one for each under ``platforms``."""
    custom = metadata.get("custom_metadata")
    text = custom.get("carrel") if isinstance(custom, dict) else None
    if text is None:
        return {}
    extra = expect_mapping(load_json(expect_text(text, _EXTRA, length=64_000_000).encode(), _EXTRA), _EXTRA)
    several = extra.get("platforms")
    return extra if several is None else expect_mapping(expect_mapping(several, _EXTRA).get(platform, {}), _EXTRA)


def _sub(extra: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    entries = extra.get(section)
    entry = entries.get(name) if isinstance(entries, dict) else None
    return entry if isinstance(entry, dict) else {}


def _text(extra: Mapping[str, Any], key: str) -> str:
    return expect_text(extra.get(key, ""), f"{_EXTRA}.{key}")


def _python_version(extra: Mapping[str, Any]) -> str:
    told = _text(extra, "python_version")
    return check_version(told, f"{_EXTRA}.python_version") if told else ""


def _problems(extra: Mapping[str, Any]) -> tuple[LockProblem, ...]:
    problems = extra.get("problems", [])
    if not isinstance(problems, list):
        raise InvalidFile("'problems' must be a list.", field=_EXTRA)
    return tuple(
        LockProblem(_text(item, "code"), _text(item, "message"), _text(item, "name"), _text(item, "remedy"))
        for item in (expect_mapping(problem, _EXTRA) for problem in problems[:10_000])
    )
