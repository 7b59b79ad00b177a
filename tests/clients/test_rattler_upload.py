"""The uploaders of rattler-build and pixi, unmodified, against each of the endpoints that they know."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import rattler_build
import requests

from carrel.testing.artifacts import Artifact, build_conda
from carrel.testing.hub import HubProcess


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    return hub.create_user("alice")


@pytest.fixture
def name() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


def to_anaconda(hub: HubProcess, path: Path, token: str, *, force: bool = False) -> None:
    rattler_build.upload_package_to_anaconda([str(path)], "alice", channel=["main"], api_key=token, url=f"{hub.url}/api/", force=force)


def to_quetz(hub: HubProcess, path: Path, token: str) -> None:
    rattler_build.upload_package_to_quetz([str(path)], hub.url, "alice", api_key=token)


def to_artifactory(hub: HubProcess, path: Path, token: str) -> None:
    rattler_build.upload_package_to_artifactory([str(path)], f"{hub.url}/artifactory/", "alice", token=token)


def to_prefix(hub: HubProcess, path: Path, token: str, *, skip_existing: bool = False) -> None:
    rattler_build.upload_package_to_prefix([str(path)], hub.url, "alice", api_key=token, skip_existing=skip_existing)


UPLOADS = [to_anaconda, to_quetz, to_artifactory, to_prefix]


def write(folder: Path, artifact: Artifact) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / artifact.filename
    path.write_bytes(artifact.data)
    return path


def indexed(hub: HubProcess, token: str, subdir: str) -> dict[str, dict[str, object]]:
    found = requests.get(f"{hub.url}/conda/t/{token}/alice/{subdir}/repodata.json", timeout=30).json()
    return {**found["packages"], **found["packages.conda"]}


@pytest.mark.parametrize("upload", UPLOADS)
@pytest.mark.parametrize("fmt", ["conda", "tar.bz2"])
def test_upload(hub: HubProcess, token: str, tmp_path: Path, name: str, fmt: str, upload: Callable[[HubProcess, Path, str], None]) -> None:
    artifact = build_conda(name, fmt=fmt, noarch="generic" if fmt == "conda" else None)
    upload(hub, write(tmp_path, artifact), token)
    assert indexed(hub, token, "noarch" if fmt == "conda" else "linux-64")[artifact.filename]["sha256"] == artifact.sha256
    other = build_conda(name, fmt=fmt, noarch="generic" if fmt == "conda" else None, files={"other": "bytes"})
    with pytest.raises(rattler_build.RattlerBuildError):
        upload(hub, write(tmp_path / "other", other), token)
    with pytest.raises(rattler_build.RattlerBuildError):
        upload(hub, tmp_path / artifact.filename, "ca-unknown")
    assert indexed(hub, token, "noarch" if fmt == "conda" else "linux-64")[artifact.filename]["sha256"] == artifact.sha256


def test_what_is_there_already(hub: HubProcess, token: str, tmp_path: Path, name: str) -> None:
    path = write(tmp_path, build_conda(name))
    to_anaconda(hub, path, token)
    with pytest.raises(rattler_build.RattlerBuildError, match="already exists"):
        to_anaconda(hub, path, token)
    to_anaconda(hub, path, token, force=True)
    with pytest.raises(rattler_build.RattlerBuildError, match="409"):
        to_prefix(hub, path, token)
    to_prefix(hub, path, token, skip_existing=True)
    assert path.name in indexed(hub, token, "linux-64")


def test_uploads_do_not_publish_what_is_private(hub: HubProcess, token: str, tmp_path: Path, name: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    for version in ("1.0", "2.0"):
        to_anaconda(hub, write(tmp_path, build_conda(name, version)), token)
        requests.patch(
            f"{hub.url}/api/v1/packages/alice/{name}", json={"visibility": "private"}, headers=headers, timeout=30
        ).raise_for_status()
    to_anaconda(hub, write(tmp_path, build_conda(name, "3.0")), token)
    assert requests.get(f"{hub.url}/api/v1/packages/alice/{name}", timeout=30).status_code == 404


def test_prefix_says_why(hub: HubProcess, token: str, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}-1.0-0.conda"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(rattler_build.RattlerBuildError, match=r"422.*conda"):
        to_prefix(hub, path, token)
    with pytest.raises(rattler_build.RattlerBuildError, match="401"):
        to_prefix(hub, path, "ca-unknown")
