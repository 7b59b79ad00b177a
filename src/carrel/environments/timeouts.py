"""How long a server may be silent."""

from __future__ import annotations

import os

_DEFAULT_SECONDS = 30.0


def network_timeout() -> float:
    """Return the seconds after which a server that sends nothing is given up: ``CARREL_NETWORK_TIMEOUT``, else 30."""
    try:
        seconds = float(os.environ.get("CARREL_NETWORK_TIMEOUT") or _DEFAULT_SECONDS)
    except ValueError:
        return _DEFAULT_SECONDS
    return seconds if seconds > 0 else _DEFAULT_SECONDS
