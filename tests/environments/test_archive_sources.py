"""Where the archives of a lock come from: a hub's copy, their own address, another source; and what is told when none has them."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from environment_fixtures import PackageIndex, package_index

from carrel.core.errors import DigestMismatch, NotFound, UpstreamError
from carrel.core.progress import Progress
from carrel.environments import Sources, rebuild
from carrel.environments.locations import current_platform
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockKind
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import ChannelServer, index, serve

SMALL = build_conda("small", "1.0", files={"share/small.txt": "the locked one"})
OTHER = build_conda("small", "1.0", files={"share/small.txt": "something else"})
WHEEL = build_wheel("kappa", "1.0")
WHEELS = [WHEEL, build_wheel("lambda1", "2.0")]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    """The channel that the package was locked from."""
    folder = tmp_path_factory.mktemp("original")
    with served(folder, "linux-64", SMALL.data) as running:
        yield running


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ChannelServer]:
    """A hub whose namespace ``acme`` has a channel with a copy."""
    folder = tmp_path / "hub"
    with served(folder / "conda" / "acme", "linux-64", SMALL.data, root=folder) as running:
        yield running


def served(channel: Path, subdir: str, data: bytes, root: Path | None = None) -> AbstractContextManager[ChannelServer]:
    (channel / subdir).mkdir(parents=True, exist_ok=True)
    (channel / subdir / SMALL.filename).write_bytes(data)
    index(channel)
    return serve(root or channel)


@pytest.fixture(autouse=True)
def _nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))


def conda_lock(url: str) -> Lock:
    package = LockedConda("small", "1.0", "0", f"{url}/linux-64/{SMALL.filename}", digest(SMALL.data), subdir="linux-64", channel=url)
    return Lock(current_platform(), conda=(package,))


def python_lock(root: str) -> Lock:
    pypi = tuple(
        LockedPypi(w.filename.split("-")[0], w.filename.split("-")[1], f"{root}files/{w.filename}", digest(w.data), index=f"{root}simple/")
        for w in WHEELS
    )
    version = ".".join(map(str, sys.version_info[:3]))
    return Lock(current_platform(), python_version=version, pypi=pypi, kind=LockKind.VENV)


class Heard:
    """What was reported."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def __call__(self, event: Progress) -> None:
        if event.stage == "warning":
            self.warnings.append(event.message)


def test_a_hub_is_asked_before_the_original_address(original: ChannelServer, hub: ChannelServer, tmp_path: Path) -> None:
    asked = original.requested(SMALL.filename)
    heard = Heard()
    sources = Sources(channels=(f"{hub.url}/conda/acme",))
    rebuild(conda_lock(original.url), tmp_path / "again", sources=sources, hubs=[hub.url], on_event=heard)
    assert (tmp_path / "again" / "share" / "small.txt").read_text() == "the locked one"
    assert hub.requested(SMALL.filename) == 1
    assert original.requested(SMALL.filename) == asked
    assert heard.warnings == []


def test_a_copy_is_found_by_its_digest_when_the_server_is_gone(hub: ChannelServer, tmp_path: Path) -> None:
    """The server that it was locked from is gone, with everything on it."""
    rebuild(conda_lock("http://127.0.0.1:9/old"), tmp_path / "again", sources=Sources((f"{hub.url}/conda/acme",)), hubs=[hub.url])
    assert hub.requested(SMALL.filename) == 1


def test_a_hub_with_other_bytes_is_passed_over_and_told(original: ChannelServer, hub: ChannelServer, tmp_path: Path) -> None:
    hub.faults.tampered[SMALL.filename] = OTHER.data
    heard = Heard()
    rebuild(
        conda_lock(original.url),
        tmp_path / "again",
        sources=Sources((f"{hub.url}/conda/acme",)),
        hubs=[hub.url],
        on_event=heard,
    )
    assert (tmp_path / "again" / "share" / "small.txt").read_text() == "the locked one"
    (warning,) = heard.warnings
    assert warning.startswith(f"{SMALL.filename} was taken from {original.url}/")
    assert f"{hub.url}/conda/acme" in warning


def test_another_channel_is_the_last_resort(original: ChannelServer, hub: ChannelServer, tmp_path: Path) -> None:
    lock = conda_lock("http://127.0.0.1:9")
    shutil.rmtree(hub.root / "conda" / "acme" / "linux-64")
    index(hub.root / "conda" / "acme", force=True)
    sources = Sources((f"{hub.url}/conda/acme", original.url))
    rebuild(lock, tmp_path / "again", sources=sources, hubs=[hub.url])
    assert (tmp_path / "again" / "share" / "small.txt").exists()


def test_when_no_place_has_it_each_is_told(original: ChannelServer, hub: ChannelServer, tmp_path: Path) -> None:
    hub.faults.tampered[SMALL.filename] = OTHER.data
    token = "ca-abcdefghijklmnop"
    lock = conda_lock(f"{original.url}/gone")
    sources = Sources((f"{hub.url}/conda/acme", f"{original.url}/t/{token}/also-gone"))
    with pytest.raises(DigestMismatch) as caught:
        rebuild(lock, tmp_path / "envs" / "again", sources=sources, hubs=[hub.url])
    assert [(place["url"], place["reason"][:12]) for place in caught.value.fields["tried"]] == [
        (f"{hub.url}/conda/acme/linux-64/{SMALL.filename}", "other bytes:"),
        (f"{original.url}/gone/linux-64/{SMALL.filename}", "answered 404"),
        (f"{original.url}/also-gone/linux-64/{SMALL.filename}", "answered 404"),
    ]
    assert digest(OTHER.data) in caught.value.detail
    assert token not in caught.value.detail
    assert [path.name for path in (tmp_path / "envs").iterdir() if path.name != ".again.lock"] == []


def test_a_silent_hub_is_told_too(original: ChannelServer, tmp_path: Path) -> None:
    lock = conda_lock(f"{original.url}/gone")
    gone = "http://127.0.0.1:9"
    rebuild(conda_lock(original.url), tmp_path / "made", sources=Sources((f"{gone}/conda/acme",)), hubs=[gone])
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(NotFound) as caught:
        rebuild(replace(lock, channels=()), tmp_path / "again", sources=Sources((f"{gone}/conda/acme",)), hubs=[gone])
    assert [place["url"] for place in caught.value.fields["tried"]] == [
        f"{original.url}/gone/linux-64/{SMALL.filename}",
        f"{gone}/conda/acme",
    ]


@pytest.fixture
def wheel_hub() -> Iterator[PackageIndex]:
    with package_index(WHEELS) as running:
        yield running


def installed_wheels(prefix: Path) -> list[str]:
    return sorted(path.name for path in prefix.glob("lib/*/site-packages/*.dist-info"))


BOTH = ["kappa-1.0.dist-info", "lambda1-2.0.dist-info"]


def test_wheels_come_from_a_hub_first(wheel_hub: PackageIndex, tmp_path: Path) -> None:
    """Their own server is gone; another index of the same hub lacks them."""
    with package_index([build_wheel("mu", "1.0")]) as empty:
        sources = Sources(indexes=(empty.url, wheel_hub.url))
        rebuild(python_lock("http://127.0.0.1:9/"), tmp_path / "again", sources=sources, hubs=[empty.root, wheel_hub.root])
        assert not any("kappa" in path for path in empty.requests)
    assert installed_wheels(tmp_path / "again") == BOTH
    assert not list((tmp_path / "again").glob("lib/*/site-packages/*.dist-info/direct_url.json"))


def test_wheels_are_found_on_another_index_when_their_own_address_fails(wheel_hub: PackageIndex, tmp_path: Path) -> None:
    with package_index(WHEELS) as own:
        lock = python_lock(own.root)
        del own.served[WHEEL.filename], own.artifacts[WHEEL.filename]
        rebuild(lock, tmp_path / "again", sources=Sources(indexes=(wheel_hub.url,)))
        assert f"/files/{WHEELS[1].filename}" in own.requests
    assert installed_wheels(tmp_path / "again") == BOTH
    assert f"/files/{WHEELS[1].filename}" not in wheel_hub.requests


def test_an_index_with_other_bytes_is_passed_over_and_told(wheel_hub: PackageIndex, tmp_path: Path) -> None:
    heard = Heard()
    with package_index(WHEELS) as own:
        wheel_hub.served[WHEEL.filename] = build_wheel("kappa", "1.0", summary="evil").data
        rebuild(python_lock(own.root), tmp_path / "again", sources=Sources(indexes=(wheel_hub.url,)), hubs=[wheel_hub.root], on_event=heard)
    assert installed_wheels(tmp_path / "again") == BOTH
    (warning,) = heard.warnings
    assert f"what is at {wheel_hub.root}files/{WHEEL.filename} is not the locked file" in warning


def test_when_no_index_has_it_each_is_told(wheel_hub: PackageIndex, tmp_path: Path) -> None:
    with package_index(WHEELS) as own:
        lock = python_lock(own.root)
        del own.served[WHEEL.filename], own.artifacts[WHEEL.filename]
        wheel_hub.served[WHEEL.filename] = build_wheel("kappa", "1.0", summary="evil").data
        with pytest.raises(DigestMismatch) as caught:
            rebuild(lock, tmp_path / "envs" / "again", sources=Sources(indexes=(wheel_hub.url,)), hubs=[wheel_hub.root])
    assert [(place["url"], place["reason"][:12]) for place in caught.value.fields["tried"]] == [
        (f"{wheel_hub.root}files/{WHEEL.filename}", "other bytes:"),
        (f"{own.root}files/{WHEEL.filename}", "answered 404"),
        (f"{own.root}simple/", "answered 404"),
    ]
    assert [path.name for path in (tmp_path / "envs").iterdir() if path.name != ".again.lock"] == []


def test_each_server_gets_its_own_credentials_only(tmp_path: Path) -> None:
    token = "ca-abcdefghijklmnop"
    with package_index(WHEELS, password=token) as hub, package_index(WHEELS) as own:
        lock = python_lock(own.root)
        del own.served[WHEEL.filename], own.artifacts[WHEEL.filename]
        sources = Sources(indexes=(hub.url,), headers={hub.root: {"Authorization": f"Bearer {token}"}})
        rebuild(lock, tmp_path / "again", sources=sources)
        assert all(token not in str(sent) for sent in own.authorizations)
        assert any(sent for sent in hub.authorizations)
    assert installed_wheels(tmp_path / "again") == BOTH


def test_a_server_out_of_reach_fails_once_for_all_its_files(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError) as caught:
        rebuild(python_lock("http://127.0.0.1:9/"), tmp_path / "again")
    assert "kappa-1.0-py3-none-any.whl could not be had" in caught.value.detail or "lambda1-2.0" in caught.value.detail
    assert "no answer" in caught.value.detail
