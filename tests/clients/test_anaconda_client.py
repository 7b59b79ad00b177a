"""Every command of the real anaconda-client, unmodified, against one hub."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from anaconda_commands import Anaconda

from carrel.testing.artifacts import Artifact, build_conda, build_notebook, build_r_package, build_sdist, build_wheel
from carrel.testing.hub import PASSWORD, HubProcess
from carrel.testing.plugin import missing

ENVIRONMENT = Artifact("environment.yml", b"name: shared\nchannels:\n- conda-forge\ndependencies:\n- python\n")
OLDER = "1.13.0"  # the last release that uploads environments


@pytest.fixture(scope="module")
def tokens(hub: HubProcess) -> dict[str, str]:
    people = {name: hub.create_user(name) for name in ("alice", "bob")}
    hub.create_organization("acme", people["alice"], {"bob": "member"})
    return people


@pytest.fixture(scope="module")
def alice(hub: HubProcess, tokens: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anaconda]:
    """The client of a person who signed in with it."""
    client = Anaconda(tmp_path_factory.mktemp("anaconda") / "home")
    client("config", "--set", "url", f"{hub.url}/api", program="anaconda")
    assert "login successful" in client("org", "login", "--username", "alice", "--password", PASSWORD, program="anaconda")
    yield client
    client.close()


@pytest.fixture
def name() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


def ask(hub: HubProcess, path: str, token: str = "") -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{hub.url}/{path}", headers=headers, timeout=30)


def files_of(hub: HubProcess, token: str, package: str, version: str = "latest") -> dict[str, dict[str, Any]]:
    release = ask(hub, f"api/v1/packages/{package}/releases/{version}", token).json()
    return {item["filename"]: item for item in release.get("files", ())}


def test_signing_in_and_out(hub: HubProcess, tokens: dict[str, str], alice: Anaconda) -> None:
    assert "Username: alice" in alice("org", "whoami", program="anaconda")
    again = alice("login", "--username", "alice", "--password", PASSWORD, given="y\n")
    assert "already logged in" in again
    assert "login successful" in again
    assert "Username: alice" in alice("whoami")
    refused = alice.fails("login", "--username", "alice", "--password", "wrong", given="also wrong\nand this\n")
    assert refused.count("Invalid Username password combination") == 3
    reset = re.search(r"go to (\S+) ", refused)
    assert reset is not None
    assert ask(hub, reset[1].removeprefix(f"{hub.url}/")).status_code == 200
    assert "logout successful" in alice("logout")
    assert "Anonymous User" in alice("whoami")
    alice("login", "--username", "alice", "--password", PASSWORD)
    assert PASSWORD not in hub.log
    assert not re.search(r"ca-[a-z2-7]{32}", hub.log)


def test_tokens(hub: HubProcess, alice: Anaconda) -> None:
    created = alice("auth", "--create", "--name", "ci", "--scopes", "repos conda:download", given=f"{PASSWORD}\n")
    token = re.findall(r"ca-[a-z2-7]{32}", created)[0]
    assert "A token named 'ci' exists" in alice.fails("auth", "-c", "-n", "ci", "--scopes", "repos", given=f"{PASSWORD}\n")
    alice("auth", "-c", "-n", "ci", "-o", "acme", "--max-age", "3600", "--scopes", "all", given=f"{PASSWORD}\n")
    assert "'nonsense' is not a scope" in alice.fails("auth", "-c", "-n", "bad", "--scopes", "nonsense", given=f"{PASSWORD}\n")
    listed = alice("auth", "--list")
    assert re.search(r"\| ci +\| 127.0.0.1 .*\| never +\| repos", listed)
    assert re.search(r"\| ci +\| 127.0.0.1 .*\| (59 minutes|1.0 hour) +\| all", listed)
    assert "Name: ci" in alice("auth", "--info", token=token)
    assert ask(hub, "api/v1/tokens", token).status_code == 403
    assert "conda:download" in alice("auth", "--list-scopes")
    alice("auth", "--remove", "ci")
    assert ask(hub, "api/user", token).status_code == 401
    assert "ci" in alice("auth", "--list")
    alice("auth", "--remove", "ci", "-o", "acme")
    assert "You have no token named 'ci'" in alice.fails("auth", "--remove", "ci")


FILE = ("-t", "file", "-v", "1.0", "-s", "A file", "-p")
KINDS = {
    "conda": (build_conda("kind-conda"), ()),
    "tar.bz2": (build_conda("kind-conda", "2.0", fmt="tar.bz2", noarch="generic"), ("--label", "dev", "--label", "main")),
    "wheel": (build_wheel("kind_wheel", summary="A wheel"), ()),
    "sdist": (build_sdist("kind_sdist", summary="Sources"), ()),
    "r": (build_r_package("kindr"), ("--private",)),
    "csv": (Artifact("table.csv", b"a,b\n1,2\n"), (*FILE, "kind-csv")),
    "notebook": (build_notebook(filename="analysis.ipynb"), (*FILE, "kind-notebook")),
    "environment": (ENVIRONMENT, (*FILE, "kind-environment", "--private")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_upload_of_each_kind(hub: HubProcess, tokens: dict[str, str], alice: Anaconda, kind: str) -> None:
    artifact, options = KINDS[kind]
    output = alice("upload", alice.write(artifact.filename, artifact.data), "--no-progress", *options)
    package = re.search(rf"{re.escape(hub.url)}/alice/(\S+)", output)
    assert package is not None
    found = files_of(hub, tokens["alice"], f"alice/{package[1]}")[artifact.filename]
    assert found["kind"] == {"tar.bz2": "conda", "wheel": "pypi", "sdist": "pypi", "csv": "file"}.get(kind, kind)
    assert found["labels"] == (["dev", "main"] if "--label" in options else ["main"])
    assert found["sha256"] == artifact.sha256
    assert ask(hub, f"api/v1/packages/alice/{package[1]}").status_code == (404 if "--private" in options else 200)
    assert alice("show", f"alice/{package[1]}")
    folder = alice.work / f"got-{kind}"
    folder.mkdir()
    # The client makes the folders of conda files where it runs, whatever it is told.
    is_conda = found["kind"] == "conda"
    alice("download", f"alice/{package[1]}", "--force", "-o", "." if is_conda else folder)
    place = alice.work / found["subdir"] if is_conda else folder
    assert (place / artifact.filename).read_bytes() == artifact.data


def test_notebooks_get_further_versions(hub: HubProcess, tokens: dict[str, str], alice: Anaconda, name: str) -> None:
    for version in ("1", "2"):
        notebook = build_notebook([f"print({version})"], filename=f"{name}.ipynb")
        alice("upload", alice.write(notebook.filename, notebook.data), "-t", "file", "-p", name, "-v", version, "-s", "A notebook")
    assert ask(hub, f"api/v1/packages/alice/{name}").json()["kinds"] == ["notebook"]
    assert "Notebook" in alice("show", f"alice/{name}")


def test_files_that_exist(hub: HubProcess, tokens: dict[str, str], alice: Anaconda, name: str) -> None:
    artifact, other = build_conda(name), build_conda(name, files={"changed": "1"})
    file = alice.write(artifact.filename, artifact.data)
    alice("upload", file, "--private")
    assert "already exists" in alice.fails("upload", file)
    assert "Skipping upload" in alice("upload", file, "--skip-existing")
    assert "Removing" in alice("upload", file, "--force")
    assert list(files_of(hub, tokens["alice"], f"alice/{name}")) == [file]
    assert ask(hub, f"api/v1/packages/alice/{name}").status_code == 404, "what is replaced stays as private as it was"
    alice.write(artifact.filename, other.data)
    assert "its name stays taken" in alice.fails("upload", file, "--force")
    alice.write(artifact.filename, artifact.data)
    alice("upload", file)
    assert ask(hub, f"api/v1/packages/alice/{name}").status_code == 404


def test_failed_uploads_leave_nothing(hub: HubProcess, tokens: dict[str, str], alice: Anaconda, name: str) -> None:
    empty = ("upload", alice.write("empty.csv", b""), "-t", "file", "-v", "1", "-s", "Nothing", "-p", name)
    output = alice.fails(*empty)
    assert "The file is empty" in output
    assert "Removing empty" in output
    broken = ("upload", alice.write("broken.ipynb", b"{"), "-t", "file", "-v", "1", "-s", "Nothing", "-p", name)
    assert "notebook" in alice.fails(*broken)
    assert ask(hub, f"api/v1/packages/alice/{name}", tokens["alice"]).status_code == 404


def test_showing_and_searching(hub: HubProcess, alice: Anaconda, name: str) -> None:
    artifact = build_conda(name, about={"description": "Long text."})
    alice("upload", alice.write(artifact.filename, artifact.data))
    assert f"alice/{name}" in alice("show", "alice")
    shown = alice("show", f"alice/{name}")
    assert all(text in shown for text in (f"The package {name}", "Access:  public", "Package Types:  Conda", "+ 1.0"))
    assert f"+ linux-64/{artifact.filename}" in alice("show", f"alice/{name}/1.0")
    assert artifact.sha256 in alice("show", f"alice/{name}/1.0/linux-64/{artifact.filename}")
    for options in ((), ("-t", "conda"), ("-p", "linux-64")):
        assert re.search(rf"alice/{name} +\| +1.0 \| Conda +\| linux-64", alice("search", name, *options))
    assert "Found 0 packages" in alice("search", name, "-p", "win-64")
    assert "There is no package" in alice.fails("show", "alice/absent")


def test_labels(hub: HubProcess, tokens: dict[str, str], alice: Anaconda, name: str) -> None:
    for version in ("1.0", "1.1"):
        artifact = build_conda(name, version)
        alice("upload", alice.write(artifact.filename, artifact.data), "--label", f"{name}/in")

    def labels(version: str) -> list[str]:
        return files_of(hub, tokens["alice"], f"alice/{name}", version)[f"{name}-{version}-0.conda"]["labels"]

    assert f"+ {name}/in" in alice("label", "--list")
    shown = alice("label", "--show", f"{name}/in")
    assert all(f"alice/{name}/{version}/linux-64/{name}-{version}-0.conda" in shown for version in ("1.0", "1.1"))
    alice("move", f"alice/{name}/1.0", "--from-label", f"{name}/in", "--to-label", f"{name}_out")
    assert (labels("1.0"), labels("1.1")) == ([f"{name}_out"], [f"{name}/in"])
    alice("move", f"alice/{name}/1.1/linux-64/{name}-1.1-0.conda", "--from-label", f"{name}/in", "--to-label", f"{name}_out")
    assert labels("1.1") == [f"{name}_out"]
    alice("label", "--copy", f"{name}_out", f"{name}/copy")
    assert labels("1.1") == [f"{name}/copy", f"{name}_out"]
    alice("label", "--lock", f"{name}_out")
    assert f"{name}_out[locked]" in alice("label", "--list")
    alice("label", "--unlock", f"{name}_out")
    alice("label", "--remove", f"{name}_out")
    assert labels("1.1") == [f"{name}/copy"]
    assert f"{name}_out" not in alice("label", "--list")
    assert "it stays" in alice.fails("label", "--remove", "main")


def test_copying(hub: HubProcess, tokens: dict[str, str], alice: Anaconda, name: str) -> None:
    artifact, missing_there = build_conda(name), build_conda(name, "1.0", build="1", build_number=1)
    basename = f"linux-64/{artifact.filename}"
    alice("upload", alice.write(artifact.filename, artifact.data), "-u", "acme")
    assert f"Copied file: {basename}" in alice("copy", f"acme/{name}/1.0", "--to-owner", "alice")
    assert files_of(hub, tokens["alice"], f"alice/{name}")[artifact.filename]["sha256"] == artifact.sha256
    assert "File conflict while copying" in alice.fails("copy", f"acme/{name}/1.0", "--to-owner", "alice", "--to-label", "dev")
    alice("copy", f"acme/{name}/1.0/{basename}", "--to-owner", "alice", "--to-label", "dev", "--replace")
    assert files_of(hub, tokens["alice"], f"alice/{name}")[artifact.filename]["labels"] == ["dev", "main"]
    alice("upload", alice.write(missing_there.filename, missing_there.data), "-u", "acme")
    output = alice("copy", f"acme/{name}/1.0", "--to-owner", "alice", "--update")
    assert f"Copied file: linux-64/{missing_there.filename}" in output
    assert "Copied 1 files" in output
    assert "Label absent does not exist" in alice.fails("copy", f"acme/{name}/1.0", "--to-owner", "alice", "--from-label", "absent")


def test_organizations_groups_and_collaborators(hub: HubProcess, tokens: dict[str, str], alice: Anaconda, name: str) -> None:
    artifact = build_conda(name)
    alice("upload", alice.write(artifact.filename, artifact.data), "-u", "acme", "--private")
    assert ask(hub, f"api/package/acme/{name}", tokens["bob"]).status_code == 404
    group = f"acme/{name}"
    alice("groups", "add", group, "--perms", "write")
    assert f"'name': '{name}'" in alice("groups", "show", "acme")
    assert "'permission': 'write'" in alice("groups", "show", group)
    alice("groups", "add_member", f"{group}/bob")
    assert "bob" in alice("groups", "members", group)
    alice("groups", "add_package", f"{group}/{name}")
    assert f"acme/{name}" in alice("groups", "packages", group)
    assert ask(hub, f"api/package/acme/{name}", tokens["bob"]).status_code == 200
    member = f"api/group/{group}/members"
    assert [ask(hub, f"{member}/{who}", tokens["alice"]).status_code for who in ("bob", "alice")] == [204, 404]
    alice("groups", "remove_package", f"{group}/{name}")
    alice("groups", "remove_member", f"{group}/bob")
    assert ask(hub, f"api/package/acme/{name}", tokens["bob"]).status_code == 404
    alice("package", f"acme/{name}", "--add-collaborator", "bob")
    assert "bob" in alice("package", f"acme/{name}", "--list-collaborators")
    assert ask(hub, f"api/package/acme/{name}", tokens["bob"]).status_code == 200
    assert "does not exist" in alice.fails("upload", artifact.filename, "-u", "nobody")
    assert "acme" in alice("show", "alice")
    assert re.search(r"acme +│ public", alice("channel", "list", program="anaconda"))


def test_packages_updates_and_removal(hub: HubProcess, tokens: dict[str, str], alice: Anaconda, name: str) -> None:
    alice("package", "--create", f"alice/{name}", "--summary", "At first")
    assert ask(hub, f"api/v1/packages/alice/{name}").status_code == 404, "others see it with its first file"
    for version in ("1.0", "1.1", "1.2"):
        artifact = build_conda(name, version)
        alice("upload", alice.write(artifact.filename, artifact.data))
    alice.write("texts.json", b'{"summary": "Another summary", "description": "Long.", "license": {"name": "MIT"}}')
    assert "has been updated" in alice("update", f"alice/{name}", "texts.json")
    package = ask(hub, f"api/v1/packages/alice/{name}").json()
    assert [package[key] for key in ("summary", "description", "license")] == ["Another summary", "Long.", "MIT"]
    assert "has been updated" in alice("update", f"alice/{name}/1.0", "texts.json", "--release")
    assert "Long." in alice("show", f"alice/{name}/1.0")
    alice("remove", "-f", f"alice/{name}/1.0/linux-64/{name}-1.0-0.conda")
    alice("remove", f"alice/{name}/1.1", given="y\n")
    assert [item["version"] for item in ask(hub, f"api/package/alice/{name}").json()["releases"]] == ["1.2"]
    alice("remove", "--force", f"alice/{name}")
    assert ask(hub, f"api/package/alice/{name}", tokens["alice"]).status_code == 404


def test_notices(hub: HubProcess, tokens: dict[str, str], alice: Anaconda) -> None:
    notice = ("channel", "notice")
    output = alice(*notice, "create", "alice", "--message", "Maintenance tonight", "--level", "warning", "--expires-after", "30")
    found = re.search(r"[0-9a-f-]{36}", output)
    assert found is not None

    def shown() -> list[tuple[str, str]]:
        return [(item["level"], item["message"]) for item in ask(hub, "conda/alice/notices.json").json()["notices"]]

    assert shown() == []
    assert "draft" in alice(*notice, "list", "alice")
    alice(*notice, "publish", "alice", found[0], "--force")
    assert shown() == [("warning", "Maintenance tonight")]
    alice(*notice, "update", "alice", found[0], "--message", "Over soon", "--level", "info")
    assert shown() == [("info", "Over soon")]
    assert "Over soon" in alice(*notice, "get", "alice", found[0])
    alice(*notice, "archive", "alice", found[0], "--force")
    assert shown() == []
    alice(*notice, "delete", "alice", found[0], "--force")
    assert "no such notice" in alice.fails(*notice, "get", "alice", found[0])
    assert ask(hub, "api/alice/notices", tokens["bob"]).status_code == 403


def test_an_older_client(hub: HubProcess, tokens: dict[str, str], tmp_path: Path) -> None:
    """Of every kind that it uploads; notebooks it refuses."""
    venv, python = tmp_path / "venv", tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "--python", sys.executable, venv],
        [*uv, "pip", "install", "--python", python, f"anaconda-client=={OLDER}", "setuptools<81"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            missing(f"anaconda-client {OLDER} cannot be installed: {done.stderr[-500:]}")
    client = Anaconda(tmp_path / "home", python)
    client("config", "--set", "url", f"{hub.url}/api")
    client("login", "--username", "bob", "--password", PASSWORD)
    uploads = [
        (build_conda("older-conda"), ()),
        (build_wheel("older_wheel", summary="A wheel"), ()),
        (build_r_package("olderr"), ()),
        (ENVIRONMENT, ()),
        (Artifact("older.csv", b"a\n1\n"), (*FILE, "older-csv")),
    ]
    for artifact, options in uploads:
        client("upload", client.write(artifact.filename, artifact.data), *options)
    kinds = {item["name"]: item["kinds"] for item in ask(hub, "api/v1/namespaces/bob/packages", tokens["bob"]).json()["items"]}
    assert kinds == {
        "older-conda": ["conda"],
        "older_wheel": ["pypi"],
        "olderr": ["r"],
        "shared": ["environment"],
        "older-csv": ["file"],
    }
    client.write("a.ipynb", build_notebook().data)
    assert "have been removed" in client("upload", "a.ipynb")
    assert "Username: bob" in client("whoami")
    client.close()
