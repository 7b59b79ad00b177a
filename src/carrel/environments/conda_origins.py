"""Where installed conda packages came from: a channel, to the byte, or what is to be said of the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from carrel.core.errors import CarrelError
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import files
from carrel.environments.conda import engine
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.credentials import strip_url
from carrel.environments.models import Environment, Sources
from carrel.formats.environment.lock import LockedConda, LockProblem, split_conda_url

_UPLOAD = "Upload it to your namespace and install it from there."


def locked_conda(
    environment: Environment, records: Sequence[CondaRecord], sources: Sources, on_event: OnProgress, cancel: CancelSignal
) -> tuple[LockedConda, ...]:
    """Return what conda installed, with all that its records, the package cache and the channels of *sources* tell of its archives."""
    packages = [_with_sha256(_conda(record), record) for record in records]
    unclear = {item.name for item in packages if _is_unclear(item) or not item.sha256}
    # folders have nothing to tell that other machines could read
    channels = tuple(channel for channel in sources.channels if not channel.startswith("file:"))
    if not unclear or not channels:
        return tuple(packages)
    try:
        known = engine.find(
            sorted(unclear), environment.platform, sources=replace(sources, channels=channels), on_event=on_event, cancel=cancel
        )
    except CarrelError as error:
        if error.status == 499:
            raise
        return tuple(packages)
    return tuple(_from_channel(item, known) if item.name in unclear else item for item in packages)


def _is_unclear(item: LockedConda) -> bool:
    return not item.url or item.url.startswith("file:")


def _from_channel(item: LockedConda, known: Sequence[Mapping[str, Any]]) -> LockedConda:
    """Return *item* as a channel has it, to the byte; as it is when none has."""
    for record in known:
        same = record.get("sha256") == item.sha256 if item.sha256 else bool(item.md5) and record.get("md5") == item.md5
        if not same or record["name"] != item.name:
            continue
        item = replace(item, sha256=item.sha256 or record.get("sha256") or "", size=item.size or int(record.get("size") or 0))
        if _is_unclear(item):
            url = strip_url(record["url"])
            channel, subdir, _ = split_conda_url(url)
            item = replace(item, url=url, channel=channel, subdir=subdir)
        return item
    return item


def _with_sha256(item: LockedConda, record: CondaRecord) -> LockedConda:
    """Return *item* with the SHA-256 and size that the package cache knows of the archive with the recorded MD5."""
    if (item.sha256 and item.size) or not (item.md5 and record.extracted):
        return item
    try:
        cached = json.loads(Path(record.extracted, "info", "repodata_record.json").read_bytes())
    except (OSError, ValueError):
        cached = {}
    if cached.get("md5") == item.md5:
        item = replace(item, sha256=item.sha256 or cached.get("sha256") or "", size=item.size or int(cached.get("size") or 0))
    for suffix in (".conda", ".tar.bz2") if not item.sha256 else ():
        archive = Path(record.extracted + suffix)
        if item.filename in ("", archive.name) and archive.is_file() and (found := files.digests(archive)).md5 == item.md5:
            item = replace(item, sha256=found.sha256, size=found.size)
    return item


def _conda(record: CondaRecord) -> LockedConda:
    return LockedConda(
        name=record.name,
        version=record.version,
        build=record.build,
        url=record.url,
        sha256=record.sha256,
        md5=record.md5,
        size=record.size,
        subdir=record.subdir,
        channel=record.channel,
        depends=record.depends,
    )


def conda_problems(packages: Sequence[LockedConda]) -> list[LockProblem]:
    """Return what is unclear about where *packages* came from."""
    problems = []
    for item in packages:
        if not item.url or not (item.sha256 or item.md5):
            message = f"{item.name} {item.version} was installed without a note of where it came from. Install it again from a channel."
            problems.append(LockProblem("unknown_origin", message, item.name, "reinstall"))
        elif item.url.startswith("file:"):
            message = f"{item.name} {item.version} came from a folder of this machine. {_UPLOAD}"
            problems.append(LockProblem("local_channel", message, item.name, "copy_package"))
    return problems


def channels_in_use(packages: Sequence[LockedConda], sources: Sources) -> tuple[str, ...]:
    """Return the channels of *packages*: in the order of *sources*, then by how much comes from them."""
    counts: dict[str, int] = {}
    for item in packages:
        if item.channel:
            counts[item.channel] = counts.get(item.channel, 0) + 1
    order = [strip_url(channel).rstrip("/") for channel in sources.channels]

    def rank(channel: str) -> tuple[int, int, str]:
        for position, source in enumerate(order):
            if channel == source or channel.endswith(f"/{source}"):
                return position, 0, channel
        return len(order), -counts[channel], channel

    return tuple(sorted(counts, key=rank))
