"""A private PostgreSQL server: its own data, a socket folder of its own, no TCP, durability off."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.testing.processes import Process

_SETTINGS = ["listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=100"]


@dataclass(frozen=True, slots=True)
class Database:
    """One database of a private server; ``socket_folder`` is what libpq calls host."""

    name: str
    socket_folder: Path
    user: str = "postgres"

    @property
    def url(self) -> str:
        """URL for SQLAlchemy with psycopg 3."""
        return f"postgresql+psycopg://{self.user}@/{self.name}?host={self.socket_folder}"

    @property
    def conninfo(self) -> str:
        """Connection string of libpq."""
        return f"host={self.socket_folder} user={self.user} dbname={self.name}"


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A running private server."""

    socket_folder: Path

    def execute(self, statement: str) -> None:
        """Run one statement in the maintenance database, outside a transaction."""
        import psycopg

        conninfo = Database("postgres", self.socket_folder).conninfo
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Create an empty database, and drop it (with all connections to it) after the block."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield Database(name, self.socket_folder)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


def find_binaries() -> Path | None:
    """Return the folder with ``initdb`` and ``postgres``, of the newest version found."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("postgres")
    found = debian[-1] if debian else Path(on_path).resolve() if on_path else None
    return found.parent if found is not None and (found.parent / "initdb").is_file() else None


@contextmanager
def postgresql_server(binaries: Path) -> Iterator[PostgresqlServer]:
    """Run a private server while the block runs.

    PostgreSQL refuses to run as root; the server then runs as the user ``postgres``, who comes with its packages.
    """
    # Not below pytest's folder: that one is closed to other users, and a socket's path has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="carrel-pg-", dir="/tmp"))
    identity: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        identity |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data = folder / "data"
    try:
        initdb: list[str | Path] = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        made = subprocess.run(initdb, capture_output=True, text=True, **identity)
        if made.returncode:
            raise RuntimeError(f"initdb failed:\n{made.stderr}")
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        process = Process([binaries / "postgres", "-D", data, "-k", folder, *settings], folder / "server.log", **identity)
        try:
            server = PostgresqlServer(folder)
            process.wait_until(lambda: _answers(server))
            yield server
        finally:
            process.stop(signal.SIGINT)  # "fast shutdown": does not wait for clients
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(server: PostgresqlServer) -> bool:
    import psycopg

    try:
        server.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True
