"""Amounts as people read them."""

from __future__ import annotations


def format_bytes(count: int) -> str:
    """Return *count* bytes as ``512 B``, ``1.5 kB``, ``84.0 MB`` (decimal units)."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:
            break
    return f"{value:.1f} {unit}"


def format_seconds(seconds: float) -> str:
    """Return a duration as ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
