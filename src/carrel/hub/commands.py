"""The commands of the hub: ``serve``, ``upgrade``, ``user``, ``sweep``."""

from __future__ import annotations

import asyncio
import getpass
import secrets
import sys
from collections.abc import Callable, Sequence
from typing import Any

from traitlets import Bool, TraitError, Unicode
from traitlets.config import Config

from carrel.core.errors import CarrelError
from carrel.database.migrations import SchemaError, ensure_current, upgrade
from carrel.hub.app import build_hub, serve
from carrel.hub.config import HubConfig
from carrel.hub.web.logs import configure_logging


class Serve(HubConfig):
    """Serve the hub."""

    description = "Serve the hub until SIGINT or SIGTERM."

    def run(self) -> int:
        """Run until SIGINT or SIGTERM."""
        database = self.open_database()
        ensure_current(database)
        hub = build_hub(self.settings(), database, self.open_blobs())
        asyncio.run(serve(hub, self.address, self.port, trust_proxy=self.trust_proxy))
        return 0


class Upgrade(HubConfig):
    """Bring the database up to date."""

    description = "Bring the database up to date; back it up first. An empty database gets all tables."

    def run(self) -> int:
        """Upgrade the schema."""
        upgrade(self.open_database())
        _say("The database is up to date.")
        return 0


class User(HubConfig):
    """Create users and set passwords."""

    description = "user create NAME | user password NAME: ask for a password, or read it from standard input, or make one up (--generate)."
    generate = Bool(False, help="Make up a password and print it").tag(config=True)
    email = Unicode("", help="E-mail address of a new user").tag(config=True)
    aliases = {  # noqa: RUF012 - as traitlets has it
        **HubConfig.aliases,
        "email": "User.email",
    }
    flags: dict[Any, Any] = {"generate": (Config({"User": {"generate": True}}), "Make up a password and print it")}  # noqa: RUF012

    def run(self) -> int:
        """Create the user or set the password."""
        from carrel.hub.accounts.passwords import hash_password

        if len(self.extra_args) != 2 or self.extra_args[0] not in ("create", "password"):
            sys.stderr.write(f"usage: {self.description}\n")
            return 2
        action, name = self.extra_args
        database = self.open_database()
        ensure_current(database)
        password = self._password()
        hashed = hash_password(password)
        accounts = build_hub(self.settings(), database, self.open_blobs()).accounts
        with database.write() as uow:
            if action == "create":
                accounts.create_user(uow, name, hashed, self.email)
            else:
                accounts.set_password(uow, name, hashed)
        _say(f"{'Created' if action == 'create' else 'New password for'} {name}." + (f" Password: {password}" if self.generate else ""))
        return 0

    def _password(self) -> str:
        if self.generate:
            return secrets.token_urlsafe(12)
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\n")
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise SystemExit("The two do not match.")
        return password


class Sweep(HubConfig):
    """Remove bytes that nothing refers to."""

    description = "Remove files that nothing has referred to for longer than the grace period. The running hub does this every hour."

    def run(self) -> int:
        """Sweep once."""
        database = self.open_database()
        ensure_current(database)
        swept = build_hub(self.settings(), database, self.open_blobs()).sweep.run()
        _say(f"Removed {swept.blobs} files and {swept.temporary} remains of interrupted uploads.")
        return 0


COMMANDS: dict[str, Callable[[], HubConfig]] = {"serve": Serve, "upgrade": Upgrade, "user": User, "sweep": Sweep}


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code."""
    if not argv or argv[0] not in COMMANDS:
        sys.stderr.write(f"usage: python -m carrel.hub {{{','.join(COMMANDS)}}} [options]   (--help-all lists them)\n")
        return 2
    command = COMMANDS[argv[0]]()
    command.initialize(list(argv[1:]))
    configure_logging(str(command.log_level))
    try:
        return command.run()
    except (CarrelError, SchemaError, TraitError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
