"""Uploads of every kind, refusals before the body, downloads with ranges and conditions."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests
from api_world import Api, World, problem

from carrel.testing.artifacts import Artifact, build_conda, build_notebook, build_sdist, build_wheel
from carrel.testing.hub import HubProcess
from carrel.testing.object_store import S3Server

ENVIRONMENT = b"name: x\nchannels: [conda-forge]\ndependencies: [python=3.11]\n"


@pytest.mark.parametrize(
    ("made", "query", "package", "version", "kind", "subdir"),
    [
        (build_conda("tool", "1.2", subdir="linux-64"), {}, "tool", "1.2", "conda", "linux-64"),
        (build_conda("tool", "1.2", subdir="noarch", fmt="tar.bz2"), {}, "tool", "1.2", "conda", "noarch"),
        (build_wheel("Some_Lib", "0.3"), {}, "some-lib", "0.3", "pypi", ""),
        (build_sdist("some-lib", "0.3"), {}, "some-lib", "0.3", "pypi", ""),
        (build_notebook(filename="a b ü.ipynb"), {"package": "study", "version": "1"}, "study", "1", "notebook", ""),
        (Artifact("environment.yml", ENVIRONMENT), {"package": "study", "version": "1"}, "study", "1", "environment", ""),
        (Artifact("numbers.csv", b"a\n1\n"), {"package": "study", "version": "1"}, "study", "1", "file", ""),
    ],
    ids=["conda", "tar.bz2", "wheel", "sdist", "notebook", "environment", "file"],
)
def test_every_kind(world: World, made: Artifact, query: dict[str, str], package: str, version: str, kind: str, subdir: str) -> None:
    api, namespace = world.owner, world.names["owner"]
    answer = api.upload(namespace, made.filename, made.data, **query)
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert (file["kind"], file["subdir"], file["filename"], file["size"]) == (kind, subdir, made.filename, len(made.data))
    assert file["sha256"] == hashlib.sha256(made.data).hexdigest()
    assert file["md5"] == hashlib.md5(made.data).hexdigest()
    assert file["labels"] == ["main"]
    assert file["uploaded_by"] == namespace
    assert api.get(file["download_url"]).content == made.data
    again = api.upload(namespace, made.filename, made.data, **query)
    assert (again.status_code, again.json()["sha256"]) == (200, file["sha256"])
    path = f"packages/{namespace}/{package}/releases/{version}/files/{requests.utils.quote(made.filename, safe='')}"
    query = {"subdir": subdir} if subdir else {}
    assert api.get(path, params=query).json()["sha256"] == file["sha256"]
    assert kind in api.get(f"packages/{namespace}/{package}").json()["kinds"]


def test_one_name_on_several_platforms(world: World) -> None:
    api, namespace = world.owner, world.names["owner"]
    for subdir in ("linux-64", "osx-arm64"):
        made = build_conda("many", "1", subdir=subdir)
        assert api.upload(namespace, made.filename, made.data).status_code == 201
    root = f"packages/{namespace}/many/releases/1/files"
    assert problem(api.get(f"{root}/{made.filename}"))["code"] == "ambiguous_file"
    assert problem(api.get(f"{root}/{made.filename}/content"))["code"] == "ambiguous_file"
    assert api.get(f"{root}/{made.filename}?subdir=osx-arm64").json()["subdir"] == "osx-arm64"
    assert api.get(f"{root}/linux-64%2F{made.filename}").json()["subdir"] == "linux-64"
    assert api.get(f"{root}/osx-arm64%2F{made.filename}/content").content == made.data


REFUSED = {
    "unknown namespace": (404, "not_found", {"namespace": "nobody-here"}),
    "missing version": (400, "version_needed", {"query": {"package": "p"}}),
    "missing package": (400, "package_needed", {"query": {"version": "1"}}),
    "bad label": (400, "invalid_name", {"query": {"package": "p", "version": "1", "label": "linux-64"}}),
    "bad package": (400, "invalid_name", {"query": {"package": "-p", "version": "1"}}),
    "bad version": (400, "invalid_name", {"query": {"package": "p", "version": "latest"}}),
    "bad visibility": (422, "invalid_input", {"query": {"package": "p", "version": "1", "visibility": "x"}}),
    "bad digest": (400, "invalid_digest", {"headers": {"Carrel-Sha256": "x"}}),
    "members of a user": (400, "invalid_visibility", {"query": {"package": "p", "version": "1", "visibility": "organization"}}),
    "other digest": (400, "digest_mismatch", {"headers": {"Carrel-Sha256": "0" * 64}}),
    "empty": (400, "empty_file", {"data": b""}),
    "not a notebook": (400, "invalid_file", {"filename": "x.ipynb"}),
    "not a package": (400, "invalid_file", {"filename": "x-1-0.conda", "query": {}}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(world: World, case: str) -> None:
    status, code, options = REFUSED[case]
    namespace = options.get("namespace", world.names["owner"])
    query = options.get("query", {"package": "p", "version": "1"})
    answer = world.owner.upload(namespace, options.get("filename", "x.csv"), options.get("data", b"x\n"), options.get("headers"), **query)
    assert (answer.status_code, problem(answer)["code"]) == (status, code), answer.text
    assert world.owner.get(f"packages/{world.names['owner']}/p").status_code == 404


@pytest.mark.parametrize(("field", "query"), [("package", {"package": "other"}), ("version", {"version": "9"}), ("kind", {"kind": "file"})])
def test_what_the_uploader_says_is_checked_against_the_bytes(world: World, field: str, query: dict[str, str]) -> None:
    made = build_wheel("truth", "1.0")
    answer = world.owner.upload(world.names["owner"], made.filename, made.data, **query)
    assert answer.status_code == 400
    if field != "kind":
        document = problem(answer)
        assert document["code"] == "metadata_mismatch"
        assert (document["field"], document["expected"]) == (field, query[field])


def test_other_bytes_under_a_taken_name(world: World) -> None:
    api, namespace = world.owner, world.names["owner"]
    assert api.upload(namespace, "x.csv", b"one", package="taken", version="1").status_code == 201
    answer = api.upload(namespace, "x.csv", b"two", package="taken", version="1")
    assert (answer.status_code, problem(answer)["code"]) == (409, "file_exists")
    assert api.delete(f"packages/{namespace}/taken").status_code == 204
    answer = api.upload(namespace, "x.csv", b"two", package="taken", version="1")
    assert (answer.status_code, problem(answer)["code"]) == (409, "file_exists")


def begin(hub: HubProcess, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """Send the head of an upload and nothing of its body; return the answer."""
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
    connection.putrequest("PUT", f"/api/v1/{path}")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


@pytest.mark.parametrize(
    ("role", "size", "status", "code"),
    [
        ("anonymous", 5_000, 401, "unauthenticated"),
        ("outsider", 5_000_000_000, 403, "not_a_member"),
        ("owner", 5_000_000_001, 413, "too_large"),
        ("owner", 10**15, 413, "too_large"),
    ],
)
@pytest.mark.parametrize("expect", [True, False])
def test_refused_before_the_body_is_sent(world: World, role: str, size: int, status: int, code: str, expect: bool) -> None:
    token = world.people[role].token
    headers = (
        {"Content-Length": str(size)}
        | ({"Authorization": f"token {token}"} if token else {})
        | ({"Expect": "100-continue"} if expect else {})
    )
    answer = begin(world.hub, f"namespaces/{world.organization}/files/x.csv?package=p&version=1", headers)
    assert answer.status == status
    assert json.loads(answer.read())["code"] == code


def test_a_taken_name_is_refused_before_the_body_when_the_digest_is_known(world: World) -> None:
    namespace = world.names["owner"]
    world.owner.upload(namespace, "x.csv", b"one", package="early", version="1")
    headers = {"Content-Length": "1000000", "Authorization": f"token {world.owner.token}", "Carrel-Sha256": "0" * 64}
    answer = begin(world.hub, f"namespaces/{namespace}/files/x.csv?package=early&version=1", headers)
    assert (answer.status, json.loads(answer.read())["code"]) == (409, "file_exists")


def test_a_client_that_is_refused_in_the_middle_reads_the_answer(world: World) -> None:
    answer = world.people["anonymous"].upload(world.organization, "x.csv", b"x" * 20_000_000, package="p", version="1")
    assert answer.status_code == 401


def test_full_disk(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--min-free-bytes=1000000000000000")
    api = Api(hub.url, hub.create_user("alice"))
    answer = api.upload("alice", "x.csv", b"x" * 1000, package="p", version="1")
    assert (answer.status_code, problem(answer)["code"]) == (507, "insufficient_storage")


def test_limits_hold_for_bodies_of_unknown_length(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--max-upload-bytes=3000000")
    api = Api(hub.url, hub.create_user("alice"))
    small = api.upload("alice", "x.csv", iter([b"x" * 100_000] * 20), package="p", version="1")
    assert small.status_code == 201, small.text
    assert small.json()["size"] == 2_000_000
    try:
        large = api.upload("alice", "y.csv", iter([b"x" * 100_000] * 60), package="p", version="1")
    except requests.ConnectionError:
        pass
    else:
        assert large.status_code in (400, 413)
    assert api.get("packages/alice/p/releases/1/files/y.csv").status_code == 404
    assert api.upload("alice", "x.csv", b"x" * 3_000_001, package="p", version="2").status_code == 413


def test_a_broken_upload_leaves_nothing(world: World) -> None:
    parts = urlsplit(world.hub.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = f"PUT /api/v1/namespaces/{world.names['owner']}/files/x.csv?package=half&version=1 HTTP/1.1\r\nHost: x\r\n"
        head += f"Authorization: Bearer {world.owner.token}\r\nContent-Length: 9000000\r\n\r\n"
        connection.sendall(head.encode() + b"x" * 4_000_000)
    assert world.owner.get(f"packages/{world.names['owner']}/half").status_code == 404
    uploads = world.hub.data_dir / "files" / "uploads"
    for _ in range(100):
        if not list(uploads.iterdir()):
            break
        threading.Event().wait(0.05)
    assert list(uploads.iterdir()) == []


CONTENT = bytes(range(256)) * 1000


@pytest.fixture(scope="module", params=[1000, 256_000], ids=["small", "large"])
def stored(request: pytest.FixtureRequest, world: World) -> tuple[str, bytes]:
    data = CONTENT[: request.param]
    answer = world.owner.upload(world.names["owner"], "bytes.dat", data, package=f"bytes-{request.param}", version="1", visibility="public")
    assert answer.status_code == 201, answer.text
    return answer.json()["download_url"], data


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=990-", 990, None), ("bytes=-7", -7, None), ("bytes=0-99999999", 0, None)],
)
def test_ranges(stored: tuple[str, bytes], header: str, start: int, stop: int | None) -> None:
    url, data = stored
    answer = requests.get(url, headers={"Range": header}, timeout=30)
    assert answer.status_code == 206
    assert answer.content == data[start:stop]
    first = start % len(data)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(data)}"


@pytest.mark.parametrize("header", ["bytes=1-2,4-5", "lines=1-2", "bytes=5-2", "bytes=-", "bytes=a-b"])
def test_ranges_that_are_not_understood_are_ignored(stored: tuple[str, bytes], header: str) -> None:
    url, data = stored
    answer = requests.get(url, headers={"Range": header}, timeout=30)
    assert (answer.status_code, answer.content) == (200, data)


def test_ranges_outside(stored: tuple[str, bytes]) -> None:
    url, data = stored
    answer = requests.get(url, headers={"Range": f"bytes={len(data)}-"}, timeout=30)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(data)}")


def test_conditions(stored: tuple[str, bytes]) -> None:
    url, data = stored
    whole = requests.get(url, timeout=30)
    etag = whole.headers["ETag"]
    assert etag == f'"sha256:{hashlib.sha256(data).hexdigest()}"'
    assert whole.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="bytes.dat"'
    for known in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        fresh = requests.get(url, headers={"If-None-Match": known}, timeout=30)
        assert (fresh.status_code, fresh.content, fresh.headers["ETag"]) == (304, b"", etag)
    assert requests.get(url, headers={"If-None-Match": '"sha256:x"'}, timeout=30).status_code == 200
    part = requests.get(url, headers={"Range": "bytes=0-1", "If-Range": etag}, timeout=30)
    assert part.status_code == 206
    assert requests.get(url, headers={"Range": "bytes=0-1", "If-Range": '"old"'}, timeout=30).status_code == 200
    head = requests.head(url, timeout=30)
    assert (head.status_code, head.headers["Content-Length"], head.headers["ETag"]) == (200, str(len(data)), etag)


@pytest.mark.parametrize("size", [1_000, 256_000])
def test_a_proxy_sends_the_bytes(start_hub: Callable[..., HubProcess], size: int) -> None:
    hub = start_hub("--accel-prefix=/blobs/")
    api = Api(hub.url, hub.create_user("alice"))
    file = api.upload("alice", "a.csv", b"x" * size, package="p", version="1", visibility="public").json()
    sha256 = file["sha256"]
    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=10-"}):
        answer = requests.get(file["download_url"], headers=headers, timeout=30)
        # The proxy cuts the range out; what it must pass on is here.
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["X-Accel-Redirect"] == f"/blobs/{sha256[:2]}/{sha256}"
        assert "Content-Range" not in answer.headers
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a.csv"'
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Cache-Control"].startswith("public")
    assert (hub.data_dir / "files" / "blobs" / sha256[:2] / sha256).stat().st_size == size
    etag = f'"sha256:{sha256}"'
    known = requests.get(file["download_url"], headers={"If-None-Match": etag}, timeout=30)
    assert (known.status_code, "X-Accel-Redirect" in known.headers) == (304, False)
    head = requests.head(file["download_url"], timeout=30)
    assert (head.headers["Content-Length"], "X-Accel-Redirect" in head.headers) == (str(size), False)
    api.patch("packages/alice/p", {"visibility": "private"})
    hidden = requests.get(file["download_url"], timeout=30)
    assert (hidden.status_code, "X-Accel-Redirect" in hidden.headers) == (404, False)


def test_the_object_store_sends_the_bytes(start_hub: Callable[..., HubProcess], s3_server: S3Server) -> None:
    store = f"s3://{s3_server.create_bucket()}/blobs?endpoint={s3_server.url}"
    hub = start_hub("--presigned-downloads=true", f"--blob-store-url={store}", env=s3_server.environment())
    token = hub.create_user("alice")
    api = Api(hub.url, token)
    for visibility in ("public", "private"):
        file = api.upload("alice", "a.csv", CONTENT, package=visibility, version="1", visibility=visibility).json()
        answer = api.get(file["download_url"], allow_redirects=False)
        assert (answer.status_code, answer.content) == (307, b"")
        # The address opens the bytes to whoever holds it, so nobody may keep it.
        assert answer.headers["Cache-Control"] == "no-store"
        target = answer.headers["Location"]
        assert target.startswith(s3_server.url)
        assert token not in target
        part = api.get(file["download_url"], headers={"Range": "bytes=10-19"}, allow_redirects=False)
        assert "Content-Range" not in part.headers
        assert requests.get(target, timeout=30).content == CONTENT
        assert api.get(file["download_url"]).content == CONTENT
        known = api.get(file["download_url"], headers={"If-None-Match": f'"sha256:{file["sha256"]}"'}, allow_redirects=False)
        assert known.status_code == 304
        head = api.call("HEAD", file["download_url"], allow_redirects=False)
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(CONTENT)))
    assert Api(hub.url).get(file["download_url"], allow_redirects=False).status_code == 404


def test_private_bytes_stay_out_of_shared_caches(world: World) -> None:
    api, namespace = world.owner, world.names["owner"]
    url = api.upload(namespace, "x.csv", b"secret", package="mine", version="1").json()["download_url"]
    answer = api.get(url)
    assert answer.headers["Cache-Control"].startswith("private")
    assert "Authorization" in answer.headers["Vary"]
    assert world.people["outsider"].get(url).status_code == 404
    assert api.patch(f"packages/{namespace}/mine", {"visibility": "public"}).status_code == 200
    assert world.people["outsider"].get(url).status_code == 200
    assert api.patch(f"packages/{namespace}/mine", {"visibility": "private"}).status_code == 200
    assert world.people["outsider"].get(url).status_code == 404
    latest = api.get(url.replace("/releases/1/", "/releases/latest/"))
    assert "immutable" not in latest.headers["Cache-Control"]


def test_labels_over_http(world: World) -> None:
    api, namespace = world.owner, world.names["owner"]
    api.upload(namespace, "x.csv", b"labelled", package="labelled", version="1", label=["dev", "a/b"])
    path = f"packages/{namespace}/labelled/releases/1/files/x.csv"
    assert api.get(path).json()["labels"] == ["a/b", "dev"]
    assert api.put(f"{path}/labels", json={"labels": ["main"]}).json()["labels"] == ["main"]
    assert {"main", "dev", "a/b"} <= {item["name"] for item in api.get(f"namespaces/{namespace}/labels").json()["items"]}
    assert problem(api.put(f"{path}/labels", json={"labels": ["no/../way"]}))["code"] == "invalid_name"


def test_publishing_a_notebook_with_its_environment(world: World) -> None:
    api, outsider, namespace = world.owner, world.people["outsider"], world.names["owner"]
    notebook = build_notebook(filename="analysis.ipynb")
    root = f"packages/{namespace}/analysis"
    draft = api.post(f"{root}/releases", {"visibility": "public", "message": "first"}).json()
    assert (draft["version"], draft["state"], draft["url"]) == ("1", "draft", f"{world.hub.url}/{namespace}/analysis/1")
    digests = {}
    for name, data in {"analysis.ipynb": notebook.data, "environment.yml": ENVIRONMENT, "data.csv": b"a\n1\n"}.items():
        file = api.upload(namespace, name, data, package="analysis", version="1").json()
        digests[name] = file["sha256"]
    assert outsider.get(root).status_code == 404
    published = api.post(f"{root}/releases/1/publish", {"labels": ["main"]})
    assert published.json()["state"] == "published"
    package = outsider.get(root).json()
    assert (package["kinds"], package["latest_version"]) == (["environment", "file", "notebook"], "1")
    assert package["summary"]
    same = api.post(f"{root}/releases", {"if_changed": digests})
    assert (same.status_code, same.headers["Carrel-Unchanged"], same.json()["version"]) == (200, "true", "1")
    changed = api.post(f"{root}/releases", {"if_changed": digests | {"data.csv": "0" * 64}})
    assert (changed.status_code, changed.json()["version"]) == (201, "2")
    assert api.delete(f"{root}/releases/2").status_code == 204
    assert api.delete(f"{root}/releases/1").status_code == 204
    assert api.get(root).status_code == 404
