from __future__ import annotations

import hashlib
import json
import logging
import threading

import pytest
from fake_hub import fake_hub

from carrel.client import HubClient
from carrel.client.models import File, Package, Release
from carrel.core import errors

TOKEN = "ca-" + "a2" * 16
JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.fixture
def hub():
    with fake_hub() as server:
        yield server


@pytest.fixture
def client(hub):
    with HubClient(hub.url, TOKEN) as client:
        yield client


def problem(status, code, **fields):
    return (status, PROBLEM, json.dumps({"status": status, "code": code, "detail": "Do something else.", **fields}).encode())


def file(hub, content, path="/f/a.csv", sha256=None):
    return File("a.csv", "file", sha256 or hashlib.sha256(content).hexdigest(), len(content), f"{hub.url}{path}")


@pytest.mark.parametrize(
    ("status", "code", "cls"),
    [
        (409, "file_exists", errors.FileExists),
        (400, "metadata_mismatch", errors.MetadataMismatch),
        (400, "authorization_pending", errors.BadRequest),
        (401, "unauthenticated", errors.Unauthenticated),
        (403, "some_new_code", errors.Forbidden),
        (404, "not_found", errors.NotFound),
        (413, "too_large", errors.TooLarge),
        (507, "insufficient_storage", errors.InsufficientStorage),
        (418, "teapot", errors.BadRequest),
    ],
)
def test_problem_documents_become_errors(hub, client, status, code, cls):
    hub.answer("GET", "/api/v1/user", problem(status, code, field="x"))
    with pytest.raises(errors.CarrelError) as raised:
        client.whoami()
    assert type(raised.value) is cls
    assert raised.value.code == code
    assert raised.value.detail == "Do something else."
    assert raised.value.fields["field"] == "x"


def test_answers_that_are_no_problem_documents(hub, client):
    hub.answer("GET", "/api/v1/user", (403, {"Content-Type": "text/html"}, b"<h1>proxy</h1>"))
    with pytest.raises(errors.Forbidden, match="403"):
        client.whoami()
    hub.answer("GET", "/api/v1/user", (200, JSON, b"<html>"))
    with pytest.raises(errors.UpstreamError, match="address of a Carrel hub"):
        client.whoami()
    hub.answer("GET", "/api/v1/user", (200, JSON, b"[1]"))
    with pytest.raises(errors.UpstreamError):
        client.whoami()


def test_unreachable():
    with pytest.raises(errors.UpstreamError) as raised:
        HubClient("http://127.0.0.1:9", TOKEN).server()
    assert raised.value.code == "hub_unreachable"
    assert "127.0.0.1:9" in raised.value.detail


def test_idempotent_requests_are_repeated_others_are_not(hub, client):
    hub.answer("GET", "/api/v1/user", (503, {}, b""), (502, {}, b""), (200, JSON, b'{"name": "ada"}'))
    assert client.whoami().name == "ada"
    hub.requests.clear()
    hub.answer("POST", "/api/v1/device/code", (503, {}, b""))
    with pytest.raises(errors.Unavailable):
        client.device_code("test")
    assert len(hub.requests) == 1


def test_the_token_travels_in_a_header_to_the_hub_alone(hub, client, caplog):
    caplog.set_level(logging.DEBUG)
    hub.answer("GET", "/api/v1/user", (200, JSON, b'{"name": "ada"}'))
    client.whoami()
    _, path, headers, _ = hub.requests[-1]
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["User-Agent"].startswith("carrel/")
    with fake_hub() as other:
        content = b"x"
        other.answer("GET", "/f/a.csv", (200, {}, content))
        client.read(file(other, content))
        assert "Authorization" not in other.requests[-1][2]
    assert TOKEN not in caplog.text + path + repr(client.__dict__) + repr(client._http.__dict__)


def test_netrc_does_not_replace_the_token(hub, client, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    hub.answer("GET", "/api/v1/user", (200, JSON, b'{"name": "ada"}'))
    client.whoami()
    assert hub.requests[-1][2]["Authorization"] == f"Bearer {TOKEN}"
    hub.answer("GET", "/api/v1/", (200, JSON, b"{}"))
    HubClient(hub.url).server()
    assert "Authorization" not in hub.requests[-1][2]


def test_unknown_and_missing_members_do_no_harm(hub, client):
    document = {"namespace": "acme", "package": "a", "version": "1", "files": [{"filename": "f", "new": 1, "size": None}], "newer": {}}
    hub.answer("GET", "/api/v1/packages/acme/a/releases/latest", (200, JSON, json.dumps(document).encode()))
    release = client.release("acme", "a")
    assert isinstance(release, Release)
    assert release.files == (File("f", "", "", 0, ""),)
    assert release.published_at is None


def test_pages_are_followed(hub, client):
    def page(names, cursor):
        return (200, JSON, json.dumps({"items": [{"namespace": "a", "name": n} for n in names], "next_cursor": cursor}).encode())

    hub.answer("GET", "/api/v1/namespaces/a/packages", page("xy", "c1"), page("z", None))
    assert list(client.packages("a")) == [Package("a", "x"), Package("a", "y"), Package("a", "z")]
    assert "cursor=c1" in hub.requests[-1][1]


def test_uploads_are_streamed_with_length_and_digest(hub, client, tmp_path):
    content = b"0123456789" * 200_000
    path = tmp_path / "big.bin"
    path.write_bytes(content)
    answer = {"filename": "big.bin", "kind": "file", "sha256": "s", "size": len(content), "download_url": "u"}
    hub.answer("PUT", "/api/v1/namespaces/ada/files/big.bin", (503, {}, b""), (201, JSON, json.dumps(answer).encode()))
    reports = []
    uploaded = client.upload_file("ada", path, "big.bin", package="p", version="1", labels=["main", "dev"], progress=reports.append)
    assert uploaded.size == len(content)
    _, target, headers, body = hub.requests[-1]
    assert body == content, "a repeated upload starts from the beginning"
    assert headers["Content-Length"] == str(len(content))
    assert headers["Carrel-Sha256"] == hashlib.sha256(content).hexdigest()
    assert "label=main&label=dev&package=p&version=1" in target
    assert reports[-1].done == reports[-1].total == len(content)
    assert "Transfer-Encoding" not in headers


def test_an_empty_file_can_be_uploaded(hub, client):
    hub.answer("PUT", "/api/v1/namespaces/ada/files/e", (201, JSON, b'{"filename": "e"}'))
    assert client.upload_file("ada", b"", "e").filename == "e"
    assert hub.requests[-1][2]["Content-Length"] == "0"


def test_uploads_can_be_cancelled(hub, client):
    hub.answer("PUT", "/api/v1/namespaces/ada/files/b", (201, JSON, b"{}"))
    cancel = threading.Event()

    def report(progress):
        cancel.set()

    with pytest.raises(errors.Cancelled):
        client.upload_file("ada", b"x" * 3_000_000, "b", progress=report, cancel=cancel)


def test_downloads_appear_complete_and_verified(hub, client, tmp_path):
    content = b"a,b\n1,2\n" * 100_000
    hub.answer("GET", "/f/a.csv", (200, {}, content))
    reports = []
    path = client.download(file(hub, content), tmp_path, reports.append)
    assert path == tmp_path / "a.csv"
    assert path.read_bytes() == content
    assert reports[-1].done == len(content)
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_other_bytes_are_thrown_away(hub, client, tmp_path):
    hub.answer("GET", "/f/a.csv", (200, {}, b"evil"))
    target = tmp_path / "a.csv"
    target.write_text("mine")
    with pytest.raises(errors.DigestMismatch) as raised:
        client.download(file(hub, b"good"), target)
    assert raised.value.fields["filename"] == "a.csv"
    assert target.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(errors.DigestMismatch):
        client.read(file(hub, b"good"))


def test_a_broken_connection_is_resumed(hub, client, tmp_path):
    content = bytes(range(256)) * 10_000

    def breaks(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:1_500_000])
        handler.wfile.flush()
        handler.close_connection = True
        handler.connection.shutdown(2)

    def resumes(handler):
        start = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
        handler.send_response(206)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:])

    hub.answer("GET", "/f/a.csv", breaks, resumes)
    assert client.download(file(hub, content), tmp_path).read_bytes() == content
    assert "Range" in hub.requests[-1][2]
    hub.answer("GET", "/f/a.csv", breaks, (200, {}, content))  # a server that does not resume
    assert client.download(file(hub, content), tmp_path / "b").read_bytes() == content


def test_a_cancelled_download_leaves_nothing(hub, client, tmp_path):
    content = b"x" * 5_000_000
    hub.answer("GET", "/f/a.csv", (200, {}, content))
    cancel = threading.Event()
    with pytest.raises(errors.Cancelled):
        client.download(file(hub, content), tmp_path, lambda progress: cancel.set(), cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_file_name_from_the_hub_cannot_leave_the_folder(hub, client, tmp_path):
    content = b"x"
    hub.answer("GET", "/f/a.csv", (200, {}, content))
    for name in ("../evil", "linux-64/a.conda", "..\\evil"):
        found = client.download(File(name, "file", hashlib.sha256(content).hexdigest(), 1, f"{hub.url}/f/a.csv"), tmp_path)
        assert found.parent == tmp_path


def test_unchanged_releases_are_told_by_a_header(hub, client):
    body = b'{"namespace": "a", "package": "b", "version": "3"}'
    hub.answer("POST", "/api/v1/packages/a/b/releases", (200, {**JSON, "Carrel-Unchanged": "true"}, body))
    assert client.start_release("a", "b", if_changed={"f": "0"}).unchanged is True
    hub.answer("POST", "/api/v1/packages/a/b/releases", (201, JSON, body))
    assert client.start_release("a", "b", message="m").unchanged is False
    assert json.loads(hub.requests[-1][3]) == {"message": "m"}
