"""``uv.lock``, version 1 (any revision): read for one platform and one Python.

The file is a graph for all platforms. What is wanted begins at the projects of the workspace (or at the requirements of a
script) and follows the dependencies whose markers hold, in the fork that fits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename

from carrel.core.errors import InvalidFile
from carrel.formats.environment import unlockable
from carrel.formats.environment.archive_names import wheel_tags
from carrel.formats.environment.checks import check_hash, check_name, check_size, check_url, check_version
from carrel.formats.environment.description import Description, ListedPackage
from carrel.formats.environment.lock import Lock, LockedPypi, LockKind, LockProblem, url_filename
from carrel.formats.environment.targets import Target, python_for
from carrel.formats.environment.uv_graph import PROJECTS, Graph, entries, holds, source_of
from carrel.formats.environment.uv_options import exclude_newer, requires_python
from carrel.formats.parsing import expect_mapping, expect_text, expect_texts, load_toml, with_lines

FILENAME = "uv.lock"

_WHAT = "uv.lock"


def is_uv_lock_name(filename: str) -> bool:
    """Whether *filename* is ``uv.lock`` or that of the lock of a script (``analysis.py.lock``)."""
    return filename == FILENAME or filename.endswith((".uv.lock", ".py.lock"))


def read(
    data: bytes,
    *,
    platform: str,
    python_version: str | None = None,
    extras: Collection[str] = (),
    groups: Collection[str] = ("dev",),
) -> Lock:
    """Return what ``uv sync`` would install from *data*: the dependencies of the projects, not the projects.

    Parameters
    ----------
    data : bytes
    platform : str
        conda's name of it.
    python_version : str, optional
        See :func:`~carrel.formats.environment.targets.python_for`.
    extras : collection of str
        Extras of the projects to install; ``*`` stands for all.
    groups : collection of str
        Dependency groups of the projects to install; by default the one that uv installs by default.

    Returns
    -------
    Lock
        Packages from repositories, folders and files are among its ``problems``, the projects of the workspace are not.

    Raises
    ------
    InvalidFile
        The file breaks its format (with the number of the line under ``line``), or is not for this platform or Python
        (code ``wrong_platform``); a package has no file that fits (``not_from_index``).
    """
    document = _load(data)
    with with_lines(data, "toml"):
        allowed = requires_python(document)
        target = Target(platform, python_version or python_for(allowed))
        _check_target(document, target, allowed)
        graph = Graph(document, target)
        graph.follow(extras, groups)
        tags = {tag: rank for rank, tag in enumerate(target.tags())}
        pypi: list[LockedPypi] = []
        problems: list[LockProblem] = []
        for position in sorted(graph.wanted, key=lambda one: (graph.names[one], one)):
            what, package = f"package[{position}]", graph.packages[position]
            if problem := _unlockable(graph.names[position], source_of(package, what)):
                problems.append(problem)
            else:
                found = _locked(package, graph.names[position], what, tags)
                if isinstance(found, LockProblem):
                    problems.append(found)
                else:
                    pypi.append(found)
        options = expect_mapping(document.get("options") or {}, "options")
        return Lock(
            platform=platform,
            python_version=target.python_version,
            requested=tuple(sorted(graph.requested)),
            pypi=tuple(pypi),
            kind=LockKind.VENV,
            problems=tuple(problems),
            exclude_newer=exclude_newer(options.get("exclude-newer"), "options.exclude-newer"),
        )


def describe(data: bytes) -> Description:
    """Return what *data* says, for all platforms together.

    Raises
    ------
    InvalidFile
    """
    document = _load(data)
    with with_lines(data, "toml"):
        packages = _packages(document)
        listed: dict[str, ListedPackage] = {}
        problems: list[tuple[str, str]] = []
        requested: set[str] = set(_requirements_of(document))
        indexes: dict[str, None] = {}
        name = ""
        for position, package in enumerate(packages):
            what = f"package[{position}]"
            own, source = check_name(package.get("name"), what), source_of(package, what)
            if any(key in source for key in ("virtual", "editable")):
                name = name or own
                wanted = entries(package.get("dependencies"), f"{what}.dependencies")
                requested.update(check_name(item.get("name"), f"{what}.dependencies[{n}]") for n, item in enumerate(wanted))
                continue
            if problem := _unlockable(own, source):
                problems.append((problem.code, problem.message))
            index = str(source.get("registry") or "")
            if "://" in index:
                indexes.setdefault(check_url(index, what))
            version = check_version(package["version"], what) if "version" in package else ""
            listed.setdefault(own, ListedPackage(own, version, "", "pypi", index if "://" in index else ""))
        return Description(
            format="uv-lock",
            locked=True,
            name=name,
            channels=tuple(indexes),
            requested=tuple(sorted(requested)),
            python_version=str(requires_python(document)),
            packages=tuple(listed.values()),
            problems=tuple(problems),
        )


def _load(data: bytes) -> dict[str, Any]:
    document = load_toml(data, _WHAT)
    if document.get("version") != 1:
        with with_lines(data, "toml"):
            raise InvalidFile(f"The version of {_WHAT} is {str(document.get('version'))[:20]}; 1 is known.", field="version")
    return document


def _packages(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return entries(document.get("package"), "package")


def _requirements_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that the lock of a script is for."""
    manifest = expect_mapping(document.get("manifest") or {}, "manifest")
    for item in entries(manifest.get("requirements"), "manifest.requirements"):
        yield check_name(item.get("name"), "manifest.requirements")


def _check_target(document: Mapping[str, Any], target: Target, allowed: SpecifierSet) -> None:
    where = f"Python {target.python_version} on {target.platform}"
    if not allowed.contains(target.environment()["python_full_version"], prereleases=True):
        raise InvalidFile(f"{_WHAT} is for Python {allowed}, not for {where}.", code="wrong_platform", field="requires-python")
    supported = expect_texts(document.get("supported-markers"), "supported-markers")
    if supported and not any(holds(text, target, (), f"supported-markers[{n}]") for n, text in enumerate(supported)):
        raise InvalidFile(f"{_WHAT} is not for {where}.", code="wrong_platform", field="supported-markers")


def _unlockable(name: str, source: Mapping[str, Any]) -> LockProblem | None:
    if "git" in source:
        return unlockable.from_repository(name)
    if any(key in source for key in PROJECTS):
        return unlockable.from_folder(name, editable="editable" in source)
    return unlockable.from_file(name) if "path" in source else None


def _locked(package: Mapping[str, Any], name: str, what: str, tags: Mapping[Tag, int]) -> LockedPypi | LockProblem:
    wheels = entries(package.get("wheels"), f"{what}.wheels")
    ranked = [(rank, wheel) for n, wheel in enumerate(wheels) if (rank := _rank(wheel, tags, f"{what}.wheels[{n}]")) is not None]
    sdist = package.get("sdist")
    if not ranked and sdist is None:
        raise InvalidFile(f"{name} in {_WHAT} has no wheel that fits and no source distribution.", code="not_from_index", field=what)
    file = min(ranked, key=lambda pair: pair[0])[1] if ranked else expect_mapping(sdist, f"{what}.sdist")
    source = source_of(package, what)
    url = file.get("url", source.get("url"))
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
        return unlockable.from_file(name)
    algorithm, _, digest = expect_text(file.get("hash", ""), f"{what}.hash").partition(":")
    index = str(source.get("registry") or "")
    return LockedPypi(
        name=name,
        version=check_version(package.get("version"), what),
        url=check_url(url.partition("#")[0], what),
        sha256=check_hash(digest, 64, what) if algorithm == "sha256" else "",
        size=check_size(file.get("size"), what),
        index=check_url(index, what) if "://" in index else "",
        requires_dist=tuple(_requires(package, what)),
    )


def _requires(package: Mapping[str, Any], what: str) -> Iterator[str]:
    for entry in entries(package.get("dependencies"), f"{what}.dependencies"):
        extras = expect_texts(entry.get("extra"), f"{what}.dependencies")
        marker = entry.get("marker")
        wanted = f"[{','.join(extras)}]" if extras else ""
        yield f"{entry.get('name')}{wanted}" + (f" ; {marker}" if marker else "")


def _rank(wheel: Mapping[str, Any], tags: Mapping[Tag, int], what: str) -> int | None:
    """Return how well *wheel* fits, less is better; None when it does not."""
    name = wheel.get("filename") or wheel.get("url") or wheel.get("path")
    try:
        found = wheel_tags(unquote(url_filename(expect_text(name, what, length=4096))))
    except InvalidWheelFilename as error:
        raise InvalidFile(f"{what} is not named as wheels are.", field=what) from error
    return min((tags[tag] for tag in found if tag in tags), default=None)
