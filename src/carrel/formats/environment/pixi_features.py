"""What the features of a pixi workspace ask for together, on one platform or on all."""

from __future__ import annotations

from carrel.formats.environment import selectors


class Content:
    """What features ask for, told apart by kind."""

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._found: dict[str, list[tuple[str, str]]] = {"conda": [], "constraints": [], "pypi": []}
        self.variables: dict[str, str] = {}
        self.needs_python = ""

    def fits(self, expression: str) -> bool:
        """Whether *expression* may hold where this is read for."""
        return not self._platform or selectors.holds(expression, self._platform)

    def add(self, kind: str, entries: list[tuple[str, str, str]]) -> None:
        """Add *entries* of one feature: name, expression, text. Later ones replace earlier ones of the same name."""
        kept: dict[str, list[tuple[int, str, str]]] = {}  # by name: place, expression, text
        for place, (name, expression, text) in enumerate(entries):
            if not name:
                self.needs_python = text
            elif not expression or self._platform:
                if not expression or self.fits(expression):
                    kept[name] = [(place, "", text)]
            else:
                others = [entry for entry in kept.get(name, []) if entry[1] != expression]
                kept[name] = [*((at, _without(told, expression), old) for at, told, old in others), (place, expression, text)]
        self._found[kind] += [entry[1:] for entry in sorted(entry for several in kept.values() for entry in several)]

    def conda(self, kind: str) -> tuple[list[str], list[tuple[str, str]]]:
        """Return what is for all platforms, and what is for some."""
        found = self._found[kind]
        return [text for expression, text in found if not expression], [entry for entry in found if entry[0]]

    def pip(self) -> list[str]:
        """Return lines for pip."""
        return [_marked(text, expression) if expression else text for expression, text in self._found["pypi"]]


def _without(expression: str, other: str) -> str:
    return f"{expression} and not ({other})" if expression else f"not ({other})"


def _marked(text: str, expression: str) -> str:
    marker = selectors.marker(expression)
    return f"{text} ; {marker}" if marker is not None and not text.startswith(("-", ".", "/")) else text
