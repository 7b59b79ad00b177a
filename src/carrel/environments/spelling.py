"""Names that are spelled alike."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST = 3
_LIKENESS = 0.8


def near(name: str, names: Iterable[str]) -> list[str]:
    """Return the *names* that are most like *name*, at most three."""
    names = list(names)
    bare = name.replace("_", "-").replace(".", "-")
    same = [
        other for other in names if other != name and other.replace("_", "-").replace(".", "-") in (bare, f"python-{bare}", f"py{bare}")
    ]
    close = [other for other in difflib.get_close_matches(name, names, _MOST + 1, _LIKENESS) if other != name]
    return list(dict.fromkeys([*same, *close]))[:_MOST]
