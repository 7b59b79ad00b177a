"""A person at a terminal, signed in to a real hub."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from cli_process import Carrel, QuickCarrel

from carrel.testing.hub import HubProcess

_numbers = itertools.count(1)


@pytest.fixture
def carrel(tmp_path: Path) -> Carrel:
    """The command in an empty home, signed in nowhere."""
    home = tmp_path / "home"
    home.mkdir()
    return Carrel(home)


@pytest.fixture
def ada(carrel: Carrel, hub: HubProcess) -> str:
    """The name of a new user of the hub, as whom *carrel* is signed in."""
    name = f"ada{next(_numbers)}"
    token = hub.create_user(name)
    carrel.ok("login", "--hub", hub.url, "--token", stdin=token + "\n")
    return name


@pytest.fixture
def quick(tmp_path: Path) -> QuickCarrel:
    """The command in an empty home, signed in nowhere, run in this process."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return QuickCarrel(home)


@pytest.fixture
def eve(quick: QuickCarrel, hub: HubProcess) -> str:
    """The name of a new user of the hub, as whom *quick* is signed in."""
    name = f"eve{next(_numbers)}"
    quick.variables |= {"CARREL_HUB_URL": hub.url, "CARREL_TOKEN": hub.create_user(name)}
    return name
