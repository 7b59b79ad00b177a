"""The package service through the command, on a running hub."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import requests
from cli_process import Carrel, QuickCarrel

from carrel.client import HubClient
from carrel.core.errors import NotFound, UpstreamError
from carrel.testing.artifacts import build_conda, build_notebook, build_r_package, build_sdist, build_wheel
from carrel.testing.hub import HubProcess


def write(carrel: Carrel, *artifacts: object, folder: str = "dist") -> list[Path]:
    paths = []
    for artifact in artifacts:
        path = carrel.home / folder / artifact.filename  # type: ignore[attr-defined]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(artifact.data)  # type: ignore[attr-defined]
        paths.append(path)
    return paths


@pytest.fixture
def org(quick: QuickCarrel, eve: str) -> str:
    """An organization of *eve*."""
    name = f"org-{eve}"
    assert quick.json("org", "create", name, "--display-name", "A group")["role"] == "owner"
    return name


# Uploading


def test_kinds_names_and_versions_are_found_out(quick: QuickCarrel, eve: str) -> None:
    write(
        quick,
        build_conda("tides", "1.0", subdir="linux-64"),
        build_conda("quay", "2.0", fmt="tar.bz2", noarch="generic"),
        build_wheel("harbour", "2.1"),
        build_sdist("harbour", "2.1"),
        build_r_package("coast", "0.3"),
        build_notebook(filename="High Tides.ipynb"),
    )
    (quick.home / "dist" / "environment.yml").write_text("name: sea-charts\nchannels: [conda-forge]\ndependencies: [python]\n")
    (quick.home / "dist" / "levels.csv").write_text("time,height\n1,2\n")
    planned = quick.json("upload", "dist/*", "--dry-run")
    assert (planned["dry_run"], {file["status"] for file in planned["files"]}) == (True, {"planned"})
    assert quick("show", f"{eve}/tides").code == 3
    uploaded = quick.json("upload", "dist/*")["files"]
    assert {file["status"] for file in uploaded} == {"uploaded"}
    found = {Path(file["path"]).name: (file["kind"], file["package"], file["version"], file["subdir"]) for file in uploaded}
    assert found == {
        "tides-1.0-0.conda": ("conda", "tides", "1.0", "linux-64"),
        "quay-2.0-0.tar.bz2": ("conda", "quay", "2.0", "noarch"),
        "harbour-2.1-py3-none-any.whl": ("pypi", "harbour", "2.1", ""),
        "harbour-2.1.tar.gz": ("pypi", "harbour", "2.1", ""),
        "coast_0.3.tar.gz": ("r", "coast", "0.3", ""),
        "High Tides.ipynb": ("notebook", "high-tides", "1", ""),
        "environment.yml": ("environment", "sea-charts", "1", ""),
        "levels.csv": ("file", "levels", "1", ""),
    }
    again = quick.json("upload", "dist/*", "--label", "dev")["files"]
    assert {file["status"] for file in again} == {"present"}
    assert {tuple(sorted(file["labels"])) for file in again} == {("dev", "main")}
    names = {package["name"] for package in quick.json("show", eve)["packages"]}
    assert names == {package for _, package, _, _ in found.values()}


def test_what_was_sent_before_an_interruption_is_not_sent_again(
    quick: QuickCarrel, eve: str, hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"part{number}.csv": f"{number}\n" for number in range(6)}
    for name, text in files.items():
        (quick.home / name).write_text(text)
    sent: list[str] = []
    room = 0
    send = HubClient.upload_file

    def upload_file(self: HubClient, namespace: str, content: Path, filename: str, **options: object) -> object:
        if len(sent) == room:
            raise UpstreamError("The connection broke.")
        sent.append(filename)
        return send(self, namespace, content, filename, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(HubClient, "upload_file", upload_file)
    words = ("upload", *files, "--package", "parts", "--jobs", "1")
    assert quick(*words).code == 1
    with HubClient(hub.url, quick.variables["CARREL_TOKEN"]) as client, pytest.raises(NotFound):
        client.releases(eve, "parts")  # nothing came, nothing is left
    room = 3
    broken = quick(*words)
    assert (broken.code, broken.err) == (1, "Error: The connection broke.\n")
    assert quick("download", f"{eve}/parts").code == 3  # nobody sees a part of a release
    monkeypatch.setattr(HubClient, "upload_file", send)
    done = quick.json(*words)["files"]
    assert [file["status"] for file in done] == ["present"] * 3 + ["uploaded"] * 3
    assert {file["version"] for file in done} == {"1"}
    assert {file["filename"] for file in quick.json("show", f"{eve}/parts")["release"]["files"]} == set(files)
    assert quick.json("show", f"{eve}/parts")["versions"] == ["1"]


def test_a_broken_file_keeps_its_release_a_draft(quick: QuickCarrel, eve: str) -> None:
    (quick.home / "a.csv").write_text("1\n")
    (quick.home / "b.ipynb").write_text("{")
    words = ("upload", "a.csv", "b.ipynb", "--package", "mixed")
    refused = quick(*words)
    assert refused.code == 1
    assert "b.ipynb: " in refused.err
    assert "stays a draft" in refused.err
    (quick.home / "b.ipynb").write_bytes(build_notebook().data)
    assert [file["version"] for file in quick.json(*words)["files"]] == ["1", "1"]
    assert quick.json("show", f"{eve}/mixed")["versions"] == ["1"]


def test_force_never_gives_a_name_to_other_bytes(quick: QuickCarrel, eve: str) -> None:
    (path,) = write(quick, build_wheel("harbour", "1.0", summary="one"))
    quick.ok("upload", path)
    path.write_bytes(build_wheel("harbour", "1.0", summary="two").data)
    refused = quick("upload", path, "--force")
    assert refused.code == 5
    assert "--force does not change that" in refused.err
    assert "version or build number" in refused.err
    assert quick.json("upload", path, "--skip-existing")["files"][0]["status"] == "skipped"
    (quick.home / "a.csv").write_text("1\n")
    versions = [quick.json("upload", "a.csv", *force)["files"][0]["version"] for force in ((), (), ("--force",))]
    assert versions == ["1", "1", "2"]


def test_twins_and_folders(quick: QuickCarrel, eve: str) -> None:
    for folder in ("a", "b"):
        write(quick, build_conda("tides", "1.0", subdir="linux-64"), folder=f"bld/{folder}")
    (quick.home / "bld" / "a" / "repodata.json").write_text("{}")
    assert "--recursive" in quick("upload", "bld").err
    assert [file["status"] for file in quick.json("upload", "-r", "bld")["files"]].count("failed") == 0
    for folder in ("a", "b"):
        (quick.home / "bld" / folder / "x.csv").write_text(folder)
    refused = quick("upload", "bld/a/x.csv", "bld/b/x.csv")
    assert refused.code == 1
    assert "would become the same file" in refused.err


def test_ctrl_c_ends_an_upload_in_good_order(carrel: Carrel, ada: str) -> None:
    for number in range(40):
        (carrel.home / f"f{number}.bin").write_bytes(os.urandom(300_000))
    words = ("upload", "f*.bin", "--package", "many", "--jobs", "1")
    process = subprocess.Popen(
        carrel.command(*words), env=carrel.environ(), cwd=carrel.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with HubClient(carrel_hub(carrel), carrel_token(carrel)) as client:
        wait_for_a_file(client, ada, "many", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("the upload was faster than the signal")
    assert (process.returncode, out) == (130, ""), err
    assert "the same command goes on from there" in err
    statuses = [file["status"] for file in carrel.json(*words)["files"]]
    assert statuses.count("present") >= 1
    assert set(statuses) == {"present", "uploaded"}


def carrel_hub(carrel: Carrel) -> str:
    return str(json.loads((carrel.home / "config" / "credentials.json").read_text())["default"])


def carrel_token(carrel: Carrel) -> str:
    return str(json.loads((carrel.home / "config" / "credentials.json").read_text())["hubs"][carrel_hub(carrel)]["token"])


def wait_for_a_file(client: HubClient, namespace: str, package: str, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        try:
            if any(release.files for release in client.releases(namespace, package)):
                return
        except NotFound:
            pass


# Looking and fetching


def test_looking_at_namespaces_packages_and_files(quick: QuickCarrel, org: str) -> None:
    write(quick, build_conda("tides", "1.0", subdir="linux-64", depends=["python >=3.9"]), build_wheel("harbour", "2.1"))
    quick.ok("upload", "dist/*", "-n", org, "--public")
    shown = quick.json("show", org)
    assert (shown["namespace"]["kind"], shown["package"]) == ("organization", None)
    assert {package["name"]: package["visibility"] for package in shown["packages"]} == {"tides": "public", "harbour": "public"}
    assert [package["name"] for package in quick.json("show", org, "--kind", "pypi")["packages"]] == ["harbour"]
    for text in (f"{org}/tides@1.0/linux-64/tides-1.0-0.conda", f"{org}/tides/1.0/tides-1.0-0.conda"):
        file = quick.json("show", text)["file"]
        assert (file["subdir"], file["attributes"]["index"]["depends"]) == ("linux-64", ["python >=3.9"])
    assert "python >=3.9" in quick.ok("show", text).out
    for platform, found in (("linux-64", ["tides"]), ("osx-64", [])):
        assert [item["name"] for item in quick.json("search", "tides", "-n", org, "--platform", platform)["items"]] == found
    refused = quick("show", f"{org}/tides@1.0/other.conda")
    assert refused.code == 3
    assert "tides-1.0-0.conda" in refused.err


def test_downloading_by_label_kind_and_platform(quick: QuickCarrel, eve: str) -> None:
    write(quick, *(build_conda("tides", "1.0", subdir=subdir) for subdir in ("linux-64",)))
    write(quick, build_conda("tides", "1.0", subdir="osx-64"), folder="osx")
    write(quick, build_conda("tides", "2.0", subdir="linux-64"), folder="dev")
    quick.ok("upload", "-r", "dist", "osx")
    quick.ok("upload", "-r", "dev", "--label", "dev")
    answer = quick.json("download", f"{eve}/tides", "--label", "main", "--platform", "osx-64", "-o", "out")
    assert answer["reference"] == f"{eve}/tides@1.0"
    assert [file["path"] for file in answer["files"]] == ["out/osx-64/tides-1.0-0.conda"]
    everything = quick.json("download", f"{eve}/tides", "--all", "--into", "all")["files"]
    assert sorted(file["path"] for file in everything) == [
        "all/linux-64/tides-1.0-0.conda",
        "all/linux-64/tides-2.0-0.conda",
        "all/osx-64/tides-1.0-0.conda",
    ]
    for file in everything:
        assert hashlib.sha256((quick.home / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    nothing = quick("download", f"{eve}/tides", "--kind", "notebook")
    assert nothing.code == 3
    assert "notebook" in nothing.err


# Labels


def test_promoting_and_taking_it_back(quick: QuickCarrel, org: str) -> None:
    write(quick, *(build_wheel(name, "1.0") for name in ("tides", "tide-charts", "harbour")))
    quick.ok("upload", "dist/*", "-n", org, "--label", "dev")
    tried = quick.json("move", f"{org}/tide*", "--from-label", "dev", "--dry-run")
    assert (tried["count"], tried["id"], tried["dry_run"]) == (2, "", True)
    assert {label["name"]: label["files"] for label in quick.json("label", "list", org)["labels"]}["dev"] == 3
    moved = quick.json("move", f"{org}/tide*", "--from-label", "dev")
    assert [(file["package"], file["before"], file["after"]) for file in moved["files"]] == [
        ("tide-charts", ["dev"], ["main"]),
        ("tides", ["dev"], ["main"]),
    ]
    assert {item["package"] for item in quick.json("label", "show", "main", "-n", org)["items"]} == {"tides", "tide-charts"}
    (latest, *_) = quick.json("label", "history", org)["changes"]
    assert (latest["id"], latest["count"], latest["undone_at"]) == (moved["id"], 2, None)
    assert quick.json("label", "undo", "-n", org, "--yes")["count"] == 2
    assert [item["package"] for item in quick.json("label", "show", "dev", "-n", org)["items"]] == ["harbour", "tide-charts", "tides"]


def test_giving_taking_and_locking_labels(quick: QuickCarrel, org: str) -> None:
    write(quick, build_wheel("tides", "1.0"), build_wheel("tides", "2.0"))
    quick.ok("upload", "dist/*", "-n", org)
    assert quick.json("label", "add", "team/tested", f"{org}/tides@1.0")["count"] == 1
    assert quick.json("copy", f"{org}/tides@2.0", "--to-label", "next")["files"][0]["after"] == ["main", "next"]
    assert quick.json("label", "copy", "next", "later", "-n", org)["count"] == 1
    assert quick.json("label", "move", "later", "soon", "-n", org)["count"] == 1
    quick.ok("label", "rename", "soon", "shortly", "-n", org)
    assert quick.json("label", "lock", "main", "-n", org)["locked"] is True
    labels = {label["name"]: (label["files"], label["locked"]) for label in quick.json("label", "list", org)["labels"]}
    assert {name: labels[name] for name in ("main", "next", "shortly", "team/tested")} == {
        "main": (2, True),
        "next": (1, False),
        "shortly": (1, False),
        "team/tested": (1, False),
    }
    assert quick.json("label", "unlock", "main", "-n", org)["locked"] is False
    assert quick.json("label", "relate", "next", "--overrides", "../..", "-n", org)["relations"] == {"overrides": "../.."}
    assert quick.json("label", "remove", "team/tested", "-n", org, "--yes")["count"] == 1
    assert quick.json("label", "remove", "next", f"{org}/tides")["count"] == 1
    shown = quick.json("show", f"{org}/tides@2.0")["release"]["files"][0]
    assert shown["labels"] == ["main", "shortly"]


def test_copying_to_another_namespace(quick: QuickCarrel, eve: str, org: str) -> None:
    (path,) = write(quick, build_wheel("tides", "1.0"))
    quick.ok("upload", path, "-n", org)
    tried = quick.json("copy", f"{org}/tides", "--to", eve, "--to-label", "vetted", "--dry-run")
    assert (tried["count"], tried["dry_run"]) == (1, True)
    assert quick("show", f"{eve}/tides").code == 3
    copied = quick.json("copy", f"{org}/tides", "--to-owner", eve, "--to-label", "vetted")
    assert [(file["package"], file["filename"], file["outcome"]) for file in copied["files"]] == [("tides", path.name, "new")]
    assert quick.json("show", f"{eve}/tides@1.0")["release"]["files"][0]["labels"] == ["vetted"]
    assert quick("copy", f"{org}/tides", "--to", eve).code == 5
    assert quick.json("copy", f"{org}/tides", "--to", eve, "--skip-existing")["files"][0]["outcome"] == "skipped"


# Removing, yanking, describing


def test_what_goes_is_shown_first(quick: QuickCarrel, eve: str) -> None:
    write(quick, build_wheel("tides", "1.0"), build_sdist("tides", "1.0"), build_wheel("tides", "2.0"))
    quick.ok("upload", "dist/*")
    shown = quick.json("remove", f"{eve}/tides@1.0/*.whl", f"{eve}/tides@2.0", "--dry-run")
    assert [(item["reference"], item["files"]) for item in shown["items"]] == [
        (f"{eve}/tides@1.0/tides-1.0-py3-none-any.whl", ["tides-1.0-py3-none-any.whl"]),
        (f"{eve}/tides@2.0", ["tides-2.0-py3-none-any.whl"]),
    ]
    assert shown["removed"] is False
    assert "This would be removed" in quick.ok("remove", f"{eve}/tides", "--dry-run").out
    quick.ok("remove", f"{eve}/tides@1.0/*.whl", f"{eve}/tides@2.0", "--yes")
    left = quick.json("show", f"{eve}/tides")
    assert (left["versions"], [file["filename"] for file in left["release"]["files"]]) == (["1.0"], ["tides-1.0.tar.gz"])
    quick.ok("remove", f"{eve}/tides", "--yes")
    assert quick("show", f"{eve}/tides").code == 3


def test_yanking(quick: QuickCarrel, eve: str, hub: HubProcess) -> None:
    write(quick, build_wheel("tides", "1.0"), build_wheel("tides", "2.0"))
    quick.ok("upload", "dist/*", "--public")
    assert quick.json("yank", f"{eve}/tides@2.0", "--reason", "Wrong soundings")["yanked"] is True
    index = requests.get(
        f"{hub.url}/pypi/{eve}/simple/tides/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=30
    ).json()
    assert {file["filename"]: file.get("yanked") for file in index["files"]} == {
        "tides-1.0-py3-none-any.whl": False,
        "tides-2.0-py3-none-any.whl": "Wrong soundings",
    }
    assert "(yanked)" in quick.ok("show", f"{eve}/tides@2.0").out
    quick.ok("unyank", f"{eve}/tides@2.0/tides-2.0-py3-none-any.whl")
    assert "(yanked)" not in quick.ok("show", f"{eve}/tides@2.0").out


def test_describing_a_package(quick: QuickCarrel, eve: str, hub: HubProcess) -> None:
    quick.ok("upload", *write(quick, build_wheel("tides", "1.0")), "--private")
    (quick.home / "about.md").write_text("# Tides\n")
    answer = quick.json("package", "edit", f"{eve}/tides", "--summary", "When they come", "--description", "@about.md")
    assert answer["summary"] == "When they come"
    assert quick.json("show", f"{eve}/tides")["package"]["description"] == "# Tides\n"
    assert quick.json("package", "visibility", f"{eve}/tides", "unlisted")["visibility"] == "unlisted"
    assert quick.json("package", "status", f"{eve}/tides", "deprecated", "--reason", "Use charts")["status"] == "deprecated"
    assert "deprecated: Use charts" in quick.ok("show", f"{eve}/tides").out
    assert quick.json("package", "status", f"{eve}/tides", "active")["status_reason"] == ""
    friend = f"{eve}-friend"
    token = hub.create_user(friend)
    quick.ok("package", "visibility", f"{eve}/tides", "private")
    other = {"CARREL_TOKEN": token}
    assert quick("show", f"{eve}/tides", env=other).code == 3
    given = quick.json("package", "collaborators", f"{eve}/tides", "--add", friend, "--permission", "read")
    assert given["collaborators"] == [{"name": friend, "permission": "read"}]
    quick.ok("show", f"{eve}/tides", env=other)
    assert quick.json("package", "collaborators", f"{eve}/tides", "--remove", friend)["collaborators"] == []


# People and tokens


def test_organizations_and_groups(quick: QuickCarrel, eve: str, org: str, hub: HubProcess) -> None:
    friend = f"{eve}-friend"
    token = hub.create_user(friend)
    quick.ok("upload", *write(quick, build_wheel("tides", "1.0")), "-n", org, "--private")
    assert quick.json("org", "edit", org, "--description", "Seas")["description"] == "Seas"
    assert quick.json("org", "add", org, friend)["role"] == "member"
    assert {member["name"]: member["role"] for member in quick.json("org", "members", org)["members"]} == {eve: "owner", friend: "member"}
    assert {entry["name"] for entry in quick.json("org", "list")["organizations"]} == {org}
    crew = f"{org}/crew"
    assert quick.json("group", "create", crew, "--permission", "read")["permission"] == "read"
    assert quick("show", f"{org}/tides", env={"CARREL_TOKEN": token}).code == 3
    quick.ok("group", "add-member", crew, friend)
    quick.ok("group", "add-package", crew, f"{org}/tides")
    quick.ok("show", f"{org}/tides", env={"CARREL_TOKEN": token})
    shown = quick.json("group", "show", crew)
    assert ([entry["name"] for entry in shown["members"]], [entry["name"] for entry in shown["packages"]]) == ([friend], ["tides"])
    assert quick.json("group", "permission", crew, "write")["permission"] == "write"
    quick.ok("group", "remove-package", crew, "tides")
    quick.ok("group", "remove-member", crew, friend)
    assert [group["name"] for group in quick.json("group", "list", org)["groups"]] == ["crew"]
    quick.ok("group", "remove", crew, "--yes")
    assert quick.json("group", "list", org)["groups"] == []
    assert quick.json("org", "role", org, friend, "owner")["role"] == "owner"
    (latest, *_) = quick.json("org", "audit", org)["events"]
    assert latest["actor"] == eve
    assert friend in json.dumps(latest)
    quick.ok("org", "remove", org, friend, "--yes")


def test_tokens(quick: QuickCarrel, eve: str, hub: HubProcess) -> None:
    quick.ok("upload", *write(quick, build_wheel("tides", "1.0"), build_wheel("harbour", "1.0")), "--private")
    words = ("token", "create", "ci", "--scope", "package:read", "-n", eve, "--package", "tides", "--expires", "90d")
    made = quick.json(*words)
    assert (made["scopes"], made["namespace"], made["packages"]) == (["package:read"], eve, ["tides"])
    assert made["expires_at"]
    narrow = {"CARREL_TOKEN": made["token"]}
    quick.ok("show", f"{eve}/tides", env=narrow)
    assert quick("show", f"{eve}/harbour", env=narrow).code == 3
    assert quick("upload", "dist/*.whl", "-n", eve, env=narrow).code == 4
    plain = quick.ok("token", "create", "readers")
    assert plain.out.startswith("ca-")
    assert "not shown again" in plain.err
    listed = {token["name"]: token for token in quick.json("token", "list")["tokens"]}
    assert listed["ci"]["packages"] == ["tides"]
    assert made["token"] not in quick.ok("token", "list").out
    rotated = quick.json("token", "rotate", "ci", "--overlap", "1h")
    quick.ok("show", f"{eve}/tides", env={"CARREL_TOKEN": rotated["token"]})
    quick.ok("show", f"{eve}/tides", env=narrow)
    quick.ok("token", "revoke", rotated["id"], "--yes")
    assert quick("show", f"{eve}/tides", env={"CARREL_TOKEN": rotated["token"]}).code == 4
    assert "conda:download" in quick.ok("token", "scopes").out


def test_the_token_of_this_machine_is_replaced_before_it_expires(quick: QuickCarrel, hub: HubProcess) -> None:
    token = hub.create_user("hurried", expires_in=3600)
    quick.ok("login", "--hub", hub.url, "--token", stdin=token)
    assert "expires in" in quick.ok("label", "list").err
    assert "expires in" not in quick.ok("label", "list", "--quiet").err
    made = quick.json("token", "rotate", "--overlap", "0s")
    assert made["token"] == ""
    assert quick.json("whoami")["user"] == "hurried"
    kept = (quick.home / "config" / "credentials.json").read_text()
    assert token not in kept
    assert made["prefix"] in kept
    assert quick("whoami", env={"CARREL_TOKEN": token}).code == 4


# Collections and channels


def test_collections(quick: QuickCarrel, eve: str, org: str) -> None:
    quick.ok("upload", *write(quick, build_wheel("tides", "1.0")), "-n", org, "--public")
    course = f"{eve}/course"
    made = quick.json("collection", "create", course, "--title", "Tides for beginners", "--visibility", "public")
    assert made["url"].endswith(f"/{eve}/-/collections/course")
    quick.ok("collection", "add", course, f"{org}/tides", "--note", "Chapter 1")
    (item,) = quick.json("collection", "show", course)["items"]
    assert (item["namespace"], item["name"], item["note"]) == (org, "tides", "Chapter 1")
    assert quick.json("collection", "edit", course, "--title", "Tides")["title"] == "Tides"
    assert [entry["count"] for entry in quick.json("collection", "list", eve)["collections"]] == [1]
    quick.ok("collection", "remove", course, f"{org}/tides")
    quick.ok("collection", "delete", course, "--yes")
    assert quick("collection", "show", course).code == 3


def test_notices_and_hotfixes(quick: QuickCarrel, org: str, hub: HubProcess) -> None:
    quick.ok("upload", *write(quick, build_conda("tides", "1.0", subdir="linux-64", depends=["python"])), "-n", org, "--public")
    made = quick.json("notice", "create", "Use 1.1", "--level", "warning", "--expires", "30d", "-n", org)
    assert made["status"] == "draft"
    quick.ok("notice", "edit", made["id"], "--message", "Use 1.2", "-n", org)
    assert quick.json("notice", "publish", made["id"], "-n", org)["status"] == "published"
    (shown,) = requests.get(f"{hub.url}/conda/{org}/notices.json", timeout=30).json()["notices"]
    assert shown["message"] == "Use 1.2"
    assert quick.json("notice", "archive", made["id"], "-n", org)["status"] == "archived"
    assert [notice["id"] for notice in quick.json("notice", "list", org)["notices"]] == [made["id"]]
    quick.ok("notice", "remove", made["id"], "-n", org, "--yes")
    assert quick.json("notice", "list", org)["notices"] == []

    patch = {"patch_instructions_version": 1, "packages.conda": {"tides-1.0-0.conda": {"depends": ["python <4"]}}}
    (quick.home / "patch.json").write_text(json.dumps(patch))
    quick.ok("hotfix", "put", "linux-64", "patch.json", "-n", org)
    assert quick.json("hotfix", "get", "linux-64", "-n", org)["instructions"]["packages.conda"] == patch["packages.conda"]
    repodata = f"{hub.url}/conda/{org}/linux-64/repodata.json"
    assert requests.get(repodata, timeout=30).json()["packages.conda"]["tides-1.0-0.conda"]["depends"] == ["python <4"]
    quick.ok("hotfix", "remove", "linux-64", "-n", org, "--yes")
    assert requests.get(repodata, timeout=30).json()["packages.conda"]["tides-1.0-0.conda"]["depends"] == ["python"]


def test_publishers(quick: QuickCarrel, org: str) -> None:
    words = ("publisher", "add", "-n", org, "--package", "charts", "--github", "acme/charts", "--workflow", "release.yml")
    answer = quick(*words, "--json")
    if answer.code == 1:
        assert "does not trust the issuer" in answer.err
        return
    made = json.loads(answer.out)
    assert made["claims"] == {"repository": "acme/charts", "workflow_ref": "acme/charts/.github/workflows/release.yml@*"}
    assert [entry["package"] for entry in quick.json("publisher", "list", org)["publishers"]] == ["charts"]
    quick.ok("publisher", "remove", made["id"], "-n", org, "--yes")
