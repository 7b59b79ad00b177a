"""What an environment was asked to hold, taken apart: for conda, for Python's installers, and what merely came along."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement

from carrel.core.errors import BadRequest
from carrel.environments import specs
from carrel.environments.models import Spec
from carrel.environments.naming import normalize
from carrel.formats.environment import unlockable
from carrel.formats.environment.conda_specs import name_of
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockProblem
from carrel.formats.environment.requirements import hashes, without_hashes
from carrel.formats.environment.targets import Target

_INDEX = ("-i", "--index-url", "--extra-index-url")


@dataclass(frozen=True, slots=True)
class PipLines:
    """Lines for pip: requirements and the options that matter to a lock.

    Attributes
    ----------
    requirements : tuple of str
        PEP 508.
    indexes : tuple of str
        Best first: pip's further indexes before the main one, which uv asks last.
    prereleases : bool
    hashes : mapping of str to collection of str
        The only SHA-256 digests that files of these packages (normalised names) may have.
    problems : tuple of LockProblem
        Folders and files of one machine.
    """

    requirements: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    prereleases: bool = False
    hashes: Mapping[str, Collection[str]] = field(default_factory=dict)
    problems: tuple[LockProblem, ...] = ()


def read_pip_lines(lines: Iterable[str]) -> PipLines:
    """Return what *lines* ask for.

    Raises
    ------
    BadRequest
        A line is neither (code ``invalid_requirement``).
    """
    requirements: list[str] = []
    main: list[str] = []
    further: list[str] = []
    problems: list[LockProblem] = []
    prereleases = False
    lines = list(lines)
    for line in lines:
        text = without_hashes(line.partition(" #")[0]).strip()
        option, _, value = text.replace("=", " ", 1).partition(" ") if text.startswith("--") else text.partition(" ")
        value = value.strip()
        if not text or text.startswith("#"):
            continue
        if option in _INDEX:
            (further if option == "--extra-index-url" else main).append(value)
        elif option == "--pre":
            prereleases = True
        elif option in ("-e", "--editable"):
            problems.append(unlockable.from_folder(_last_part(value), editable=True))
        elif text.startswith("-"):
            if option in ("-r", "--requirement", "-c", "--constraint", "-f", "--find-links"):
                raise BadRequest(f"{text!r} names another file or folder: write its lines here.", code="invalid_requirement")
            # other options (--no-binary, --trusted-host …) say how to install, not what
        elif text.startswith((".", "/", "~")) or (text.endswith((".whl", ".tar.gz", ".zip")) and "://" not in text):
            last = _last_part(text)
            is_file = last.endswith((".whl", ".tar.gz", ".zip"))
            problems.append(unlockable.from_file(last) if is_file else unlockable.from_folder(last, editable=False))
        else:
            _check_requirement(text)
            requirements.append(text)
    return PipLines(tuple(requirements), tuple(dict.fromkeys([*further, *main])), prereleases, hashes(lines), tuple(problems))


def _check_requirement(text: str) -> None:
    try:
        Requirement(text)
    except InvalidRequirement as error:
        if not text.startswith(("git+", "http:", "https:", "hg+", "svn+", "bzr+")):
            raise BadRequest(
                f"{specs.strip_secrets(text)!r} is not a requirement: {str(error).splitlines()[0]}.", code="invalid_requirement"
            ) from error


def _last_part(text: str) -> str:
    return text.partition("[")[0].rstrip("/").rpartition("/")[2] or text


@dataclass(frozen=True, slots=True)
class Roots:
    """What to ask for on another platform so that the same environment comes out.

    Attributes
    ----------
    conda, pypi : tuple of str
        Specifications.
    optional : frozenset of str
        Names that are left out where they do not exist: nobody asked for them, or other packages need them too.
    """

    conda: tuple[str, ...] = ()
    pypi: tuple[str, ...] = ()
    optional: frozenset[str] = field(default_factory=frozenset)


def roots(lock: Lock) -> Roots:
    """Return the roots of *lock*: what was asked for, and what no other package in it needs.

    The latter came with extras, or nobody noted down who asked for it.
    """
    conda = {item.name: item for item in lock.conda}
    pypi = {normalize(item.name): item for item in lock.pypi}
    needed_conda, needed_pypi = _needed_conda(lock.conda), _needed_pypi(lock)
    wanted_conda: dict[str, str] = {}
    wanted_pypi: dict[str, str] = {}
    for text in lock.requested:
        key = normalize(name_of(text))
        if key in pypi and (key not in conda or text == f"{key}=={pypi[key].version}"):
            wanted_pypi[key] = key  # the version is that which was there: preferred, but not asked for
        elif (parsed := _conda_spec(text)) and (parsed[0] in conda or not lock.pypi):
            wanted_conda[parsed[0]] = parsed[1]
    optional = {name for name in wanted_conda if name in needed_conda} | {name for name in wanted_pypi if name in needed_pypi}
    for name in conda:
        if name not in needed_conda and name not in wanted_conda:
            wanted_conda[name] = name
            optional.add(name)
    if "python" in conda:
        wanted_conda.setdefault("python", "python")
        optional.discard("python")
    for key in pypi:
        if key not in needed_pypi and key not in wanted_pypi:
            wanted_pypi[key] = key
            optional.add(key)
    return Roots(tuple(wanted_conda.values()), tuple(wanted_pypi.values()), frozenset(optional))


def wishes(lock: Lock) -> tuple[Spec, ...]:
    """Return what *lock* was asked for, as far as it can be read."""
    conda = {item.name for item in lock.conda}
    found = []
    for text in lock.requested:
        with contextlib.suppress(BadRequest):
            found.append(specs.parse(text, "conda" if name_of(text) in conda else "pypi"))
    return tuple(found)


def _conda_spec(text: str) -> tuple[str, str] | None:
    try:
        spec = specs.parse(text, "conda")
        return spec.name.lower(), specs.conda_text(spec)
    except BadRequest:
        return None


def _needed_conda(packages: Sequence[LockedConda]) -> set[str]:
    needed = {(item.name, depend.split()[0].partition("[")[0]) for item in packages for depend in item.depends if depend.strip()}
    return {name for needing, name in needed if name != needing}


def _needed_pypi(lock: Lock) -> set[str]:
    """Return what Python packages need without their extras, on the platform of *lock*."""
    version = lock.python_version or "3"
    try:
        environment = {key: str(value) for key, value in Target(lock.platform, version).environment().items()}
    except BadRequest:
        environment = {}
    return {name for item in lock.pypi for name in _requirements(item, environment) if name != normalize(item.name)}


def _requirements(item: LockedPypi, environment: Mapping[str, str]) -> Collection[str]:
    names = set()
    for text in item.requires_dist:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({**environment, "extra": ""}):
            names.add(normalize(requirement.name))
    return names
