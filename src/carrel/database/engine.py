"""Engines for the two databases that one code base runs on."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

from carrel.database.unit_of_work import UnitOfWork

SQLITE_BUSY_TIMEOUT_MS = 15_000
# Pages in the log before they are copied into the database: that takes two more fsyncs, and the commit in whose turn it falls
# waits for them. An upload writes about forty pages.
SQLITE_CHECKPOINT_PAGES = 4_000


class Database:
    """A SQLite file or a PostgreSQL database.

    Parameters
    ----------
    url : str
        ``sqlite:////path/hub.db`` or ``postgresql+psycopg://user:password@host/name``.
    pool_size : int
        Connections kept open on PostgreSQL, at least the number of service threads.

    Notes
    -----
    SQLite runs in WAL mode with ``synchronous=FULL``: an answered request survives a power cut. It has one writer, so
    writing units of one process queue on a lock instead of retrying, and take the file's write lock at once
    (``BEGIN IMMEDIATE``): a unit that reads before it writes cannot fail halfway with ``SQLITE_BUSY``.
    """

    def __init__(self, url: str, *, pool_size: int = 16) -> None:
        self.url: URL = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._write_lock = threading.Lock()
        if self.is_sqlite:
            if self.url.database in (None, "", ":memory:"):
                raise ValueError("an in-memory SQLite database cannot be shared between threads; use a file")
            Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(self.url, pool_size=pool_size, max_overflow=pool_size, connect_args={"check_same_thread": False})
            _configure_sqlite(self.engine)
        else:
            self.engine = create_engine(self.url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True)

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """Open a unit of work that only reads, on one consistent snapshot."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            try:
                yield UnitOfWork(connection, writable=False)
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        """Open a unit of work; commit when the block ends, roll back when it raises."""
        if self.is_sqlite:
            with self._write_lock:
                unit = yield from self._write_unit("BEGIN IMMEDIATE")
        else:
            unit = yield from self._write_unit(None)
        unit.run_after_commit()

    def _write_unit(self, begin: str | None) -> Generator[UnitOfWork, None, UnitOfWork]:
        with self.engine.connect() as connection:
            if begin is not None:
                connection.exec_driver_sql(begin)
            unit = UnitOfWork(connection, writable=True)
            try:
                yield unit
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            return unit

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def _configure_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself; Database does it, with the right kind.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA wal_autocheckpoint={SQLITE_CHECKPOINT_PAGES}")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute("PRAGMA cache_size=-32000")
        cursor.close()


def create_migration_engine(url: str) -> Engine:
    """Return an engine for Alembic: one connection, no pool."""
    return create_engine(url, poolclass=NullPool)


def dialect_name(connection: Connection) -> str:
    """Return ``sqlite`` or ``postgresql``."""
    return connection.dialect.name
