"""Packages of conda that pip or uv installed over in the very same version.

Then the folder of metadata has the name that conda's record lists, and nothing looks amiss by name. What tells is in the folder: the
installer signs it, and its list of files is another than the one that the package brought.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from carrel.environments import distributions
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.distributions import Distribution

_SIGNED = ("INSTALLER", "RECORD")
# what installers of Python packages add, and packages of conda rarely bring
_ADDED = ("REQUESTED", "direct_url.json", "uv_cache.json")
_LONGEST = 10_000_000


def overwritten(prefix: Path, records: Iterable[CondaRecord]) -> Iterator[tuple[CondaRecord, Distribution]]:
    """Yield those of conda's *records* whose Python distribution another installer put there, with that distribution."""
    folders = distributions.site_packages(prefix)
    for record in records:
        for name in record.distributions:
            for path in (folder / name for folder in folders):
                if _installer(path) in ("", "conda") or _is_as_brought(path.relative_to(prefix).as_posix(), path, record):
                    continue
                if (distribution := distributions.read_distribution(path)) is not None:
                    yield record, distribution


def _installer(path: Path) -> str:
    try:
        with (path / "INSTALLER").open("rb") as file:
            return file.read(100).decode("utf-8", "replace").strip().lower()
    except OSError:
        return ""


def _is_as_brought(relative: str, path: Path, record: CondaRecord) -> bool:
    """Whether the folder of metadata at *path* is the one that the package of *record* brought: some are signed by pip from the start."""
    whole: dict[str, Any] = json.loads(record.path.read_bytes())
    owned = set(whole.get("files") or ())
    paths = (whole.get("paths_data") or {}).get("paths") or ()
    known = {str(entry.get("_path")): entry for entry in paths if isinstance(entry, dict)}
    for name in _SIGNED:
        file = f"{relative}/{name}"
        if file not in owned and (path / name).is_file():
            return False  # the package brought none
        entry = known.get(file, {})
        # what names the prefix is rewritten when it is installed, and then only this digest counts
        digest = entry.get("sha256_in_prefix") or (None if entry.get("prefix_placeholder") else entry.get("sha256"))
        if digest and _sha256(path / name) not in ("", digest):
            return False
    return not any((path / name).is_file() and f"{relative}/{name}" not in owned for name in _ADDED)


def _sha256(path: Path) -> str:
    """Return the digest of a small file; empty for another one, or for none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.stat().st_size <= _LONGEST else ""
    except OSError:
        return ""
