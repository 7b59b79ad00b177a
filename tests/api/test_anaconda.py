"""The anaconda.org API where its clients do not look: secrets, digests, forms, statuses, and the uploads of other servers."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import Any

import pytest
import requests
from api_world import World

from carrel.testing.artifacts import Artifact, build_conda, build_notebook

ENVIRONMENT = b"name: shared\nchannels:\n- conda-forge\ndependencies:\n- python\n"


@pytest.fixture
def name() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


class Client:
    """Calls of one person below ``/api``."""

    def __init__(self, world: World, role: str = "owner") -> None:
        self.base = f"{world.hub.url}/api"
        self.owner = world.organization
        self.token = world.people[role].token

    def call(self, verb: str, path: str, json: Any = None, headers: dict[str, str] | None = None) -> requests.Response:
        known = {"Authorization": f"token {self.token}"} if self.token else {}
        return requests.request(verb, f"{self.base}/{path}", json=json, headers={**known, **(headers or {})}, timeout=60)

    def prepare(self, package: str, version: str = "1.0", *, public: bool = True) -> None:
        made = self.call("POST", f"package/{self.owner}/{package}", {"public": public, "public_attrs": {"summary": "Said"}})
        assert made.status_code == 200, made.text
        assert self.call("POST", f"release/{self.owner}/{package}/{version}", {"requirements": []}).status_code == 200

    def stage(self, path: str, data: bytes, **body: Any) -> requests.Response:
        announced = {"distribution_type": "conda", "channels": [], "sha256": hashlib.sha256(data).hexdigest(), **body}
        return self.call("POST", f"stage/{path}", announced)

    def commit(self, path: str, dist_id: str) -> requests.Response:
        return self.call("POST", f"commit/{path}", {"dist_id": dist_id})

    def send(
        self, staged: dict[str, Any], data: bytes, fields: dict[str, str] | None = None, filename: str | None = "a/b"
    ) -> requests.Response:
        form = {**staged["form_data"], "Content-Length": str(len(data)), "Content-MD5": md5(data), **(fields or {})}
        parts = [*((key, (None, value)) for key, value in form.items()), ("file", (filename, data))]
        return requests.post(staged["post_url"], files=parts, timeout=60)  # type: ignore[arg-type]

    def upload(self, package: str, basename: str, data: bytes, **body: Any) -> requests.Response:
        path = f"{self.owner}/{package}/1.0/{basename}"
        staged = self.stage(path, data, **body)
        assert staged.status_code == 200, staged.text
        assert self.send(staged.json(), data).status_code == 201
        return self.commit(path, staged.json()["dist_id"])


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def code(response: requests.Response) -> tuple[int, str]:
    from xml.etree import ElementTree

    assert response.headers["Content-Type"] == "application/xml"
    return response.status_code, ElementTree.fromstring(response.text).findtext("Code") or ""


def test_addresses(world: World) -> None:
    client = Client(world, "anonymous")
    assert [client.call("HEAD", path).status_code for path in ("", "../api")] == [200, 200]
    for path in ("nothing", "stage", "package/x", "v2/user", "x/y/z"):
        answer = client.call("GET", path)
        assert (answer.status_code, answer.headers["Content-Type"], set(answer.json()) >= {"error"}) == (404, "application/json", True)
    assert client.call("GET", "v1/notices").json()["type"] == "urn:carrel:error:not_found", "our own API keeps its errors"
    for path, status in (("user", 401), ("packages", 401), ("user/nobody", 404), (f"package/{client.owner}/absent", 404)):
        answer = client.call("GET", path)
        assert (answer.status_code, next(iter(answer.json()))) == (status, "error")
    for word in ("upload", "v1", "artifactory", "stage"):
        taken = requests.post(f"{client.base}/v1/users", json={"name": word, "password": "correct horse battery"}, timeout=30)
        assert taken.status_code == 400
    other = client.call("POST", "authentications", {"note": "x"}, headers={"Authorization": "Bearer eyJhbGciOi.x.y"})
    assert (other.status_code, other.json()["error"]) == (401, "Bearer token authentication is not enabled")
    assert "x-binstar-api-version" not in client.call("GET", "scopes").headers


def test_only_the_secret_lets_bytes_in(world: World, name: str) -> None:
    client, artifact = Client(world), build_conda(name)
    client.prepare(name)
    path = f"{client.owner}/{name}/1.0/linux-64/{artifact.filename}"
    staged = client.stage(path, artifact.data).json()
    assert all(isinstance(value, str) for value in [staged["dist_id"], staged["post_url"], *staged["form_data"].values()])
    assert code(client.send(staged, artifact.data, {"secret": "guessed"})) == (403, "AccessDenied")
    assert code(client.send({**staged, "form_data": {}}, artifact.data)) == (403, "AccessDenied")
    other = client.stage(path, artifact.data).json()
    assert code(client.send({**staged, "form_data": other["form_data"]}, artifact.data)) == (403, "AccessDenied")
    unknown = {**staged, "post_url": staged["post_url"][:-4] + "0000"}
    assert code(client.send(unknown, artifact.data)) == (404, "NoSuchUpload")
    assert client.commit(path, staged["dist_id"]).status_code == 400, "the bytes are not there"
    assert client.send(staged, artifact.data, filename=None).status_code == 201, "a part without a file name is a file, too"
    assert code(client.send(staged, artifact.data)) == (404, "NoSuchUpload"), "once"
    assert Client(world, "member").commit(path, staged["dist_id"]).status_code == 404
    assert Client(world, "anonymous").commit(path, staged["dist_id"]).status_code == 401
    assert client.commit(path.replace("linux-64", "osx-64"), staged["dist_id"]).status_code == 404
    done = client.commit(path, staged["dist_id"])
    assert (done.status_code, done.json()["url"]) == (200, f"{world.hub.url}/{client.owner}/{name}")
    assert client.commit(path, staged["dist_id"]).status_code == 404
    assert client.stage(path, artifact.data).status_code == 409, "one client asks in no other way whether a file exists"
    assert staged["form_data"]["secret"] not in world.hub.log


def test_bytes_are_compared_with_what_was_announced(world: World, name: str) -> None:
    client, artifact = Client(world), build_conda(name)
    client.prepare(name)
    path = f"{client.owner}/{name}/1.0/linux-64/{artifact.filename}"

    def sent(data: bytes, fields: dict[str, str] | None = None, **announced: Any) -> tuple[int, str]:
        return code(client.send(client.stage(path, artifact.data, **announced).json(), data, fields))

    assert sent(artifact.data, {"Content-MD5": md5(b"other")}) == (400, "InvalidDigest")
    assert sent(artifact.data, {"Content-MD5": "?"}) == (400, "InvalidDigest")
    assert sent(artifact.data + b"x") == (400, "InvalidDigest")
    assert sent(artifact.data, {"Content-Length": "7"}) == (400, "IncompleteBody")
    staged = client.stage(path, artifact.data).json()
    body = requests.post(
        staged["post_url"], data=b"--b\r\nno form", headers={"Content-Type": "multipart/form-data; boundary=b"}, timeout=30
    )
    assert code(body)[0] == 400
    assert client.stage(path, artifact.data, sha256="short").status_code == 400
    digest = base64.b64encode(hashlib.sha256(artifact.data).digest()).decode()
    assert client.stage(path, artifact.data, sha256=digest).status_code == 200
    for wrong in (f"osx-64/{artifact.filename}", f"linux-64/{name}-2.0-0.conda"):
        refused = client.upload(name, wrong, artifact.data)
        assert (refused.status_code, refused.json()["code"]) == (400, "metadata_mismatch")
    assert client.stage(path, artifact.data, distribution_type="cheese").json()["code"] == "unknown_kind"
    assert client.call("GET", f"release/{client.owner}/{name}/1.0").json()["distributions"] == []


@pytest.mark.parametrize(
    ("announced", "artifact", "kind", "shown"),
    [
        ("file", Artifact("data.csv", b"a\n1\n"), "file", "file"),
        ("file", build_notebook(filename="a.ipynb"), "notebook", "ipynb"),
        ("ipynb", build_notebook(filename="b.ipynb"), "notebook", "ipynb"),
        ("env", Artifact("team.yml", ENVIRONMENT), "environment", "env"),
        ("file", Artifact("environment.yaml", ENVIRONMENT), "environment", "env"),
        ("file", Artifact("explicit.txt", b"@EXPLICIT\n"), "environment", "env"),
        ("installer", Artifact("setup.sh", b"#!/bin/sh\n"), "file", "file"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.filename,
)
def test_kinds(world: World, name: str, announced: str, artifact: Artifact, kind: str, shown: str) -> None:
    client = Client(world)
    client.prepare(name)
    done = client.upload(name, artifact.filename, artifact.data, distribution_type=announced, channels=None)
    assert done.status_code == 200, done.text
    assert (done.json()["type"], done.json()["labels"]) == (shown, ["main"])
    package = client.call("GET", f"package/{client.owner}/{name}").json()
    assert package["package_types"] == list(dict.fromkeys([shown, "file"])), "or the client refuses the next version"
    assert world.people["owner"].get(f"packages/{client.owner}/{name}").json()["kinds"] == [kind]
    assert {"conda_platforms", "latest_version", "builds", "full_name", "public"} <= package.keys()


def test_drafts_are_for_members(world: World, name: str) -> None:
    client, stranger = Client(world), Client(world, "outsider")
    client.prepare(name)
    for path in (f"package/{client.owner}/{name}", f"release/{client.owner}/{name}/1.0"):
        assert [who.call("GET", path).status_code for who in (client, stranger)] == [200, 404]
    assert client.call("POST", f"package/{client.owner}/{name}", {"public": False}).status_code == 409
    assert stranger.call("POST", f"package/{client.owner}/{name}x", {}).status_code == 403
    member = Client(world, "member")
    member.prepare(f"{name}m", public=False)
    begun = (f"release/{client.owner}/{name}m/1.0", f"package/{client.owner}/{name}m")
    assert [member.call("DELETE", path).status_code for path in begun] == [201, 201], "what a member began, they clean up"
    assert client.call("GET", f"package/{client.owner}/{name}m").status_code == 404


def test_downloads(world: World, name: str) -> None:
    client, artifact = Client(world), build_conda(name)
    client.prepare(name)
    done = client.upload(name, f"linux-64/{artifact.filename}", artifact.data).json()
    path = f"download/{client.owner}/{name}/1.0/linux-64/{artifact.filename}"
    assert done["download_url"] == f"{client.base}/{path}"
    assert client.call("GET", path).content == artifact.data
    assert client.call("GET", path, headers={"ETag": done["md5"]}).status_code == 304
    assert client.call("GET", path, headers={"ETag": "0" * 32}).content == artifact.data
    by_id = f"dist/{client.owner}/{name}/1.0/-/{done['_id']}"
    assert client.call("GET", by_id).json()["sha256"] == artifact.sha256
    assert client.call("DELETE", by_id).json()["basename"] == f"linux-64/{artifact.filename}"
    assert client.call("GET", path).status_code == 404


def test_listing(world: World, name: str) -> None:
    client, artifact = Client(world), build_conda(name)
    client.prepare(name, public=False)
    assert client.upload(name, f"linux-64/{artifact.filename}", artifact.data).status_code == 200

    def listed(who: Client, after: str) -> bool:
        return name in {item["name"] for item in who.call("GET", f"package_listing?modified_after={after}").json()}

    assert (listed(client, ""), listed(client, "2020-01-01"), listed(client, "2999-01-01T00:00:00Z")) == (True, True, False)
    assert not listed(Client(world, "anonymous"), "")
    assert client.call("GET", "package_listing?modified_after=never").status_code == 400
    assert client.call("GET", "license").json() == []


def test_narrow_tokens_upload_what_they_are_for(world: World, name: str) -> None:
    owner, artifact = world.people["owner"], build_conda(name)
    client = Client(world)
    client.token = owner.post("tokens", {"name": name, "scopes": ["conda:upload"]}).json()["token"]
    client.prepare(name)
    assert client.call("GET", "user").status_code == 200
    assert client.upload(name, f"linux-64/{artifact.filename}", artifact.data).status_code == 200
    assert client.stage(f"{client.owner}/{name}/1.0/a.csv", b"", distribution_type="file").status_code == 403
    assert client.call("DELETE", f"package/{client.owner}/{name}").status_code == 403
    narrowed = [{"labels": ["dev"]}, {"packages": [f"{name}-1"]}, {"namespace": client.owner}]
    for number, limit in enumerate(narrowed):
        client.token = owner.post("tokens", {"name": name, **limit}).json()["token"]
        other = build_conda(f"{name}-{number}")
        client.prepare(f"{name}-{number}")
        done = client.upload(f"{name}-{number}", f"linux-64/{other.filename}", other.data, channels=["dev"])
        assert done.status_code == 200, (limit, done.text)
        if "labels" in limit:  # into a package that this token does not see
            assert client.call("GET", f"package/{client.owner}/{name}").status_code == 404
            client.prepare(name)
            told = client.call("POST", f"package/{client.owner}/{name}", {})
            assert (told.json()["summary"], told.json()["latest_version"], told.json()["package_types"]) == ("", "", [])
            again = build_conda(name, build="1", build_number=1)
            assert client.upload(name, f"linux-64/{again.filename}", again.data, channels=["dev"]).status_code == 200
        refused = client.stage(f"{client.owner}/{name}-9/1.0/linux-64/{name}-9-1.0-0.conda", b"", channels=["main"])
        assert refused.status_code == (200 if "namespace" in limit else 403)
    client.token = owner.post("tokens", {"name": name, "scopes": ["conda:download"]}).json()["token"]
    assert client.call("GET", f"package/{client.owner}/{name}").status_code == 403
    assert client.stage(f"{client.owner}/{name}/1.0/linux-64/{name}-1.0-1.conda", b"").status_code == 403


def foreign(world: World, kind: str, artifact: Artifact, token: str, **options: Any) -> requests.Response:
    """Upload as rattler-build does to *kind* of server."""
    url, owner = world.hub.url, world.organization
    if kind == "quetz":
        query = {"force": "false", "sha256": artifact.sha256, **options}
        address = f"{url}/api/channels/{owner}/upload/{artifact.filename}"
        return requests.post(address, params=query, data=artifact.data, headers={"X-API-Key": token}, timeout=60)
    bearer = {"Authorization": f"Bearer {token}"}
    if kind == "artifactory":
        subdir = options.get("subdir", "linux-64")
        return requests.put(f"{url}/artifactory/{owner}/{subdir}/{artifact.filename}", data=artifact.data, headers=bearer, timeout=60)
    part_headers = {"X-File-Name": artifact.filename, "X-File-SHA256": options.get("sha256", artifact.sha256)}
    parts = {"file": (artifact.filename, artifact.data, "application/octet-stream", part_headers)}
    return requests.post(f"{url}/api/v1/upload/{owner}", files=parts, headers=bearer, timeout=60)


@pytest.mark.parametrize("kind", ["quetz", "artifactory", "prefix"])
def test_endpoints_of_other_servers(world: World, name: str, kind: str) -> None:
    artifact, token = build_conda(name), world.people["member"].token
    other, broken = build_conda(name, files={"a": "b"}), Artifact(f"{name}-1.0-9.conda", b"PK nothing")
    assert foreign(world, kind, artifact, "ca-unknown").status_code == 401
    assert foreign(world, kind, artifact, world.people["outsider"].token).status_code == 403
    done = foreign(world, kind, artifact, token)
    assert (done.status_code, done.json()["sha256"]) == (201, artifact.sha256)
    assert foreign(world, kind, artifact, token).status_code == (409 if kind == "prefix" else 201)
    refused = foreign(world, kind, other, token)
    assert (refused.status_code, refused.json()["code"]) == (409, "file_exists")
    assert refused.json()["error"].startswith(artifact.filename), "these clients print the body"
    refused = foreign(world, kind, broken, token)
    assert (refused.status_code, refused.json()["code"]) == (422 if kind == "prefix" else 400, "invalid_file")
    if kind != "artifactory":
        assert foreign(world, kind, build_conda(name, "2.0"), token, sha256="0" * 64).status_code == 400
    else:
        assert foreign(world, kind, build_conda(name, "2.0"), token, subdir="osx-64").json()["code"] == "metadata_mismatch"
        label = f"{world.hub.url}/artifactory/{world.organization}/label/a/b/noarch/{name}-3.0-0.conda"
        data = build_conda(name, "3.0", noarch="generic").data
        assert requests.put(label, data=data, auth=("member", token), timeout=60).json()["labels"] == ["a/b"]


def test_bodies_that_are_no_json(world: World, name: str) -> None:
    client = Client(world)
    for body in (b"{", b"[]", b'"text"', json.dumps({"public_attrs": 1}).encode()):
        answer = requests.post(
            f"{client.base}/package/{client.owner}/{name}", data=body, headers={"Authorization": f"token {client.token}"}, timeout=30
        )
        assert answer.status_code in (400, 422)
        assert answer.json()["error"]
