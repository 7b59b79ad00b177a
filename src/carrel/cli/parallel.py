"""Several files at the same time: bounded, counted together, ended together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from carrel.core.errors import Cancelled
from carrel.core.progress import OnProgress, Progress

T = TypeVar("T")


class Counter:
    """Adds up what several transfers report.

    Parameters
    ----------
    stage : str
        What is being done.
    total : int
        Bytes of all of them.
    on_progress : OnProgress
        Is told of the sum, by one thread at a time.
    """

    def __init__(self, stage: str, total: int, on_progress: OnProgress) -> None:
        self._stage = stage
        self._total = total
        self._on_progress = on_progress
        self._done: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def of(self, key: Hashable) -> OnProgress:
        """Return where the transfer *key* reports."""
        return lambda step: self.finish(key, step.done)

    def finish(self, key: Hashable, done: int) -> None:
        """Count *done* bytes of the transfer *key*."""
        with self._lock:
            self._done[key] = done
            self._on_progress(Progress(self._stage, sum(self._done.values()), self._total, "bytes"))


def in_parallel(work: Iterable[T], do: Callable[[T], None], jobs: int, cancel: threading.Event) -> None:
    """Call *do* with each of *work*, *jobs* at a time; the first error ends the rest and is raised.

    Raises
    ------
    carrel.core.errors.Cancelled
        *cancel* was set meanwhile.
    """
    work = list(work)
    stop = threading.Event()

    def guarded(one: T) -> None:
        if not stop.is_set() and not cancel.is_set():
            do(one)

    with ThreadPoolExecutor(max(1, min(jobs, len(work)))) as pool:
        futures: list[Future[None]] = [pool.submit(guarded, one) for one in work]
        pending = set(futures)
        while pending:
            # Waking up now and then lets Ctrl-C through to the handler of the main thread.
            done, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
            if any(future.exception() is not None for future in done):
                stop.set()
    for future in futures:
        if not cancel.is_set():
            future.result()
    if cancel.is_set():
        raise Cancelled("Cancelled. What is complete stays; the same command goes on from there.")
