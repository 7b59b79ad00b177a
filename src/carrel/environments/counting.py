"""Bytes and packages counted out of uv's remarks, which has no other reports of progress."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from carrel.core.progress import OnProgress, Progress
from carrel.environments.naming import normalize

_REMARK = re.compile(r"(Downloading|Downloaded|Built|[+~]) ([A-Za-z0-9][A-Za-z0-9._-]*)")


class Counting:
    """A listener of uv that tells *on_event* how much has come (bytes) and how many are there (packages).

    Parameters
    ----------
    on_event : callable
    sizes : mapping of str to int
        Bytes of the archives, by normalized name; 0 when unknown.
    """

    def __init__(self, on_event: OnProgress, sizes: Mapping[str, int]) -> None:
        self._on_event = on_event
        self._sizes = dict(sizes)
        self._fetched: set[str] = set()
        self._installed: set[str] = set()

    def __call__(self, event: Progress) -> None:
        """Take a report of uv."""
        match = _REMARK.match(event.message.strip())
        if match is None:
            self._on_event(event)
            return
        verb, name = match[1], normalize(match[2].partition("==")[0])
        if verb in ("Downloaded", "Built"):
            self._fetched.add(name)
        elif verb in "+~":
            self._installed.add(name)
        self._report(event)

    def finished(self, stage: str) -> None:
        """Report that a stage is complete."""
        (self._fetched if stage == "download" else self._installed).update(self._sizes)
        self._report(Progress(stage))

    def _report(self, event: Progress) -> None:
        if event.stage == "download":
            done, total = sum(self._sizes.get(name, 0) for name in self._fetched), sum(self._sizes.values())
            self._on_event(replace(event, done=done, total=total, unit="bytes"))
        else:
            self._on_event(replace(event, done=len(self._installed), total=max(len(self._sizes), len(self._installed)), unit="packages"))


@lru_cache(maxsize=4)
def packages_of(lock: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the packages of a pylock.toml, by normalized name."""
    return {normalize(package["name"]): package for package in tomllib.loads(lock).get("packages", [])} if lock else {}
