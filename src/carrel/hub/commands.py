"""The commands of the hub: serve, upgrade, user, sweep."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from carrel.hub.app import build_hub, serve
from carrel.hub.config import HubConfig
from carrel.hub.web.logs import configure_logging


class Serve(HubConfig):
    """Serve the hub."""

    def start(self) -> int:
        """Run until SIGINT or SIGTERM."""
        hub = build_hub(self.settings(), self.open_database())
        asyncio.run(serve(hub, self.address, self.port, trust_proxy=self.trust_proxy))
        return 0


COMMANDS: dict[str, type[HubConfig]] = {"serve": Serve}


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code."""
    if not argv or argv[0] not in COMMANDS:
        sys.stderr.write(f"usage: python -m carrel.hub {{{','.join(COMMANDS)}}} [options]   (--help-all lists them)\n")
        return 2
    command = COMMANDS[argv[0]]()
    command.initialize(list(argv[1:]))
    configure_logging(command.log_level)
    return int(command.start() or 0)  # type: ignore[func-returns-value]
