"""kill -9 in the middle of an upload: nothing half is visible, and its remains are swept."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from api_world import Api

from carrel.testing.hub import HubProcess


def test_a_kill_in_the_middle_of_an_upload(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--temp-grace-seconds=0")
    api = Api(hub.url, hub.create_user("alice"))
    assert api.upload("alice", "whole.csv", b"whole", package="p", version="1").status_code == 201
    uploads = hub.data_dir / "files" / "uploads"
    parts = urlsplit(hub.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = "PUT /api/v1/namespaces/alice/files/half.csv?package=p&version=1 HTTP/1.1\r\nHost: x\r\n"
        head += f"Authorization: Bearer {api.token}\r\nContent-Length: 90000000\r\n\r\n"
        connection.sendall(head.encode() + b"x" * 8_000_000)
        wait_until(lambda: any(path.stat().st_size >= 4_000_000 for path in uploads.iterdir()))
        hub.kill()
    assert len(list(uploads.iterdir())) == 1
    hub.restart()
    wait_until(lambda: not list(uploads.iterdir()))
    files = api.get("packages/alice/p/releases/1").json()["files"]
    assert [file["filename"] for file in files] == ["whole.csv"]
    assert api.get(files[0]["download_url"]).content == b"whole"
    assert api.upload("alice", "half.csv", b"now whole", package="p", version="1").status_code == 201


def test_kills_between_uploads_lose_nothing_that_was_answered(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub()
    api = Api(hub.url, hub.create_user("alice"))
    answered: dict[str, bytes] = {}
    for round_ in range(3):
        stop = threading.Event()

        def work(round_: int = round_, stop: threading.Event = stop) -> None:
            for number in range(1000):
                if stop.is_set():
                    return
                name, data = f"{round_}-{number}.csv", f"{round_},{number}\n".encode() * 50
                try:
                    if Api(hub.url, api.token).upload("alice", name, data, package="many", version="1").status_code == 201:
                        answered[name] = data
                except OSError:
                    return

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(1)
        hub.kill()
        stop.set()
        thread.join()
        hub.restart()
    assert answered
    files = {file["filename"]: file for file in api.get("packages/alice/many/releases/1").json()["files"]}
    assert answered.keys() <= files.keys()
    for name, file in files.items():
        content = api.get(file["download_url"]).content
        assert len(content) == file["size"]
        assert content == answered.get(name, content)


def test_an_orderly_stop_lets_a_running_upload_end(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub()
    api = Api(hub.url, hub.create_user("alice"))
    results: list[int] = []
    begun = threading.Event()

    def body() -> object:
        for _ in range(10):
            yield b"x" * 200_000
            begun.set()
            time.sleep(0.1)

    thread = threading.Thread(
        target=lambda: results.append(api.upload("alice", "slow.csv", body(), package="slow", version="1").status_code)
    )
    thread.start()
    begun.wait(10)
    hub.stop()
    thread.join(20)
    hub.start()
    assert results == [201]
    assert api.get("packages/alice/slow/releases/1/files/slow.csv").json()["size"] == 2_000_000


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
