"""Requests that nobody sends by accident: none of them fails inside the hub, and none tells what its sender may not see."""

from __future__ import annotations

import socket
from http.client import HTTPResponse
from typing import Any

import pytest
import requests
from api_world import Api, World, make_world, problem

from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.hub import PASSWORD, HubProcess


@pytest.fixture(scope="module")
def world(hub: HubProcess) -> World:
    made = make_world(hub)
    api, org = made.owner, made.organization
    for artifact, label in (
        (build_conda("tool", "1.0", subdir="noarch"), "dev"),
        (build_conda("tool", "1.0", subdir="noarch", build="1"), "next"),
        (build_conda("tool", "1.0", subdir="noarch", build="2"), ["dev", "next"]),
    ):
        assert api.upload(org, artifact.filename, artifact.data, visibility="public", label=label).ok
    hidden = build_wheel("hush_hush", "1.0")
    assert api.upload(org, hidden.filename, hidden.data, visibility="private", label="dev").ok
    return made


def browser(world: World) -> tuple[requests.Session, str]:
    """Return the owner's signed-in browser and its XSRF token."""
    session = requests.Session()
    session.get(f"{world.hub.url}/-/sign-in", timeout=30)
    xsrf = session.cookies["_xsrf"]
    form = {"_xsrf": xsrf, "name": world.names["owner"], "password": PASSWORD}
    assert session.post(f"{world.hub.url}/-/sign-in", data=form, allow_redirects=False, timeout=30).status_code in (302, 303)
    return session, xsrf


@pytest.mark.parametrize("age", ["Infinity", "NaN", "1e999", '"inf"'])
def test_ages_that_are_no_numbers(world: World, age: str) -> None:
    answer = world.owner.call("POST", f"{world.hub.url}/api/authentications", data=f'{{"note": "x", "max-age": {age}}}')
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_times_at_the_ends_of_time(world: World, moment: str) -> None:
    api, org = world.owner, world.organization
    listing = api.get(f"{world.hub.url}/api/package_listing", params={"modified_after": moment})
    assert listing.status_code == 200, listing.text
    for path in (f"namespaces/{org}/notices", f"{world.hub.url}/api/{org}/notices"):
        answer = api.post(path, {"message": "x", "expires_at": moment})
        assert answer.status_code == 400, answer.text


def test_selections_of_many_names_and_long_patterns(world: World) -> None:
    api, org = world.owner, world.organization
    body: dict[str, Any] = {"action": "add", "to": "many", "packages": [f"p{number}" for number in range(1000)]}
    answer = api.post(f"namespaces/{org}/label-changes", body)
    assert (answer.status_code, problem(answer)["code"]) == (404, "nothing_selected")
    answer = api.post(f"namespaces/{org}/label-changes", {**body, "packages": [f"p{number}*" for number in range(1000)]})
    assert answer.status_code in (400, 422), answer.text
    answer = api.post(f"{world.hub.url}/api/channels/{org}/many", {"version": "*" * 60_000})
    assert answer.status_code in (400, 422), answer.text
    for verb, end in (("GET", ""), ("POST", "/undo")):
        assert api.call(verb, f"namespaces/{org}/label-changes/{'9' * 5000}{end}").status_code == 404


@pytest.mark.parametrize("boundary", ["boundary*=idna''abc", "boundary*=a%00b''abc"])
def test_forms_in_encodings_that_are_none(world: World, boundary: str) -> None:
    for path in (f"pypi/{world.organization}/legacy/", f"api/v1/upload/{world.organization}"):
        headers = {"Content-Type": f"multipart/form-data; {boundary}"}
        answer = world.owner.call("POST", f"{world.hub.url}/{path}", data=b"--abc--", headers=headers)
        assert answer.status_code == 400, answer.text
        part = b"--abc\r\nContent-Disposition: form-data; name=\"content\"; filename*=idna''x\r\n\r\nx\r\n--abc--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=abc"}
        answer = world.owner.call("POST", f"{world.hub.url}/{path}", data=part, headers=headers)
        assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", str(2**80)])
def test_patch_instructions_hold_json_that_every_client_reads(world: World, value: str) -> None:
    path = f"namespaces/{world.organization}/hotfixes/noarch"
    body = f'{{"packages.conda": {{"tool-1.0-0.conda": {{"timestamp": {value}}}}}}}'
    answer = world.owner.put(path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text


def test_forms_of_pages(world: World) -> None:
    session, xsrf = browser(world)
    org = world.organization
    session.post(f"{world.hub.url}/{org}/-/collections", data={"_xsrf": xsrf, "title": "Things", "name": "things"}, timeout=30)
    for page, fields in (
        ("collections/things", {"form": "add", "item": "http://[x/a/b"}),
        ("settings", {"form": "notice", "message": "x", "level": "info", "expires": "9999-12-31"}),
        ("settings", {"form": "hotfix", "subdir": "noarch", "instructions": "[" * 100_000}),
        ("settings", {"form": "hotfix", "subdir": "noarch", "instructions": '{"packages": {"a-1-0.tar.bz2": {"license": "\\ud800"}}}'}),
        ("settings", {"form": "hotfix", "subdir": "noarch", "instructions": '{"packages": {"a-1-0.tar.bz2": {"timestamp": NaN}}}'}),
        ("settings", {"form": "hotfix", "subdir": "noarch", "instructions": "9" * 5000}),
        ("labels", {"form": "preview", "action": "copy", "source": "dev", "target": "x", "packages": " ".join(map(str, range(3000)))}),
    ):
        answer = session.post(f"{world.hub.url}/{org}/-/{page}", data={"_xsrf": xsrf, **fields}, allow_redirects=False, timeout=60)
        assert answer.status_code in (400, 404, 422), (page, fields["form"], answer.status_code)


def test_a_token_for_a_label_knows_and_changes_no_attestations_of_other_files(world: World) -> None:
    minted = world.owner.post("tokens", {"name": "dev", "labels": ["dev"]}).json()
    narrowed = Api(world.hub.url, minted["token"])
    files = f"packages/{world.organization}/tool/releases/1.0/files"
    for verb in ("GET", "DELETE"):
        absent = narrowed.call(verb, f"{files}/tool-1.0-9.conda/attestations")
        other = narrowed.call(verb, f"{files}/tool-1.0-1.conda/attestations")
        assert (other.status_code, other.text.replace("-1.conda", "-9.conda")) == (absent.status_code, absent.text)
    assert problem(narrowed.delete(f"{files}/tool-1.0-2.conda/attestations"))["code"] == "label_limit"
    assert "no attestations" in narrowed.get(f"{files}/tool-1.0-2.conda/attestations").text


def test_a_token_for_a_label_is_not_told_the_platforms_of_other_files(world: World) -> None:
    api, org, url = world.owner, world.organization, world.hub.url
    for subdir, label in (("linux-64", "dev"), ("osx-arm64", "next")):
        artifact = build_conda("wide", "1.0", subdir=subdir)
        assert api.upload(org, artifact.filename, artifact.data, visibility="public", label=label).ok
    narrowed = Api(url, api.post("tokens", {"name": "dev", "labels": ["dev"]}).json()["token"])
    for caller, expected in ((api, ["linux-64", "osx-arm64"]), (narrowed, ["linux-64"])):
        listed = {item["name"]: item["conda_platforms"] for item in caller.get(f"{url}/api/packages/{org}").json()}
        assert listed["wide"] == expected
        for platform in ("linux-64", "osx-arm64"):
            found = caller.get("search", params={"q": "wide", "platform": platform}).json()["items"]
            assert bool(found) is (platform in expected), (platform, found)


def test_a_new_token_does_not_tell_how_a_hidden_project_is_spelled(world: World) -> None:
    wanted = {"name": "x", "namespace": world.organization, "packages": ["hush-hush"]}
    assert world.owner.post("tokens", wanted).json()["packages"] == ["hush_hush"]
    assert world.people["member"].post("tokens", wanted).json()["packages"] == ["hush-hush"]


def test_shared_caches_keep_nothing_that_is_for_one_caller(world: World) -> None:
    api, org, url = world.owner, world.organization, world.hub.url
    plain = f"{url}/conda/{org}/noarch/tool-1.0-0.conda"
    soon = Api(url, api.post("tokens", {"name": "soon", "expires_in": 3600}).json()["token"])
    answer = soon.get(plain)
    assert answer.headers["Cache-Control"].startswith("public")
    assert "Conda-Token-Warning" not in answer.headers
    for name, visibility in (("hidden", "private"), ("open", "public")):
        assert api.post(f"namespaces/{org}/collections", {"name": name, "visibility": visibility}).status_code == 201
        assert api.put(f"namespaces/{org}/collections/{name}/items/{org}/tool", json={}).status_code == 201
    hidden = f"{url}/conda/{org}/collection/hidden/noarch/tool-1.0-0.conda"
    assert world.people["anonymous"].get(hidden).status_code == 404
    answer = api.get(hidden)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"].startswith("private")
    opened = world.people["anonymous"].get(hidden.replace("hidden", "open"))
    assert opened.headers["Cache-Control"].startswith("public")


def test_a_token_in_an_address_is_not_in_the_status_line(world: World) -> None:
    secret = "ca-" + "a" * 32
    answer = world.owner.call("POST", f"{world.hub.url}/pypi/{secret}/legacy/", files={"content": ("x.whl", b"x")})
    assert answer.status_code == 404
    assert secret not in answer.reason
    assert secret not in answer.text


@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST"])
def test_a_refusal_without_a_body_leaves_the_connection_open(world: World, verb: str) -> None:
    """A connection that was closed without a word breaks the next request of a client that keeps connections."""
    with socket.create_connection(("127.0.0.1", world.hub.port), timeout=30) as connection:
        for _ in range(3):
            length = b"Content-Length: 0\r\n" if verb == "POST" else b""
            path = f"/pypi/{world.organization}/simple/".encode()
            connection.sendall(b"%s %s HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ca-unknown\r\n%s\r\n" % (verb.encode(), path, length))
            answer = HTTPResponse(connection, method=verb)
            answer.begin()
            answer.read()
            assert answer.status == (403 if verb == "POST" else 401)
            assert answer.getheader("Connection") is None


def test_a_refused_body_is_not_sent_and_the_end_of_the_connection_is_told(world: World) -> None:
    with socket.create_connection(("127.0.0.1", world.hub.port), timeout=30) as connection:
        path = f"/api/v1/namespaces/{world.organization}/files/x.csv".encode()
        connection.sendall(b"PUT %s HTTP/1.1\r\nHost: hub\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n" % path)
        answer = HTTPResponse(connection, method="PUT")
        answer.begin()
        assert (answer.status, answer.getheader("Connection")) == (401, "close")
        assert answer.read().startswith(b"{")
        assert connection.recv(1) == b""
