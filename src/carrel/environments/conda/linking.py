"""Linking packages from the cache into a prefix (worker side)."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rattler import MatchSpec, install
from rattler.exceptions import InstallerError

from carrel.environments.conda.cache import PackageStore
from carrel.environments.conda.failure import Failure
from carrel.environments.conda.network import make_client
from carrel.environments.conda.records import from_json, prefix_records

if TYPE_CHECKING:
    from carrel.environments.conda.downloading import Report


class _Reporter:
    """Counts linked and unlinked packages. The library ignores what is raised in here."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._done = report, total, 0

    def on_transaction_start(self, total_operations: int) -> None:
        self._total = total_operations
        self._report("link", 0, self._total, "packages", "")

    def on_transaction_operation_start(self, operation: int) -> None:
        pass

    def on_populate_cache_start(self, operation: int, package_name: str) -> int:
        return operation

    def on_link_start(self, operation: int, package_name: str) -> int:
        self._report("link", self._done, self._total, "packages", package_name)
        return operation

    def on_transaction_operation_complete(self, operation: int) -> None:
        self._done += 1
        self._report("link", self._done, self._total, "packages", "")


async def link(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Bring ``prefix`` to: what is installed, without ``remove``, with ``records``; note down ``requested``.

    The archives of *records* must have been fetched. Link scripts are not run.
    """
    prefix = Path(request["prefix"])
    state = prefix_records(prefix)
    for name in request.get("remove") or []:
        state.pop(name, None)
    for record in from_json(request["records"]):
        state[record.name.normalized] = record
    store = PackageStore(Path(request["cache"]))
    with store.in_use():
        try:
            await install(
                records=list(state.values()),
                target_prefix=prefix,
                cache_dir=store.folder,
                client=make_client(request.get("headers") or {}),
                requested_specs=list(_requested(request.get("requested") or {})),
                execute_link_scripts=False,
                show_progress=False,
                reporter=_Reporter(report, len(request["records"])),
            )
        except InstallerError as error:
            raise Failure("link", str(error)) from error
    _open_records(prefix)
    return {"count": len(state)}


def _open_records(prefix: Path) -> None:
    """Let whoever may read the environment read its records: the library writes them for their owner alone."""
    mask = os.umask(0o077)
    os.umask(mask)
    for record in (prefix / "conda-meta").glob("*.json"):
        if stat.S_IMODE(record.stat().st_mode) == 0o600:
            record.chmod(0o666 & ~mask)


def _requested(requested: dict[str, list[str]]) -> Iterator[Any]:
    for specs in requested.values():
        for spec in specs:
            # what conda noted down long ago need not satisfy today's grammar
            with contextlib.suppress(Exception):
                yield MatchSpec(spec, strict=False)._match_spec  # the library wants its inner object here
