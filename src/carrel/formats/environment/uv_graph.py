"""The graph in a ``uv.lock``: what its projects want on one platform."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from packaging.markers import Marker, UndefinedEnvironmentName
from packaging.utils import canonicalize_name

from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_name
from carrel.formats.environment.targets import Target
from carrel.formats.parsing import expect_mapping, expect_text, expect_texts

PROJECTS = ("editable", "virtual", "directory")
_MOST_PACKAGES = 20_000


def entries(value: Any, what: str) -> list[Mapping[str, Any]]:
    """Return the tables of the array *value*; absent is the empty list."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST_PACKAGES:
        raise InvalidFile(f"{what} must be a list of at most {_MOST_PACKAGES} tables.", field=what)
    return [expect_mapping(item, f"{what}[{position}]") for position, item in enumerate(value)]


def holds(marker: Any, target: Target, extras: Collection[str], what: str) -> bool:
    """Whether *marker* (text; absent always holds) holds on *target* where *extras* are wanted."""
    if marker is None:
        return True
    try:
        parsed = Marker(expect_text(marker, what, length=20_000))
        environment = {name: str(value) for name, value in target.environment().items()}
        return any(parsed.evaluate({**environment, "extra": extra}) for extra in (extras or ("",)))
    except (ValueError, UndefinedEnvironmentName, RecursionError) as error:  # ValueError: also a number that is too long
        raise InvalidFile(f"{what} is no environment marker.", field=what) from error


def source_of(package: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """Return where *package* comes from."""
    return expect_mapping(package.get("source"), f"{what}.source")


class Graph:
    """What is wanted of the packages of a file.

    Attributes
    ----------
    packages : list of mapping
    names : list of str
        Of the packages, in their order.
    wanted : set of int
        Places of the packages to install.
    requested : set of str
        What the projects name themselves.
    """

    def __init__(self, document: Mapping[str, Any], target: Target) -> None:
        self.packages = entries(document.get("package"), "package")
        self.names = [check_name(package.get("name"), f"package[{n}]") for n, package in enumerate(self.packages)]
        self.wanted: set[int] = set()
        self.requested: set[str] = set()
        self._document = document
        self._target = target
        self._by_name: dict[str, list[int]] = {}
        self._seen: set[tuple[int, str]] = set()
        for position, name in enumerate(self.names):
            self._by_name.setdefault(str(canonicalize_name(name)), []).append(position)

    def follow(self, extras: Collection[str], groups: Collection[str]) -> None:
        """Find what the projects want with *extras* and *groups*."""
        manifest = expect_mapping(self._document.get("manifest") or {}, "manifest")
        members = {str(canonicalize_name(name)) for name in expect_texts(manifest.get("members"), "manifest.members")}
        todo: list[tuple[int, str]] = []
        roots: set[int] = set()
        for position, package in enumerate(self.packages):
            what, source = f"package[{position}]", source_of(package, f"package[{position}]")
            if (self.names[position] in members) if members else str(source.get("virtual") or source.get("editable")) == ".":
                offered = expect_mapping(package.get("optional-dependencies") or {}, f"{what}.optional-dependencies")
                chosen = list(offered) if "*" in extras else [extra for extra in extras if extra in offered]
                roots.add(position)
                todo += [(position, ""), *((position, extra) for extra in chosen)]
                by_group = expect_mapping(package.get("dev-dependencies") or {}, f"{what}.dev-dependencies")
                for group in groups:
                    todo += self._dependencies(by_group.get(group), f"{what}.dev-dependencies.{group}", ())
        todo += self._dependencies(manifest.get("requirements"), "manifest.requirements", ())
        for group, entries in expect_mapping(manifest.get("dependency-groups") or {}, "manifest.dependency-groups").items():
            if group in groups:
                todo += self._dependencies(entries, f"manifest.dependency-groups.{group}", ())
        direct = {position for position, _ in todo} - roots
        for position in roots:
            direct.update(found for found, _ in self._dependencies_of(position, ""))
        self.requested = {self.names[position] for position in direct - roots}
        while todo:
            position, extra = todo.pop()
            if (position, extra) not in self._seen:
                self._seen.add((position, extra))
                todo += self._dependencies_of(position, extra)
        projects = {position for position in roots if any(key in source_of(self.packages[position], "source") for key in PROJECTS)}
        self.wanted = {position for position, _ in self._seen} - projects
        seen: set[str] = set()
        for position in sorted(self.wanted):
            name = self.names[position]
            if name in seen:
                raise InvalidFile(f"uv.lock wants several versions of {name} on one platform.", field=f"package[{position}]")
            seen.add(name)

    def _dependencies_of(self, position: int, extra: str) -> list[tuple[int, str]]:
        package, what = self.packages[position], f"package[{position}]"
        if not extra:
            return self._dependencies(package.get("dependencies"), f"{what}.dependencies", ())
        offered = expect_mapping(package.get("optional-dependencies") or {}, f"{what}.optional-dependencies")
        return self._dependencies(offered.get(extra), f"{what}.optional-dependencies.{extra}", (extra,))

    def _dependencies(self, value: Any, what: str, extras: Collection[str]) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for number, entry in enumerate(entries(value, what)):
            place = f"{what}[{number}]"
            if holds(entry.get("marker"), self._target, extras, place):
                position = self._find(entry, place)
                # the list says "extra", that of requirements "extras"
                wanted = expect_texts(entry.get("extra", entry.get("extras")), f"{place}.extra")
                found += [(position, ""), *((position, extra) for extra in wanted)]
        return found

    def _find(self, entry: Mapping[str, Any], what: str) -> int:
        name = check_name(entry.get("name"), what)
        candidates = self._by_name.get(str(canonicalize_name(name)), [])
        for key in ("version", "source"):
            if key in entry:
                candidates = [one for one in candidates if self.packages[one].get(key) == entry[key]]
        if len(candidates) > 1:
            candidates = [one for one in candidates if self._in_fork(one)]
        if len(candidates) != 1:
            told = "not in the file" if not candidates else "in it several times"
            raise InvalidFile(f"{what} names {name}, which is {told}.", field=what)
        return candidates[0]

    def _in_fork(self, position: int) -> bool:
        what = f"package[{position}].resolution-markers"
        markers = expect_texts(self.packages[position].get("resolution-markers"), what)
        return not markers or any(holds(text, self._target, (), f"{what}[{n}]") for n, text in enumerate(markers))
