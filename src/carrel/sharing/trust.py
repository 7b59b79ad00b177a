"""What this machine's person has agreed to install from, and what of a publication comes from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from carrel.environments.credentials import strip_url
from carrel.environments.locations import data_folder

if TYPE_CHECKING:
    from carrel.sharing.reproduce import Publication


def origin(url: str) -> str:
    """Return scheme, host and port of *url*."""
    parts = urlsplit(strip_url(url))
    return f"{parts.scheme}://{parts.netloc}"


class TrustStore:
    """Addresses of channels and indexes that the person agreed to install from, in a private file of this machine."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_folder() / "trusted-sources.json"

    def trusted(self) -> frozenset[str]:
        """Return the addresses."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return frozenset()
        return frozenset(item for item in found if isinstance(item, str)) if isinstance(found, list) else frozenset()

    def add(self, sources: Iterable[str]) -> None:
        """Remember *sources*."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(sorted(self.trusted() | set(sources)), indent=1), "utf-8")
        temporary.chmod(0o600)
        temporary.replace(self.path)


def new_sources(publication: Publication, known: Iterable[str], trust: TrustStore) -> tuple[str, ...]:
    """Return the addresses that this machine has not installed from: neither configured (*known*) nor agreed to."""
    trusted = [strip_url(source).rstrip("/") for source in [*known, *trust.trusted()]]
    return tuple(source for source in publication.sources if not any(source == base or source.startswith(base + "/") for base in trusted))
