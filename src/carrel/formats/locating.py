"""The line of a member of a text document, for messages about files that people wrote.

Members are named as messages name them: ``dependencies[3].pip[0]``, ``tool.pixi.feature.gpu.dependencies.numpy``.
A file is searched after it was refused, never when it is read: reading stays as fast as the parser is. Where a member
cannot be found for sure, no line is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import yaml

from carrel.core.errors import InvalidFile

_MOST_EVENTS = 1_000_000
_DEPTH = 200
_DEEPEST_TEXT = 5
_TOML_TOKEN = re.compile(
    r'(?P<multi>"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5})'
    r'|(?P<basic>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<literal>'[^'\n]*')"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<newline>\n)"
    r"|(?P<mark>[\[\]{},=.])"
    r"|(?P<space>[ \t\r]+)"
    r"|(?P<bare>[^\s\[\]{},=.#\"']+)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


@contextmanager
def with_lines(data: bytes, kind: Literal["yaml", "toml"]) -> Iterator[None]:
    """Tell the line of *data* in each :exc:`InvalidFile` that is raised within and names a ``field``.

    The error gets the member ``line`` (from 1), and its sentence begins with it. An error that has a line keeps it.
    """
    try:
        yield
    except InvalidFile as error:
        field = error.fields.get("field")
        if "line" not in error.fields and isinstance(field, str):
            line = locate_yaml(data, field) if kind == "yaml" else locate_toml(data, field)
            if line is not None:
                tell_line(error, line)
        raise


def tell_line(error: InvalidFile, line: int) -> None:
    """Let *error* be about *line* (from 1) of the file."""
    error.fields["line"] = line
    error.detail = f"Line {line}: {error.detail}"
    error.args = (error.detail,)


def invalid_line(line: int, sentence: str, *, code: str | None = None, **fields: Any) -> InvalidFile:
    """Return the error that *line* (from 1) of a file is refused, because of what *sentence* says."""
    error = InvalidFile(sentence, code=code, **fields)
    tell_line(error, line)
    return error


class _Search:
    """The deepest member on the way to a path that has been seen."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.left = len(path)
        self.line: int | None = None

    def found(self, rest: str | None, line: int) -> None:
        """Note that what is left of the path at *line* is *rest*."""
        if rest is not None and len(rest) < self.left:
            self.left, self.line = len(rest), line


def _member(rest: str | None, key: str) -> str | None:
    """Return what is left of the path *rest* inside the member *key*, None when the path leads elsewhere."""
    if not rest or not rest.startswith(key):
        return None
    after = rest[len(key) :]
    return after.removeprefix(".") if after[:1] in {"", ".", "["} else None


def _item(rest: str | None, index: int) -> str | None:
    mark = f"[{index}]"
    return rest[len(mark) :].removeprefix(".") if rest and rest.startswith(mark) else None


def locate_yaml(data: bytes, path: str) -> int | None:
    """Return the line (from 1) of the member *path* of a YAML document, or of the innermost one around it that exists.

    None when not even the first part of *path* exists, or *data* is no YAML.
    """
    search = _Search(path)
    # Per open collection: whether it is a mapping, the path inside it, and there: whether a key comes next and the
    # path inside that key's value; in a list: the index of the next item.
    stack: list[list[Any]] = []
    try:
        for count, event in enumerate(yaml.parse(data.decode("utf-8-sig"), Loader=yaml.CSafeLoader)):
            if count > _MOST_EVENTS or len(stack) > _DEPTH:
                return None
            if isinstance(event, yaml.CollectionEndEvent):
                stack.pop()
            elif isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent, yaml.CollectionStartEvent)):
                rest = _yaml_step(search, stack, event) if stack else path
                if isinstance(event, yaml.CollectionStartEvent):
                    stack.append([isinstance(event, yaml.MappingStartEvent), rest, True, None, 0])
            if search.left == 0:
                break
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return search.line


def _yaml_step(search: _Search, stack: list[list[Any]], event: Any) -> str | None:
    """Return the path inside the node that begins with *event*."""
    parent = stack[-1]
    line = event.start_mark.line + 1
    rest: str | None = None
    if not parent[0]:
        rest = _item(parent[1], parent[4])
        parent[4] += 1
        search.found(rest, line)
    elif parent[2]:
        parent[3] = _member(parent[1], event.value) if isinstance(event, yaml.ScalarEvent) else None
        search.found(parent[3], line)
        parent[2] = False
    else:
        rest = parent[3]
        parent[2] = True
    return rest


def yaml_texts(data: bytes, member: str) -> Iterator[tuple[str, int]]:
    """Yield path and line (from 1) of each scalar that is an item of a list in *member*, a member of the whole YAML document."""
    open_: list[list[Any]] = []  # whether it is a mapping, whether a key comes next there, key or index at hand
    for count, event in enumerate(yaml.parse(data.decode("utf-8-sig"), Loader=yaml.CSafeLoader)):
        if count > _MOST_EVENTS or len(open_) > _DEPTH:
            return
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
        if not isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent, yaml.CollectionStartEvent)):
            continue
        if open_ and not open_[-1][0]:
            open_[-1][2] += 1
            if isinstance(event, yaml.ScalarEvent) and event.start_mark and open_[0][2] == member and len(open_) < _DEEPEST_TEXT:
                yield member + "".join(f"[{at}]" if type(at) is int else f".{at}" for _, _, at in open_[1:]), event.start_mark.line + 1
        elif open_ and open_[-1][1]:
            open_[-1][1:] = False, (event.value if isinstance(event, yaml.ScalarEvent) else "")
        elif open_:
            open_[-1][1] = True
        if isinstance(event, yaml.CollectionStartEvent):
            mapping = isinstance(event, yaml.MappingStartEvent)
            open_.append([mapping, mapping, "" if mapping else -1])


def locate_toml(data: bytes, path: str) -> int | None:
    """Return the line (from 1) of the member *path* of a TOML document, or of the innermost one around it that exists.

    None when not even the first part of *path* exists, or *data* is no TOML.
    """
    search = _Search(path)
    try:
        _Toml(data.decode("utf-8-sig"), search).scan()
    except (ValueError, IndexError):
        return None
    return search.line


class _Toml:
    """A walk through a TOML document that a parser has accepted: where its members begin."""

    def __init__(self, text: str, search: _Search) -> None:
        self._text = text
        self._search = search
        self._position = 0
        self._line = 1
        self._arrays: dict[str, int] = {}  # items so far, by path, of arrays of tables

    def scan(self) -> None:
        """Visit every member.

        Raises
        ------
        ValueError
            The text is no TOML.
        """
        rest: str | None = self._search.path
        while (token := self._next(lines=True)) is not None:
            if token == ("mark", "["):
                rest = self._header()
            else:
                self._pair(rest, token)

    def _peek(self, *, lines: bool) -> tuple[str, str] | None:
        """Return the next token that is no space or comment (nor an end of line, with *lines*) without taking it."""
        while self._position < len(self._text):
            match = _TOML_TOKEN.match(self._text, self._position)
            if match is None:
                raise ValueError("not TOML")
            kind = str(match.lastgroup)
            if kind not in {"space", "comment"} and not (lines and kind == "newline"):
                return kind, match[0]
            self._advance(match[0])
        return None

    def _next(self, *, lines: bool) -> tuple[str, str] | None:
        token = self._peek(lines=lines)
        if token is not None:
            self._advance(token[1])
        return token

    def _advance(self, text: str) -> None:
        self._position += len(text)
        self._line += text.count("\n")

    def _key(self, token: tuple[str, str] | None) -> list[str]:
        """Return the parts of the key that begins with *token*, and take all of them."""
        parts: list[str] = []
        while token is not None and token[0] in {"bare", "basic", "literal"}:
            parts.append(_plain(*token))
            if self._peek(lines=False) != ("mark", "."):
                return parts
            self._next(lines=False)
            token = self._next(lines=False)
        raise ValueError("not a key")

    def _header(self) -> str | None:
        line = self._line
        several = self._text[self._position : self._position + 1] == "["
        if several:
            self._advance("[")
        parts = self._key(self._next(lines=False))
        for _ in range(1 + several):
            if self._next(lines=False) != ("mark", "]"):
                raise ValueError("not a header")
        rest: str | None = self._search.path
        name = ""
        for position, part in enumerate(parts):
            last = position + 1 == len(parts)
            name += f".{part!r}"
            rest = _member(rest, part)
            if last and several:
                self._arrays[name] = self._arrays.get(name, 0) + 1
            if name in self._arrays:
                index = self._arrays[name] - 1
                name += f"[{index}]"
                rest = _item(rest, index)
            if last or rest is None:
                self._search.found(rest, line)
        return rest

    def _pair(self, rest: str | None, token: tuple[str, str]) -> None:
        line = self._line
        for part in self._key(token):
            rest = _member(rest, part)
        self._search.found(rest, line)
        if self._next(lines=False) != ("mark", "="):
            raise ValueError("not a pair")
        self._value(rest)

    def _value(self, rest: str | None) -> None:
        """Take one value. Arrays and inline tables are walked without recursion."""
        open_: list[tuple[str, str | None, int]] = []  # closing mark, path inside, index of the item at hand
        while True:
            token = self._next(lines=bool(open_))
            if token is None:
                raise ValueError("no value")
            if token == ("mark", "["):
                open_.append(("]", rest, -1))
            elif token == ("mark", "{"):
                open_.append(("}", rest, -1))
            else:
                self._rest_of_scalar()
            rest = self._after_value(open_)
            if not open_:
                return

    def _rest_of_scalar(self) -> None:
        while (token := self._peek(lines=False)) is not None and (token[0] == "bare" or token == ("mark", ".")):
            self._advance(token[1])  # the parts of a number or a date

    def _after_value(self, open_: list[tuple[str, str | None, int]]) -> str | None:
        """Take what stands between two values; return the path of the next one."""
        while open_:
            closing, inside, index = open_[-1]
            token = self._peek(lines=True)
            if token == ("mark", ","):
                self._advance(",")
                token = self._peek(lines=True)
            if token is None:
                raise ValueError("not closed")
            if token == ("mark", closing):
                self._advance(closing)
                open_.pop()
                continue
            open_[-1] = (closing, inside, index + 1)
            line = self._line
            if closing == "]":
                rest = _item(inside, index + 1)
            else:
                rest = inside
                for part in self._key(self._next(lines=True)):
                    rest = _member(rest, part)
                if self._next(lines=True) != ("mark", "="):
                    raise ValueError("not a pair")
            self._search.found(rest, line)
            return rest
        return None


def _plain(kind: str, text: str) -> str:
    """Return the key that the token *text* spells."""
    if kind == "literal":
        return text[1:-1]
    if kind == "basic":
        return _ESCAPE.sub(
            lambda match: chr(int(match[1] or match[2], 16)) if match[3] is None else _ESCAPED.get(match[3], match[3]), text[1:-1]
        )
    return text
