"""Top-level Python modules among the files of a package."""

from __future__ import annotations

from collections.abc import Iterable

_SOURCE = (".py", ".so", ".pyd", ".pyi")
_MOST = 1000


def import_names(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names that ``import`` finds when *paths* lie in ``site-packages``.

    Parameters
    ----------
    paths : iterable of str
        Relative to ``site-packages``, with ``/``.

    Returns
    -------
    tuple of str
        Sorted, at most 1000.
    """
    found: set[str] = set()
    for path in paths:
        if not path.endswith(_SOURCE):
            continue
        first, slash, _ = path.partition("/")
        if not slash:
            if first.endswith(".pyi"):
                continue
            first = first.partition(".")[0]  # module.py, module.cpython-311-x86_64-linux-gnu.so
        if first.isidentifier() and not (first.startswith("__") and first.endswith("__")) and len(first) <= 200:
            found.add(first)
            if len(found) >= _MOST:
                break
    return tuple(sorted(found))
