from __future__ import annotations

import pytest
from api_world import World, make_world

from carrel.testing.hub import HubProcess


@pytest.fixture(scope="module")
def world(hub: HubProcess) -> World:
    """People of this module."""
    return make_world(hub)
