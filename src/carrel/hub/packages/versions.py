"""Order of versions of any kind of package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from packaging.version import InvalidVersion, Version

_PIECES = re.compile(r"(\d+)")


def version_key(text: str) -> tuple[Any, ...]:
    """Return what versions are compared by: final ones above pre-releases, PEP 440 where it applies, numbers by value elsewhere."""
    try:
        version = Version(text)
    except InvalidVersion:
        # A mixed list of strings and numbers would not compare: every piece says which one it is.
        pieces = tuple((1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in _PIECES.split(text.lower()) if piece)
        return (0, 0, pieces)
    return (0 if version.is_prerelease else 1, 1, version)


def latest(versions: Iterable[str]) -> str | None:
    """Return the highest of *versions*, None when there is none."""
    return max(versions, key=version_key, default=None)
