"""``environment.yml`` (CEP 24): what was asked for, to be solved again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from carrel.core.errors import InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment import selectors
from carrel.formats.environment.checks import parse_requirement
from carrel.formats.environment.conda_specs import check_channel, check_spec, name_of
from carrel.formats.environment.lock import Lock
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.locating import yaml_texts
from carrel.formats.parsing import (
    as_utf8,
    dump_yaml,
    expect_mapping,
    expect_text,
    expect_texts,
    load_yaml,
    refuse_credentials,
    with_lines,
)

FILENAME = "environment.yml"

_WHAT = "The environment file"
_KNOWN = frozenset({"name", "prefix", "channels", "dependencies", "variables", "platforms", "category", "pip-repositories"})
_MOST = 10_000
_COMMENTED = re.compile(r"\s#\s*\[([^\[\]]+)\]")
_NOT_IN_NAMES = re.compile(r"[/\s:#]+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://\S+")


def read(data: bytes) -> EnvironmentSpec:
    """Return what an ``environment.yml`` asks for.

    The name may be missing; ``prefix`` and members that nobody knows are told in ``notes``. Comments that are selectors
    (``# [win]``) count: specifications go to ``selected``, requirements for pip get an environment marker.

    Raises
    ------
    InvalidFile
        With the part of the file under ``field`` and where it is under ``line``.
    """
    data = as_utf8(data)
    loaded = load_yaml(data, _WHAT, aliases=True)
    if loaded is None:
        raise InvalidFile(f"{_WHAT} is empty.", field="dependencies")
    with with_lines(data, "yaml"):
        document = expect_mapping(loaded, _WHAT)
        if "dependencies" not in document:
            raise InvalidFile(f"{_WHAT} has no 'dependencies'.", field="dependencies")
        channels = document.get("channels")
        variables = expect_mapping(document.get("variables") or {}, "variables")
        content = _Dependencies(_selectors(data))
        content.read(document["dependencies"])
        return EnvironmentSpec(
            name=_name(document.get("name")),
            channels=tuple(
                check_channel(channel, f"channels[{position}]")
                for position, channel in enumerate(
                    expect_texts([channels] if isinstance(channels, str) else channels, "channels", count=100)
                )
            ),
            dependencies=tuple(content.conda),
            pip=tuple(content.pip),
            selected=tuple(content.selected),
            variables=tuple((key, _scalar(value, key)) for key, value in variables.items()),
            platforms=_platforms(document.get("platforms")),
            indexes=tuple(
                refuse_credentials(url, f"pip-repositories[{position}]")  # of conda-lock
                for position, url in enumerate(expect_texts(document.get("pip-repositories"), "pip-repositories", count=100))
            ),
            notes=(*content.notes, *_notes(document)),
        )


def _name(value: Any) -> str:
    name = expect_text("" if value is None else str(value) if isinstance(value, int) else value, "name", length=255)
    if any(character in "/ :#" for character in name):
        raise InvalidFile("The name of the environment must not contain '/', ':', '#' or a space.", field="name")
    return name


def _platforms(value: Any) -> tuple[str, ...]:
    platforms = expect_texts(value, "platforms", count=50)
    for position, platform in enumerate(platforms):
        if not is_subdir(platform) or platform == "noarch":
            raise InvalidFile(f"{platform[:80]!r} is not a platform.", field=f"platforms[{position}]")
    return tuple(dict.fromkeys(platforms))


def _notes(document: Mapping[str, Any]) -> list[str]:
    notes = []
    if document.get("prefix"):
        notes.append("The folder under 'prefix' is not used: say where the environment is to be.")
    notes += [f"{key[:80]!r} is not part of the format and was left out." for key in document if key not in _KNOWN]
    return notes


def _selectors(data: bytes) -> dict[str, str]:
    """Return the expressions of comments, by what stands before them on the line."""
    lines = data.decode("utf-8-sig").splitlines()
    found = {
        number: match[1].strip()
        for number, line in enumerate(lines, start=1)
        if (match := _COMMENTED.search(line)) and selectors.parse(match[1]) is not None
    }
    return {path: found[line] for path, line in yaml_texts(data, "dependencies") if line in found} if found else {}


class _Dependencies:
    """The parts of ``dependencies``."""

    def __init__(self, commented: Mapping[str, str]) -> None:
        self._commented = commented
        self.conda: list[str] = []
        self.pip: list[str] = []
        self.selected: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def read(self, value: Any) -> None:
        """Add the items of *value*.

        Raises
        ------
        InvalidFile
        """
        if value is None:
            return
        if not isinstance(value, list) or len(value) > _MOST:
            raise InvalidFile(f"'dependencies' must be a list of at most {_MOST} items.", field="dependencies")
        for position, item in enumerate(value):
            what = f"dependencies[{position}]"
            if isinstance(item, dict):
                self._section(expect_mapping(item, what), what)
            elif what in self._commented:
                self.selected.append((self._commented[what], check_spec(item, what)))
            else:
                self.conda.append(check_spec(item, what))

    def _section(self, section: Mapping[str, Any], what: str) -> None:
        for key, content in section.items():
            inside = f"{what}.{key}"
            if key == "pip":
                for position, text in enumerate(expect_texts(content, inside)):
                    for line in text.strip().splitlines() or [""]:  # a block of text: each of its lines is one for pip
                        self._pip_line(line.strip(), f"{inside}[{position}]")
            elif key.startswith("sel(") and key.endswith(")"):
                expression = key[4:-1].strip()
                if selectors.parse(expression) is None:
                    raise InvalidFile(f"{what}: {key[:80]!r} is not a selector of platforms.", field=inside)
                texts = content if isinstance(content, list) else [content]
                self.selected += [(expression, check_spec(text, inside)) for text in texts]
            else:
                raise InvalidFile(f"{what} has the section {key[:80]!r}; only 'pip' and 'sel(…)' are known.", field=inside)

    def _pip_line(self, line: str, what: str) -> None:
        if not line:
            raise InvalidFile(f"{what} is empty.", field=what)
        for url in _URL.findall(line):
            refuse_credentials(url, what)
        expression = self._commented.get(what)
        if expression is None:
            self.pip.append(line)
            return
        marker = selectors.marker(expression)
        try:
            requirement = parse_requirement(line)
        except InvalidRequirement:
            marker = None
        if marker is None:
            self.pip.append(line)
            self.notes.append(f"{line[:80]!r} is installed on all platforms: '[{expression}]' cannot be said to pip.")
            return
        told = requirement.marker
        requirement.marker = None
        self.pip.append(f"{requirement} ; {f'({told}) and {marker}' if told else marker}")


def _scalar(value: Any, key: str) -> str:
    if isinstance(value, (dict, list)):
        raise InvalidFile(f"The variable {key[:80]!r} must be text.", field=f"variables.{key}")
    return "" if value is None else str(value)


def write(spec: EnvironmentSpec) -> bytes:
    """Return *spec* as ``environment.yml``.

    What the format has no place for is left out: the Python that is required, PyPI indexes become options of pip.

    Raises
    ------
    InvalidFile
        An address carries credentials (code ``credentials_in_file``).
    """
    document: dict[str, Any] = {}
    if spec.name:
        document["name"] = _NOT_IN_NAMES.sub("-", spec.name)
    if spec.channels:
        document["channels"] = [check_channel(channel, "channels") for channel in spec.channels]
    dependencies: list[str | Mapping[str, Any]] = [check_spec(text, "dependencies") for text in spec.dependencies]
    dependencies += [{f"sel({expression})": check_spec(text, "dependencies")} for expression, text in spec.selected]
    options = ["--extra-index-url"] * (len(spec.indexes) - 1) + ["--index-url"]
    pip = [*(f"{option} {url}" for option, url in zip(options, spec.indexes, strict=False) if spec.pip), *spec.pip]
    for line in pip:
        for url in _URL.findall(line):
            refuse_credentials(url, "pip")
    if pip:
        dependencies.append({"pip": pip})
    document["dependencies"] = dependencies
    if spec.variables:
        document["variables"] = dict(spec.variables)
    if spec.platforms:
        document["platforms"] = list(spec.platforms)
    return dump_yaml(document)


def from_lock(lock: Lock, name: str = "") -> EnvironmentSpec:
    """Return what *lock*'s environment was asked for, at the versions it has.

    Without a record of what was asked for, all packages are listed. Packages from PyPI are always listed: nothing
    tells which of them were asked for. ``nodefaults`` keeps conda from adding the channels of its own settings.
    """
    asked = {name_of(text) for text in lock.requested}
    conda = {item.name: item for item in lock.conda}
    wanted = [conda[key] for key in sorted(conda) if key in asked or (key == "python" and asked)] or list(conda.values())
    dependencies = [f"{item.name}={item.version}" for item in wanted]
    if lock.pypi and conda and not any(item.name == "pip" for item in wanted):
        dependencies.append(f"pip={conda['pip'].version}" if "pip" in conda else "pip")
    if not conda and lock.python_version:
        dependencies = [f"python={lock.python_version}", "pip"]
    return EnvironmentSpec(
        name=name,
        channels=(*lock.channels, "nodefaults") if lock.channels else (),
        dependencies=tuple(dependencies),
        pip=tuple(f"{item.name}=={item.version}" for item in sorted(lock.pypi, key=lambda item: canonicalize_name(item.name))),
        platforms=(lock.platform,) if lock.platform and lock.platform != "noarch" else (),
    )
