"""Everything a handler can reach. Filled by :mod:`carrel.hub.app`, the only place where implementations are chosen."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.database.engine import Database
from carrel.hub.accounts.passwords import PasswordSignIn
from carrel.hub.accounts.resolver import CredentialResolver
from carrel.hub.channels.service import Channels
from carrel.hub.pool import ServicePool
from carrel.hub.search.service import SearchService
from carrel.hub.settings import HubSettings


@dataclass(slots=True)
class Hub:
    """The parts of a running hub.

    Attributes
    ----------
    settings : HubSettings
    database : Database
    pool : ServicePool
        Where services run.
    resolver : CredentialResolver
        Tokens and sessions.
    passwords : PasswordSignIn
    channels : Channels
        Indexes that conda and PyPI clients read.
    search : SearchService
    """

    settings: HubSettings
    database: Database
    pool: ServicePool
    resolver: CredentialResolver
    passwords: PasswordSignIn
    channels: Channels
    search: SearchService
