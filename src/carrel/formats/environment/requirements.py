"""``requirements.txt``, read as pip reads it, and written.

Encodings (byte order marks, ``coding`` lines), continued lines, comments and ``${VARIABLES}`` are as pip has them. Variables are
never filled in here: the file may come from anywhere.

Digests stay with their requirement: a line of ``EnvironmentSpec.pip`` is ``name==version --hash=sha256:…``, which pip and uv
enforce for all packages as soon as one line has it. :func:`hashes` tells them, and whether the file is a lock; that a file with
digests still is a specification (:class:`~carrel.formats.environment.spec.EnvironmentSpec`) is because it names no addresses:
which of the allowed files fits is for the index and the machine to tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment.checks import check_url, parse_requirement
from carrel.formats.environment.description import Description, ListedPackage
from carrel.formats.environment.lock import Lock
from carrel.formats.environment.requirement_lines import Kind, Line, parse
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import invalid_line

FILENAME = "requirements.txt"

_PYTHON = re.compile(r"#\s*python:\s*(\d+\.\d+(?:\.\d+)?\w*)\s*\Z")
_PLATFORM = re.compile(r"#\s*platform:\s*(\S+)\s*\Z")
_HASH = re.compile(r"\s--hash[= ](\w+):([0-9A-Fa-f]+)")
_OPTIONS = re.compile(r"\s--?[A-Za-z].*\Z", re.DOTALL)
_DEEPEST = 20
_MOST_FILES = 200


def read(data: bytes, *, open_beside: Callable[[str], bytes] | None = None) -> EnvironmentSpec:
    """Return what a requirements file asks for.

    Parameters
    ----------
    data : bytes
    open_beside : callable, optional
        Returns the content of a file that ``-r`` or ``-c`` names (a path relative to this file, with ``/``); the requirements in
        it are taken in. Without it such lines are kept as they are: to be told, not followed.

    Returns
    -------
    EnvironmentSpec
        ``pip`` holds a line for each requirement and each option but the indexes; ``pip_constraints`` those of ``-c``;
        ``notes`` tell what was not followed.

    Raises
    ------
    InvalidFile
        With the number of the line under ``line``.
    """
    if open_beside is None:
        return _spec(data, None, (), _DEEPEST)
    opened = 0

    def counted(name: str) -> bytes:
        nonlocal opened
        opened += 1
        if opened > _MOST_FILES:  # files that name one another several times each
            raise BadRequest(f"More than {_MOST_FILES} files are named.", code="too_many_files")
        return open_beside(name)

    return _spec(data, counted, (), _DEEPEST)


def _spec(data: bytes, open_beside: Callable[[str], bytes] | None, above: tuple[str, ...], depth: int) -> EnvironmentSpec:
    first: list[str] = []
    default: list[str] = []
    no_index = False
    pip: list[str] = []
    constraints: list[str] = []
    indexes: list[str] = []
    notes: list[str] = []
    lines, comments = parse(data)
    for line in lines:
        if line.kind is Kind.INDEX:
            default = [_url(line)]
        elif line.kind is Kind.EXTRA_INDEX:
            first.append(_url(line))
        elif line.kind in (Kind.INCLUDE, Kind.CONSTRAINT) and open_beside is not None and "://" not in line.value:
            inner = _open(line, open_beside, above, depth)
            (pip if line.kind is Kind.INCLUDE else constraints).extend(inner.pip)
            constraints += inner.pip_constraints
            indexes += inner.indexes
            notes += inner.notes
        else:
            if line.kind in (Kind.INCLUDE, Kind.CONSTRAINT):
                notes.append(_not_followed(line))
            no_index = no_index or line.text == "--no-index"
            pip.append(line.text)
    told = _told(comments)
    if first and not default and not no_index:
        from pypi_simple import PYPI_SIMPLE_ENDPOINT  # takes longer than the rest of this module

        default = [PYPI_SIMPLE_ENDPOINT]
    return replace(
        told,
        pip=tuple(dict.fromkeys(pip)),
        pip_constraints=tuple(dict.fromkeys(constraints)),
        notes=tuple(notes),
        indexes=tuple(dict.fromkeys([*first, *indexes, *default])),
    )


def _not_followed(line: Line) -> str:
    return f"Line {line.number}: {'more' if line.kind is Kind.INCLUDE else 'what holds versions back'} is in {line.value[:120]}."


def _url(line: Line) -> str:
    try:
        return check_url(line.value, "The requirements file")
    except InvalidFile as error:
        raise invalid_line(line.number, error.detail, code=error.code) from None


def _open(line: Line, open_beside: Callable[[str], bytes], above: tuple[str, ...], depth: int) -> EnvironmentSpec:
    folder = above[-1].rpartition("/")[0] if above else ""
    path = f"{folder}/{line.value}" if folder else line.value
    if depth == 0 or path in above:
        raise invalid_line(line.number, f"{line.value[:80]!r} leads back to itself.")
    try:
        return _spec(open_beside(path), open_beside, (*above, path), depth - 1)
    except BadRequest as error:
        raise invalid_line(line.number, f"In {line.value[:80]}: {error.detail}", code=error.code) from error
    except OSError as error:
        raise invalid_line(line.number, f"{line.value[:80]!r} cannot be read: {error.strerror}.", code="file_not_found") from error


def _told(comments: Iterable[str]) -> EnvironmentSpec:
    """Return what comments in the first lines say of the Python and the platform, as :func:`write` writes them."""
    spec = EnvironmentSpec()
    for comment in comments:
        if match := _PYTHON.match(comment):
            spec = replace(spec, requires_python="==" + ".".join(match[1].split(".")[:2]) + ".*")
        elif (match := _PLATFORM.match(comment)) and is_subdir(match[1]) and match[1] != "noarch":
            spec = replace(spec, platforms=(match[1],))
    return spec


def hashes(lines: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Return the SHA-256 digests that files of a package may have, by its normalised name.

    Parameters
    ----------
    lines : iterable of str
        As in ``EnvironmentSpec.pip``. Lines without digests are left out; so are other kinds of digests.
    """
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        if digests := frozenset(digest.lower() for algorithm, digest in _HASH.findall(line) if algorithm == "sha256"):
            try:
                name = str(canonicalize_name(parse_requirement(_OPTIONS.sub("", line)).name))
            except InvalidRequirement:
                continue
            found[name] = found.get(name, frozenset()) | digests
    return found


def is_lock(lines: Iterable[str]) -> bool:
    """Whether every requirement among *lines* has a digest: nothing else can be installed then."""
    requirements = [line for line in lines if not line.startswith("-") or line.startswith(("-e ", "--editable"))]
    return bool(requirements) and all(_HASH.search(line) for line in requirements)


def without_hashes(line: str) -> str:
    """Return *line* (as in ``EnvironmentSpec.pip``) without its digests."""
    return _HASH.sub("", line).strip()


def describe(data: bytes) -> Description:
    """Return what a requirements file asks for.

    Raises
    ------
    InvalidFile
    """
    lines, _ = parse(data)
    named = any(line.kind is Kind.INDEX for line in lines)
    spec = read(data)
    taken_for_granted = not named and "--no-index" not in spec.pip
    return describe_requirements(replace(spec, indexes=spec.indexes[:-1]) if taken_for_granted else spec, "requirements")


def describe_requirements(spec: EnvironmentSpec, format_: str) -> Description:
    """Return the description of a file of *format_* that asks for Python packages alone."""
    asked = [line for line in spec.pip if not line.startswith("-") or line.startswith("-e ")]
    packages: dict[str, ListedPackage] = {}
    for line in asked:
        try:
            package = _listed(parse_requirement(_OPTIONS.sub("", line)))
        except InvalidRequirement:
            continue  # a folder or an address: only its content tells what package it is
        packages.setdefault(package.name, package)
    return Description(
        format=format_,
        locked=is_lock(spec.pip),
        name=spec.name,
        platforms=spec.platforms,
        channels=spec.indexes,
        requested=tuple(without_hashes(text)[:500] for text in asked),
        python_version=spec.requires_python,
        packages=tuple(packages.values()),
        problems=tuple(("told_elsewhere", note) for note in spec.notes),
    )


def _listed(requirement: Requirement) -> ListedPackage:
    pins = [item.version for item in requirement.specifier if item.operator in {"==", "==="} and "*" not in item.version]
    return ListedPackage(requirement.name, pins[0] if len(pins) == 1 else "", "", "pypi")


def write(spec: EnvironmentSpec) -> bytes:
    """Return the Python side of *spec* as a requirements file.

    Raises
    ------
    BadRequest
        It has conda packages, which the format cannot hold (code ``conda_packages``).
    InvalidFile
        An index carries credentials (code ``credentials_in_file``).
    """
    if spec.dependencies or spec.selected:
        raise BadRequest("requirements.txt cannot hold conda packages. Use environment.yml or pixi.toml.", code="conda_packages")
    lines = []
    if match := re.fullmatch(r"==(\d+\.\d+)\.\*", spec.requires_python):
        lines.append(f"# python: {match[1]}")
    if len(spec.platforms) == 1:
        lines.append(f"# platform: {spec.platforms[0]}")
    lines += _index_lines(spec.indexes)
    return "".join(f"{line}\n" for line in [*lines, *spec.pip]).encode()


def _index_lines(indexes: Iterable[str]) -> list[str]:
    urls = [check_url(url, "indexes") for url in indexes]
    options = ["--extra-index-url"] * (len(urls) - 1) + ["--index-url"]
    return [f"{option} {url}" for option, url in zip(options, urls, strict=True)] if urls else []


def write_lock(lock: Lock) -> bytes:
    """Return the Python packages of *lock*, each with its digest, sorted; for one platform and Python, so without markers.

    Raises
    ------
    BadRequest
        It has conda packages, which the format cannot hold (code ``conda_packages``).
    InvalidFile
        An index carries credentials (code ``credentials_in_file``).
    """
    if lock.conda:
        raise BadRequest(
            "requirements.txt cannot hold conda packages. Use conda-lock.yml, pixi.lock or environment.yml.", code="conda_packages"
        )
    lines = [f"# python: {lock.python_version}"] if lock.python_version else []
    lines += [f"# platform: {lock.platform}"] if lock.platform else []
    lines += _index_lines(dict.fromkeys(item.index for item in lock.pypi if item.index))
    for item in sorted(lock.pypi, key=lambda item: canonicalize_name(item.name)):
        name = str(canonicalize_name(item.name))
        # what came from an index is named by its version, so that a copy elsewhere is as good
        pinned = f"{name}=={item.version}" if item.index else f"{name} @ {check_url(item.url, name)}"
        lines.append(f"{pinned} --hash=sha256:{item.sha256}" if item.sha256 else pinned)
    return "".join(f"{line}\n" for line in lines).encode()
