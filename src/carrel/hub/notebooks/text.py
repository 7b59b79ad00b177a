"""Text as notebooks hold it: strings in lines, terminal output with escape sequences."""

from __future__ import annotations

import re
from html import escape
from typing import Any

# CSI sequences (colours among them), OSC sequences (titles, hyperlinks), other escapes of one or two characters.
_ESCAPE = re.compile(r"\x1b(?:\[([0-9;:<=>?]*)([ -/]*[@-~])?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")
_MAX_STYLE_CHANGES = 20_000
_MAX_PARAMETERS = 200  # characters of one colour sequence
_CUBE = (0, 95, 135, 175, 215, 255)


def multiline(value: Any) -> str:
    """Return the text of a multi-line string of nbformat (a string or a list of strings); anything else is empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return ""


def overwrite_lines(text: str) -> str:
    """Return *text* as a terminal shows it after carriage returns: what a progress bar wrote last on each line."""
    if "\r" not in text:
        return text
    return "\n".join(_OVERWRITTEN.sub("", line.rstrip("\r")) for line in text.replace("\r\n", "\n").split("\n"))


def terminal_to_html(text: str) -> str:
    """Return *text* escaped, its ANSI colours as ``<span class="…">`` and every other escape sequence dropped.

    Colours are classes (``fg1`` … ``fg15``, ``bg1`` …), never style attributes: the page's policy forbids those.
    The 256-colour and true-colour forms are brought to the nearest of the 16.
    """
    if "\x1b" not in text:
        return escape(_CONTROL.sub("", text), quote=False)
    parts: list[str] = []
    style = _Style()
    position = 0
    changes = 0
    for match in _ESCAPE.finditer(text):
        if match.start() > position:
            parts.append(style.wrap(escape(_CONTROL.sub("", text[position : match.start()]), quote=False)))
        position = match.end()
        if match.group(2) == "m" and len(match.group(1)) <= _MAX_PARAMETERS and changes < _MAX_STYLE_CHANGES:
            style.apply(match.group(1))
            changes += 1
    parts.append(style.wrap(escape(_CONTROL.sub("", text[position:]), quote=False)))
    return "".join(parts)


class _Style:
    """The graphic rendition that is in force."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.foreground: int | None = None
        self.background: int | None = None

    def wrap(self, escaped: str) -> str:
        if not escaped:
            return ""
        classes = sorted(self.flags)
        if self.foreground is not None:
            classes.append(f"fg{self.foreground}")
        if self.background is not None:
            classes.append(f"bg{self.background}")
        return f'<span class="{" ".join(classes)}">{escaped}</span>' if classes else escaped

    def apply(self, parameters: str) -> None:
        codes = [int(code) if code.isdigit() and len(code) < 5 else 0 for code in re.split("[;:]", parameters)]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.flags.clear()
                self.foreground = self.background = None
            elif code in _FLAGS:
                self.flags.add(_FLAGS[code])
            elif code in _FLAGS_OFF:
                self.flags -= _FLAGS_OFF[code]
            elif code in (38, 48):
                colour = _extended(codes)
                if code == 38:
                    self.foreground = colour
                else:
                    self.background = colour
            elif code == 39:
                self.foreground = None
            elif code == 49:
                self.background = None
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.foreground = code - 30 if code < 90 else code - 82
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.background = code - 40 if code < 100 else code - 92


_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_FLAGS_OFF = {22: {"bold", "dim"}, 23: {"italic"}, 24: {"underline"}, 27: {"inverse"}, 29: {"strike"}}


def _extended(codes: list[int]) -> int | None:
    """Take the rest of a ``38;5;n`` or ``38;2;r;g;b`` sequence off *codes* and return the nearest of the 16 colours."""
    mode = codes.pop(0) if codes else 0
    if mode == 5 and codes:
        number = codes.pop(0)
        if number < 16:
            return number
        if number < 232:
            number -= 16
            return _nearest(_CUBE[number // 36 % 6], _CUBE[number // 6 % 6], _CUBE[number % 6])
        grey = 8 + (min(number, 255) - 232) * 10
        return _nearest(grey, grey, grey)
    if mode == 2 and len(codes) >= 3:
        red, green, blue = codes[:3]
        del codes[:3]
        return _nearest(red, green, blue)
    return None


def _nearest(red: int, green: int, blue: int) -> int:
    strongest = max(red, green, blue)
    if strongest - min(red, green, blue) < 48:
        return 0 if strongest < 64 else 8 if strongest < 160 else 7 if strongest < 224 else 15
    base = (red > strongest // 2) | (green > strongest // 2) << 1 | (blue > strongest // 2) << 2
    return base + 8 if strongest > 208 else base
