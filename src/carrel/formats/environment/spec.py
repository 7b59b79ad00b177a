"""What an environment is asked to hold, whatever file says so: to be solved, not yet locked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime

from carrel.core.errors import InvalidFile
from carrel.formats.environment import selectors

_NOT_IN_LINES = re.compile(r"[\0-\x08\n-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What an environment is asked to hold.

    Attributes
    ----------
    name : str
        Empty when none is given.
    channels : tuple of str
        conda channels, best first; credentials are never among them.
    dependencies : tuple of str
        Match specifications of conda packages.
    pip : tuple of str
        Lines for pip: requirements (PEP 508) and options.
    selected : tuple of (str, str)
        conda specifications for some systems only: the expression of ``sel(…)`` and the specification.
    variables : tuple of (str, str)
        Environment variables to set on activation.
    platforms : tuple of str
        Empty when none are named.
    requires_python : str
        Version specifier (PEP 440), where conda is not what brings Python.
    indexes : tuple of str
        PyPI indexes, best first.
    exclude_newer : datetime or None
        Packages published after this moment are not to be considered.
    system_requirements : tuple of (str, str)
        Least versions of virtual packages: ``("glibc", "2.28")``.
    constraints : tuple of str
        Match specifications that hold for packages that others bring; they bring none themselves.
    pip_constraints : tuple of str
        Requirements (PEP 508) that hold for Python packages that others bring; they bring none themselves.
    notes : tuple of str
        Sentences about what the file says and this specification does not hold, for people. Two specifications that
        differ in them alone are equal.
    """

    name: str = ""
    channels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    selected: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    platforms: tuple[str, ...] = ()
    requires_python: str = ""
    indexes: tuple[str, ...] = ()
    exclude_newer: datetime | None = None
    system_requirements: tuple[tuple[str, str], ...] = ()
    constraints: tuple[str, ...] = ()
    pip_constraints: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Refuse what would be another line wherever these texts are written in lines, and what is no character.

        Raises
        ------
        InvalidFile
        """
        texts = (self.name, *self.channels, *self.dependencies, *self.pip, *(text for _, text in self.selected), self.requires_python)
        for text in (*texts, *self.indexes, *self.constraints, *self.pip_constraints):
            if _NOT_IN_LINES.search(text):
                raise InvalidFile(f"{text[:80]!r} holds a character that no line of an environment file may hold.")

    def for_platform(self, platform: str) -> EnvironmentSpec:
        """Return the specification for *platform* alone: what is selected for it is among the dependencies.

        Raises
        ------
        InvalidFile
            An expression is none of CEP 24.
        """
        chosen = list(self.dependencies)
        for expression, text in self.selected:
            try:
                if selectors.holds(expression, platform):
                    chosen.append(text)
            except ValueError as error:
                raise InvalidFile(f"sel({expression[:80]}) is not a selector of platforms.", field="dependencies") from error
        return replace(self, dependencies=tuple(dict.fromkeys(chosen)), selected=(), platforms=(platform,))
