"""Amounts as people read them."""

from __future__ import annotations


def format_bytes(count: int) -> str:
    """Return *count* bytes as ``512 B``, ``1.5 kB``, ``84.0 MB`` (decimal units)."""
    if count < 1000:
        return f"{count} B"
    value, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}"


def format_seconds(seconds: float) -> str:
    """Return a duration as ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
