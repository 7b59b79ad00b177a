"""Bodies of clients that break off, do not wait, send on after an answer, or send nothing: on a bare connection."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from api_world import Api
from tornado.httputil import HTTPHeaders, parse_response_start_line

from carrel.testing.hub import HubProcess

MEGABYTE = 1024 * 1024
LIMIT = 4 * MEGABYTE


@pytest.fixture(scope="module")
def hub(start_hub: Callable[..., HubProcess]) -> HubProcess:
    return start_hub(f"--max-upload-bytes={LIMIT}")


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    return hub.create_user("alice")


class Bare:
    """A connection on which everything can be sent."""

    def __init__(self, hub: HubProcess) -> None:
        self.socket = socket.create_connection(("127.0.0.1", hub.port), timeout=15)
        self._file = self.socket.makefile("rb")

    def send(self, verb: str, path: str, body: bytes = b"", token: str = "", **headers: str) -> None:
        lines = [f"{verb} {path} HTTP/1.1", "Host: hub.example", *(f"{name.replace('_', '-')}: {text}" for name, text in headers.items())]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def head(self) -> tuple[int, HTTPHeaders]:
        """Read the next status line and headers."""
        line, *rest = iter(self._file.readline, b"\r\n")
        return parse_response_start_line(line.decode().strip()).code, HTTPHeaders.parse(b"".join(rest).decode())

    def answer(self) -> tuple[int, bytes]:
        """Read the next answer."""
        status, headers = self.head()
        return status, self._file.read(int(headers.get("Content-Length", "0")))

    def is_closed(self) -> bool:
        """Wait until the other side closes, and tell whether it did so without another byte."""
        return self._file.read() == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture
def bare(hub: HubProcess) -> Iterator[Bare]:
    with closing(Bare(hub)) as connection:
        yield connection


def place(filename: str) -> str:
    return f"/api/v1/namespaces/alice/files/{filename}?package=p&version=1"


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


def temporary_files(hub: HubProcess) -> list[Path]:
    """Return the files of uploads under way, once nothing changes: an empty list, or what is left after ten seconds."""
    folder = hub.data_dir / "files" / "uploads"
    deadline = time.monotonic() + 10
    while (found := list(folder.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_a_body_that_grows_too_large_leaves_nothing_on_the_disk(hub: HubProcess, token: str, bare: Bare) -> None:
    bare.send("PUT", place("large.csv"), chunked(*[b"x" * MEGABYTE] * 6) + b"0\r\n\r\n", token, Transfer_Encoding="chunked")
    assert bare.answer()[0] == 413
    assert temporary_files(hub) == []


def test_broken_uploads_leave_no_work_behind(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub(f"--max-upload-bytes={LIMIT}")
    token = hub.create_user("alice")
    ends = [
        (b"x" * 100, {"Content_Length": "300"}),
        (b"x" * 3 * MEGABYTE, {"Content_Length": str(LIMIT)}),
        (chunked(*[b"x" * MEGABYTE] * 8), {"Transfer_Encoding": "chunked"}),
        (chunked(b"x" * 2 * MEGABYTE) + b"no length\r\n", {"Transfer_Encoding": "chunked"}),
    ]
    for number, (body, headers) in enumerate(ends * 3):
        with closing(Bare(hub)) as connection:
            connection.send("PUT", place(f"{number}.csv"), body, token, **headers)
    assert temporary_files(hub) == []
    hub.stop()
    assert " 500 " not in hub.log
    assert [line for line in hub.log.splitlines() if " ERROR " in line] == []


def test_a_failure_of_the_hub_in_the_middle_is_told(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub()
    api = Api(hub.url, hub.create_user("alice"))
    folder = hub.data_dir / "files" / "uploads"
    folder.rmdir()  # as if the disk was lost
    for size in (10, 3 * MEGABYTE):
        answer = api.upload("alice", "x.csv", b"x" * size, package="p", version="1")
        assert (answer.status_code, answer.json()["status"]) == (500, 500)
    assert hub.log.count("Traceback") == 2
    assert str(folder) not in answer.text
    folder.mkdir()
    assert api.upload("alice", "x.csv", b"x" * 3 * MEGABYTE, package="p", version="1").status_code == 201


def test_nothing_is_done_on_a_connection_that_was_said_to_end(hub: HubProcess, token: str, bare: Bare) -> None:
    api = Api(hub.url, token)
    assert api.upload("alice", "kept.csv", b"a\n1\n", package="kept", version="1").status_code == 201
    bare.send("PUT", place("x.csv"), b"x" * 2 * MEGABYTE, Content_Length=str(2 * MEGABYTE))
    bare.send("DELETE", "/api/v1/packages/alice/kept", token=token)
    assert bare.answer()[0] == 401
    assert bare.is_closed()
    assert api.get("packages/alice/kept").status_code == 200


@pytest.mark.parametrize(("path", "status"), [(place("x.csv"), 401), ("/api/v1/organizations", 413)])
def test_a_client_that_does_not_wait_to_be_told_to_go_on_reads_the_refusal(hub: HubProcess, bare: Bare, path: str, status: int) -> None:
    verb = "PUT" if status == 401 else "POST"
    bare.send(verb, path, b"x" * LIMIT, Content_Length=str(LIMIT), Expect="100-continue")
    assert bare.answer()[0] == status
    assert bare.is_closed()


def test_a_refusal_that_nobody_waits_for_is_in_the_log(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--log-level=INFO")
    with closing(Bare(hub)) as connection:
        connection.send("PUT", place("logged.csv"), Content_Length=str(LIMIT), Expect="100-continue")
        assert connection.answer()[0] == 401
    deadline = time.monotonic() + 10
    while not (found := [line for line in hub.log.splitlines() if "logged.csv" in line]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [" 401 " in line for line in found] == [True]


@pytest.mark.parametrize("expect", ["100-continue", "100-Continue"])
def test_a_client_that_waits_is_told_to_go_on(token: str, bare: Bare, expect: str) -> None:
    bare.send("PUT", place(f"{expect}.csv"), token=token, Content_Length="4", Expect=expect)
    assert bare.head()[0] == 100
    bare.socket.sendall(b"a\n1\n")
    assert bare.answer()[0] == 201


@pytest.mark.parametrize(("verb", "path", "status"), [("POST", place("x.csv"), 405), ("PUT", "/api/v1/nowhere", 404)])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_file_for_a_wrong_address_is_told_so(hub: HubProcess, verb: str, path: str, status: int, in_chunks: bool) -> None:
    body = b"x" * 3 * MEGABYTE
    answer = requests.request(verb, hub.url + path, data=iter([body]) if in_chunks else body, timeout=30)
    assert answer.status_code == answer.json()["status"] == status
    assert requests.head(hub.url + path, timeout=30).status_code == status


@pytest.mark.parametrize("length", ["9" * 20, "9" * 5000, f"{'9' * 30}, {'9' * 30}"])
def test_lengths_that_no_file_has(token: str, bare: Bare, length: str) -> None:
    bare.send("PUT", place("x.csv"), token=token, Content_Length=length)
    assert bare.answer()[0] == 413


def test_zeros_before_a_length(token: str, bare: Bare) -> None:
    bare.send("PUT", place("zeros.csv"), b"a\n1\n", token, Content_Length=f"{'0' * 3000}4")
    assert bare.answer()[0] == 201


@pytest.mark.parametrize("before", [True, False])
def test_a_form_that_does_not_end(token: str, bare: Bare, before: bool) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="content"; filename="a.whl"\r\n\r\nx\r\n--x--\r\n'
    bare.send("POST", "/pypi/alice/legacy/", token=token, Content_Type="multipart/form-data; boundary=x", Transfer_Encoding="chunked")
    if not before:
        bare.socket.sendall(chunked(part))
    for _ in range(10):
        bare.socket.sendall(chunked(b"y" * MEGABYTE))
    assert bare.answer()[0] == 413


def test_clients_that_send_nothing_are_let_go(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--idle-seconds=1")
    token = hub.create_user("alice")
    silent: list[tuple[str, str, bytes, str, int]] = [
        ("PUT", place("silent.csv"), b"x" * 2 * MEGABYTE, token, 3 * MEGABYTE),
        ("PUT", place("refused.csv"), b"x" * 100, "", 1000),
        ("POST", "/api/v1/organizations", b'{"name": ', token, 1000),
    ]
    with closing(Bare(hub)) as steady:
        steady.send("PUT", place("steady.csv"), token=token, Content_Length="60")
        for verb, path, body, given, length in silent:
            with closing(Bare(hub)) as connection:
                connection.send(verb, path, body, given, Content_Length=str(length))
                if not given:
                    assert connection.answer()[0] == 401
                steady.socket.sendall(b"a,b\n" * 4)
                for _ in range(3):  # a second is over after two
                    time.sleep(0.5)
                    steady.socket.sendall(b"\n")
                assert connection.is_closed()
        steady.socket.sendall(b"\n\n\n")
        assert steady.answer()[0] == 201
    assert temporary_files(hub) == []
