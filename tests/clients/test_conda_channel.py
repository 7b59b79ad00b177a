"""An unmodified conda client against the hub's channels: sharded and whole indexes, tokens in addresses and headers."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import requests
from conda_client import Refused, run
from hub_uploads import upload

from carrel.testing.artifacts import build_conda
from carrel.testing.hub import HubProcess

SCRIPT = """
from rattler import Channel, Client, Gateway, SourceConfig, VirtualPackage, install, solve

async def main(channel, folder, specs, sharded, headers):
    client = Client(headers=headers) if headers else Client()
    config = SourceConfig(sharded_enabled=sharded)
    gateway = Gateway(cache_dir=folder + "/repodata", default_config=config, client=client)
    virtual = [package.into_generic() for package in VirtualPackage.detect()]
    records = await solve([Channel(channel)], specs, gateway=gateway, platforms=["linux-64", "noarch"], virtual_packages=virtual)
    await install(records, folder + "/prefix", cache_dir=folder + "/packages", show_progress=False, client=client)
    return [[record.name.normalized, str(record.version), str(record.build)] for record in records]
"""


def install(channel: str, folder: Path, *specs: str, sharded: bool = True, headers: dict[str, str] | None = None) -> list[str]:
    """Solve and install; return what was installed as ``name-version-build``."""
    installed = run(SCRIPT, channel=channel, folder=str(folder), specs=specs, sharded=sharded, headers=headers or {})
    return sorted("-".join(record) for record in installed)


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    """Of the owner of a namespace with a public application, its private library and a development build."""
    token = hub.create_user("alice")
    main = {"visibility": "public"}
    upload(hub, token, "alice", build_conda("app", files={"share/app": "1"}, depends=["tool >=1"]), **main)
    upload(hub, token, "alice", build_conda("tool", noarch="generic", files={"share/tool": "1"}), **main)
    upload(hub, token, "alice", build_conda("tool", "1.1", noarch="generic", fmt="tar.bz2", files={"share/tool": "1.1"}), **main)
    upload(hub, token, "alice", build_conda("tool", "2.0", noarch="generic", files={"share/tool": "2"}), label="dev/next", **main)
    upload(hub, token, "alice", build_conda("secret", files={"share/secret": "1"}, depends=["tool"]), visibility="private")
    return token


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "whole"])
def test_public_packages(hub: HubProcess, token: str, tmp_path: Path, sharded: bool) -> None:
    assert install(f"{hub.url}/conda/alice", tmp_path, "app", sharded=sharded) == ["app-1.0-0", "tool-1.1-0"]
    assert (tmp_path / "prefix/share/tool").read_text() == "1.1"


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "whole"])
def test_label(hub: HubProcess, token: str, tmp_path: Path, sharded: bool) -> None:
    assert install(f"{hub.url}/conda/alice/label/dev/next", tmp_path, "tool", sharded=sharded) == ["tool-2.0-0"]


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "whole"])
@pytest.mark.parametrize("way", ["second", "first", "header", "basic"])
def test_private_package_with_a_token(hub: HubProcess, token: str, tmp_path: Path, sharded: bool, way: str) -> None:
    host = hub.url.removeprefix("http://")
    url, headers = {
        "second": (f"{hub.url}/conda/t/{token}/alice", {}),
        "first": (f"{hub.url}/t/{token}/conda/alice", {}),
        "header": (f"{hub.url}/conda/alice", {"Authorization": f"Bearer {token}"}),
        "basic": (f"http://__token__:{token}@{host}/conda/alice", {}),
    }[way]
    assert install(url, tmp_path, "secret", sharded=sharded, headers=headers) == ["secret-1.0-0", "tool-1.1-0"]


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "whole"])
def test_private_package_is_absent_for_others(hub: HubProcess, token: str, tmp_path: Path, sharded: bool) -> None:
    with pytest.raises(Refused, match="No candidates were found for secret"):
        install(f"{hub.url}/conda/alice", tmp_path, "secret", sharded=sharded)
    with pytest.raises(Refused, match="401"):
        install(f"{hub.url}/conda/t/ca-wrong/alice", tmp_path / "other", "tool", sharded=sharded)


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "whole"])
def test_a_client_with_a_cache_sees_the_next_upload(hub: HubProcess, token: str, tmp_path: Path, sharded: bool) -> None:
    name = f"growing-{uuid.uuid4().hex[:8]}"
    channel = f"{hub.url}/conda/t/{token}/alice"
    for version in ("1.0", "1.1"):
        upload(hub, token, "alice", build_conda(name, version), visibility="public")
        # The lifetime of an index is seconds; a client that asks again must not be answered with what it had.
        for path in (tmp_path / "repodata").rglob("*") if version != "1.0" else ():
            if path.suffix == ".json" and path.name.endswith(".info.json"):
                path.write_text(path.read_text().replace("max-age=30", "max-age=0"))
        assert install(channel, tmp_path if version == "1.0" else tmp_path / "later", name, sharded=sharded) == [f"{name}-{version}-0"]


def test_addresses_that_released_conda_makes(hub: HubProcess, token: str) -> None:
    import msgpack
    import zstandard

    def get(path: str) -> bytes:
        response = requests.get(f"{hub.url}{path}", timeout=30)
        assert response.ok, (path, response.text)
        return response.content

    for label in ("", "/label/dev/next"):
        root = f"/conda/t/{token}/alice{label}"
        index = get(f"{root}/repodata_shards.msgpack.zst/noarch")
        assert index == get(f"{root}/noarch/repodata_shards.msgpack.zst")
        digest = msgpack.unpackb(zstandard.decompress(index))["shards"]["tool"].hex()
        shard = get(f"{root}/noarch/shards/{digest}.msgpack.zst")
        assert shard == get(f"{root}/shards/{digest}.msgpack.zst/noarch") == get(f"{root}/{digest}.msgpack.zst/noarch")
