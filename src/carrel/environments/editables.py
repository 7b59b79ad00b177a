"""Editable installations: where their sources lie and which modules they give, from the pointers in ``site-packages``."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable
from pathlib import Path

from carrel.environments.naming import top_level_modules

_MAPPING = re.compile(r"^MAPPING(?::[^=]+)?\s*=\s*(\{.*?\})\s*$", re.MULTILINE | re.DOTALL)
_FINDER = re.compile(r"__editable___\w+_finder\.py\Z")
_NOT_MODULES = frozenset(("setup", "conftest", "noxfile", "tests", "test", "docs", "doc", "examples", "build", "dist"))


def read(site_packages: Path, files: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return the folder of the sources and the top-level modules of an editable installation, both empty for others.

    Parameters
    ----------
    site_packages : Path
    files : iterable of str
        What its ``RECORD`` lists, relative to *site_packages*.
    """
    pointers = [file for file in files if "/" not in file and (file.endswith(".pth") or _FINDER.match(file))]
    for finder in (file for file in pointers if file.endswith(".py")):
        mapping = _mapping(site_packages / finder)
        if mapping and all(Path(path).is_absolute() for path in mapping.values()):
            parent = os.path.commonpath([str(Path(path).parent) for path in mapping.values()])
            return parent, tuple(sorted({name.partition(".")[0] for name in mapping}))
    for pointer in (file for file in pointers if file.endswith(".pth")):
        for line in _lines(site_packages / pointer):
            folder = Path(line)
            if folder.is_absolute() and folder.is_dir():
                return str(folder), modules_in(folder)
    return "", ()


def modules_in(folder: Path) -> tuple[str, ...]:
    """Return the modules that *folder* on the path would give, what accompanies sources (``setup``, ``tests`` …) left out."""
    paths: list[str] = []
    try:
        for entry in os.scandir(folder):
            if entry.name.endswith(".py") and entry.is_file():
                paths.append(entry.name)
            elif entry.is_dir() and Path(entry.path, "__init__.py").is_file():
                paths.append(f"{entry.name}/__init__.py")
    except OSError:
        return ()
    return tuple(name for name in top_level_modules(paths) if name not in _NOT_MODULES)


def _mapping(finder: Path) -> dict[str, str]:
    match = _MAPPING.search("\n".join(_lines(finder)))
    try:
        found = ast.literal_eval(match[1]) if match else {}
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return {str(name): str(path) for name, path in found.items()} if isinstance(found, dict) else {}


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        return []
