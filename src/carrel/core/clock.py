"""Time, always UTC and timezone-aware."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time (UTC)."""
    return datetime.now(UTC)


def to_rfc3339(moment: datetime) -> str:
    """Return *moment* as ``2026-01-02T03:04:05.000006Z`` (RFC 3339, UTC)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_milliseconds(moment: datetime) -> int:
    """Return *moment* in milliseconds since the epoch, the unit of conda's ``timestamp``."""
    return int(moment.timestamp() * 1000)
