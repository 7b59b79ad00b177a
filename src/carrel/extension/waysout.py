"""Ways out of impossible changes, kept until one is taken.

A page names a way by its id alone: what is planned then is what was tried, from the very places it was tried with.
"""

from __future__ import annotations

import secrets
import shlex
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from carrel.core.errors import NotFound, Unsolvable
from carrel.environments import Change, Environment, Sources, Spec, specs
from carrel.environments.credentials import strip_url

_SECONDS = 1800.0
_KEPT = 100


@dataclass(frozen=True, slots=True)
class KeptWay:
    """A change that was solved, and where its packages came from."""

    text: str
    change: Change
    sources: Sources
    prefix: Path
    ends: float


class WaysOut:
    """Ways out by id, for half an hour."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, KeptWay] = OrderedDict()

    def keep(self, error: Unsolvable, environment: Environment, sources: Sources) -> None:
        """Give every way out of *error* an id, or a command where it leads to a new environment."""
        for way in error.fields.get("ways_out") or ():
            if way["new_environment"]:
                way["command"] = _command(way["change"]["add"], environment.prefix, sources)
                continue
            change = _change(way["change"], sources)
            way["id"] = secrets.token_hex(8)
            with self._lock:
                self._kept[way["id"]] = KeptWay(
                    way["text"], change, replace(sources, headers={}), environment.prefix, time.monotonic() + _SECONDS
                )
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)

    def take(self, way_id: object, environment: Environment) -> KeptWay:
        """Return the way with an id.

        Raises
        ------
        carrel.core.errors.NotFound
        """
        with self._lock:
            kept = self._kept.get(str(way_id))
        if kept is None or kept.ends < time.monotonic() or kept.prefix != environment.prefix:
            raise NotFound("This way out is not known any more. Make the plan again.", code="way_out_not_found")
        return kept


def _change(told: Mapping[str, Any], sources: Sources) -> Change:
    # specifications are told without credentials: the channels they name are given back as they were
    channels = {strip_url(channel).rstrip("/"): channel for channel in sources.channels}

    def whole(text: str) -> Spec:
        spec = specs.parse(text)
        return replace(spec, channel=channels.get(spec.channel.rstrip("/"), spec.channel)) if spec.channel else spec

    return Change(tuple(whole(text) for text in told["add"]), tuple(told["remove"]), tuple(told["update"]))


def _command(add: list[str], prefix: Path, sources: Sources) -> str:
    words = ["carrel", "env", "create", "--prefix", f"{prefix}-new", *add]
    words += [word for channel in sources.channels for word in ("--channel", strip_url(channel))]
    words += [word for index in sources.indexes for word in ("--index", strip_url(index))]
    return shlex.join(words)
