"""Groups, collaborators, narrowed tokens, rotation and the audit trail, over HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from api_world import Api, World, problem

from carrel.testing.hub import HubProcess


@dataclass
class Shop:
    """A world with two private packages."""

    world: World
    org: str

    @property
    def owner(self) -> Api:
        return self.world.owner

    def api(self, token: str) -> Api:
        return Api(self.world.hub.url, token)

    def minted(self, by: Api | None = None, **body: Any) -> Api:
        answer = (by or self.owner).post("tokens", {"name": "narrow", **body})
        assert answer.status_code == 201, answer.text
        return self.api(answer.json()["token"])

    def seen(self, api: Api) -> set[str]:
        return {item["name"] for item in api.get(f"namespaces/{self.org}/packages?limit=200").json()["items"]}


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    org = world.organization
    for name, label, visibility in (("alpha", "main", "private"), ("beta", "dev", "private"), ("gamma", "main", "public")):
        assert world.owner.upload(org, "d.csv", b"a\n1\n", package=name, version="1", label=label, visibility=visibility).status_code == 201
    return Shop(world, org)


def test_a_group_gives_its_permission_on_its_packages_and_nothing_else(shop: Shop) -> None:
    owner, outsider, org = shop.owner, shop.world.people["outsider"], shop.org
    name = shop.world.names["outsider"]
    groups = f"organizations/{org}/groups"
    assert owner.post(groups, {"name": "Readers", "permission": "read"}).json() | {"created_at": ""} == {
        "name": "Readers",
        "permission": "read",
        "members": 0,
        "created_at": "",
    }
    assert problem(owner.post(groups, {"name": "Readers"}))["code"] == "name_taken"
    assert owner.post(groups, {"name": "a b"}).status_code == 400
    assert owner.post(groups, {"name": "x", "permission": "rule"}).status_code == 422
    assert owner.put(f"{groups}/Readers/packages/alpha").status_code == 204
    assert owner.put(f"{groups}/Readers/packages/nothing").status_code == 404
    assert owner.put(f"{groups}/Readers/members/nobody-here").status_code == 404
    assert outsider.get(f"packages/{org}/alpha").status_code == 404
    assert shop.seen(outsider) == {"gamma"}
    for _ in range(2):
        assert owner.put(f"{groups}/Readers/members/{name}").status_code == 204
    # Seen at once, everywhere.
    assert outsider.get(f"packages/{org}/alpha/releases/1/files/d.csv/content").content == b"a\n1\n"
    assert shop.seen(outsider) == {"alpha", "gamma"}
    refused = outsider.upload(org, "d.csv", b"2", package="alpha", version="2")
    assert problem(refused)["permission"] == "write"
    assert "'read'" in problem(refused)["detail"]
    assert owner.patch(f"{groups}/Readers", {"permission": "write"}).json()["permission"] == "write"
    assert outsider.upload(org, "d.csv", b"2", package="alpha", version="2").status_code == 201
    for other in ("beta", "brand-new"):
        assert problem(outsider.upload(org, "d.csv", b"2", package=other, version="2"))["code"] == "not_a_member"
    assert outsider.delete(f"packages/{org}/alpha/releases/1").status_code == 403
    assert outsider.delete(f"packages/{org}/alpha/releases/2").status_code == 204  # their own
    # Who is in a group is not a member of the organization.
    assert outsider.get(groups).status_code == 403
    assert outsider.get(f"organizations/{org}/members").status_code == 403
    # Plain members see the groups, and of their packages those that they see anyway.
    member = shop.world.people["member"]
    assert [item["name"] for item in member.get(groups).json()["items"]] == ["Readers"]
    assert [item["name"] for item in member.get(f"{groups}/Readers/members").json()["items"]] == [name]
    assert member.get(f"{groups}/Readers/packages").json()["items"] == []
    assert [item["name"] for item in owner.get(f"{groups}/Readers/packages").json()["items"]] == ["alpha"]
    assert member.patch(f"{groups}/Readers", {"permission": "admin"}).status_code == 403
    assert owner.delete(f"{groups}/Readers/packages/alpha").status_code == 204
    assert owner.delete(f"{groups}/Readers/packages/alpha").status_code == 404
    assert outsider.get(f"packages/{org}/alpha").status_code == 404
    assert owner.put(f"{groups}/Readers/packages/alpha").status_code == 204
    assert owner.delete(f"{groups}/Readers").status_code == 204
    assert outsider.get(f"packages/{org}/alpha").status_code == 404
    assert owner.get(f"{groups}/Readers").status_code == 404


def test_collaborators(shop: Shop) -> None:
    owner, outsider, org, name = shop.owner, shop.world.people["outsider"], shop.org, shop.world.names["outsider"]
    people = f"packages/{org}/beta/collaborators"
    assert outsider.get(people).status_code == 404
    assert owner.put(f"{people}/{name}", json={"permission": "admin"}).json()["permission"] == "admin"
    assert [(item["name"], item["permission"]) for item in outsider.get(people).json()["items"]] == [(name, "admin")]
    assert outsider.patch(f"packages/{org}/beta", {"visibility": "unlisted"}).json()["visibility"] == "unlisted"
    assert outsider.patch(f"packages/{org}/beta", {"visibility": "private"}).status_code == 200
    member = shop.world.names["member"]
    assert outsider.put(f"{people}/{member}", json={"permission": "read"}).status_code == 200
    assert shop.world.people["member"].get(f"packages/{org}/beta").status_code == 200
    assert shop.world.people["member"].get(people).status_code == 403
    assert shop.world.people["member"].delete(f"{people}/{member}").status_code == 204  # given back
    assert shop.world.people["member"].get(f"packages/{org}/beta").status_code == 404
    assert outsider.put(f"{people}/{name}", json={"permission": "read"}).status_code == 200
    assert outsider.get(people).status_code == 403
    # A reader makes a token for what they read, and for no more.
    reader = shop.minted(outsider, scopes=["package:read"], namespace=org)
    assert shop.seen(reader) == {"beta", "gamma"}
    assert owner.delete(f"{people}/{name}").status_code == 204
    assert shop.seen(reader) == {"gamma"}
    assert problem(outsider.post("tokens", {"name": "x", "namespace": org}))["code"] == "not_a_member"


def test_tokens_narrowed_to_packages(shop: Shop) -> None:
    org = shop.org
    api = shop.minted(packages=["Alpha", "delta"], namespace=org)
    assert shop.seen(api) == {"alpha"}
    assert api.get(f"packages/{org}/gamma").status_code == 404
    assert api.upload(org, "d.csv", b"3", package="alpha", version="3").status_code == 201
    assert api.upload(org, "d.csv", b"3", package="delta", version="3").status_code == 201
    for other in ("gamma", "beta", "brand-new"):
        assert problem(api.upload(org, "d.csv", b"3", package=other, version="3"))["code"] == "package_limit"
    for verb, path, body in (
        ("GET", f"organizations/{org}/members", None),
        ("GET", f"namespaces/{org}/audit", None),
        ("PATCH", f"namespaces/{org}", {"description": "x"}),
        ("POST", f"organizations/{org}/groups", {"name": "g"}),
        ("POST", "organizations", {"name": f"{org}-2"}),
    ):
        assert problem(api.call(verb, path, json=body))["code"] in ("token_limit", "namespace_limit"), path
    for wider in ({"packages": ["alpha", "beta"]}, {"namespace": shop.world.names["owner"]}):
        assert api.post("tokens", {"name": "x", **wider}).status_code == 403
    child = shop.minted(api, packages=["alpha"])
    assert shop.seen(child) == {"alpha"}
    assert shop.seen(shop.minted(api)) == {"alpha", "delta"}
    known = child.get("tokens").json()["items"]
    assert [item["packages"] for item in known] == [["alpha"]]
    assert len(api.get("tokens").json()["items"]) == 3
    assert len(shop.owner.get("tokens").json()["items"]) > 3


def test_tokens_narrowed_to_labels(shop: Shop) -> None:
    org, owner = shop.org, shop.owner
    assert owner.upload(org, "extra.csv", b"e", package="beta", version="1", label="main").status_code == 201
    api = shop.minted(labels=["dev"], namespace=org)
    assert shop.seen(api) == {"beta"}
    assert [item["filename"] for item in api.get(f"packages/{org}/beta/releases/1").json()["files"]] == ["d.csv"]
    files = f"packages/{org}/beta/releases/1/files"
    for path, status in ((f"{files}/d.csv", 200), (f"{files}/extra.csv", 404), (f"packages/{org}/alpha/releases/1/files/d.csv", 404)):
        assert api.get(path).status_code == status
        assert api.get(f"{path}/content").status_code == status
    assert [item["name"] for item in api.get(f"namespaces/{org}/labels").json()["items"]] == ["dev"]
    assert api.upload(org, "n.csv", b"n", package="beta", version="1", label="dev").status_code == 201
    assert problem(api.upload(org, "m.csv", b"m", package="beta", version="1"))["code"] == "label_limit"
    assert problem(api.put(f"{files}/n.csv/labels", json={"labels": ["dev", "main"]}))["code"] == "label_limit"
    assert problem(api.delete(f"packages/{org}/beta"))["code"] == "label_limit"
    assert problem(api.delete(f"packages/{org}/beta/releases/1"))["code"] == "label_limit"
    assert problem(api.patch(f"packages/{org}/beta", {"summary": "x"}))["code"] == "label_limit"
    assert api.delete(f"{files}/n.csv").status_code == 204
    assert problem(api.post("tokens", {"name": "x", "labels": ["main"]}))["code"] == "label_limit"


def test_tokens_narrowed_to_a_collection_read_its_items(shop: Shop) -> None:
    org, owner = shop.org, shop.owner
    assert owner.post(f"namespaces/{org}/collections", {"name": "course", "visibility": "private"}).status_code == 201
    assert owner.put(f"namespaces/{org}/collections/course/items/{org}/alpha").status_code < 300
    api = shop.minted(namespace=org, collection="course")
    assert shop.seen(api) == {"alpha"}
    assert api.get(f"packages/{org}/gamma").status_code == 404
    assert problem(api.upload(org, "d.csv", b"3", package="alpha", version="9"))["code"] == "collection_limit"
    assert problem(api.delete(f"packages/{org}/alpha"))["code"] == "collection_limit"
    assert owner.put(f"namespaces/{org}/collections/course/items/{org}/gamma").status_code < 300
    assert shop.seen(api) == {"alpha", "gamma"}
    assert shop.world.people["outsider"].post("tokens", {"name": "x", "collection": f"{org}/course"}).status_code == 404


def test_rotation_overlaps_and_keeps_what_a_token_may(shop: Shop) -> None:
    made = shop.owner.post("tokens", {"name": "ci", "scopes": ["conda", "api:read"], "packages": ["alpha"], "expires_in": 3600}).json()
    old = shop.api(made["token"])
    assert made["scopes"] == ["api:read", "conda"]
    answer = old.post("tokens/current/rotate", {"overlap": 2})
    assert answer.status_code == 201, answer.text
    newer = answer.json()
    kept = ("name", "scopes", "packages", "labels", "namespace", "collection")
    assert [newer[key] for key in kept] == [made[key] for key in kept]
    assert newer["expires_at"] <= made["expires_at"]
    rotated = next(item for item in shop.owner.get("tokens").json()["items"] if item["id"] == made["id"])
    assert rotated["rotated_at"]
    assert problem(shop.owner.post(f"tokens/{made['id']}/rotate"))["code"] == "rotated_before"
    assert shop.seen(old) == shop.seen(shop.api(newer["token"])) == {"alpha"}
    deadline = time.monotonic() + 10
    while old.get("user").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert problem(old.get("user"))["code"] == "invalid_token"
    # By a token that may make others, or in the browser: never for more than that one has.
    reader = shop.minted(scopes=["package:read", "account:read"])
    assert problem(reader.post(f"tokens/{newer['id']}/rotate"))["code"] == "missing_scope"
    maker = shop.minted(scopes=["account:write", "package:read"])
    assert problem(maker.post(f"tokens/{newer['id']}/rotate"))["code"] == "scope_exceeded"
    assert shop.owner.post(f"tokens/{newer['id']}/rotate", {"overlap": 0}).status_code == 201
    assert shop.api(newer["token"]).get("user").status_code == 401


def test_scopes_contain_each_other(shop: Shop) -> None:
    listed = {item["name"]: set(item["implies"]) for item in Api(shop.world.hub.url).get("scopes").json()["items"]}
    assert {"all", "repos", "conda", "conda:download", "pypi:upload", "api:read", "api:write", "api:modify-group"} <= listed.keys()
    assert listed["all"] == listed.keys() - {"all"}
    assert {"conda:download", "pypi:download"} <= listed["package:read"]
    assert shop.owner.get("tokens").json()["items"][-1]["scopes"] == ["all"]
    org = shop.org
    downloads = shop.minted(scopes=["conda:download"])
    assert requests.get(f"{shop.world.hub.url}/conda/t/{downloads.token}/{org}/noarch/repodata.json", timeout=30).status_code == 200
    for path in (f"packages/{org}/gamma", "user"):
        assert problem(downloads.get(path))["code"] == "missing_scope"
    simple = requests.get(f"{shop.world.hub.url}/pypi/t/{downloads.token}/{org}/simple/", timeout=30)
    assert problem(simple)["scope"] == "pypi:download"
    assert requests.post(f"{shop.world.hub.url}/pypi/t/{downloads.token}/{org}/legacy/", timeout=30).status_code == 403
    assert problem(downloads.post("tokens", {"name": "x"}))["scope"] == "account:write"


def test_tokens_that_expire_soon_say_so_on_every_answer(shop: Shop) -> None:
    soon = shop.minted(expires_in=3 * 86400)
    later = shop.minted(expires_in=60 * 86400)
    for path in ("user", f"packages/{shop.org}/no-such", f"{shop.world.hub.url}/conda/{shop.org}/noarch/repodata.json"):
        answer = soon.get(path)
        warning = answer.headers["Conda-Token-Warning"]
        assert "expires in 2 days" in warning
        assert "/-/settings/tokens" in warning
        assert soon.token not in warning
        assert "Conda-Token-Warning" not in later.get(path).headers
        assert "Conda-Token-Warning" not in shop.owner.get(path).headers
    etag = soon.get(f"{shop.world.hub.url}/conda/{shop.org}/noarch/repodata.json").headers["ETag"]
    cached = soon.get(f"{shop.world.hub.url}/conda/{shop.org}/noarch/repodata.json", headers={"If-None-Match": etag})
    assert cached.status_code == 304
    assert "Conda-Token-Warning" in cached.headers
    assert "Conda-Token-Warning" in shop.minted(soon, scopes=["account:read"], expires_in=60).get(f"packages/{shop.org}/gamma").headers


def test_the_audit_trail_is_for_owners(shop: Shop) -> None:
    path = f"namespaces/{shop.org}/audit"
    first = shop.owner.get(path, params={"limit": 3}).json()
    assert len(first["items"]) == 3
    seen, cursor = [item["action"] for item in first["items"]], first["next_cursor"]
    while cursor:
        page = shop.owner.get(path, params={"limit": 50, "cursor": cursor}).json()
        seen += [item["action"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert {"group.create", "collaborator.set", "file.upload", "group.member.add", "token.create"} <= set(seen)
    assert len(seen) == len(shop.owner.get(path, params={"limit": 200}).json()["items"])
    for role, status in (("anonymous", 401), ("outsider", 403), ("member", 403)):
        assert shop.world.people[role].get(path).status_code == status
    assert shop.owner.get(path, params={"cursor": "????"}).status_code == 400


def test_quetz_clients_send_their_token_in_a_header_of_its_own(shop: Shop, hub: HubProcess) -> None:
    answer = requests.get(f"{hub.url}/api/v1/user", headers={"X-API-Key": shop.owner.token}, timeout=30)
    assert answer.json()["name"] == shop.world.names["owner"]
