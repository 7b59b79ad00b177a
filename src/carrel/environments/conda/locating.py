"""Where else an archive may be: copies with its digest, and channels that may have a file of its name (worker side)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rattler import Channel, Gateway
from rattler.exceptions import GatewayError
from rattler.networking import Client


async def add_places(records: list[dict[str, Any]], request: dict[str, Any], client: Client) -> None:
    """Give each of *records* its ``places``, in the order they are to be tried in.

    Copies in the channels ``copies_in``, found by digest in what those channels list; then the record's own address; then the
    same file in the channels ``others``, which are not asked beforehand. Which channel of ``copies_in`` did not answer is told
    in the record's ``silent``, by address.
    """
    copies, silent = await _copies(records, request, client)
    others = [str(Channel(channel).base_url).rstrip("/") for channel in request.get("others") or []]
    for record in records:
        filename, subdir = record["url"].rpartition("/")[2], record.get("subdir") or record["url"].split("/")[-2]
        digest = record.get("sha256") or record.get("md5") or ""
        places = [*copies.get(digest, ()), record["url"], *(f"{base}/{subdir}/{filename}" for base in others)]
        record["places"], record["silent"] = list(dict.fromkeys(places)), silent


async def _copies(records: list[dict[str, Any]], request: dict[str, Any], client: Client) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return addresses by digest, and why channels said nothing."""
    found: dict[str, list[str]] = {}
    silent: dict[str, str] = {}
    names = sorted({record["name"] for record in records})
    platforms = sorted({record.get("subdir") or "noarch" for record in records} | {"noarch"})
    gateway = Gateway(cache_dir=Path(request["cache"]) / "repodata", client=client)
    for channel in request.get("copies_in") or []:
        try:
            # the shards of these names alone: the channel may be a large one
            lists = await gateway.query([Channel(channel)], platforms, names, recursive=False, channel_relations="disabled")
        except GatewayError as error:
            silent[str(channel)] = str(error).strip().splitlines()[-1]
            continue
        for record in (record for one in lists for record in one):
            for digest in (record.sha256, record.md5):
                if digest is not None:
                    found.setdefault(bytes(digest).hex(), []).append(record.url)
    return found, silent
