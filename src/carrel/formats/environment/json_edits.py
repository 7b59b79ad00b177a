"""Changing one value of a JSON text and nothing else: every other byte stays."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from json.decoder import JSONDecodeError
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")
_FIRST_KEY = re.compile(r"[ \t\r\n]*\{(?:\r?\n)([ \t]+)\"")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder(strict=False)

Path = Sequence[str | int]


def place(text: str, path: Path) -> tuple[int, int] | None:
    """Return where the value at *path* (keys and positions) begins and ends in the JSON *text*, None when there is none.

    Raises
    ------
    ValueError
        *text* is no JSON, as far as it was looked at.
    """
    position = _skip(text, 0)
    for step in path:
        found = _item(text, position, step) if isinstance(step, int) else _member(text, position, step)
        if found is None:
            return None
        position = found
    return position, _end(text, position)


def line(text: str, path: Path) -> int | None:
    """Return the line (from 1) of the value at *path*, or of the innermost one around it that exists."""
    for length in range(len(path), 0, -1):
        try:
            found = place(text, path[:length])
        except ValueError:
            return None
        if found is not None:
            return text.count("\n", 0, found[0]) + 1
    return None


def replace(text: str, path: Path, value: Any) -> str:
    """Return *text* with *value* at *path*, where there is one already, written as its surroundings are.

    Raises
    ------
    ValueError
    """
    found = place(text, path)
    if found is None:
        raise ValueError(f"nothing at {path}")
    return text[: found[0]] + _write(text, value, len(path)) + text[found[1] :]


def insert_first(text: str, path: Path, value: Any) -> str:
    """Return *text* with *value* as the first item of the array at *path*.

    Raises
    ------
    ValueError
    """
    found = place(text, path)
    if found is None or text[found[0]] != "[":
        raise ValueError(f"no array at {path}")
    first = found[0] + 1
    empty = text[_skip(text, first)] == "]"
    indent, newline = _style(text)
    if indent is None:
        return text[:first] + _write(text, value, len(path) + 1) + ("" if empty else ", ") + text[first:]
    made = newline + indent * (len(path) + 1) + _write(text, value, len(path) + 1)
    if empty:
        return text[:first] + made + newline + indent * len(path) + text[_skip(text, first) :]
    return text[:first] + made + "," + text[first:]


def _write(text: str, value: Any, depth: int) -> str:
    indent, newline = _style(text)
    made = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    if _SURROGATE.search(made):  # half a character can be escaped only
        made = json.dumps(value, allow_nan=False, indent=indent)
    return made if indent is None else made.replace("\n", newline + indent * depth)


def _style(text: str) -> tuple[str | None, str]:
    """Return what one level is indented by (None: all is on one line) and what ends lines."""
    match = _FIRST_KEY.match(text)
    return (match[1] if match else None), ("\r\n" if "\r\n" in text else "\n")


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _end(text: str, position: int) -> int:
    try:
        return _DECODER.raw_decode(text, position)[1]
    except (JSONDecodeError, RecursionError) as error:
        raise ValueError("not JSON") from error


def _member(text: str, position: int, key: str) -> int | None:
    if text[position : position + 1] != "{":
        return None
    found = None
    position = _skip(text, position + 1)
    while text[position : position + 1] == '"':
        name, after = json.decoder.scanstring(text, position + 1, False)  # type: ignore[attr-defined]
        position = _skip(text, after)
        if text[position : position + 1] != ":":
            raise ValueError("not JSON")
        position = _skip(text, position + 1)
        if name == key:
            found = position  # the last of several counts
        position = _next(text, position)
    return found


def _item(text: str, position: int, index: int) -> int | None:
    if text[position : position + 1] != "[":
        return None
    position = _skip(text, position + 1)
    for _ in range(index):
        if text[position : position + 1] == "]":
            return None
        position = _next(text, position)
    return None if text[position : position + 1] == "]" else position


def _next(text: str, position: int) -> int:
    """Return where the next member or item begins, or the bracket that closes all."""
    position = _skip(text, _end(text, position))
    return _skip(text, position + 1) if text[position : position + 1] == "," else position
