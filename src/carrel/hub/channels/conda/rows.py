"""Rows of conda channels as values: files, shards, what changed, what an index says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from carrel.formats.conda.index import Fragments, Revision


@dataclass(frozen=True, slots=True)
class ShardKey:
    """The channel that a shard belongs to."""

    label_id: int
    subdir: str


@dataclass(frozen=True, slots=True)
class ChannelFile:
    """One published conda file under one label."""

    key: ShardKey
    filename: str
    sha256: str
    md5: str
    size: int
    attributes: dict[str, Any]
    uploaded_at: datetime
    yanked: bool
    attestations_sha256: str | None


@dataclass(frozen=True, slots=True)
class PresentShard:
    """A shard before a change: its package's name, its digest and its bytes."""

    name: str
    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a package before its shards are written again.

    Attributes
    ----------
    shards : dict
        The present shards.
    removed : dict
        Names of files that were listed once.
    hotfixes : dict of str to int
        By subdir: when the owner's instructions changed, microseconds since the epoch.
    """

    shards: dict[ShardKey, PresentShard]
    removed: dict[ShardKey, set[str]]
    hotfixes: dict[str, int]


@dataclass(frozen=True, slots=True)
class PackageKey:
    """A package in a channel: what a shard is stored under."""

    package_id: int
    shard: ShardKey


@dataclass(frozen=True, slots=True)
class ShardRow:
    """A shard as it is stored, and its bytes."""

    key: PackageKey
    name: str
    sha256: str
    fragments: Fragments
    content: bytes


@dataclass(frozen=True, slots=True)
class Writes:
    """What has changed, to be written at once.

    Attributes
    ----------
    shards : list of ShardRow
        Written in place of former ones.
    deleted : list of PackageKey
        Shards that are no more.
    removed, taken_back : list of tuple of PackageKey and str
        Names that an index lists no more, and that it lists again.
    retired : set of str
        Contents that no index names any more.
    """

    shards: list[ShardRow] = field(default_factory=list)
    deleted: list[PackageKey] = field(default_factory=list)
    removed: list[tuple[PackageKey, str]] = field(default_factory=list)
    taken_back: list[tuple[PackageKey, str]] = field(default_factory=list)
    retired: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index of a channel says about one package.

    Attributes
    ----------
    package_id : int
    name : str
    digest : bytes
        SHA-256 (raw) of the compressed shard.
    visibility : str
        Of the package.
    updated_at : datetime
    revision : Revision, optional
        Of its records that older clients must not see.
    """

    package_id: int
    name: str
    digest: bytes
    visibility: str
    updated_at: datetime
    revision: Revision | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """What says who sees a package in an index."""

    name_key: str
    visibility: str
