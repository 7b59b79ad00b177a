"""Unmodified Python clients against the simple index and the upload endpoint: pip, uv, twine."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from hub_uploads import upload

from carrel.testing.artifacts import Artifact, build_sdist, build_wheel
from carrel.testing.hub import HubProcess


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    quiet = {"UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PATH": "/usr/bin:/bin"}
    arguments = [str(part) for part in command]
    environment = {"NO_PROXY": "*", **quiet, **(env or {})}
    return subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment, timeout=120)


def pip(index: str, target: Path, *requirements: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--index-url", index, "--target", target, *requirements]
    return run(*command, env={"HOME": str(target)})


def uv(index: str, target: Path, *requirements: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uv", "pip", "install", "--no-cache", "--default-index", index, "--target", target]
    return run(*command, "--python", sys.executable, *requirements, env={"HOME": str(target)})


@pytest.fixture(scope="module")
def hub(start_hub: Callable[..., HubProcess]) -> HubProcess:
    """A hub that notes every request: what a client did not ask for shows in that."""
    return start_hub("--log-level=INFO")


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    token = hub.create_user("alice")
    upload(hub, token, "alice", build_wheel("Some_Tool", "1.0"), visibility="public")
    upload(hub, token, "alice", build_wheel("Some_Tool", "2.0"), label="dev", visibility="public")
    upload(hub, token, "alice", build_wheel("hidden-tool", "1.0"), visibility="private")
    return token


def with_token(hub: HubProcess, token: str) -> str:
    return hub.url.replace("http://", f"http://__token__:{token}@")


@pytest.mark.parametrize("install", [pip, uv])
def test_install(hub: HubProcess, token: str, tmp_path: Path, install: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = install(f"{hub.url}/pypi/alice/simple/", tmp_path, "some.tool")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*1.0.dist-info"))


@pytest.mark.parametrize("install", [pip, uv])
def test_label(hub: HubProcess, token: str, tmp_path: Path, install: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = install(f"{hub.url}/pypi/alice/label/dev/simple/", tmp_path, "some-tool")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*2.0.dist-info"))


@pytest.mark.parametrize("install", [pip, uv])
@pytest.mark.parametrize("way", ["basic", "path"])
def test_private(hub: HubProcess, token: str, tmp_path: Path, install: Callable[..., subprocess.CompletedProcess[str]], way: str) -> None:
    refused = install(f"{hub.url}/pypi/alice/simple/", tmp_path / "a", "hidden-tool")
    assert refused.returncode != 0
    url = f"{with_token(hub, token)}/pypi/alice/simple/" if way == "basic" else f"{hub.url}/pypi/t/{token}/alice/simple/"
    done = install(url, tmp_path / "b", "hidden-tool")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "b").glob("hidden_tool-1.0.dist-info"))


def twine(hub: HubProcess, token: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "twine", "upload", "--non-interactive", "--disable-progress-bar"]
    return run(*command, "--repository-url", f"{hub.url}/pypi/alice/legacy/", "-u", "__token__", "-p", token, *arguments)


def uv_publish(hub: HubProcess, token: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uv", "publish", "--publish-url", f"{hub.url}/pypi/alice/legacy/", "--token", token]
    return run(*command, *arguments, env={"HOME": "/nonexistent"})


@pytest.mark.parametrize("publish", [twine, uv_publish])
def test_publish(hub: HubProcess, token: str, tmp_path: Path, publish: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    name = f"published-{uuid.uuid4().hex[:8]}"

    def write(artifact: Artifact, folder: str = "dist") -> Path:
        path = tmp_path / folder / artifact.filename
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(artifact.data)
        return path

    wheel, sdist = build_wheel(name, "1.0"), build_sdist(name, "1.0")
    paths = [write(wheel), write(sdist)]
    done = publish(hub, token, *paths)
    assert done.returncode == 0, done.stdout + done.stderr
    page = requests.get(
        f"{with_token(hub, token)}/pypi/alice/simple/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=30
    ).json()
    assert {item["hashes"]["sha256"] for item in page["files"]} == {wheel.sha256, sdist.sha256}
    # The same bytes again are no error, other bytes under the name are.
    done = publish(hub, token, *paths)
    assert done.returncode == 0, done.stdout + done.stderr
    other = write(build_wheel(name, "1.0", files={"changed.py": "1"}), "other")
    done = publish(hub, token, other)
    assert done.returncode != 0
    assert "exist" in (done.stdout + done.stderr)
    assert "403" in (refused := publish(hub, "ca-wrong", *paths)).stdout + refused.stderr


def test_twine_recognises_an_existing_file(hub: HubProcess, token: str) -> None:
    from twine.commands.upload import skip_upload

    name = f"recognised-{uuid.uuid4().hex[:8]}"
    for number, files in enumerate(({"a.py": "1"}, {"a.py": "2"})):
        artifact = build_wheel(name, "1.0", files=files)
        response = requests.post(
            f"{hub.url}/pypi/alice/legacy/",
            data={":action": "file_upload", "protocol_version": "1", "name": name, "version": "1.0"},
            files={"content": (artifact.filename, artifact.data)},
            auth=("__token__", token),
            timeout=30,
        )
        assert response.status_code == (200, 400)[number]
    # What --skip-existing asks about each answer (the option itself is refused for other hosts than the public index).
    assert skip_upload(response, True, None)  # type: ignore[arg-type]
    assert "File already exists" in response.reason


@pytest.mark.parametrize("install", [pip, uv])
def test_wheels_that_are_not_chosen_are_not_downloaded(
    hub: HubProcess, token: str, tmp_path: Path, install: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    name, library = f"app-{uuid.uuid4().hex[:8]}", f"lib-{uuid.uuid4().hex[:8]}"
    for version, needed in (("1.0", "<2"), ("2.0", ">=2")):
        upload(hub, token, "alice", build_wheel(name, version, requires=[f"{library}{needed}"]), visibility="public")
        upload(hub, token, "alice", build_wheel(library, version), visibility="public")
    done = install(f"{hub.url}/pypi/alice/simple/", tmp_path, name, f"{library}<2")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("app_*-1.0.dist-info"))
    stem = name.replace("-", "_")
    fetched = {path.rpartition("/")[2] for path in re.findall(r"GET (\S+)", hub.log) if stem in path}
    assert f"{stem}-2.0-py3-none-any.whl.metadata" in fetched
    assert f"{stem}-2.0-py3-none-any.whl" not in fetched
    assert f"{stem}-1.0-py3-none-any.whl" in fetched


@pytest.mark.parametrize("install", [pip, uv])
def test_yanked_versions_are_for_those_who_name_them(
    hub: HubProcess, token: str, tmp_path: Path, install: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    name = f"yanked-{uuid.uuid4().hex[:8]}"
    for version in ("1.0", "2.0"):
        upload(hub, token, "alice", build_wheel(name, version), visibility="public")
    url = f"{hub.url}/api/v1/packages/alice/{name}/releases/2.0/yank"
    answer = requests.put(url, json={"reason": "It <breaks>."}, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.ok, answer.text
    index = f"{hub.url}/pypi/alice/simple/"
    assert 'data-yanked="It &lt;breaks&gt;."' in requests.get(f"{index}{name}/", timeout=30).text
    done = install(index, tmp_path / "newest", name)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "newest").glob("*-1.0.dist-info"))
    done = install(index, tmp_path / "pinned", f"{name}==2.0")
    assert done.returncode == 0, done.stderr
    assert "It <breaks>." in done.stderr
    assert list((tmp_path / "pinned").glob("*-2.0.dist-info"))


@pytest.mark.parametrize("module", ["pip", "uv pip"])
def test_a_token_in_netrc(hub: HubProcess, token: str, tmp_path: Path, module: str) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login __token__ password {token}\n")
    netrc.chmod(0o600)
    index = ("--index-url" if module == "pip" else "--default-index", f"{hub.url}/pypi/alice/simple/")
    quiet = ("--no-cache-dir",) if module == "pip" else ("--no-cache", "--python", sys.executable)
    command = [sys.executable, "-m", *module.split(), "install", *quiet, *index, "--target", tmp_path / "site", "hidden-tool"]
    done = run(*command, env={"HOME": str(tmp_path), "NETRC": str(netrc)})
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "site").glob("hidden_tool-1.0.dist-info"))


def test_uv_checks_before_it_sends(hub: HubProcess, token: str, tmp_path: Path) -> None:
    artifact = build_wheel(f"checked-{uuid.uuid4().hex[:8]}", "1.0")
    path = tmp_path / artifact.filename
    path.write_bytes(artifact.data)
    check = ("--check-url", f"{with_token(hub, token)}/pypi/alice/simple/")
    for sent in (1, 0):
        before = hub.log.count("POST /pypi/alice/")
        done = uv_publish(hub, token, *check, path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert hub.log.count("POST /pypi/alice/") - before == sent
    other = tmp_path / "other" / artifact.filename
    other.parent.mkdir()
    other.write_bytes(build_wheel(artifact.filename.split("-")[0], "1.0", files={"changed.py": "1"}).data)
    done = uv_publish(hub, token, *check, other)
    assert done.returncode != 0
    assert "do not match" in done.stderr


def test_twine_sends_attestations_and_shows_why_they_are_refused(hub: HubProcess, token: str, tmp_path: Path) -> None:
    artifact = build_wheel(f"attested-{uuid.uuid4().hex[:8]}", "1.0")
    path = tmp_path / artifact.filename
    path.write_bytes(artifact.data)
    attestation = tmp_path / f"{artifact.filename}.publish.attestation"
    attestation.write_text('{"version": 1}')
    done = twine(hub, token, "--attestations", path, attestation)
    assert done.returncode != 0
    assert "Attestation 1 is no attestation object" in " ".join((done.stdout + done.stderr).split())


def test_pip_downloads_metadata_only_to_solve(hub: HubProcess, token: str, tmp_path: Path) -> None:
    url = f"{hub.url}/pypi/alice/simple/some-tool/"
    page = requests.get(url, headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=30).json()
    (wheel,) = page["files"]
    address = requests.compat.urljoin(url, wheel["url"])
    metadata = requests.get(address + ".metadata", timeout=30)
    assert metadata.ok
    assert b"Name: Some" in metadata.content
    assert requests.get(address, timeout=30).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    wrong = address.replace(wheel["hashes"]["sha256"], "0" * 64)
    assert requests.get(wrong, timeout=30).status_code == 404
