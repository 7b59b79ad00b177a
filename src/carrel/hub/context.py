"""Everything a handler can reach. Filled by :mod:`carrel.hub.app`, the only place where implementations are chosen."""

from __future__ import annotations

import weakref
from collections.abc import MutableSet
from dataclasses import dataclass, field
from typing import Any

from carrel.database.engine import Database
from carrel.hub.accounts.devices import DeviceService
from carrel.hub.accounts.passwords import AttemptLimiter, PasswordSignIn
from carrel.hub.accounts.resolver import CredentialResolver
from carrel.hub.accounts.service import AccountService
from carrel.hub.anaconda.service import AnacondaService
from carrel.hub.attestations.service import AttestationService
from carrel.hub.attestations.trust import TrustRoot
from carrel.hub.audit.service import AuditService
from carrel.hub.channels.service import Channels
from carrel.hub.collections.service import CollectionService
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
from carrel.hub.namespaces.service import NamespaceService
from carrel.hub.notebooks.service import NotebookService
from carrel.hub.notices.service import NoticeService
from carrel.hub.packages.copying import PackageCopyService
from carrel.hub.packages.service import PackageService
from carrel.hub.pool import ServicePool
from carrel.hub.publishers.service import PublisherService
from carrel.hub.releases.editing import ReleaseEditing
from carrel.hub.releases.service import ReleaseService
from carrel.hub.search.service import SearchService
from carrel.hub.settings import HubSettings
from carrel.hub.tokens.service import TokenService
from carrel.storage import BlobStore


@dataclass(slots=True)
class Hub:
    """The parts of a running hub.

    Attributes
    ----------
    settings : HubSettings
    database : Database
    blobs : BlobStore
    pool : ServicePool
        Where services run.
    resolver : CredentialResolver
        Tokens and sessions.
    passwords : PasswordSignIn
    registrations : AttemptLimiter
        Brake on new accounts and device sign-ins per address.
    accounts, devices, tokens, namespaces, groups, audit, packages, releases, files, labels, notebooks, collections, publishers, search
        Services, one per feature.
    label_changes, copies, editing
        Services for many labels at once, for copies to other namespaces, and for releases that are published.
    anaconda : AnacondaService
        What only the anaconda.org API needs.
    trust : TrustRoot
        What the signatures of attestations are checked against.
    attestations : AttestationService
        Who published conda packages.
    hotfixes : HotfixService
        Patch instructions of conda channels.
    notices : NoticeService
        Messages to the users of conda channels.
    channels : Channels
        Indexes that conda and PyPI clients read.
    lookup : FileLookup
        Download addresses, remembered.
    contents : ArchiveReader
        What archives hold, for the pages.
    leaks : LeakGuard
        Refuses uploads that hold a token.
    small_blobs : SmallBlobs
    usage : UsageRecorder
    sweep : BlobSweep
    active : set
        Handlers of requests that are not answered yet.
    """

    settings: HubSettings
    database: Database
    blobs: BlobStore
    pool: ServicePool
    resolver: CredentialResolver
    passwords: PasswordSignIn
    registrations: AttemptLimiter
    accounts: AccountService
    devices: DeviceService
    tokens: TokenService
    namespaces: NamespaceService
    groups: GroupService
    audit: AuditService
    packages: PackageService
    releases: ReleaseService
    files: FileService
    labels: LabelService
    label_changes: LabelChangeService
    editing: ReleaseEditing
    copies: PackageCopyService
    notebooks: NotebookService
    collections: CollectionService
    publishers: PublisherService
    trust: TrustRoot
    attestations: AttestationService
    search: SearchService
    anaconda: AnacondaService
    hotfixes: HotfixService
    notices: NoticeService
    channels: Channels
    lookup: FileLookup
    leaks: LeakGuard
    contents: ArchiveReader
    small_blobs: SmallBlobs
    usage: UsageRecorder
    sweep: BlobSweep
    active: MutableSet[Any] = field(default_factory=weakref.WeakSet)
