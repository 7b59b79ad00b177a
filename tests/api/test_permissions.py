"""Who may do what: one cell for each role, visibility, verb and protocol; then drafts, organizations, scopes, credentials."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field

import pytest
import requests
import zstandard
from api_world import ROLES, Api, World, problem
from permission_matrix import ABSENT, COLUMNS, DEV, VISIBILITIES, Column, Role, expected, level, package_of
from permission_matrix import ROLES as CALLERS

from carrel.testing.artifacts import build_conda, build_r_package, build_wheel

DATA = b"a,b\n1,2\n"
SEES = {
    "private": {"owner"},
    "organization": {"owner", "member"},
    "unlisted": {"owner", "member", "outsider", "anonymous"},
    "public": {"owner", "member", "outsider", "anonymous"},
}


@dataclass
class Cells:
    """An organization with one package of each visibility, with files of every kind, and the callers of the matrix."""

    world: World
    callers: dict[str, Api] = field(default_factory=dict)
    users: dict[str, Role] = field(default_factory=dict)  # who was given all packages
    wheels: dict[str, str] = field(default_factory=dict)
    number: int = 10

    @property
    def org(self) -> str:
        return self.world.organization

    def must(self, verb: str, path: str, **options: object) -> requests.Response:
        """Do something as the owner."""
        answer = self.world.owner.call(verb, path, **options)
        assert answer.ok, (verb, path, answer.text)
        return answer

    def make(self, visibility: str) -> None:
        """Make the package of a visibility, and give it to those who have it."""
        name, org = package_of(visibility), self.org
        labels = ["main", "dev"] if visibility in DEV else ["main"]
        wheel = build_wheel(name)
        self.wheels[name] = hashlib.sha256(wheel.data).hexdigest()
        files = f"namespaces/{org}/files"
        for artifact in (build_conda(name, noarch="generic"), wheel, build_r_package(name)):
            self.must("PUT", f"{files}/{artifact.filename}", data=artifact.data, params={"label": labels, "visibility": visibility})
        self.must("PUT", f"{files}/data.csv", data=DATA, params={"label": labels, "package": name, "version": "1.0"})
        for user, role in self.users.items():
            if "group" in role.name:
                self.must("PUT", f"organizations/{org}/groups/{role.grant}/packages/{name}")
            else:
                self.must("PUT", f"packages/{org}/{name}/collaborators/{user}", json={"permission": role.grant})
        if any(visibility in (role.items or ()) for role in CALLERS):
            self.must("PUT", f"namespaces/{org}/collections/cells/items/{org}/{name}")

    def add_person(self, role: Role) -> None:
        """Add somebody who is given every package."""
        user = role.name.replace(" ", "-") + self.org[-7:]
        self.callers[role.name] = Api(self.world.hub.url, self.world.hub.create_user(user))
        self.users[user] = role
        if role.place:
            self.must("PUT", f"organizations/{self.org}/members/{user}", json={"role": role.place})
        if "group" in role.name:
            self.must("POST", f"organizations/{self.org}/groups", json={"name": role.grant, "permission": role.grant})
            self.must("PUT", f"organizations/{self.org}/groups/{role.grant}/members/{user}")

    def add_token(self, role: Role) -> None:
        """Make a narrowed token of the owner or the member."""
        body: dict[str, object] = {"name": role.name}
        if role.expired:
            body["expires_in"] = 1
        if role.elsewhere:
            body["namespace"] = self.world.names[role.place]
        if "all" not in role.scopes:
            body["scopes"] = sorted(role.scopes)
        if role.packages is not None:
            body["packages"] = [package_of(visibility) for visibility in role.packages]
        if role.labels is not None:
            body["labels"] = list(role.labels)
        if role.items is not None:
            body["collection"] = f"{self.org}/cells"
        answer = self.world.people[role.place].post("tokens", body)
        assert answer.status_code == 201, answer.text
        self.callers[role.name] = Api(self.world.hub.url, answer.json()["token"])

    def shard(self, name: str) -> str:
        """Return the digest of a package's shard, as the owner sees it."""
        data = self.must("GET", f"{self.world.hub.url}/conda/{self.org}/noarch/repodata_shards.msgpack.zst").content
        found = re.search(name.encode() + rb"\xc4\x20(.{32})", zstandard.ZstdDecompressor().decompress(data), re.DOTALL)
        return found[1].hex() if found is not None else "0" * 64

    def url(self, column: Column, name: str) -> str:
        """Return the address of a cell."""
        path = column.place.format(
            org=self.org,
            name=name,
            victim="7",
            shard=self.shard(name) if column.verb == "shard" else "",
            wheel=self.wheels.get(name, "0" * 64),
            outsider=self.world.names["outsider"],
        )
        return f"{self.world.hub.url}{path}" if path.startswith("/") else path


@pytest.fixture(scope="module")
def cells(world: World) -> Cells:
    cells = Cells(world)
    cells.must("POST", f"namespaces/{cells.org}/collections", json={"name": "cells", "visibility": "private"})
    for role in CALLERS:
        if role.grant:
            cells.add_person(role)
    for visibility in VISIBILITIES:
        cells.make(visibility)
    for role in CALLERS:
        if role.anonymous:
            cells.callers[role.name] = Api(world.hub.url)
        elif role.name in world.people:
            cells.callers[role.name] = world.people[role.name]
        elif not role.grant:
            cells.add_token(role)
    while cells.callers["expired token of the owner"].get("user").status_code != 401:
        time.sleep(0.1)
    return cells


def ask(cells: Cells, role: Role, column: Column, name: str) -> requests.Response:
    """Do what a column says with the package *name*, as a caller."""
    api, url = cells.callers[role.name], cells.url(column, name)
    cells.number += 1
    version, label = f"0.{cells.number}", role.labels[0] if role.labels else "main"
    match column.protocol, column.verb:
        case "v1", "upload":
            return api.put(url, data=version.encode(), params={"package": name, "version": version, "label": label})
        case "pypi", "upload":
            wheel = build_wheel(name, version)
            form = {":action": "file_upload", "protocol_version": "1", "metadata_version": "2.1", "name": name, "version": version}
            url = url if label == "main" else url.replace("/legacy/", f"/label/{label}/legacy/")
            return api.call("POST", url, data=form, files={"content": (wheel.filename, wheel.data)})
        case "anaconda", "edit":
            return api.patch(url, {"public_attrs": {"summary": f"by {role.name}"}})
        case "v1", "edit":
            return api.patch(url, {"summary": f"by {role.name}"})
        case "v1", "label":
            kept = ["main", "dev"] if name.removeprefix("cell") in DEV else ["main"]
            return api.put(url, json={"labels": [*kept, "extra"]})
        case "v1", "change visibility":
            return api.patch(url, {"visibility": "unlisted" if name == package_of("public") else "public"})
        case "v1", "manage grants":
            return api.put(url, json={"permission": "read"})
        case "v1", "delete release":
            if name != ABSENT:
                query = {"package": name, "version": "7", "label": ["main", "dev"] if name.removeprefix("cell") in DEV else ["main"]}
                cells.must("PUT", f"namespaces/{cells.org}/files/victim.csv", data=b"v", params=query)
            return api.delete(url)
        case "v1", "delete":
            return api.delete(url)
    return api.get(url)


def undo(cells: Cells, column: Column, visibility: str) -> None:
    """Put back what an allowed change did."""
    root = f"packages/{cells.org}/{package_of(visibility)}"
    match column.verb:
        case "upload":
            cells.must("DELETE", f"{root}/releases/0.{cells.number}")
        case "change visibility":
            cells.must("PATCH", root, json={"visibility": visibility})
        case "manage grants":
            cells.must("DELETE", f"{root}/collaborators/{cells.world.names['outsider']}")
        case "label":
            labels = ["main", "dev"] if visibility in DEV else ["main"]
            cells.must("PUT", f"{root}/releases/1.0/files/data.csv/labels", json={"labels": labels})
        case "delete":
            cells.make(visibility)


def shows(answer: requests.Response, name: str) -> bool:
    """Whether a list, an index or a page of results names the package."""
    data = answer.content
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return re.search(name.encode() + rb"\b", data) is not None


def outcome(cells: Cells, role: Role, column: Column, visibility: str) -> str:
    """Return what is wrong with a cell, empty when nothing is."""
    name, wanted = package_of(visibility), expected(role, visibility, column)
    answer = ask(cells, role, column, name)
    got = answer.status_code // 100 * 100 if answer.ok else answer.status_code
    if column.needs == "list" and wanted in (0, 200):
        if got not in (200, 404):
            return f"answered {got}, not a list"
        got = 200 if got == 200 and shows(answer, name) else 0
    if answer.ok and column.needs in ("upload", "write", "admin"):
        undo(cells, column, visibility)
    if got != wanted:
        return f"answered {got}, expected {wanted}: {answer.text[:200]}"
    if got == 401 and "WWW-Authenticate" not in answer.headers:
        return "401 without a challenge"
    if got == 403 and column.protocol != "anaconda":
        told = problem(answer)
        named = {"scope", "permission", "labels", "packages"} & told.keys()
        if not named and told["code"] not in ("not_a_member", "namespace_limit", "collection_limit", "invalid_token"):
            return f"403 does not say what is missing: {answer.text}"
    absent = level(role, visibility) == 0 and not role.expired
    if absent and got in (403, 404) and column.needs != "list" and (column.needs, got) != ("upload", 404):
        twin = ask(cells, role, column, ABSENT)
        if twin.status_code != answer.status_code:
            return f"answered {got}, but {twin.status_code} for a package that does not exist"
        if twin.text.replace(ABSENT, name).replace("0" * 64, cells.wheels[name]) != answer.text:
            return f"says more than of a package that does not exist: {answer.text[:300]}"
    return ""


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("role", CALLERS, ids=lambda role: role.name)
def test_cells(cells: Cells, role: Role, visibility: str) -> None:
    wrong = {f"{column.protocol} {column.verb}": outcome(cells, role, column, visibility) for column in COLUMNS}
    assert {cell: message for cell, message in wrong.items() if message} == {}


def test_each_audience_has_its_own_etag_and_no_shared_cache(cells: Cells) -> None:
    for path in ("/conda/{org}/noarch/repodata.json", "/conda/{org}/noarch/repodata_shards.msgpack.zst", "/pypi/{org}/simple/"):
        etags: dict[str, set[str]] = {}
        for role in CALLERS:
            answer = cells.callers[role.name].get(cells.world.hub.url + path.format(org=cells.org))
            if answer.status_code == 200:
                seen = ",".join(visibility for visibility in VISIBILITIES if shows(answer, package_of(visibility)))
                etags.setdefault(answer.headers["ETag"], set()).add(seen)
                assert answer.headers["Cache-Control"].startswith("public" if role.anonymous else "private"), (role, path)
        assert all(len(lists) == 1 for lists in etags.values()), (path, etags)
        assert len(etags) >= 5, path


@pytest.fixture(scope="module", params=VISIBILITIES)
def package(request: pytest.FixtureRequest, world: World) -> str:
    name = f"data-{request.param}"
    answer = world.owner.upload(world.organization, "data.csv", DATA, package=name, version="1", visibility=request.param)
    assert answer.status_code == 201, answer.text
    return name


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
