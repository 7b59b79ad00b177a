"""The composition root: chooses every implementation, starts and stops the server."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable

from tornado.netutil import bind_sockets

from carrel.core.access import Role
from carrel.core.clock import now
from carrel.database.engine import Database
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.devices import DeviceService
from carrel.hub.accounts.passwords import AttemptLimiter, PasswordSignIn
from carrel.hub.accounts.resolver import CredentialResolver
from carrel.hub.accounts.service import AccountService
from carrel.hub.anaconda.service import AnacondaService
from carrel.hub.attestations.service import AttestationService
from carrel.hub.attestations.trust import TrustRoot
from carrel.hub.audit.service import AuditService
from carrel.hub.channels.conda.maintenance import CondaChannelListener
from carrel.hub.channels.cran.maintenance import CranChannelListener
from carrel.hub.channels.pypi.maintenance import PypiChannelListener
from carrel.hub.channels.service import Channels
from carrel.hub.collections.service import CollectionService
from carrel.hub.context import Hub
from carrel.hub.files.contents import ArchiveReader
from carrel.hub.files.leaks import LeakGuard
from carrel.hub.files.lookup import FileLookup
from carrel.hub.files.service import FileService
from carrel.hub.files.small import SmallBlobs
from carrel.hub.groups.service import GroupService
from carrel.hub.hotfixes.service import HotfixService
from carrel.hub.jobs.sweep import BlobSweep
from carrel.hub.jobs.usage import UsageRecorder
from carrel.hub.labels.change_service import LabelChangeService
from carrel.hub.labels.service import LabelService
from carrel.hub.namespaces import repository as namespaces
from carrel.hub.namespaces.service import NamespaceService, create_namespace
from carrel.hub.notebooks.service import NotebookService
from carrel.hub.notices.service import NoticeService
from carrel.hub.packages.copying import PackageCopyService
from carrel.hub.packages.service import PackageService
from carrel.hub.packages.upkeep import PackageUpkeep
from carrel.hub.pool import ServicePool
from carrel.hub.publishers.identity import IdentityVerifier
from carrel.hub.publishers.service import PublisherService
from carrel.hub.releases.editing import ReleaseEditing
from carrel.hub.releases.service import ReleaseService
from carrel.hub.routes import ROUTES
from carrel.hub.search.maintenance import SearchListener
from carrel.hub.search.service import SearchService
from carrel.hub.settings import HubSettings
from carrel.hub.tokens.service import TokenService
from carrel.hub.web.logs import log_request
from carrel.hub.web.routing import HubApplication, check_declarations, grouped
from carrel.hub.web.sendfile import FileServer
from carrel.hub.web.streaming import OversizeHandler, UnknownAddressHandler
from carrel.storage import BlobStore

_log = logging.getLogger("carrel.hub")

MAX_JSON_BYTES = 2 * 1024 * 1024
FLUSH_SECONDS = 5
SWEEP_SECONDS = 3600
# What is running when the hub is asked to stop gets this long.
STOP_SECONDS = 20


def build_hub(settings: HubSettings, database: Database, blobs: BlobStore) -> Hub:
    """Wire the services of a hub."""
    usage = UsageRecorder(database)
    resolver = CredentialResolver(database, settings.credential_cache_seconds, usage.token_used)
    lookup = FileLookup()
    notebooks = NotebookService(blobs)
    upkeep = PackageUpkeep(
        (CondaChannelListener(), PypiChannelListener(), CranChannelListener(), SearchListener(), lookup, notebooks.places)
    )
    trust = TrustRoot(settings.attestation_trust_root)
    labels = LabelService()
    packages = PackageService(upkeep)
    label_changes = LabelChangeService(labels, upkeep)
    releases = ReleaseService(packages, labels, upkeep)
    files = FileService(settings, blobs, packages, labels, upkeep, lookup)
    tokens = TokenService(resolver.forget)
    return Hub(
        settings=settings,
        database=database,
        blobs=blobs,
        pool=ServicePool(database),
        resolver=resolver,
        passwords=PasswordSignIn(database),
        registrations=AttemptLimiter(settings.registrations_per_hour, 3600),
        accounts=AccountService(settings, create_namespace, _add_owner, resolver.forget),
        devices=DeviceService(settings, tokens),
        tokens=tokens,
        namespaces=NamespaceService(resolver.forget),
        groups=GroupService(resolver.forget),
        audit=AuditService(),
        packages=packages,
        releases=releases,
        files=files,
        labels=labels,
        label_changes=label_changes,
        editing=ReleaseEditing(upkeep),
        copies=PackageCopyService(packages, labels, label_changes, upkeep),
        notebooks=notebooks,
        collections=CollectionService(resolver.forget),
        publishers=PublisherService(IdentityVerifier(settings.oidc_issuers, settings.oidc_audiences), resolver.forget),
        trust=trust,
        attestations=AttestationService(trust, blobs, upkeep),
        search=SearchService(),
        anaconda=AnacondaService(packages, releases, files, blobs, upkeep),
        hotfixes=HotfixService(),
        notices=NoticeService(),
        channels=Channels(database, settings.data_dir / "indexes"),
        lookup=lookup,
        leaks=LeakGuard(database),
        contents=ArchiveReader(blobs),
        small_blobs=SmallBlobs(),
        usage=usage,
        sweep=BlobSweep(database, blobs, settings.sweep_grace_seconds, settings.temp_grace_seconds),
    )


def _add_owner(uow: UnitOfWork, namespace_id: int, user_id: int) -> None:
    namespaces.insert_membership(uow, namespace_id, user_id, Role.OWNER, now())


def build_application(hub: Hub) -> HubApplication:
    """Return the Tornado application of *hub*; refuses undeclared verbs."""
    check_declarations(ROUTES)
    return HubApplication(
        grouped(ROUTES),
        hub=hub,
        routes=ROUTES,
        max_body_bytes=MAX_JSON_BYTES,
        oversize_handler_class=OversizeHandler,
        log_function=log_request,
        default_handler_class=UnknownAddressHandler,
        xsrf_cookie_version=2,
        xsrf_cookie_kwargs={"samesite": "Lax"},
    )


async def serve(hub: Hub, address: str, port: int, *, trust_proxy: bool) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is running."""
    server = FileServer(
        build_application(hub),
        xheaders=trust_proxy,
        max_body_size=MAX_JSON_BYTES,
        max_buffer_size=8 * 1024 * 1024,
        chunk_size=256 * 1024,
        idle_connection_timeout=hub.settings.idle_seconds,
        body_timeout=hub.settings.idle_seconds,
    )
    sockets = bind_sockets(port, address)
    server.add_sockets(sockets)
    tasks = [
        asyncio.ensure_future(_repeat(FLUSH_SECONDS, hub.usage.flush)),
        asyncio.ensure_future(_repeat(SWEEP_SECONDS, lambda: _housekeeping(hub), at_once=hub.sweep.temporary)),
    ]
    # What is in memory now stays as long as the process: no collection needs to look through it again.
    gc.freeze()
    _announce(hub, _address_of(sockets[0], address))
    warm = asyncio.ensure_future(_warm_up())
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    _log.info("stopping")
    server.stop()
    for task in (*tasks, warm):
        task.cancel()
    await _drain(hub, server)
    await loop.run_in_executor(None, hub.usage.flush)
    hub.pool.shutdown()
    hub.channels.close()
    hub.database.dispose()
    (hub.settings.data_dir / "hub.json").unlink(missing_ok=True)


async def _warm_up() -> None:
    """Load, once the hub answers, what the first notebook would wait seconds for."""
    await asyncio.get_running_loop().run_in_executor(None, _import_validator)


def _import_validator() -> None:
    # Where the parser of international addresses is installed, jsonschema builds its grammar (two seconds of CPU and
    # tens of megabytes) to check a format that no schema of notebooks has. It takes the parser for absent here.
    grammar = "rfc3987_syntax"
    if grammar not in sys.modules:
        sys.modules[grammar] = None  # type: ignore[assignment]
    try:
        importlib.import_module("nbformat.validator")
    finally:
        if sys.modules.get(grammar, ...) is None:
            del sys.modules[grammar]


async def _drain(hub: Hub, server: FileServer) -> None:
    """Let running requests end; idle connections are closed then."""
    deadline = asyncio.get_running_loop().time() + STOP_SECONDS
    while hub.active and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - a set has no event
        await asyncio.sleep(0.05)
    try:
        await asyncio.wait_for(server.close_all_connections(), 5)
    except TimeoutError:
        _log.warning("some connections did not close")


async def _repeat(seconds: float, work: Callable[[], object], at_once: Callable[[], object] | None = None) -> None:
    loop = asyncio.get_running_loop()
    following = at_once
    while True:
        if following is not None:
            try:
                await loop.run_in_executor(None, following)
            except Exception:
                _log.exception("background work failed")
        following = work
        await asyncio.sleep(seconds)


def _housekeeping(hub: Hub) -> None:
    hub.sweep.run()
    hub.channels.sweep()


def _address_of(bound: socket.socket, address: str) -> str:
    host = address if address not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - shown, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"


def _announce(hub: Hub, url: str) -> None:
    path = hub.settings.data_dir / "hub.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    temporary.replace(path)
    print(f"Carrel hub is ready at {url}", flush=True)  # noqa: T201
