"""Terminal output: colours become classes, everything else disappears."""

from __future__ import annotations

import time

import pytest
from hostile import TERMINAL, findings

from carrel.hub.notebooks.text import multiline, overwrite_lines, terminal_to_html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("\x1b[31mred\x1b[0m plain", '<span class="fg1">red</span> plain'),
        ("\x1b[1;32mx\x1b[22my\x1b[39mz", '<span class="bold fg2">x</span><span class="fg2">y</span>z'),
        ("\x1b[91;44mx", '<span class="fg9 bg4">x</span>'),
        ("\x1b[38;5;196mx\x1b[m", '<span class="fg9">x</span>'),
        ("\x1b[38;2;10;200;20mx\x1b[m", '<span class="fg2">x</span>'),
        ("\x1b[38;5;241mx\x1b[39m", '<span class="fg8">x</span>'),
        ("\x1b[2Kcleared\x1b[1A", "cleared"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("bell\x07 null\x00", "bell null"),
        ("cut \x1b[3", "cut "),
    ],
)
def test_terminal_text(text: str, html: str) -> None:
    assert terminal_to_html(text) == html


@pytest.mark.parametrize("text", TERMINAL)
def test_hostile_terminal_text_is_only_text(text: str) -> None:
    html = terminal_to_html(text)
    assert findings(html) == []
    assert "<script" not in html
    assert "\x1b" not in html


def test_progress_bars_show_their_last_state() -> None:
    assert overwrite_lines("10%\r50%\r100%\r\nnext\nlast\r") == "100%\nnext\nlast"


def test_lines_of_nbformat_are_joined_and_nonsense_is_empty() -> None:
    assert multiline(["a\n", "b", 3]) == "a\nb"
    assert multiline("x") == "x"
    assert multiline({"a": 1}) == ""


@pytest.mark.parametrize(
    "text", ["\x1b[" * 100_000, "\x1b]" * 100_000, "\x1b[31mx" * 50_000, "\r" * 200_000, "\x1b[" + "1;" * 100_000 + "m"]
)
def test_hostile_sequences_take_linear_time(text: str) -> None:
    started = time.perf_counter()
    terminal_to_html(overwrite_lines(text))
    assert time.perf_counter() - started < 2
