"""Progress of long work, and the wish to end it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of a long piece of work.

    Attributes
    ----------
    stage : str
        What is being done: ``solve``, ``download``, ``link``, ``verify``, ``upload``, ``capture``, ``scan`` …
    done, total : int
        Amounts in *unit*; ``total`` is 0 when it is not known.
    unit : str
        ``bytes``, ``packages`` or empty.
    message : str
        A line for the log, may be empty.
    """

    stage: str
    done: int = 0
    total: int = 0
    unit: str = ""
    message: str = ""


OnProgress = Callable[[Progress], None]


class CancelSignal(Protocol):
    """Something that says whether the work should end; :class:`threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether cancelling was asked for."""
        ...


class NeverCancelled:
    """The signal of work that nobody can cancel."""

    def is_set(self) -> bool:
        """Return False."""
        return False


def ignore_progress(_progress: Progress) -> None:
    """Do nothing with a report."""
