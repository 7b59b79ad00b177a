"""What an owner says about packages, seen by an unmodified conda client: hotfixes, yanks, relations, notices, run exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from conda_client import Refused, run
from hub_uploads import upload

from carrel.testing.artifacts import build_conda
from carrel.testing.hub import HubProcess

SCRIPT = """
from rattler import Channel, Client, Gateway, MatchSpec, PackageName, SourceConfig, install, solve
from rattler.package import RunExportsJson

def told(record):
    return {
        "name": record.name.normalized, "version": str(record.version), "build": str(record.build), "depends": record.depends,
        "sha256": record.sha256.hex(), "md5": record.md5.hex(), "size": record.size, "url": record.url,
        "constrains": record.constrains, "license": record.license,
    }

async def main(channel, folder, sharded, specs=(), urls=(), names=(), exclude_newer=None):
    client, answer = Client(), {}
    gateway = Gateway(cache_dir=folder + "/repodata", default_config=SourceConfig(sharded_enabled=sharded), client=client)
    if specs:
        records = await solve([Channel(channel)], specs, gateway=gateway, platforms=["linux-64", "noarch"])
        await install(records, folder + "/prefix", cache_dir=folder + "/packages", show_progress=False, client=client)
        answer["solved"] = sorted(f"{r.name.normalized}-{r.version}" for r in records)
    if names:
        found = await gateway.query([Channel(channel)], ["linux-64", "noarch"], list(names), recursive=False)
        answer["records"] = sorted((told(record) for records in found for record in records), key=lambda record: record["url"])
        known = await gateway.names([Channel(channel)], ["linux-64", "noarch"])
        answer["names"] = sorted(name.normalized for name in known)
    if urls:
        answer["run_exports"] = [str((await RunExportsJson.from_remote_url(client, url)).weak) for url in urls]
    relations = await gateway.channel_relations(channel, "noarch")
    answer["relations"] = None if relations is None else [relations.base, relations.overrides]
    answer["notices"] = [[notice.level, notice.message] for notice in await gateway.channel_notices([channel])]
    return answer
"""
INSTALL = """
from rattler import Client, RepoDataRecord, install
from rattler.package_streaming import download_to_path

async def main(url, folder):
    path = os.path.join(folder, url.rsplit("/", 1)[1])
    await download_to_path(Client(), url, path)
    record = await RepoDataRecord.from_package_archive(path)
    await install([record], folder + "/prefix", cache_dir=folder + "/packages", show_progress=False)
"""


def ask(channel: str, folder: Path, *, sharded: bool, **options: Any) -> dict[str, Any]:
    """Return what the client made of a channel."""
    answer: dict[str, Any] = run(SCRIPT, channel=channel, folder=str(folder), sharded=sharded, **options)
    return answer


def change(hub: HubProcess, token: str, verb: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    response = requests.request(verb, f"{hub.url}/api/v1/{path}", json=body, headers=headers, timeout=30)
    assert response.ok, response.text
    return response.json() if response.content else None


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    """Of the owner of a channel that says everything a channel can say."""
    token = hub.create_user("alice")
    public: dict[str, Any] = {"visibility": "public"}
    upload(hub, token, "alice", build_conda("app", depends=["tool"], fmt="tar.bz2", files={"share/app": "old"}), **public)
    upload(hub, token, "alice", build_conda("app", depends=["tool"], files={"share/app": "1"}), **public)
    for version in ("1.0", "2.0", "3.0", "4.0"):
        artifact = build_conda(
            "tool", version, noarch="generic", files={"share/tool": version}, run_exports={"weak": [f"tool >={version}"]}
        )
        upload(hub, token, "alice", artifact, **public)
    upload(hub, token, "alice", build_conda("tool", "5.0", noarch="generic", files={"share/tool": "5.0"}), label="rc", **public)
    modern = build_conda("modern", noarch="generic", index={"schema_version": 3}, depends=["tool >=1"])
    upload(hub, token, "alice", modern, **public)
    # 4.0 is yanked, 3.0 removed by the owner; the application takes the first version only.
    change(hub, token, "PUT", "packages/alice/tool/releases/4.0/yank", {"reason": "It breaks."})
    change(hub, token, "PUT", "namespaces/alice/hotfixes/noarch", {"remove": ["tool-3.0-0.conda"]})
    change(hub, token, "PUT", "namespaces/alice/hotfixes/linux-64", {"packages": {"app-1.0-0.tar.bz2": {"depends": ["tool <2"]}}})
    change(hub, token, "PUT", "namespaces/alice/labels/rc", {"relations": {"overrides": "../.."}})
    notice = change(hub, token, "POST", "namespaces/alice/notices", {"message": "Mind the gap", "level": "warning"})
    change(hub, token, "POST", f"namespaces/alice/notices/{notice['id']}/publish")
    return token


both = pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "whole"])


@both
def test_a_solve_sees_the_hotfix(hub: HubProcess, token: str, tmp_path: Path, sharded: bool) -> None:
    answer = ask(f"{hub.url}/conda/alice", tmp_path, sharded=sharded, specs=["app"])
    assert answer["solved"] == ["app-1.0", "tool-1.0"]
    assert answer["notices"] == [["warning", "Mind the gap"]]
    assert answer["relations"] is None


@both
def test_what_was_removed_is_not_chosen_and_can_be_installed(hub: HubProcess, token: str, tmp_path: Path, sharded: bool) -> None:
    channel = f"{hub.url}/conda/alice"
    assert ask(channel, tmp_path, sharded=sharded, specs=["tool"])["solved"] == ["tool-2.0"]
    for version in ("3.0", "4.0"):
        with pytest.raises(Refused):
            ask(channel, tmp_path / version, sharded=sharded, specs=[f"tool=={version}"])
        folder = tmp_path / f"direct-{version}"
        folder.mkdir()
        url = f"{channel}/noarch/tool-{version}-0.conda"
        run(INSTALL, url=url, folder=str(folder))
        assert (folder / "prefix/share/tool").read_text() == version


@both
def test_a_label_names_the_channel_that_it_overrides(hub: HubProcess, token: str, tmp_path: Path, sharded: bool) -> None:
    answer = ask(f"{hub.url}/conda/alice/label/rc", tmp_path, sharded=sharded, specs=["tool"])
    assert answer["solved"] == ["tool-5.0"]
    assert answer["relations"] == [None, "../.."]


def test_both_ways_tell_the_same(hub: HubProcess, token: str, tmp_path: Path) -> None:
    names = ["app", "tool", "modern"]
    told = [
        ask(
            f"{hub.url}/conda/alice",
            tmp_path / str(sharded),
            sharded=sharded,
            names=names,
            urls=[f"{hub.url}/conda/alice/noarch/tool-2.0-0.conda"],
        )
        for sharded in (True, False)
    ]
    for answer in told:  # from a whole index the client takes of two twins the .conda alone
        answer["records"] = [record for record in answer["records"] if not record["url"].endswith(".tar.bz2")]
    assert told[0] == told[1]
    files = [record["url"].rsplit("/", 1)[1] for record in told[0]["records"]]
    assert files == ["app-1.0-0.conda", "modern-1.0-0.conda", "tool-1.0-0.conda", "tool-2.0-0.conda"]


def test_run_exports_of_the_index_are_those_of_the_packages(hub: HubProcess, token: str, tmp_path: Path) -> None:
    channel = f"{hub.url}/conda/alice"
    listed = requests.get(f"{channel}/noarch/run_exports.json", timeout=30).json()["packages.conda"]
    answer = ask(channel, tmp_path, sharded=True, urls=[f"{channel}/noarch/tool-{version}-0.conda" for version in ("1.0", "2.0")])
    assert answer["run_exports"] == [str(listed[f"tool-{version}-0.conda"]["run_exports"]["weak"]) for version in ("1.0", "2.0")]
