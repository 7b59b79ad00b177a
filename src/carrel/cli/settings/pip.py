"""pip: ``extra-index-url``, or ``index-url``, in the section ``[global]`` of ``pip.conf``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from configparser import Error, RawConfigParser
from pathlib import Path
from urllib.parse import urlsplit

from carrel.cli.settings.source import Change, Source, damaged, first_existing, home, user_config

_HEADER = re.compile(r"\[(?P<name>[^\]]+)\]")
_INDENT = "    "


def files(environ: Mapping[str, str], _source: Source) -> list[tuple[Path, Change]]:
    """Return ``PIP_CONFIG_FILE``, else the person's ``pip.conf``, where pip looks for it."""
    named = environ.get("PIP_CONFIG_FILE")
    if named and named != os.devnull:
        return [(Path(named), change)]
    if os.name == "nt":
        return [(Path(environ.get("APPDATA") or home(environ)) / "pip" / "pip.ini", change)]
    usual = user_config(environ) / "pip" / "pip.conf"
    if sys.platform == "darwin" and (folder := home(environ) / "Library" / "Application Support" / "pip").is_dir():
        usual = folder / "pip.conf"
    return [(first_existing(usual, home(environ) / ".pip" / "pip.conf"), change)]


def change(text: str, source: Source) -> str:
    """Add the index to the ones that pip asks, or with ``only`` make it the one."""
    try:
        before = _parse(text)
    except Error as error:
        raise damaged("pip.conf", error) from error
    url = source.python_index
    extra = [item for item in _values(before, "extra-index-url") if not source.is_own("pypi", item)]
    hosts = _values(before, "trusted-host")
    if source.only:
        text = _set(text, "global", "index-url", [url])
        if extra or _values(before, "extra-index-url"):
            text = _set(text, "global", "extra-index-url", [])
    elif url not in _values(before, "extra-index-url"):
        text = _set(text, "global", "extra-index-url", [url, *extra])
    host = urlsplit(source.hub_url).netloc
    if source.is_plain_http and host not in hosts:
        text = _set(text, "global", "trusted-host", [*hosts, host])
    return text


def _parse(text: str) -> RawConfigParser:
    parser = RawConfigParser()
    parser.read_string(text)
    return parser


def _values(parser: RawConfigParser, name: str) -> list[str]:
    return parser.get("global", name, fallback="").split()


def _set(text: str, section: str, name: str, values: list[str]) -> str:
    """Return *text* with the option *name* set to *values*, without any if there are none; the other lines stay as they are."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    new = [f"{name} = {values[0]}\n"] if len(values) == 1 else [f"{name} =\n", *(f"{_INDENT}{value}\n" for value in values)]
    if not values:
        new = []
    start = next((n for n, line in enumerate(lines) if (m := _HEADER.match(line)) and m["name"] == section), None)
    if start is None:
        gap = ["\n"] if lines and lines[-1].strip() else []
        return "".join([*lines, *gap, f"[{section}]\n", *new])
    end = next((n for n in range(start + 1, len(lines)) if _HEADER.match(lines[n])), len(lines))
    option = re.compile(rf"{re.escape(name)}\s*[=:]", re.IGNORECASE)
    at = next((n for n in range(start + 1, end) if option.match(lines[n])), None)
    if at is None:
        return "".join([*lines[: start + 1], *new, *lines[start + 1 :]])
    last = at + 1
    for number in range(at + 1, end):
        if lines[number].strip() and not lines[number][0].isspace() and lines[number][0] not in "#;":
            break
        if lines[number].strip() and lines[number][0].isspace():
            last = number + 1
    kept = [line for line in lines[at:last] if line.lstrip().startswith(("#", ";"))]
    return "".join([*lines[:at], *new, *kept, *lines[last:]])
