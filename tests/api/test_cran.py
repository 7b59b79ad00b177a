"""R repositories over HTTP: validators, what each viewer sees, uploads without a file name, yanked and removed files."""

from __future__ import annotations

import pytest
import requests
from api_world import World, problem

from carrel.testing.artifacts import Artifact, build_r_package, build_wheel

PURE = "R 4.2.2; ; 2026-01-01 00:00:00 UTC; unix"
WINDOWS = "R 4.2.2; x86_64-w64-mingw32; 2026-01-01 00:00:00 UTC; windows"


def packages(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    lines = answer.text.splitlines()
    names = [line.removeprefix("Package: ") for line in lines if line.startswith("Package: ")]
    versions = [line.removeprefix("Version: ") for line in lines if line.startswith("Version: ")]
    return [f"{name} {version}" for name, version in zip(names, versions, strict=True)]


def test_validators_follow_every_change(world: World) -> None:
    api, namespace = world.owner, world.names["owner"]
    contrib = f"{world.hub.url}/cran/{namespace}/src/contrib"
    names = ("PACKAGES", "PACKAGES.gz", "PACKAGES.rds", "Meta/archive.rds")
    empty = {name: requests.get(f"{contrib}/{name}", timeout=30) for name in names}
    assert all(answer.status_code == 200 for answer in empty.values())
    assert api.upload(namespace, "valid_1.0.tar.gz", build_r_package("valid").data, visibility="public").status_code == 201
    assert api.upload(namespace, "valid_0.9.tar.gz", build_r_package("valid", "0.9").data).status_code == 201
    for name in names:
        answer = requests.get(f"{contrib}/{name}", headers={"If-None-Match": empty[name].headers["ETag"]}, timeout=30)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"].startswith("public, max-age=")
        again = requests.get(f"{contrib}/{name}", headers={"If-None-Match": answer.headers["ETag"]}, timeout=30)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
        assert api.get(f"{contrib}/{name}").headers["Cache-Control"].startswith("private")
        assert requests.head(f"{contrib}/{name}", timeout=30).headers["Content-Length"] == str(len(answer.content))
    assert packages(requests.get(f"{contrib}/PACKAGES", timeout=30)) == ["valid 1.0"]
    assert api.delete(f"packages/{namespace}/valid/releases/1.0").status_code == 204
    assert packages(requests.get(f"{contrib}/PACKAGES", timeout=30)) == ["valid 0.9"]
    assert api.delete(f"packages/{namespace}/valid").status_code == 204
    assert packages(requests.get(f"{contrib}/PACKAGES", timeout=30)) == []


def test_each_viewer_has_an_index(world: World) -> None:
    api = world.owner
    for visibility in ("private", "organization", "unlisted", "public"):
        made = build_r_package(f"seen.{visibility}")
        assert api.upload(world.organization, made.filename, made.data, visibility=visibility).status_code == 201
    seen = {
        role: packages(person.get(f"{world.hub.url}/cran/{world.organization}/src/contrib/PACKAGES"))
        for role, person in world.people.items()
    }
    everyone, members = ["seen.public 1.0"], ["seen.organization 1.0", "seen.public 1.0", "seen.unlisted 1.0"]
    assert seen == {
        "anonymous": everyone,
        "outsider": everyone,
        "member": members,
        "owner": [members[0], "seen.private 1.0", *members[1:]],
    }
    for role, person in world.people.items():
        for visibility in ("private", "organization", "unlisted", "public"):
            got = person.get(f"{world.hub.url}/cran/{world.organization}/src/contrib/seen.{visibility}_1.0.tar.gz").status_code
            reachable = visibility in ("public", "unlisted") or role == "owner" or (role == "member" and visibility == "organization")
            assert got == (200 if reachable else 404), (role, visibility)


@pytest.mark.parametrize(
    ("made", "path", "query", "subdir", "tree"),
    [
        (build_r_package("posted", "1.0"), "src", {}, "", "src/contrib"),
        (
            build_r_package("posted", "1.0", built=WINDOWS, fmt="zip"),
            "bin",
            {"platform": "windows", "rversion": "4.2"},
            "windows/4.2",
            "bin/windows/contrib/4.2",
        ),
        (
            build_r_package("posted", "1.0", built=PURE, fmt="tgz"),
            "bin",
            {"platform": "macosx/big-sur-arm64", "rversion": "4.2.2"},
            "macosx/big-sur-arm64/4.2",
            "bin/macosx/big-sur-arm64/contrib/4.2",
        ),
        (
            build_r_package("posted", "1.0", built=PURE),
            "bin",
            {"platform": "linux/x", "rversion": "4.2"},
            "linux/x/4.2",
            "bin/linux/x/contrib/4.2",
        ),
    ],
    ids=["source", "windows", "macos", "linux"],
)
def test_uploads_without_a_name(world: World, made: Artifact, path: str, query: dict[str, str], subdir: str, tree: str) -> None:
    api, root = world.owner, f"{world.hub.url}/cran/{world.names['owner']}"
    answer = api.put(f"{root}/{path}", params=query, data=made.data)
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert (file["kind"], file["filename"], file["subdir"], file["sha256"]) == ("r", made.filename, subdir, made.sha256)
    assert api.put(f"{root}/{path}", params=query, data=made.data).status_code == 200
    assert "posted 1.0" in packages(api.get(f"{root}/{tree}/PACKAGES"))
    assert api.get(f"{root}/{tree}/{made.filename}").content == made.data
    assert api.get(file["download_url"]).content == made.data
    dev = api.put(f"{root}/label/a/b/{path}", params=query, data=made.data)
    assert sorted(dev.json()["labels"]) == ["a/b", "main"]
    assert problem(api.put(f"{root}/{path}", params=query, data=b"not a package"))["code"] == "invalid_file"
    assert world.people["outsider"].put(f"{root}/{path}", params=query, data=made.data).status_code in {403, 404}
    assert world.people["anonymous"].put(f"{root}/{path}", params=query, data=made.data).status_code == 401


def test_what_does_not_fit(world: World) -> None:
    api, root = world.owner, f"{world.hub.url}/cran/{world.names['owner']}"
    windows = build_r_package("fits", built=WINDOWS, fmt="zip")
    wrong = api.put(f"{root}/bin?platform=windows&rversion=4.3", data=windows.data)
    assert (wrong.status_code, problem(wrong)["code"], problem(wrong)["field"]) == (400, "metadata_mismatch", "subdir")
    assert api.put(f"{root}/bin?platform=windows", data=windows.data).status_code == 422
    assert problem(api.put(f"{root}/bin?platform=beos&rversion=4.2", data=windows.data))["code"] == "invalid_platform"
    assert problem(api.put(f"{root}/src", data=build_r_package("fits", built=PURE).data))["code"] == "platform_needed"
    wheel = build_wheel("fits")
    assert problem(api.put(f"{root}/src", data=wheel.data))["code"] == "invalid_file"
    assert api.get(f"{root}/bin/beos/contrib/4.2/PACKAGES").status_code == 404
    assert api.get(f"{root}/bin/windows/contrib/4.2.2/PACKAGES").status_code == 404
    assert api.get(f"packages/{world.names['owner']}/fits").status_code == 404


def test_one_package_in_three_languages(world: World) -> None:
    api, namespace = world.owner, world.names["owner"]
    assert api.upload(namespace, "poly_1.0.tar.gz", build_r_package("poly").data).status_code == 201
    wheel = build_wheel("poly")
    assert api.upload(namespace, wheel.filename, wheel.data).status_code == 201
    release = api.get(f"packages/{namespace}/poly/releases/1.0").json()
    assert {(file["kind"], file["attributes"]["source"]) for file in release["files"]} == {("r", True), ("pypi", False)}


def test_a_collection_is_a_repository(world: World) -> None:
    api, first, second = world.owner, world.names["owner"], world.organization
    for namespace, name, version, visibility in (
        (first, "shown", "1.0", "public"),
        (first, "shown", "1.5", "public"),
        (second, "shown", "9.0", "public"),  # the first one of a name counts
        (second, "other", "1.0", "public"),
        (second, "kept", "1.0", "private"),
        (second, "outside", "1.0", "public"),
    ):
        made = build_r_package(name, version)
        assert api.upload(namespace, made.filename, made.data, visibility=visibility).status_code == 201
    assert api.post(f"namespaces/{first}/collections", {"name": "kit", "visibility": "public"}).status_code == 201
    for item in (f"{first}/shown", f"{second}/shown", f"{second}/other", f"{second}/kept"):
        assert api.put(f"namespaces/{first}/collections/kit/items/{item}", json={}).ok
    root = f"{world.hub.url}/cran/{first}/collection/kit"
    listed = requests.get(f"{root}/src/contrib/PACKAGES", timeout=30)
    assert packages(listed) == ["other 1.0", "shown 1.5"]
    assert requests.get(f"{root}/src/contrib/PACKAGES", headers={"If-None-Match": listed.headers["ETag"]}, timeout=30).status_code == 304
    assert packages(api.get(f"{root}/src/contrib/PACKAGES")) == ["kept 1.0", "other 1.0", "shown 1.5"]
    assert packages(requests.get(f"{root}/bin/windows/contrib/4.2/PACKAGES", timeout=30)) == []
    statuses = {
        path: requests.get(f"{root}/src/contrib/{path}", timeout=30).status_code
        for path in (
            "PACKAGES.rds",
            "Meta/archive.rds",
            "other_1.0.tar.gz",
            "Archive/shown/shown_1.0.tar.gz",
            "kept_1.0.tar.gz",
            "outside_1.0.tar.gz",
        )
    }
    assert list(statuses.values()) == [200, 200, 200, 200, 404, 404], statuses
    assert api.get(f"{root}/src/contrib/kept_1.0.tar.gz").status_code == 200
