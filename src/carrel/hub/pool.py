"""The bounded threads in which services run, so that the event loop only moves bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from carrel.core.errors import BadRequest, Unavailable
from carrel.database.engine import Database
from carrel.database.unit_of_work import UnitOfWork

T = TypeVar("T")
_log = logging.getLogger(__name__)


@contextmanager
def _database_errors() -> Iterator[None]:
    """Blame the request for text that PostgreSQL cannot hold; say of a locked or absent database that trying again helps."""
    try:
        yield
    except DataError as error:
        raise BadRequest("Some text in the request or the file cannot be kept: it is too long or has NUL characters.") from error
    except IntegrityError as error:
        _log.warning("a request met another one: %s", error.orig)
        raise Unavailable("What this is about was made or removed at the same moment. Try again.", retry_after=1) from error
    except (OperationalError, NoConnection) as error:
        raise Unavailable("The database is busy or does not answer. Try again in a few seconds.", retry_after=2) from error


class ServicePool:
    """Runs synchronous work off the event loop.

    Reads, writes and computing have threads of their own: SQLite has one writer, and writers that wait for it must not
    keep readers waiting.

    Parameters
    ----------
    database : Database
    readers, writers, workers, receivers : int
        Threads for units that read, units that write, work without a transaction (hashing, files, passwords), and uploads.
    max_waiting : int
        Calls that may queue for each kind before further ones answer 503.
    """

    def __init__(
        self,
        database: Database,
        *,
        readers: int = 6,
        writers: int = 0,
        workers: int = 6,
        receivers: int = 6,
        max_waiting: int = 2000,
    ) -> None:
        self._database = database
        self._max_waiting = max_waiting
        self._readers = ThreadPoolExecutor(readers, "hub-read")
        self._writers = ThreadPoolExecutor(writers or (2 if database.is_sqlite else 8), "hub-write")
        self._workers = ThreadPoolExecutor(workers, "hub-work")
        self._receivers = ThreadPoolExecutor(receivers, "hub-receive")
        self._waiting: dict[int, int] = {}

    async def read(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run *work* in a unit that reads."""
        return await self._run(self._readers, lambda: self.read_now(work))

    async def write(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run *work* in a unit that writes; return after the commit."""
        return await self._run(self._writers, lambda: self.write_now(work))

    async def compute(self, work: Callable[[], T]) -> T:
        """Run *work* without a transaction."""
        return await self._run(self._workers, work)

    async def receive(self, work: Callable[[], T]) -> T:
        """Run the end of an upload: *work* makes the bytes durable first, then enters them with :meth:`write_now`.

        One change of threads for both; these threads may wait for the writer without keeping anybody else waiting.
        """
        return await self._run(self._receivers, work)

    def read_now(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run *work* in a unit that reads, in the calling thread (not the event loop's)."""
        with self._database.read() as uow:
            return work(uow)

    def write_now(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run *work* in a unit that writes, in the calling thread (not the event loop's)."""
        with self._database.write() as uow:
            return work(uow)

    async def _run(self, executor: Executor, work: Callable[[], T]) -> T:
        key = id(executor)
        waiting = self._waiting.get(key, 0)
        if waiting >= self._max_waiting:
            raise Unavailable("The hub is busy. Try again in a few seconds.", retry_after=2)
        self._waiting[key] = waiting + 1
        try:
            with _database_errors():
                return await asyncio.get_running_loop().run_in_executor(executor, work)
        finally:
            self._waiting[key] -= 1

    def shutdown(self) -> None:
        """Wait for running work and end the threads."""
        for executor in (self._readers, self._receivers, self._writers, self._workers):
            executor.shutdown(wait=True, cancel_futures=True)
