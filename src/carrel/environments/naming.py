"""From files to module names, names as PyPI compares them, and names of files that packages tell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

_MODULE_FILE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\.[A-Za-z0-9_-]+)?\.(?:py|so|pyd)\Z")
_SEPARATOR = re.compile(r"[/\\]")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def normalize(name: str) -> str:
    """Return *name* as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def leads_inside(relative: str) -> bool:
    """Whether *relative*, as a package tells it, stays below the prefix that it is meant for."""
    if not relative or relative[0] in "/\\" or "\0" in relative or (os.name == "nt" and ":" in relative):
        return False
    return ".." not in relative or ".." not in _SEPARATOR.split(relative)


def modules_in_text(text: str) -> tuple[str, ...]:
    """Return the modules that a ``top_level.txt`` names, what cannot be one left out."""
    return tuple(sorted({word for word in text.split() if _IDENTIFIER.match(word)}))


def top_level_modules(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the importable top-level names among *paths* (relative to site-packages)."""
    names: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        first, slash, rest = path.partition("/")
        if slash:
            if first not in folders and rest.endswith((".py", ".so", ".pyd")) and not rest.startswith("../"):
                folders.add(first)
        elif (match := _MODULE_FILE.match(first)) and not first.startswith("__editable__"):
            names.add(match[1])
    names.update(folder for folder in folders if _IDENTIFIER.match(folder) and folder not in ("bin", "__pycache__"))
    return tuple(sorted(names))
