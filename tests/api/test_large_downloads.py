"""Large files leave by the shortest way, whole and in parts, to clients that hurry, dawdle or go away."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
import requests
from api_world import World

SIZE = 12_000_000


@pytest.fixture(scope="module")
def bulk(world: World) -> tuple[str, bytes]:
    """Address and bytes of a large file."""
    data = os.urandom(SIZE)
    answer = world.owner.upload(world.organization, "bulk.bin", data, package="bulk", version="1", visibility="public")
    assert answer.status_code == 201
    return f"{world.hub.url}/api/v1/packages/{world.organization}/bulk/releases/1/files/bulk.bin/content", data


def test_one_connection_gets_the_whole_and_parts(bulk: tuple[str, bytes]) -> None:
    address, data = bulk
    with requests.Session() as session:
        assert session.get(address, timeout=60).content == data
        for first, last in ((0, SIZE - 1), (5_000_001, 9_999_999), (SIZE - 1, SIZE - 1)):
            part = session.get(address, headers={"Range": f"bytes={first}-{last}"}, timeout=60)
            assert (part.status_code, part.content == data[first : last + 1]) == (206, True)
        assert session.get(address, timeout=60).content == data


def test_a_slow_client_gets_everything(bulk: tuple[str, bytes], world: World) -> None:
    address, data = bulk
    with _ask(world, address) as connection:
        received = bytearray()
        while not received.endswith(data[-100:]):
            if len(received) < 2_000_000:
                time.sleep(0.05)
            piece = connection.recv(1 << 18)
            assert piece, "closed too early"
            received += piece
    assert received.partition(b"\r\n\r\n")[2] == data


def test_clients_that_go_away_leave_nothing_open(bulk: tuple[str, bytes], world: World) -> None:
    address, data = bulk
    requests.get(address, timeout=60)
    before = _open_files(world)
    for _ in range(5):
        with _ask(world, address) as connection:
            assert connection.recv(1000)
    deadline = time.monotonic() + 10
    while _open_files(world) > before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _open_files(world) <= before
    assert requests.get(address, timeout=60).content == data
    assert "Traceback" not in world.hub.log


def _ask(world: World, address: str) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # so that the hub has to wait
    connection.connect(("127.0.0.1", world.hub.port))
    connection.settimeout(30)
    connection.sendall(f"GET {address.removeprefix(world.hub.url)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return connection


def _open_files(world: World) -> int:
    return len(list(Path(f"/proc/{world.hub.pid}/fd").iterdir()))
