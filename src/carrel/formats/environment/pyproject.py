"""``pyproject.toml``: what a project says that it needs (``[project]``, PEP 621; ``[dependency-groups]``, PEP 735).

What uv is told in ``[tool.uv]`` (indexes, sources, dates, the groups it takes by default) holds as it does for uv.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment.checks import check_name
from carrel.formats.environment.dependency_groups import GROUPS, Groups, by_name
from carrel.formats.environment.description import Description
from carrel.formats.environment.requirements import describe_requirements
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.environment.uv_options import requirement_at, requirement_from, requires_python, with_options
from carrel.formats.parsing import as_utf8, expect_mapping, expect_texts, load_toml, with_lines

FILENAME = "pyproject.toml"

_PROJECT, _EXTRAS, _UV = "project", "project.optional-dependencies", "tool.uv"
_ALL = "*"
_DEEPEST = 50
_MOST = 5_000
_LONGEST_MARKER = 1000


def read(data: bytes, *, extras: Collection[str] = (), groups: Collection[str] | None = None) -> EnvironmentSpec:
    """Return what the project of *data* needs: its dependencies, and those of *extras* and *groups*.

    The project itself is not asked for. What is left out is told in ``notes``.

    Parameters
    ----------
    data : bytes
    extras : collection of str
        Names in ``project.optional-dependencies``; ``*`` for all.
    groups : collection of str, optional
        Names in ``dependency-groups``; ``*`` for all. By default those that ``tool.uv.default-groups`` names, else ``dev`` if there
        is one.

    Raises
    ------
    InvalidFile
        With the line under ``line``.
    BadRequest
        There is no such extra (code ``unknown_extra``) or group (``unknown_group``).
    """
    data = as_utf8(data)
    document = load_toml(data, FILENAME)
    with with_lines(data, "toml"):
        return _Project(document).read(extras, groups)


def describe(data: bytes) -> Description:
    """Return what the project of *data* needs, without extras and with its default groups."""
    return describe_requirements(read(data), FILENAME)


class _Project:
    """The tables of a ``pyproject.toml`` that say what is needed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        if _PROJECT not in document and GROUPS not in document:
            message = f"{FILENAME} says nothing of what is needed: it has none of the tables [project], [dependency-groups], [tool.pixi]."
            raise InvalidFile(message, code="unknown_environment_format")
        self._project = expect_mapping(document.get(_PROJECT, {}), _PROJECT)
        self._uv = expect_mapping(expect_mapping(document.get("tool", {}), "tool").get("uv", {}), _UV)
        self._sources = expect_mapping(self._uv.get("sources", {}), f"{_UV}.sources")
        self._extras = by_name(self._project.get("optional-dependencies", {}), _EXTRAS)
        self._groups = Groups(document.get(GROUPS, {}))
        self._name = ""
        if _PROJECT in document:
            if "name" not in self._project:
                raise InvalidFile("[project] has no name.", field=_PROJECT)
            self._name = check_name(self._project["name"], _PROJECT)
        self._notes: list[str] = []
        self._found: dict[str, None] = {}
        self._done: set[tuple[str, str]] = set()
        self._steps = 0

    def read(self, extras: Collection[str], groups: Collection[str] | None) -> EnvironmentSpec:
        """Return what is needed; see :func:`read`."""
        dynamic = expect_texts(self._project.get("dynamic"), f"{_PROJECT}.dynamic")
        for member in ("dependencies", *(["optional-dependencies"] if extras else [])):
            if member in dynamic:
                field = f"{_PROJECT}.dynamic[{dynamic.index(member)}]"
                raise InvalidFile(f"Only what builds the project knows its {member}: they are dynamic.", field=field)
        wanted_extras = _chosen(extras, self._extras, "extra")
        wanted_groups = self._default_groups() if groups is None else _chosen(groups, self._groups.members, "group")
        for position, text in enumerate(expect_texts(self._project.get("dependencies"), f"{_PROJECT}.dependencies")):
            self._take(text, f"{_PROJECT}.dependencies[{position}]", "", ())
        for extra in wanted_extras:
            self._extra(extra, "", ())
        for text, what in self._groups.requirements(*wanted_groups):
            self._take(text, what, "", ())
        if groups is None or "dev" in wanted_groups:  # what uv had before there were groups
            for position, text in enumerate(expect_texts(self._uv.get("dev-dependencies"), f"{_UV}.dev-dependencies")):
                self._take(text, f"{_UV}.dev-dependencies[{position}]", "", ())
        self._tell_of_the_rest(wanted_extras, wanted_groups)
        python = str(requires_python(self._project, f"{_PROJECT}."))
        spec = EnvironmentSpec(name=self._name, pip=tuple(self._found), requires_python=python, notes=tuple(self._notes))
        return with_options(spec, self._uv, _UV)

    def _default_groups(self) -> list[str]:
        value = self._uv.get("default-groups", ["dev"] if "dev" in self._groups else [])
        if value == "all":
            return list(self._groups.members)
        names = expect_texts(value, f"{_UV}.default-groups")
        for position, name in enumerate(names):
            if name not in self._groups:
                field = f"{_UV}.default-groups[{position}]"
                raise InvalidFile(f"{_UV}.default-groups names {name[:80]!r}, which is not among [dependency-groups].", field=field)
        return [str(canonicalize_name(name)) for name in names]

    def _extra(self, name: str, marker: str, way: tuple[str, ...]) -> None:
        """Take the requirements of the extra *name* where *marker* holds; *way* are the extras that lead to it."""
        if name in way or (name, marker) in self._done:
            return
        self._done.add((name, marker))
        what = f"{_EXTRAS}.{self._extras[name][0]}"
        if len(way) > _DEEPEST:
            raise InvalidFile(f"{what} is reached through too many extras.", field=what)
        for position, text in enumerate(expect_texts(self._extras[name][1], what)):
            self._take(text, f"{what}[{position}]", marker, (*way, name))

    def _take(self, text: str, what: str, marker: str, way: tuple[str, ...]) -> None:
        """Take one requirement, where *marker* holds; what the project asks of itself are its extras."""
        self._steps += 1
        if self._steps > _MOST:
            raise InvalidFile(f"{FILENAME} asks for more than {_MOST} packages.", field=what)
        requirement = requirement_at(text, what)
        marker = _both(marker, requirement, what)
        if self._name and canonicalize_name(requirement.name) == canonicalize_name(self._name):
            for extra in sorted(requirement.extras):
                key = str(canonicalize_name(extra))
                if key not in self._extras:
                    raise InvalidFile(f"{what} names the extra {extra[:80]!r}, which there is not.", field=what)
                self._extra(key, marker, way)
            return
        if marker:
            requirement.marker = Marker(marker)
        self._found[requirement_from(requirement, self._sources, f"{_UV}.sources", self._notes)] = None

    def _tell_of_the_rest(self, extras: Collection[str], groups: Collection[str]) -> None:
        if self._name:
            self._notes.append(f"{self._name} itself is not asked for, only what it needs.")
        for word, known, wanted in (("extras", self._extras, extras), ("groups", self._groups.members, groups)):
            taken = set(wanted)
            left = [original for name, (original, _) in known.items() if name not in taken]
            if left:
                more = f" and {len(left) - 8} more" if len(left) > 8 else ""
                self._notes.append(f"Left out are the {word} {', '.join(name[:80] for name in left[:8])}{more}.")


def _chosen(names: Collection[str], known: Mapping[str, Any], word: str) -> list[str]:
    """Return the normalized *names*; all of *known* for ``*``.

    Raises
    ------
    BadRequest
    """
    if _ALL in names:
        return list(known)
    for name in names:
        if canonicalize_name(name) not in known:
            there = f"It has {', '.join(known)}." if known else "It has none."
            raise BadRequest(f"{FILENAME} has no {word} {name[:80]!r}. {there}", code=f"unknown_{word}")
    return list(dict.fromkeys(str(canonicalize_name(name)) for name in names))


def _both(marker: str, requirement: Requirement, what: str) -> str:
    """Return the marker that holds where *marker* does and that of *requirement*."""
    own = str(requirement.marker) if requirement.marker else ""
    both = f"({marker}) and ({own})" if marker and own and marker != own else own or marker
    try:
        if len(both) > _LONGEST_MARKER:
            raise ValueError
        return str(Marker(both)) if both else ""
    except (InvalidMarker, RecursionError, ValueError) as error:
        raise InvalidFile(f"{what} holds under conditions that are too long.", field=what) from error
