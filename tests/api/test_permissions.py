"""Who may do what: role x visibility x verb, over HTTP."""

from __future__ import annotations

import pytest
import requests
from api_world import ROLES, VISIBILITIES, Api, World, problem

DATA = b"a,b\n1,2\n"

SEES = {
    "private": {"owner"},
    "organization": {"owner", "member"},
    "unlisted": {"owner", "member", "outsider", "anonymous"},
    "public": {"owner", "member", "outsider", "anonymous"},
}
LISTS = SEES | {"unlisted": {"owner", "member"}}


@pytest.fixture(scope="module", params=VISIBILITIES)
def package(request: pytest.FixtureRequest, world: World) -> str:
    name = f"data-{request.param}"
    answer = world.owner.upload(world.organization, "data.csv", DATA, package=name, version="1", visibility=request.param)
    assert answer.status_code == 201, answer.text
    return name


@pytest.mark.parametrize("role", ROLES)
def test_reading(world: World, package: str, role: str) -> None:
    api, visibility = world.people[role], package.removeprefix("data-")
    root = f"packages/{world.organization}/{package}"
    paths = [root, f"{root}/releases", f"{root}/releases/1", f"{root}/releases/latest", f"{root}/releases/1/files/data.csv"]
    for path in [*paths, f"{root}/releases/1/files/data.csv/content"]:
        for verb in ("GET", "HEAD"):
            answer = api.call(verb, path)
            assert answer.status_code == (200 if role in SEES[visibility] else 404), (verb, path)
        if role not in SEES[visibility]:
            absent = api.get(path.replace(package, "no-such-package"))
            assert problem(api.get(path)) == {**problem(absent), "detail": problem(api.get(path))["detail"]}
            assert absent.json()["detail"].replace("no-such-package", package) == api.get(path).json()["detail"]
    listed = [item["name"] for item in api.get(f"namespaces/{world.organization}/packages?limit=200").json()["items"]]
    assert (package in listed) == (role in LISTS[visibility])
    found = [item["name"] for item in api.get("search", params={"q": package, "namespace": world.organization}).json()["items"]]
    assert (package in found) == (role in LISTS[visibility])


def expected_for_writing(role: str, visibility: str, *, owners_only: bool) -> int:
    if role == "anonymous":
        return 401
    if role not in SEES[visibility]:
        return 404
    if role == "outsider":
        return 403
    return 200 if role == "owner" or not owners_only else 403


@pytest.mark.parametrize("role", ROLES)
def test_writing(world: World, package: str, role: str) -> None:
    api, visibility = world.people[role], package.removeprefix("data-")
    root = f"packages/{world.organization}/{package}"
    members = expected_for_writing(role, visibility, owners_only=False)
    owners = expected_for_writing(role, visibility, owners_only=True)
    assert api.patch(root, {"summary": f"by {role}"}).status_code == members
    assert api.put(f"{root}/releases/1/files/data.csv/labels", json={"labels": ["main", role]}).status_code == members
    assert api.post(f"{root}/releases/1/publish").status_code == members
    other = "public" if visibility != "public" else "unlisted"
    if role != "owner":
        assert api.patch(root, {"visibility": other}).status_code == owners
        assert api.delete(f"{root}/releases/1/files/data.csv").status_code == owners
        assert api.delete(f"{root}/releases/1").status_code == owners
        assert api.delete(root).status_code == owners


@pytest.mark.parametrize("role", ROLES)
def test_uploading(world: World, package: str, role: str) -> None:
    api, visibility = world.people[role], package.removeprefix("data-")
    expected = {"anonymous": 401, "outsider": 403, "member": 404 if visibility == "private" else 201, "owner": 201}[role]
    answer = api.upload(world.organization, "data.csv", role.encode(), package=package, version=f"2.{ROLES.index(role)}")
    assert answer.status_code == expected, answer.text
    started = api.post(f"packages/{world.organization}/{package}/releases", {"version": f"3.{ROLES.index(role)}"})
    assert started.status_code == expected


@pytest.mark.parametrize("role", ROLES)
def test_drafts(world: World, package: str, role: str) -> None:
    visibility = package.removeprefix("data-")
    root = f"packages/{world.organization}/{package}/releases"
    if world.owner.get(f"{root}/9").status_code == 404:
        assert world.owner.post(root, {"version": "9"}).status_code == 201
        assert world.owner.upload(world.organization, "data.csv", b"draft", package=package, version="9").status_code == 201
    api = world.people[role]
    expected = 200 if role in ("owner", "member") and role in SEES[visibility] else 404
    assert api.get(f"{root}/9").status_code == expected
    assert api.get(f"{root}/9/files/data.csv").status_code == expected
    assert api.get(f"{root}/9/files/data.csv/content").status_code == expected
    if role in SEES[visibility]:
        assert ("9" in [item["version"] for item in api.get(root).json()["items"]]) == (expected == 200)
        assert api.get(f"packages/{world.organization}/{package}").json()["latest_version"] != "9"


@pytest.mark.parametrize("role", ROLES)
def test_organizations(world: World, role: str) -> None:
    api, org = world.people[role], world.organization
    expected = {"anonymous": 401, "outsider": 403, "member": 403, "owner": 200}[role]
    assert api.get(f"namespaces/{org}").json()["role"] == {"owner": "owner", "member": "member"}.get(role)
    assert api.patch(f"namespaces/{org}", {"description": "Numbers"}).status_code == expected
    assert api.get(f"organizations/{org}/members").status_code == (200 if role == "member" else expected)
    member = world.names["member"]
    assert api.put(f"organizations/{org}/members/{member}", json={"role": "member"}).status_code == expected
    assert api.delete(f"organizations/{org}/members/nobody-here").status_code == (404 if role == "owner" else expected)


READING = {"package:read": 200, "package:write": 403, "account:read": 403}


@pytest.mark.parametrize("scope", READING)
def test_a_token_does_what_its_scopes_say(world: World, scope: str) -> None:
    name = world.names["owner"]
    api = Api(world.hub.url, world.hub.create_token(name, scopes=[scope]))
    root = f"namespaces/{world.organization}"
    assert api.get(f"{root}/packages").status_code == READING[scope]
    assert api.get("user").status_code == (200 if scope == "account:read" else 403)
    uploaded = api.upload(world.organization, "x.csv", b"x", package=f"by-{scope.replace(':', '-')}", version="1")
    assert uploaded.status_code == (201 if scope == "package:write" else 403)
    if scope != "package:write":
        assert problem(uploaded)["code"] == "missing_scope"
    assert api.post("tokens", {"name": "more"}).status_code == 403


def test_a_narrowed_token_stays_in_its_namespace(world: World) -> None:
    name = world.names["owner"]
    api = Api(world.hub.url, world.hub.create_token(name, namespace=name))
    assert [item["name"] for item in api.get("user").json()["namespaces"]] == [name]
    assert api.upload(name, "x.csv", b"x", package="mine", version="1").status_code == 201
    refused = api.upload(world.organization, "x.csv", b"x", package="theirs", version="1")
    assert problem(refused)["code"] == "namespace_limit"
    world.owner.upload(world.organization, "s.csv", b"s", package="secret", version="1", visibility="private")
    assert api.get(f"packages/{world.organization}/secret").status_code == 404
    minted = api.post("tokens", {"name": "child"}).json()
    child = Api(world.hub.url, minted["token"])
    assert child.get(f"packages/{world.organization}/secret").status_code == 404
    assert api.post("tokens", {"name": "x", "namespace": world.organization}).status_code == 403


@pytest.mark.parametrize("place", ["bearer", "token", "basic", "basic user", "url first", "url second"])
def test_every_place_for_a_token(world: World, place: str) -> None:
    token, url = world.owner.token, world.hub.url
    headers, auth, path = {}, None, "/api/v1/user"
    match place:
        case "bearer" | "token":
            headers["Authorization"] = f"{place} {token}"
        case "basic":
            auth = ("__token__", token)
        case "basic user":
            auth = ("anyone", token)
        case "url first":
            path = f"/t/{token}{path}"
        case "url second":
            path = f"/api/t/{token}/v1/user"
    answer = requests.get(url + path, headers=headers, auth=auth, timeout=30)
    assert answer.json()["name"] == world.names["owner"]
    assert token not in world.hub.log


@pytest.mark.parametrize("header", ["Bearer ca-unknown", "Basic !!!", "Basic YWJj", "Digest x", "Bearer", "Bearer " + "x" * 5000])
def test_wrong_credentials_are_refused_even_for_public_things(world: World, header: str) -> None:
    answer = requests.get(f"{world.hub.url}/api/v1/search?q=x", headers={"Authorization": header}, timeout=30)
    assert answer.status_code == 401
    assert problem(answer)["code"] in ("invalid_token", "invalid_credentials")
    assert "Bearer" in answer.headers["WWW-Authenticate"]
