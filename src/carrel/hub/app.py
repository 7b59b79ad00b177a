"""The composition root: chooses every implementation, starts and stops the server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from carrel.database.engine import Database
from carrel.hub.accounts.passwords import PasswordSignIn
from carrel.hub.accounts.resolver import CredentialResolver
from carrel.hub.channels.service import Channels
from carrel.hub.context import Hub
from carrel.hub.pool import ServicePool
from carrel.hub.routes import ROUTES
from carrel.hub.schema import metadata
from carrel.hub.search.service import SearchService
from carrel.hub.settings import HubSettings
from carrel.hub.web.handler import UnknownAddressHandler
from carrel.hub.web.logs import log_request
from carrel.hub.web.routing import HubApplication, check_declarations

_log = logging.getLogger("carrel.hub")

MAX_JSON_BYTES = 2 * 1024 * 1024


def build_hub(settings: HubSettings, database: Database) -> Hub:
    """Wire the services of a hub."""
    return Hub(
        settings=settings,
        database=database,
        pool=ServicePool(database),
        resolver=CredentialResolver(database, settings.credential_cache_seconds, lambda _token: None),
        passwords=PasswordSignIn(database),
        channels=Channels(database, settings.data_dir / "indexes"),
        search=SearchService(),
    )


def build_application(hub: Hub) -> HubApplication:
    """Return the Tornado application of *hub*; refuses undeclared verbs."""
    check_declarations(ROUTES)
    return HubApplication(
        [route.spec() for route in ROUTES],
        hub=hub,
        log_function=log_request,
        default_handler_class=UnknownAddressHandler,
        xsrf_cookie_version=2,
        xsrf_cookie_kwargs={"samesite": "Lax"},
    )


async def serve(hub: Hub, address: str, port: int, *, trust_proxy: bool) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is running."""
    metadata.create_all(hub.database.engine)
    application = build_application(hub)
    server = HTTPServer(application, xheaders=trust_proxy, max_body_size=MAX_JSON_BYTES)
    sockets = bind_sockets(port, address)
    server.add_sockets(sockets)
    actual = sockets[0].getsockname()[1]
    shown = f"[{address}]" if ":" in address else address
    url = f"http://{shown or '127.0.0.1'}:{actual}"
    _announce(hub.settings.data_dir / "hub.json", url)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    server.stop()
    await asyncio.wait_for(server.close_all_connections(), 10)
    hub.pool.shutdown()
    hub.database.dispose()


def _announce(path: Path, url: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    temporary.replace(path)
    print(f"Carrel hub is ready at {url}", flush=True)  # noqa: T201
