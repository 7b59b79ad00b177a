"""How a worker says what went wrong."""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """A failure the parent turns into one of :mod:`carrel.core.errors`.

    Parameters
    ----------
    kind : str
        ``unsolvable``, ``protected``, ``digest``, ``http``, ``network``, ``storage``, ``link``, ``request``.
    message : str
    **fields
        JSON-serialisable details (``filename``, ``url``, ``status`` …).
    """

    def __init__(self, kind: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.fields = fields
