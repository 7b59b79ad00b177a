"""Dependency groups (PEP 735): the table ``[dependency-groups]`` of a ``pyproject.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_name
from carrel.formats.parsing import expect_mapping, expect_text

GROUPS = "dependency-groups"


class Groups:
    """The groups of a project. Only those that are asked for are judged, as the PEP wishes.

    Attributes
    ----------
    members : mapping of str to (str, any)
        By normalized name: the name as written, and what the file says.
    """

    def __init__(self, value: Any) -> None:
        self.members: Mapping[str, tuple[str, Any]] = by_name(value, GROUPS)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonicalize_name(name) in self.members

    def requirements(self, *names: str) -> Iterator[tuple[str, str]]:
        """Yield the requirements of the groups *names* and of those they include, each with where it stands in the file.

        A group that is included several times is taken once.

        Raises
        ------
        InvalidFile
            A group is no list of requirements and inclusions, includes one that there is not, or itself by some way.
        """
        open_: dict[str, Iterator[tuple[int, Any]]] = {}  # the groups on the way, each with what is left of it
        seen: set[str] = set()

        def enter(key: str) -> None:
            seen.add(key)
            original, value = self.members[key]
            if not isinstance(value, list):
                what = f"{GROUPS}.{original}"
                raise InvalidFile(f"{what} must be a list of requirements.", field=what)
            open_[key] = iter(list(enumerate(value)))

        for name in names:
            if (key := str(canonicalize_name(name))) not in seen:
                enter(key)
            while open_:
                current, left = next(reversed(open_.items()))
                position, entry = next(left, (0, None))
                what = f"{GROUPS}.{self.members[current][0]}[{position}]"
                if entry is None:
                    open_.popitem()
                elif isinstance(entry, str):
                    yield expect_text(entry, what, length=4096), what
                elif isinstance(entry, dict) and list(entry) == ["include-group"]:
                    included = str(canonicalize_name(expect_text(entry["include-group"], what, length=255)))
                    if included not in self.members:
                        raise InvalidFile(f"{what} includes the group {included[:80]!r}, which there is not.", field=what)
                    if included in open_:
                        raise InvalidFile(f"{what} includes the group {included[:80]!r}, which includes this one.", field=what)
                    if included not in seen:
                        enter(included)
                else:
                    raise InvalidFile(f"{what} must be a requirement or {{include-group = NAME}}.", field=what)


def by_name(value: Any, what: str) -> dict[str, tuple[str, Any]]:
    """Return the members of the table *value*, which stands at *what*, by normalized name, with their names as written.

    Raises
    ------
    InvalidFile
        Two have the same name.
    """
    found: dict[str, tuple[str, Any]] = {}
    for name, member in expect_mapping(value, what).items():
        key = str(canonicalize_name(check_name(name, f"{what}.{name}")))
        if key in found:
            raise InvalidFile(f"{what}.{name} and {found[key][0]} are the same name.", field=f"{what}.{name}")
        found[key] = (name, member)
    return found
