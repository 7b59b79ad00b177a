"""Locks that have none for this platform: the one of the file that fits, or a new solve with what differs, after agreement."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from carrel.client.models import File, Package, Release
from carrel.client.references import Reference
from carrel.core.errors import Unprocessable, Unsolvable
from carrel.core.progress import ignore_progress
from carrel.environments import Sources, rebuild
from carrel.environments.elsewhere import solve_elsewhere
from carrel.environments.locations import current_platform
from carrel.formats.environment import conda_lock_writing, dump_lock
from carrel.formats.environment.lock import Lock, LockedConda, LockSet
from carrel.sharing.reproduce import fetch as fetch_publication
from carrel.sharing.reproduce import reproduce, solve_here
from carrel.sharing.trust import TrustStore
from carrel.testing.artifacts import Artifact, build_conda
from carrel.testing.conda_channel import ChannelServer, index, serve

HERE = current_platform()
THERE = "osx-arm64" if HERE != "osx-arm64" else "linux-64"
CAPTURED = datetime(2026, 3, 1, tzinfo=UTC)
JANUARY, JUNE = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp() * 1000) for month in (1, 6))


def build(name: str, version: str, subdir: str, when: int = JANUARY, depends: tuple[str, ...] = ()) -> Artifact:
    """A package that says when it was made."""
    noarch = "generic" if subdir == "noarch" else None
    files = {f"share/{name}": f"{version} {subdir}"}
    return build_conda(name, version, subdir=subdir, noarch=noarch, depends=depends, files=files, index={"timestamp": when})


PACKAGES = [
    (build("tides", "1.1", THERE, depends=("tables", "there-only")), THERE),
    (build("there-only", "1.0", THERE), THERE),
    (build("tides", "1.0", HERE, depends=("tables", "here-only")), HERE),
    (build("tides", "1.2", HERE, JUNE, depends=("tables",)), HERE),
    (build("here-only", "1.0", HERE), HERE),
    (build("tables", "3.0", "noarch"), "noarch"),
    (build("tables", "4.0", "noarch", JUNE), "noarch"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    folder = tmp_path_factory.mktemp("two-platforms")
    for artifact, subdir in PACKAGES:
        (folder / subdir).mkdir(exist_ok=True)
        (folder / subdir / artifact.filename).write_bytes(artifact.data)
    index(folder)
    _publish_when_made(folder)
    with serve(folder) as running:
        yield running


def _publish_when_made(folder: Path) -> None:
    """Let the channel say that packages appeared in it when they were made, not just now."""
    for file in [*folder.rglob("*.zst"), *folder.rglob("*.msgpack")]:
        file.unlink()
    for file in folder.glob("*/repodata.json"):
        document = json.loads(file.read_bytes())
        for record in document["packages.conda"].values():
            record["indexed_timestamp"] = record["timestamp"]
        file.write_text(json.dumps(document))


@pytest.fixture
def captured(server: ChannelServer) -> Lock:
    """What somebody captured on the other platform, in March."""
    conda = []
    for name, version in (("tides", "1.1"), ("there-only", "1.0"), ("tables", "3.0")):
        found = next((a, s) for a, s in PACKAGES if a.filename.startswith(f"{name}-{version}-") and s in (THERE, "noarch"))
        artifact, subdir = found
        url = f"{server.url}/{subdir}/{artifact.filename}"
        sha256 = hashlib.sha256(artifact.data).hexdigest()
        conda.append(LockedConda(name, version, "0", url, sha256, size=len(artifact.data), subdir=subdir, channel=server.url))
    return Lock(THERE, requested=("tides",), channels=(server.url,), conda=tuple(conda), captured_at=CAPTURED)


def test_what_differs_comes_with_the_lock_for_this_platform(captured: Lock, tmp_path: Path) -> None:
    found = solve_elsewhere(captured, HERE, Sources())
    assert (found.lock.platform, found.lock.exclude_newer, found.captured) == (HERE, CAPTURED, captured)
    # what was published in June was not there in March
    assert {(item.name, item.version) for item in found.lock.conda} == {("tides", "1.0"), ("tables", "3.0"), ("here-only", "1.0")}
    assert [(pair.name, pair.before.version, pair.after.version) for pair in found.other_versions] == [("tides", "1.1", "1.0")]
    assert ([one.name for one in found.missing], [one.name for one in found.extra]) == (["there-only"], ["here-only"])
    assert found.other_builds == ()  # the package for all platforms is the very same
    assert found.lines() == [
        "~ tides 1.1 → 1.0",
        "- there-only 1.0",
        "+ here-only 1.0",
        "1 of 3 packages have the captured version, 0 of them in another build",
    ]
    assert json.loads(json.dumps(found.to_json()))["solved_as_of"].startswith("2026-03-01T00:00:00")
    rebuild(found.lock, tmp_path / "made")
    assert (tmp_path / "made" / "share" / "tides").read_text() == f"1.0 {HERE}"


def test_the_lock_for_this_platform_is_chosen_among_several(captured: Lock, tmp_path: Path) -> None:
    here = solve_elsewhere(captured, HERE, Sources()).lock
    rebuild(LockSet((captured, here)), tmp_path / "made")
    assert (tmp_path / "made" / "share" / "here-only").is_file()
    with pytest.raises(Unprocessable) as caught:
        rebuild(LockSet((captured, replace(captured, platform="win-64"))), tmp_path / "none")
    assert (caught.value.code, caught.value.fields["platforms"]) == ("other_platform", [THERE, "win-64"])
    assert not (tmp_path / "none").exists()


def test_what_does_not_exist_here_is_told(captured: Lock) -> None:
    with pytest.raises(Unsolvable) as caught:
        solve_elsewhere(replace(captured, requested=("tides", "there-only")), HERE, Sources())
    assert "there-only" in caught.value.detail
    assert HERE in caught.value.detail


class Hub:
    """What reproducing asks of a client: one release with a lock."""

    base_url = "http://127.0.0.1:9"

    def __init__(self, filename: str, content: bytes) -> None:
        self.filename, self.content = filename, content

    def package(self, namespace: str, name: str) -> Package:
        return Package(namespace, name, visibility="public")

    def release(self, namespace: str, name: str, version: str) -> Release:
        digest = hashlib.sha256(self.content).hexdigest()
        return Release(namespace, name, "7", files=(File(self.filename, "environment", digest, len(self.content), self.filename),))

    def read(self, file: File, **options: Any) -> bytes:
        return self.content


def run(hub: Hub, folder: Path, **options: Any) -> Any:
    return reproduce(
        hub,  # type: ignore[arg-type]
        Reference("acme", "tides"),
        folder / "here",
        known_sources=("http://127.0.0.1",),
        trust_sources=True,
        sources=Sources(),
        on_progress=ignore_progress,
        cancel=threading.Event(),
        envs_folder=folder / "envs",
        trust=TrustStore(folder / "trusted.json"),
        **options,
    )


def test_a_publication_is_solved_anew_only_after_agreement(captured: Lock, tmp_path: Path) -> None:
    hub = Hub(*dump_lock(captured))
    with pytest.raises(Unprocessable) as caught:
        run(hub, tmp_path)
    assert (caught.value.code, caught.value.fields["solvable"]) == ("platform_mismatch", True)
    assert not (tmp_path / "envs").exists()
    shown = solve_here(fetch_publication(hub, Reference("acme", "tides")), Sources())  # type: ignore[arg-type]
    assert [pair.name for pair in shown.other_versions] == ["tides"]
    assert not (tmp_path / "envs").exists()
    done = run(hub, tmp_path, allow_solve=True)
    assert done.built
    assert done.solved.to_json() == shown.to_json()
    assert (done.prefix / "share" / "here-only").is_file()
    assert done.prefix.name == shown.lock.digest[:16]
    assert run(hub, tmp_path, allow_solve=True).built is False


def test_a_publication_with_locks_for_several_platforms_needs_no_agreement(captured: Lock, tmp_path: Path) -> None:
    here = solve_elsewhere(captured, HERE, Sources()).lock
    done = run(Hub("conda-lock.yml", conda_lock_writing.write_all(LockSet((captured, here)))), tmp_path)
    assert (done.built, done.solved) == (True, None)
    assert done.prefix.name == here.digest[:16]
