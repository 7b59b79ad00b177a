"""Labels over HTTP: addresses with slashes, promotion with a dry run and undo, copies, yanks, what outsiders learn."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgpack
import pytest
import requests
import zstandard
from api_world import Api, World, make_world, problem

from carrel.testing.artifacts import Artifact, build_conda, build_wheel
from carrel.testing.hub import HubProcess


def conda(name: str, version: str) -> Artifact:
    return build_conda(name, version, subdir="noarch")


@pytest.fixture(scope="module")
def world(hub: HubProcess) -> World:
    made = make_world(hub)
    api, org = made.owner, made.organization
    for name, visibility, label in (("tool", "public", "dev"), ("helper", "public", "dev"), ("secret", "private", "hush/project")):
        artifact = conda(name, "1.0")
        assert api.upload(org, artifact.filename, artifact.data, visibility=visibility, label=label).ok
    wheel = build_wheel("pure_lib", "0.3")
    assert api.upload(org, wheel.filename, wheel.data, visibility="public", label="dev").ok
    return made


def labels_json(api: Api, protocol: str, namespace: str) -> dict[str, int]:
    answer = api.get(f"{api.base}/{protocol}/{namespace}/labels.json")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"].split(",")[0] == ("private" if api.token else "public")
    return {item["name"]: item["files"] for item in answer.json()["labels"]}


def repodata(api: Api, namespace: str, label: str = "") -> tuple[set[str], set[str]]:
    """Return the files that a conda channel lists, and those that it says were removed."""
    channel = f"{api.base}/conda/{namespace}" + (f"/label/{label}" if label else "")
    answer = api.get(f"{channel}/noarch/repodata.json")
    assert answer.status_code == 200, answer.text
    document = answer.json()
    names = {*document.get("packages", {}), *document.get("packages.conda", {})}
    shards = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(api.get(f"{channel}/noarch/repodata_shards.msgpack.zst").content))
    assert {name.rsplit("-", 2)[0] for name in names} <= set(shards["shards"])
    return names, set(document.get("removed", []))


def test_promotion(world: World) -> None:
    api, org = world.people["member"], world.organization
    root = f"namespaces/{org}"
    body: dict[str, Any] = {"action": "move", "from": "dev", "to": "main", "packages": ["t*", "pure-lib"]}
    tried = api.post(f"{root}/label-changes", {**body, "dry_run": True})
    assert tried.status_code == 200, tried.text
    shown = tried.json()
    assert (shown["id"], shown["count"], shown["from"], shown["to"]) == (None, 2, "dev", "main")
    assert repodata(api, org)[0] == set()
    made = api.post(f"{root}/label-changes", {**body, "if_plan": shown["plan"]})
    assert made.status_code == 201, made.text
    change = made.json()
    assert change["files"] == shown["files"]
    assert {(item["package"], tuple(item["before"]), tuple(item["after"])) for item in change["files"]} == {
        ("tool", ("dev",), ("main",)),
        ("pure_lib", ("dev",), ("main",)),
    }
    assert repodata(world.people["anonymous"], org)[0] == {"tool-1.0-0.conda"}
    assert repodata(world.people["anonymous"], org, "dev")[0] == {"helper-1.0-0.conda"}
    simple = f"{api.base}/pypi/{org}/simple/pure-lib/"
    assert requests.get(simple, timeout=30).status_code == 200
    assert api.post(f"{root}/label-changes", {**body, "packages": []}).json()["count"] == 1
    again = api.post(f"{root}/label-changes", {"action": "copy", "from": "main", "to": "main2", "packages": ["tool"], "if_plan": "0" * 64})
    assert (again.status_code, problem(again)["code"]) == (412, "plan_changed")
    latest = api.get(f"{root}/label-changes?limit=1").json()
    assert latest["items"][0]["files"] == []
    older = api.get(f"{root}/label-changes", params={"limit": 1, "cursor": latest["next_cursor"]}).json()
    assert older["items"][0]["id"] == change["id"]
    undone = api.post(f"{root}/label-changes/{change['id']}/undo")
    assert undone.status_code == 201, undone.text
    assert (undone.json()["count"], undone.json()["left_alone"], undone.json()["gone"]) == (2, [], 0)
    assert repodata(world.people["anonymous"], org)[0] == {"helper-1.0-0.conda"}
    assert requests.get(simple, timeout=30).status_code == 404
    assert problem(api.post(f"{root}/label-changes/{change['id']}/undo"))["code"] == "already_undone"
    assert api.get(f"{root}/label-changes/{change['id']}").json()["undone_at"] is not None
    api.post(f"{root}/label-changes", {"action": "move", "from": "main", "to": "dev"})


@pytest.mark.parametrize("spell", [lambda text: text, lambda text: quote(text, safe="")], ids=["plain", "encoded"])
def test_slashes_in_addresses(world: World, spell: Any) -> None:
    api, org = world.owner, world.organization
    name = "team/next/v2" if spell("/") == "/" else "team/files"
    path = f"namespaces/{org}/labels/{spell(name)}"
    assert api.get(path).status_code == 404
    assert api.put(path, json={}).status_code == 201
    assert api.put(path, json={}).status_code == 200
    assert api.post(f"namespaces/{org}/label-changes", {"action": "copy", "from": "dev", "to": name, "kind": "conda"}).status_code == 201
    assert api.get(path).json()["files"] == 2
    files = api.get(f"{path}/files", params={"package": "TOOL"}).json()
    assert [(item["package"], item["version"], item["labels"]) for item in files["items"]] == [("tool", "1.0", sorted(["dev", name]))]
    assert repodata(api, org, spell(name))[0] == {"tool-1.0-0.conda", "helper-1.0-0.conda"}
    assert api.patch(path, {"locked": True, "relations": {"overrides": "../.."}}).json()["relations"] == {
        "base": None,
        "overrides": "../..",
    }
    refused = world.people["member"].post(f"namespaces/{org}/label-changes", {"action": "add", "to": name, "packages": ["tool"]})
    assert (refused.status_code, problem(refused)["code"]) == (403, "label_locked")
    assert problem(api.delete(path))["code"] == "label_locked"
    assert problem(api.patch(path, {"relations": {"base": "https://example.org/x"}}))["code"] == "invalid_relation"
    assert api.patch(path, {"locked": False, "name": "renamed/here"}).json()["name"] == "renamed/here"
    assert api.get(path).status_code == 404
    removed = api.delete(f"namespaces/{org}/labels/{spell('renamed/here')}")
    assert (removed.status_code, removed.json()["action"], removed.json()["count"]) == (200, "delete", 2)
    assert api.get(f"{api.base}/conda/{org}/label/renamed/here/noarch/repodata.json").status_code == 404


def test_what_outsiders_learn(world: World) -> None:
    org = world.organization
    hushed = "hush/project"
    for role in ("anonymous", "outsider"):
        api = world.people[role]
        assert hushed not in {item["name"] for item in api.get(f"namespaces/{org}/labels").json()["items"]}
        assert labels_json(api, "conda", org) == {"dev": 2}
        assert labels_json(api, "pypi", org) == {"dev": 1}
        assert labels_json(api, "cran", org) == {}
        for path in ("", "/files"):
            assert api.get(f"namespaces/{org}/labels/{hushed}{path}").status_code == 404
            absent = api.get(f"namespaces/{org}/labels/hush/nothing{path}")
            assert (
                problem(absent)["detail"].replace("nothing", "project")
                == problem(api.get(f"namespaces/{org}/labels/{hushed}{path}"))["detail"]
            )
    member = world.people["member"]
    assert labels_json(member, "conda", org) == {"dev": 2}
    assert labels_json(world.owner, "conda", org)[hushed] == 1
    shown = member.post(f"namespaces/{org}/label-changes", {"action": "copy", "from": hushed, "to": "main", "dry_run": True})
    assert (shown.status_code, shown.json()["files"]) == (200, [])
    for role, status in (("anonymous", 401), ("outsider", 403)):
        answer = world.people[role].post(f"namespaces/{org}/label-changes", {"action": "copy", "from": "dev", "to": "main"})
        assert answer.status_code == status
        assert world.people[role].get(f"namespaces/{org}/label-changes").status_code == status
        assert world.people[role].post(f"namespaces/{org}/label-changes/1/undo").status_code == status
        assert world.people[role].put(f"namespaces/{org}/labels/mine", json={}).status_code == status


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"action": "copy", "from": "dev"}, 400, "label_needed"),
        ({"action": "copy", "from": "nowhere", "to": "main"}, 404, "not_found"),
        ({"action": "copy", "from": "dev", "to": "noarch"}, 400, "invalid_name"),
        ({"action": "copy", "from": "dev", "to": "main", "packages": ["tol"]}, 404, "nothing_selected"),
        ({"action": "burn", "from": "dev", "to": "main"}, 422, "invalid_input"),
        ({"action": "copy", "from": "dev", "to": "main", "package": "tool"}, 422, "invalid_input"),
        ({"action": "remove", "from": "nolabel"}, 400, "nolabel"),
        ({"action": "copy", "from": "dev", "to": "main", "version": "\0"}, 400, "nul_character"),
        ({"action": "copy", "from": "dev", "to": "main", "version": "\\u0000"}, 404, "nothing_selected"),
    ],
)
def test_refusals(world: World, body: dict[str, Any], status: int, code: str) -> None:
    answer = world.owner.post(f"namespaces/{world.organization}/label-changes", body)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


def test_no_text_holds_a_nul(world: World) -> None:
    api, org = world.owner, world.organization
    assert api.get(f"namespaces/{org}/labels/a%00b").status_code == 404
    assert problem(api.get(f"namespaces/{org}/labels/dev/files?package=%00"))["code"] == "nul_character"


def test_nolabel(world: World) -> None:
    api, org = world.owner, world.organization
    artifact = conda("loose", "1.0")
    made = api.upload(org, artifact.filename, artifact.data, visibility="public", label="passing")
    file = f"packages/{org}/loose/releases/1.0/files/noarch%2F{artifact.filename}"
    assert api.put(f"{file}/labels", json={"labels": []}).json()["labels"] == []
    anyone = world.people["anonymous"]
    assert {item["name"]: item["files"] for item in anyone.get(f"namespaces/{org}/labels").json()["items"]}["nolabel"] == 1
    assert [item["package"] for item in anyone.get(f"namespaces/{org}/labels/nolabel/files").json()["items"]] == ["loose"]
    assert anyone.get(made.json()["download_url"]).content == artifact.data
    assert "nolabel" not in labels_json(anyone, "conda", org)
    assert anyone.get(f"{anyone.base}/conda/{org}/label/nolabel/noarch/repodata.json").status_code == 404
    assert api.put(f"namespaces/{org}/labels/nolabel", json={}).status_code == 400
    assert api.delete(f"packages/{org}/loose").status_code == 204


def test_copies(world: World) -> None:
    org, person = world.organization, world.names["outsider"]
    api = world.people["outsider"]
    path = f"packages/{org}/tool/copy"
    shown = api.post(path, {"to_namespace": person, "to_label": "borrowed/from", "dry_run": True})
    assert (shown.status_code, [item["outcome"] for item in shown.json()["files"]]) == (200, ["new"])
    assert api.get(f"packages/{person}/tool").status_code == 404
    made = api.post(path, {"to_namespace": person, "to_label": "borrowed/from"})
    assert made.status_code == 201, made.text
    assert repodata(api, person, "borrowed/from")[0] == {"tool-1.0-0.conda"}
    assert repodata(api, person)[0] == set()
    original, copy = (api.get(f"packages/{ns}/tool/releases/1.0").json()["files"][0] for ns in (org, person))
    assert original["sha256"] == copy["sha256"]
    assert api.get(copy["download_url"]).content == conda("tool", "1.0").data
    conflict = api.post(path, {"to_namespace": person})
    assert (conflict.status_code, problem(conflict)["code"]) == (409, "copy_conflict")
    assert problem(conflict)["files"] == [{"version": "1.0", "filename": "tool-1.0-0.conda", "subdir": "noarch", "reason": "exists"}]
    assert [item["outcome"] for item in api.post(path, {"to_namespace": person, "existing": "skip"}).json()["files"]] == ["skipped"]
    assert api.post(f"packages/{org}/secret/copy", {"to_namespace": person}).status_code == 404
    assert api.post(path, {"to_namespace": world.names["member"]}).status_code == 403
    assert world.people["anonymous"].post(path, {"to_namespace": person}).status_code == 401
    assert world.owner.post(f"packages/{org}/secret/copy", {"to_namespace": world.names["owner"]}).json()["visibility"] == "private"


def test_yank(world: World) -> None:
    api, org = world.people["member"], world.organization
    for version in ("1.0", "2.0"):
        artifact, wheel = conda("risky", version), build_wheel("risky_wheel", version)
        assert api.upload(org, artifact.filename, artifact.data, visibility="public").ok
        assert api.upload(org, wheel.filename, wheel.data, visibility="public").ok
    anyone = world.people["anonymous"]
    root = f"packages/{org}/risky/releases/2.0"
    assert world.people["outsider"].put(f"{root}/yank", json={}).status_code == 403
    yanked = api.put(f"{root}/yank", json={"reason": "breaks everything"})
    assert yanked.status_code == 200, yanked.text
    assert (yanked.json()["yanked"], yanked.json()["files"][0]["yanked_reason"]) == (True, "breaks everything")
    assert api.get(f"packages/{org}/risky").json()["latest_version"] == "1.0"
    listed, removed = repodata(anyone, org)
    assert "risky-1.0-0.conda" in listed
    assert "risky-2.0-0.conda" in removed - listed
    artifact = conda("risky", "2.0")
    assert anyone.get(f"{anyone.base}/conda/{org}/noarch/{artifact.filename}").content == artifact.data
    # A version below the yanked one is the latest now; one that is yanked alone stays it.
    assert api.put(f"packages/{org}/risky/releases/1.0/yank", json={}).ok
    assert api.get(f"packages/{org}/risky").json()["latest_version"] == "2.0"
    fixed = conda("risky", "1.5")
    assert api.upload(org, fixed.filename, fixed.data).ok
    assert api.get(f"packages/{org}/risky").json()["latest_version"] == "1.5"
    assert api.delete(f"{root}/yank").json()["yanked"] is False
    assert api.get(f"packages/{org}/risky").json()["latest_version"] == "2.0"
    assert "risky-2.0-0.conda" in repodata(anyone, org)[0]
    wheel = build_wheel("risky_wheel", "2.0")
    file = f"packages/{org}/risky-wheel/releases/2.0/files/{wheel.filename}"
    assert api.put(f"{file}/yank", json={"reason": "no"}).json()["yanked"] is True
    simple = f"{anyone.base}/pypi/{org}/simple/risky-wheel/"
    page = anyone.get(simple, headers={"Accept": "application/vnd.pypi.simple.v1+json"}).json()
    assert {item["filename"]: item["yanked"] for item in page["files"]} == {
        wheel.filename: "no",
        wheel.filename.replace("2.0", "1.0"): False,
    }
    assert api.delete(f"{file}/yank").json()["yanked"] is False
    assert "data-yanked" not in anyone.get(simple).text
    draft = api.post(f"packages/{org}/risky/releases", {"version": "9"})
    assert draft.status_code == 201
    assert problem(api.put(f"packages/{org}/risky/releases/9/yank", json={}))["code"] == "not_published"


def test_what_is_said_of_packages_and_releases(world: World) -> None:
    member, owner, org = world.people["member"], world.owner, world.organization
    package = f"packages/{org}/helper"
    texts = {"summary": "s", "description": "d", "license": "MIT", "home_page": "https://example.org", "display_name": "Helper"}
    assert texts.items() <= member.patch(package, texts).json().items()
    told = {"status": "deprecated", "status_reason": "use tool", "tracks": ["https://example.org/simple/helper/"]}
    assert member.patch(package, told).status_code == 403
    assert told.items() <= owner.patch(package, told).json().items()
    assert told.items() <= world.people["anonymous"].get(package).json().items()
    assert owner.patch(package, {"alternate_locations": ["ftp://example.org"]}).status_code == 422
    assert owner.patch(package, {"status": "fine"}).status_code == 422
    assert owner.patch(package, {"status": "archived"}).ok
    artifact = conda("helper", "2.0")
    assert problem(owner.upload(org, artifact.filename, artifact.data))["code"] == "package_closed"
    assert owner.patch(package, {"status": "quarantined"}).ok
    anyone = world.people["anonymous"]
    assert anyone.get(package).json()["status"] == "quarantined"
    (file,) = owner.get(f"{package}/releases/1.0").json()["files"]
    elsewhere = f"{anyone.base}/conda/{org}/label/dev/noarch/{file['filename']}"
    assert (anyone.get(file["download_url"]).status_code, anyone.get(elsewhere).status_code) == (404, 404)
    assert (owner.get(file["download_url"]).status_code, owner.get(elsewhere).status_code) == (200, 200)
    assert owner.get(file["download_url"]).headers["Cache-Control"].startswith("private")
    listed, removed = repodata(anyone, org, "dev")
    assert file["filename"] in removed - listed
    assert problem(owner.post(f"{package}/copy", {"to_namespace": world.names["owner"]}))["code"] == "package_closed"
    assert owner.patch(package, {"status": "active", "status_reason": "", "tracks": []}).json()["tracks"] == []
    assert file["filename"] in repodata(anyone, org, "dev")[0]
    assert anyone.get(elsewhere).headers["Cache-Control"].startswith("public")
    release = f"{package}/releases/1.0"
    assert world.people["outsider"].patch(release, {"message": "x"}).status_code == 403
    changed = member.patch(release, {"message": "first", "summary": "all of it"}).json()
    assert (changed["message"], changed["summary"], changed["description"]) == (
        "first",
        "all of it",
        member.get(release).json()["description"],
    )
    assert member.get(package).json()["summary"] == "all of it"
    found = world.people["anonymous"].get("search", params={"q": "helper", "namespace": org}).json()["items"]
    assert [item["summary"] for item in found if item["name"] == "helper"] == ["all of it"]


# Of roles who may: (yank and texts, label change, copy away).
EXPECTED = {
    ("public", "anonymous"): (401, 401, 401),
    ("public", "outsider"): (403, 403, 200),
    ("public", "member"): (200, 200, 200),
    ("unlisted", "outsider"): (403, 403, 200),
    ("unlisted", "member"): (200, 200, 200),
    ("organization", "anonymous"): (401, 401, 401),
    ("organization", "outsider"): (404, 403, 404),
    ("organization", "member"): (200, 200, 200),
    ("private", "outsider"): (404, 403, 404),
    ("private", "member"): (404, 404, 404),
    ("private", "owner"): (200, 200, 200),
}


@pytest.mark.parametrize("visibility", ["public", "unlisted", "organization", "private"])
def test_roles(world: World, visibility: str) -> None:
    org, name = world.organization, f"cell-{visibility}"
    artifact = conda(name, "1.0")
    assert world.owner.upload(org, artifact.filename, artifact.data, visibility=visibility).ok
    for (of, role), (changes, labels, copies) in EXPECTED.items():
        if of != visibility:
            continue
        api = world.people[role]
        for package in (name, "cell-absent") if changes == 404 else (name,):
            root = f"packages/{org}/{package}"
            answers = [
                api.put(f"{root}/releases/1.0/yank", json={}),
                api.delete(f"{root}/releases/1.0/yank"),
                api.patch(f"{root}/releases/1.0", {"message": role}),
            ]
            assert {answer.status_code for answer in answers} == {changes}, (role, package)
            change = {"action": "add", "to": "cells", "packages": [package], "dry_run": True}
            assert api.post(f"namespaces/{org}/label-changes", change).status_code == labels, (role, package)
            to = world.names.get(role, org)
            assert api.post(f"{root}/copy", {"to_namespace": to, "dry_run": True}).status_code == copies, (role, package)
