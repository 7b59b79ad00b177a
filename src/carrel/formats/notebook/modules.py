"""Which modules the code of a notebook imports."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable

_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
_CAPTURED = re.compile(r"^(\s*)(\w[\w, ]*=\s*)[%!].*$")
_CELL_MAGIC_OF_PYTHON = re.compile(r"%%(?:time|timeit|capture|prun|python3?|pypy|debug|skip)\b")
_IMPORT = re.compile(
    r"^\s*(?:from\s+([A-Za-z_]\w*)[\w.]*\s+import\b|import\s+([A-Za-z_][\w.]*(?:\s+as\s+\w+)?(?:\s*,\s*[A-Za-z_][\w.]*(?:\s+as\s+\w+)?)*))"
)
_MOST = 500
_CELL_LENGTH = 50_000
_LINE_LENGTH = 4_000
_TOTAL_LENGTH = 2_000_000  # of all cells; the parser takes about a second for it


def imported_modules(sources: Iterable[str]) -> list[str]:
    """Return the top-level modules that the Python *sources* of cells import, sorted, at most 500."""
    found: set[str] = set()
    left = _TOTAL_LENGTH
    for source in sources:
        if "import" not in source:
            continue
        left -= min(len(source), _CELL_LENGTH)
        if source.lstrip().startswith("%%"):
            if not _CELL_MAGIC_OF_PYTHON.match(source.lstrip()):
                continue  # another language
            source = source.lstrip().partition("\n")[2]
        found |= _imports(source)
        if len(found) >= _MOST or left <= 0:
            break
    return sorted(found)[:_MOST]


def _imports(source: str) -> set[str]:
    lines = []
    for line in source[:_CELL_LENGTH].splitlines():
        if len(line) > _LINE_LENGTH:
            continue  # data, not a statement
        if captured := _CAPTURED.match(line):
            line = f"{captured[1]}{captured[2]}None"
        elif magic := _MAGIC.match(line):
            line = f"{magic[1]}pass"
        lines.append(line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in strings are the author's business
            tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _imports_by_line(lines)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def _imports_by_line(lines: Iterable[str]) -> set[str]:
    """Read what can be read of code that is no Python as a whole (other versions, half a statement)."""
    found: set[str] = set()
    for line in lines:
        if match := _IMPORT.match(line[:1000]):
            for part in (match[1] or match[2]).split(","):
                found.add(part.split()[0].partition(".")[0])
    return found
