"""Channels of a real hub: validators, lifetimes, who sees what, and what a crash leaves."""

from __future__ import annotations

import concurrent.futures
import json
import threading
import time
import uuid
from collections.abc import Callable
from urllib.parse import urljoin

import msgpack
import pytest
import requests
import zstandard

from carrel.testing.artifacts import Artifact, build_conda, build_wheel
from carrel.testing.hub import HubProcess

SHARDS = "repodata_shards.msgpack.zst"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


def put(hub: HubProcess, token: str, namespace: str, artifact: Artifact, **query: object) -> requests.Response:
    return requests.put(
        f"{hub.url}/api/v1/namespaces/{namespace}/files/{artifact.filename}",
        data=artifact.data,
        params=query,  # type: ignore[arg-type]
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )


def get(hub: HubProcess, path: str, token: str | None = None, **headers: str) -> requests.Response:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return requests.get(f"{hub.url}{path}", headers=headers, timeout=60, allow_redirects=False)


def shards(response: requests.Response) -> dict[str, bytes]:
    assert response.status_code == 200, response.text
    return msgpack.unpackb(zstandard.decompress(response.content))["shards"]


@pytest.fixture(scope="module")
def people(hub: HubProcess) -> dict[str, str]:
    """Tokens of an organization's owner, a member and an outsider; each visibility has a package in it."""
    tokens = {name: hub.create_user(name) for name in ("owner1", "member1", "outsider1")}
    hub.create_organization("team", tokens["owner1"], {"member1": "member"})
    for visibility in ("private", "organization", "unlisted", "public"):
        for artifact in (build_conda(f"c-{visibility}", noarch="generic"), build_wheel(f"w-{visibility}")):
            response = put(hub, tokens["owner1"], "team", artifact, visibility=visibility, label=["main", f"of_{visibility}"])
            assert response.status_code == 201, response.text
    return tokens


SEEN = {
    None: {"public"},
    "outsider1": {"public"},
    "member1": {"public", "unlisted", "organization"},
    "owner1": {"public", "unlisted", "organization", "private"},
}


@pytest.mark.parametrize("who", SEEN)
def test_each_viewer_has_a_view(hub: HubProcess, people: dict[str, str], who: str | None) -> None:
    token = people[who] if who else None
    index = get(hub, f"/conda/team/noarch/{SHARDS}", token)
    found = shards(index)
    assert found.keys() == {f"c-{visibility}" for visibility in SEEN[who]}
    whole = get(hub, "/conda/team/noarch/repodata.json.zst", token)
    document = json.loads(zstandard.ZstdDecompressor().decompress(whole.content))
    assert {record["name"] for record in document["packages.conda"].values()} == found.keys()
    assert get(hub, "/conda/team/noarch/repodata.json", token).json() == document
    projects = get(hub, "/pypi/team/simple/", token, **JSON)
    assert {item["name"] for item in projects.json()["projects"]} == {f"w-{visibility}" for visibility in SEEN[who]}
    scope = "private" if who else "public"
    for response in (index, whole, projects):
        assert response.headers["Cache-Control"] == f"{scope}, max-age=30"
        assert "Authorization" in response.headers["Vary"]
    owner = shards(get(hub, f"/conda/team/noarch/{SHARDS}", people["owner1"]))
    for visibility in SEEN["owner1"]:
        expected = 200 if visibility in SEEN[who] else 404
        digest = owner[f"c-{visibility}"].hex()
        assert get(hub, f"/conda/team/noarch/shards/{digest}.msgpack.zst", token).status_code == expected
        assert get(hub, f"/pypi/team/simple/w-{visibility}/", token).status_code == expected
        assert get(hub, f"/conda/team/label/of_{visibility}/noarch/{SHARDS}", token).status_code == expected
        # Who knows the address of an unlisted file gets it.
        expected = 200 if visibility in SEEN[who] | {"unlisted"} else 404
        assert get(hub, f"/conda/team/noarch/c-{visibility}-1.0-0.conda", token).status_code == expected


@pytest.mark.parametrize(
    "path",
    [
        f"/conda/team/noarch/{SHARDS}",
        "/conda/team/noarch/repodata.json",
        "/conda/team/noarch/repodata.json.zst",
        "/conda/team/notices.json",
        "/pypi/team/simple/",
        "/pypi/team/simple/w-public/",
    ],
)
def test_validators(hub: HubProcess, people: dict[str, str], path: str) -> None:
    first = get(hub, path)
    etag = first.headers["ETag"]
    assert etag.startswith('"')
    assert "Last-Modified" not in first.headers
    for given, status in ((etag, 304), (f'"other", {etag}', 304), ('"other"', 200)):
        again = get(hub, path, **{"If-None-Match": given})
        assert again.status_code == status
        assert again.headers["ETag"] == etag
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert (again.content == b"") is (status == 304)
    assert get(hub, path, **{"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}).status_code == 200
    head = requests.head(f"{hub.url}{path}", timeout=30)
    assert (head.status_code, head.headers["ETag"]) == (200, etag)
    assert head.headers["Content-Length"] == first.headers["Content-Length"]


def test_another_view_has_another_etag(hub: HubProcess, people: dict[str, str]) -> None:
    for path in (f"/conda/team/noarch/{SHARDS}", "/conda/team/noarch/repodata.json", "/pypi/team/simple/"):
        etag = get(hub, path).headers["ETag"]
        assert get(hub, path, people["owner1"], **{"If-None-Match": etag}).status_code == 200
    zst = get(hub, "/conda/team/noarch/repodata.json.zst")
    assert zst.headers["ETag"] != get(hub, "/conda/team/noarch/repodata.json").headers["ETag"]
    assert "Content-Encoding" not in zst.headers


def test_what_is_not_there(hub: HubProcess, people: dict[str, str]) -> None:
    hub.create_user("empty1")
    empty = get(hub, "/conda/empty1/noarch/repodata.json")
    assert empty.json()["packages"] == {}
    assert shards(get(hub, f"/conda/empty1/noarch/{SHARDS}")) == {}
    assert get(hub, "/conda/empty1/notices.json").json() == {"notices": []}
    for path in (
        "/conda/empty1/linux-64/repodata.json",
        f"/conda/empty1/linux-64/{SHARDS}",
        "/conda/empty1/label/none/noarch/repodata.json",
        "/conda/nobody/noarch/repodata.json",
        "/conda/empty1/not_a_platform/repodata.json",
        f"/conda/empty1/noarch/shards/{'0' * 64}.msgpack.zst",
        "/conda/empty1/noarch/shards/00.msgpack.zst",
        "/conda/empty1/noarch/absent-1.0-0.conda",
        "/pypi/empty1/simple/absent/",
        "/pypi/nobody/simple/",
    ):
        assert get(hub, path).status_code == 404, path
    assert get(hub, f"/conda/t/ca-wrong/team/noarch/{SHARDS}").status_code == 401


def test_simple_index_forms_and_redirects(hub: HubProcess, people: dict[str, str]) -> None:
    html = get(hub, "/pypi/team/simple/w-public/")
    assert html.headers["Content-Type"].startswith("text/html")
    assert "Accept" in html.headers["Vary"]
    assert b"data-core-metadata" in html.content
    assert get(hub, "/pypi/team/simple/w-public/", **JSON).headers["Content-Type"] == JSON["Accept"]
    assert get(hub, "/pypi/team/simple/w-public/", Accept="image/png").status_code == 406
    for path, location in (
        ("/pypi/team/simple/W_Public/", "../w-public/"),
        ("/pypi/team/simple/W_Public", "w-public/"),
        ("/pypi/team/simple", "simple/"),
    ):
        moved = get(hub, path)
        assert (moved.status_code, moved.headers["Location"]) == (301, location)


def test_a_change_of_visibility_or_labels_shows_at_once(hub: HubProcess, people: dict[str, str]) -> None:
    name = f"moving-{uuid.uuid4().hex[:8]}"
    owner = people["owner1"]
    assert put(hub, owner, "team", build_conda(name, noarch="generic"), visibility="public").ok
    headers = {"Authorization": f"Bearer {owner}"}
    digest = shards(get(hub, f"/conda/team/noarch/{SHARDS}"))[name].hex()
    shard = f"/conda/team/noarch/shards/{digest}.msgpack.zst"
    assert get(hub, shard).status_code == 200
    api = f"{hub.url}/api/v1/packages/team/{name}"
    assert requests.patch(api, json={"visibility": "private"}, headers=headers, timeout=30).ok
    assert name not in shards(get(hub, f"/conda/team/noarch/{SHARDS}"))
    assert get(hub, shard).status_code == 404
    assert get(hub, shard, owner).status_code == 200
    assert requests.patch(api, json={"visibility": "public"}, headers=headers, timeout=30).ok
    file = f"{api}/releases/1.0/files/noarch%2F{name}-1.0-0.conda"
    assert requests.put(f"{file}/labels", json={"labels": ["other/label"]}, headers=headers, timeout=30).ok
    whole = get(hub, "/conda/team/noarch/repodata.json").json()
    assert name not in {record["name"] for record in whole["packages.conda"].values()}
    assert whole["removed"] == [f"{name}-1.0-0.conda"]  # its name stays in the shards, to say that
    assert name in shards(get(hub, f"/conda/team/label/other/label/noarch/{SHARDS}"))
    assert requests.delete(api, headers=headers, timeout=30).ok
    assert get(hub, f"/conda/team/label/other/label/noarch/{SHARDS}").status_code == 404


def test_readers_beside_writers_always_see_what_was_answered(hub: HubProcess, people: dict[str, str]) -> None:
    token = hub.create_user("busy1")
    answered: set[str] = set()
    lock = threading.Lock()

    def upload(number: int) -> None:
        name = f"p{number}"
        assert put(hub, token, "busy1", build_conda(name), visibility="public").status_code == 201
        with lock:
            answered.add(name)

    def read(path: str, names: Callable[[requests.Response], set[str]]) -> None:
        with lock:
            expected = set(answered)
        assert names(get(hub, path)) >= expected

    def whole(response: requests.Response) -> set[str]:
        if response.status_code == 404:
            return set()
        document = json.loads(zstandard.ZstdDecompressor().decompress(response.content))
        return {record["name"] for record in document["packages.conda"].values()}

    def sharded(response: requests.Response) -> set[str]:
        return set() if response.status_code == 404 else set(shards(response))

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        work = [pool.submit(upload, number) for number in range(24)]
        for _ in range(12):
            work.append(pool.submit(read, f"/conda/busy1/linux-64/{SHARDS}", sharded))
            work.append(pool.submit(read, "/conda/busy1/linux-64/repodata.json.zst", whole))
        for item in work:
            item.result()
    assert len(answered) == 24


def test_a_crash_loses_nothing_answered_and_shows_nothing_half(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub()
    token = hub.create_user("alice")
    answered: set[str] = set()
    sent: set[str] = set()
    for life in range(3):
        stop = threading.Event()

        def upload(start: int, stop: threading.Event = stop) -> None:
            number = start
            while not stop.is_set():
                artifact = build_conda(f"p{number}", files={"share/x": "x" * 1000})
                sent.add(f"p{number}")
                try:
                    if put(hub, token, "alice", artifact, visibility="public").status_code in (200, 201):
                        answered.add(f"p{number}")
                    get(hub, "/conda/alice/linux-64/repodata.json.zst")
                except requests.RequestException:
                    return
                number += 1

        threads = [threading.Thread(target=upload, args=(1000 * life + 100 * worker,)) for worker in range(3)]
        for thread in threads:
            thread.start()
        before = len(answered)
        deadline = time.monotonic() + 30
        while len(answered) < before + 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        hub.kill()
        stop.set()
        for thread in threads:
            thread.join()
        hub.start()
        index = shards(get(hub, f"/conda/alice/linux-64/{SHARDS}"))
        assert answered <= index.keys() <= sent
        whole = get(hub, "/conda/alice/linux-64/repodata.json").json()["packages.conda"]
        assert {record["name"] for record in whole.values()} == index.keys()
        for name, digest in index.items():
            shard = get(hub, f"/conda/alice/linux-64/shards/{digest.hex()}.msgpack.zst")
            (filename,) = msgpack.unpackb(zstandard.decompress(shard.content))["packages.conda"]
            content = get(hub, f"/conda/alice/linux-64/{filename}")
            assert content.content == build_conda(name, files={"share/x": "x" * 1000}).data
        found = requests.get(f"{hub.url}/api/v1/search?q=p&limit=50", timeout=30).json()["items"]
        assert {item["name"] for item in found} <= index.keys()
        for name in list(answered)[:3]:
            assert any(item["name"] == name for item in requests.get(f"{hub.url}/api/v1/search?q={name}", timeout=30).json()["items"])


@pytest.mark.parametrize("name", ["%2F%2F3627734734", "%2Fevil", "https:%2F%2Fx", "a%20b", "%C3%BC", "x%0D%0AX-Y:%201"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_redirects_of_the_simple_index_stay_below_it(hub: HubProcess, people: dict[str, str], name: str, slash: str) -> None:
    root = f"{hub.url}/pypi/team/simple/"
    answer = requests.get(f"{root}{name}{slash}", allow_redirects=False, timeout=30)
    assert answer.status_code in (301, 404)
    if answer.status_code == 301:
        target = urljoin(f"{root}{name}{slash}", answer.headers["Location"])
        assert target.startswith(root)
        assert "X-Y" not in answer.headers
