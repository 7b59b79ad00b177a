"""What is left of damaged conda records: enough to install the very package again.

The archive must be known by digest or by what conda noted in its history; a package is never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from carrel.core.errors import CarrelError
from carrel.environments import revisions
from carrel.environments.conda.cache import PackageStore
from carrel.environments.conda_meta import CondaRecord, DamagedRecord
from carrel.environments.credentials import strip_url
from carrel.environments.locations import conda_cache_folder

# members of the record itself stand two spaces in; those of its files stand further in and have digests as well
_MEMBER = re.compile(r'^ {0,2}"(url|sha256|md5|subdir|channel|size)": ?("(?:[^"\\]|\\.)*"|\d+)', re.MULTILINE)
_REQUESTED = re.compile(r'^ {0,2}"requested_specs?": ?(\[[^\]]*\]|"[^"]*")', re.MULTILINE)
_LINKED = re.compile(r"^\+(?P<channel>\S+)/(?P<subdir>[\w-]+)::(?P<dist>\S+)$")


def archive_of(record: CondaRecord | DamagedRecord, prefix: Path) -> dict[str, Any] | None:
    """Return what has to be fetched to install the package of *record* again, None when nobody knows any more."""
    wanted: dict[str, Any] = {"name": record.name, "version": record.version, "build": record.build}
    if isinstance(record, CondaRecord):
        found: Mapping[str, Any] = {
            "url": record.url,
            "sha256": record.sha256,
            "md5": record.md5,
            "size": record.size,
            "subdir": record.subdir,
            "channel": record.channel,
        }
        return _complete(wanted, found)
    for source in (_from_text(record.path), _from_history(prefix, wanted)):
        if (complete := _complete(wanted, source)) is not None:
            return complete
    return None


def text_of(record: DamagedRecord, prefix: Path) -> bytes | None:
    """Return what the damaged record held, to the byte, from the newest revision that has it; None when none does."""
    number = revisions.newest(prefix)
    while number is not None and number >= 0:
        with suppress(CarrelError, KeyError):
            entry = revisions.state_of(prefix, number).conda.get(record.path.name)
            if entry is not None:
                return revisions.texts_of(prefix, number)[entry.text]
        number -= 1
    return None


def requested_of(record: DamagedRecord) -> tuple[str, ...]:
    """Return what the damaged record still says about who asked for the package."""
    with suppress(OSError, ValueError):
        for text in _REQUESTED.findall(record.path.read_text(encoding="utf-8", errors="replace")):
            found = json.loads(text)
            return tuple(map(str, found)) if isinstance(found, list) else ((found,) if found and found != "None" else ())
    return ()


def _complete(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any] | None:
    url = strip_url(str(found.get("url") or ""))
    if "://" not in url or not (found.get("sha256") or found.get("md5")):
        return None
    kept = {key: found[key] for key in ("sha256", "md5", "size", "subdir") if found.get(key)}
    parts = url.rsplit("/", 2)
    channel = parts[0] if len(parts) == 3 else str(found.get("channel") or "")
    return {**wanted, **kept, "url": url, "subdir": kept.get("subdir") or parts[-2], "channel": channel, "depends": None}


def _from_text(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with suppress(OSError):
        for key, value in _MEMBER.findall(path.read_text(encoding="utf-8", errors="replace")):
            with suppress(ValueError):
                found[key] = json.loads(value)
    return found


def _from_history(prefix: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the address that conda's history gives, if our cache still knows the digest of exactly that package."""
    dist = f"{wanted['name']}-{wanted['version']}-{wanted['build']}"
    try:
        lines = (prefix / "conda-meta" / "history").read_text(encoding="utf-8", errors="replace").splitlines()
        entry = PackageStore(conda_cache_folder()).entry(wanted)
        digest = entry.with_name(entry.name + ".lock").read_bytes()[8:40].hex()
    except OSError:
        return {}
    for line in reversed(lines):
        match = _LINKED.match(line.strip())
        if match and match["dist"] == dist and "://" in match["channel"]:
            url = f"{match['channel']}/{match['subdir']}/{dist}.conda"
            return {"url": url, "sha256": digest, "subdir": match["subdir"], "channel": match["channel"]}
    return {}
