"""conda's order of versions and its version constraints, as the solver understands them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from itertools import zip_longest

_PIECES = re.compile(r"\d+|\*+|[^0-9*]+")
_OPERATORS = ("==", "!=", "<=", ">=", "~=", "=", "<", ">")
_Piece = tuple[int, float, str]
_ZERO: _Piece = (1, 0, "")
_Component = tuple[_Piece, ...]


@functools.total_ordering
class CondaVersion:
    """A version in conda's order: ``1.0dev < 1.0a < 1.0 < 1.0post``, numbers by value.

    Parameters
    ----------
    text : str
        Anything: what is not a version is ordered somehow, but always the same way.
    """

    __slots__ = ("_local", "_main", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        lowered = text.strip().lower().replace("-", "_")
        epoch, mark, rest = lowered.partition("!")
        if not mark:
            epoch, rest = "0", lowered
        main, _, local = rest.partition("+")
        self._main = ((_number(epoch),), *_components(main))
        self._local = _components(local) if local else ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CondaVersion) and self._compare(other) == 0

    def __lt__(self, other: CondaVersion) -> bool:
        return self._compare(other) < 0

    def __hash__(self) -> int:
        return hash(tuple(_stripped(part) for part in (self._main, self._local)))

    def _compare(self, other: CondaVersion) -> int:
        return _compare(self._main, other._main) or _compare(self._local, other._local)

    def starts_with(self, prefix: CondaVersion) -> bool:
        """Whether this is *prefix* or continues it: ``1.10.2`` starts with ``1.10``, not with ``1.1``."""
        mine, wanted = (self._main, prefix._main) if not prefix._local else (self._local, prefix._local)
        if prefix._local and _compare(self._main, prefix._main):
            return False
        if len(mine) < len(wanted):
            mine = (*mine, *((_ZERO,) for _ in range(len(wanted) - len(mine))))
        if _compare(mine[: len(wanted) - 1], wanted[:-1]):
            return False
        last, mine_last = wanted[-1], mine[len(wanted) - 1]
        # The text of the last piece may go on: "1.2a" matches "1.2alpha".
        if len(mine_last) < len(last) or mine_last[: len(last) - 1] != last[:-1]:
            return False
        (kind, value, word), (other_kind, other_value, other_word) = last[-1], mine_last[len(last) - 1]
        return kind == other_kind and (other_word.startswith(word) if kind == 0 else value == other_value)


def _number(text: str) -> _Piece:
    return (1, int(text), "") if text.isdigit() and text.isascii() else (0, 0, text)


def _components(text: str) -> tuple[_Component, ...]:
    trailing = text.endswith("_") and len(text) > 1
    parts = (text[:-1] if trailing else text).replace("_", ".").split(".")
    if trailing:
        parts[-1] += "_"
    made = []
    for part in parts:
        pieces = [_piece(piece) for piece in _PIECES.findall(part)] or [_ZERO]
        if not (part[:1].isdigit() or pieces == [_ZERO]):
            pieces.insert(0, _ZERO)  # "1.a" is "1.0a"
        made.append(tuple(pieces))
    return tuple(made)


def _piece(text: str) -> _Piece:
    if text.isdigit() and text.isascii():
        return (1, int(text), "")
    if text == "post":
        return (1, float("inf"), "")
    return (0, 0, "DEV" if text == "dev" else text)  # capitals sort before small letters


def _compare(one: tuple[_Component, ...], other: tuple[_Component, ...]) -> int:
    for left, right in zip_longest(one, other, fillvalue=(_ZERO,)):
        for a, b in zip_longest(left, right, fillvalue=_ZERO):
            if a != b:
                return -1 if a < b else 1
    return 0


def _stripped(components: tuple[_Component, ...]) -> tuple[_Component, ...]:
    made = []
    for component in components:
        pieces = list(component)
        while pieces and pieces[-1] == _ZERO:
            pieces.pop()
        made.append(tuple(pieces))
    while made and not made[-1]:
        made.pop()
    return tuple(made)


Matcher = Callable[[CondaVersion], bool]


@functools.lru_cache(maxsize=50_000)
def version_matcher(spec: str) -> Matcher:
    """Return the test that a version constraint such as ``>=1.2,<2|3.*`` stands for.

    What cannot be read matches nothing, as a solver would refuse it.
    """
    text = spec.strip()
    if text in ("", "*"):
        return lambda _: True
    if text.startswith("^") and text.endswith("$"):
        try:
            pattern = re.compile(text)
        except re.error:
            return lambda _: False
        return lambda version: pattern.match(version.text) is not None
    if (alternatives := _split(text, "|"))[1:]:
        tests = [version_matcher(item) for item in alternatives]
        return lambda version: any(test(version) for test in tests)
    if (conditions := _split(text, ","))[1:]:
        tests = [version_matcher(item) for item in conditions]
        return lambda version: all(test(version) for test in tests)
    if text.startswith("(") and text.endswith(")"):
        return version_matcher(text[1:-1])
    return _relation(text)


def _split(text: str, separator: str) -> list[str]:
    """Return the parts of *text* between separators that stand outside parentheses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == separator and not depth:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def _relation(text: str) -> Matcher:
    operator = next((mark for mark in _OPERATORS if text.startswith(mark)), "")
    rest = text[len(operator) :].strip()
    starred = rest.endswith("*")
    if "*" in rest.rstrip("*"):
        pattern = re.compile(re.escape(rest).replace(r"\*", ".*") + r"\Z")
        wanted = operator != "!="
        return lambda version: (pattern.match(version.text) is not None) is wanted
    base = CondaVersion(rest.rstrip("*").rstrip("."))
    if operator in ("", "=", "==", "!=") and starred and not base.text:
        return lambda _: operator != "!="
    if operator == "!=":
        return (lambda version: not version.starts_with(base)) if starred else (lambda version: version != base)
    if operator == "=" or (starred and operator in ("", "==")):
        return lambda version: version.starts_with(base)
    if operator == "~=":
        shorter = CondaVersion(base.text.rpartition(".")[0] or base.text)
        return lambda version: version >= base and version.starts_with(shorter)
    tests: dict[str, Matcher] = {
        "": lambda version: version == base,
        "==": lambda version: version == base,
        "<": lambda version: version < base,
        "<=": lambda version: version <= base,
        ">": lambda version: version > base,
        ">=": lambda version: version >= base,
    }
    return tests[operator]
