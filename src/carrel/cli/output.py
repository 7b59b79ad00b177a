"""Columns, progress, and work that Ctrl-C ends in good order."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from carrel.cli.invocation import Invocation
from carrel.core.progress import OnProgress, Progress, ignore_progress
from carrel.core.units import format_bytes

_STAGES = {
    "scan": "Looking for secrets",
    "capture": "Capturing the environment",
    "solve": "Working out what to change",
    "fetch": "Fetching",
    "download": "Downloading",
    "read": "Reading",
    "upload": "Uploading",
    "link": "Installing",
    "verify": "Checking",
    "restore": "Bringing back what was there",
    "copy": "Copying",
    "measure": "Counting",
    "clean": "Cleaning up",
}


def columns(rows: Iterable[Sequence[str]], *, gap: int = 2) -> list[str]:
    """Return *rows* as lines of aligned columns; the last column is as long as it is."""
    rows = list(rows)
    if not rows:
        return []
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]) - 1)]
    return [(" " * gap).join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip() for row in rows]


def cut(text: str, length: int = 80) -> str:
    """Return the first line of *text*, at most *length* characters."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """Return ``1 file``, ``2 files``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def amount(report: Progress) -> str:
    """Return how far *report* has come, empty when it does not tell."""
    if not report.done and not report.total:
        return ""
    if report.unit == "bytes":
        return format_bytes(report.done) + (f" of {format_bytes(report.total)}" if report.total else "")
    return f"{report.done}" + (f" of {report.total}" if report.total else "")


@contextmanager
def progress(invocation: Invocation) -> Iterator[OnProgress]:
    """Show reports as a bar on standard error where a person looks at it, else nowhere."""
    if invocation.quiet or not sys.stderr.isatty():
        yield ignore_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[amount]}", markup=False),
    )
    with Bars(*columns, console=Console(stderr=True, highlight=False), transient=True) as bars:
        task = bars.add_task("", total=None, amount="")

        def show(report: Progress) -> None:
            title = _STAGES.get(report.stage, report.stage.capitalize())
            bars.update(task, description=title, completed=report.done, total=report.total or None, amount=amount(report))

        yield show


@contextmanager
def cancellable() -> Iterator[threading.Event]:
    """Give the signal that the first Ctrl-C sets, so that work puts things back in order; the second one ends it at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def stop(_number: int, _frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()
        # print() may be interrupted in the middle of itself by this very handler
        os.write(2, "\nCancelling … (Ctrl-C again ends at once)\n".encode())

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
