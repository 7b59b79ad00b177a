"""Unmodified installers against a collection: packages of several namespaces at one address, as the viewer sees them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import requests
from hub_uploads import upload
from test_conda_channel import Refused, install
from test_pypi_index import pip
from test_r import R, install_packages

from carrel.testing.artifacts import build_conda, build_r_package, build_wheel
from carrel.testing.hub import HubProcess
from carrel.testing.plugin import missing


@pytest.fixture(scope="module")
def tokens(hub: HubProcess) -> dict[str, str]:
    """Of two people. A public collection of the first one holds packages of both; some are private, some not in it."""
    tokens = {name: hub.create_user(name) for name in ("ada", "ben")}
    for owner, name, visibility, depends in (
        ("ada", "app", "public", ["tool"]),
        ("ada", "secret", "private", ["tool"]),
        ("ada", "outside", "public", []),
        ("ben", "tool", "public", []),
        ("ben", "app", "public", ["impossible"]),  # the first one of a name counts
    ):
        package = build_conda(name, noarch="generic", depends=depends, files={f"share/{name}": owner})
        upload(hub, tokens[owner], owner, package, visibility=visibility)
    upload(hub, tokens["ben"], "ben", build_conda("tool", "2.0", noarch="generic"), label="dev", visibility="public")
    upload(hub, tokens["ada"], "ada", build_conda("native", files={"share/native": "1"}), visibility="public")
    for owner, name, visibility, requires in (
        ("ada", "col-app", "public", ["col-lib"]),
        ("ben", "col-lib", "public", []),
        ("ada", "col-secret", "private", []),
        ("ben", "col-outside", "public", []),
    ):
        upload(hub, tokens[owner], owner, build_wheel(name, requires=requires), visibility=visibility)
    upload(hub, tokens["ben"], "ben", build_r_package("colbase"), visibility="public")
    upload(hub, tokens["ada"], "ada", build_r_package("coltool", fields={"Imports": "colbase"}), visibility="private")
    headers = {"Authorization": f"Bearer {tokens['ada']}"}
    base = f"{hub.url}/api/v1/namespaces/ada/collections"
    requests.post(base, json={"name": "kit", "visibility": "public"}, headers=headers, timeout=30).raise_for_status()
    conda = ("ada/app", "ada/secret", "ben/tool", "ben/app", "ada/native")
    for item in (*conda, "ada/col-app", "ben/col-lib", "ada/col-secret", "ada/coltool", "ben/colbase"):
        requests.put(f"{base}/kit/items/{item}", json={}, headers=headers, timeout=30).raise_for_status()
    return tokens


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "whole"])
def test_conda(hub: HubProcess, tokens: dict[str, str], tmp_path: Path, sharded: bool) -> None:
    channel = f"{hub.url}/conda/ada/collection/kit"
    assert install(channel, tmp_path / "a", "app", "native", sharded=sharded) == ["app-1.0-0", "native-1.0-0", "tool-1.0-0"]
    assert (tmp_path / "a/prefix/share/app").read_text() == "ada"
    assert (tmp_path / "a/prefix/share/tool").read_text() == "ben"
    for absent in ("outside", "secret", "tool=2"):
        with pytest.raises(Refused, match="No candidates were found"):
            install(channel, tmp_path / "a", absent, sharded=sharded)
    private = f"{hub.url}/conda/t/{tokens['ada']}/ada/collection/kit"
    assert install(private, tmp_path / "b", "secret", sharded=sharded) == ["secret-1.0-0", "tool-1.0-0"]


def test_pip(hub: HubProcess, tokens: dict[str, str], tmp_path: Path) -> None:
    public, private = f"{hub.url}/pypi/ada/collection/kit/simple/", f"{hub.url}/pypi/t/{tokens['ada']}/ada/collection/kit/simple/"
    done = pip(public, tmp_path / "a", "Col_App")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "a").glob("*.py")} == {"col_app.py", "col_lib.py"}
    for absent in ("col-outside", "col-secret"):
        assert "No matching distribution" in pip(public, tmp_path / "b", absent).stderr
    assert pip(private, tmp_path / "c", "col-secret").returncode == 0


def test_r(hub: HubProcess, tokens: dict[str, str], tmp_path: Path) -> None:
    program = shutil.which("Rscript") or missing("Rscript was not found; install r-base-core")
    r = R(program, tmp_path)
    assert r.install(install_packages('"coltool"', f"{hub.url}/cran/ada/collection/kit")) == []
    private = f"{hub.url}/cran/t/{tokens['ada']}/ada/collection/kit"
    assert r.install(install_packages('"coltool"', private)) == ["colbase 1.0", "coltool 1.0"]


def test_validators_follow_what_is_seen(hub: HubProcess, tokens: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {tokens['ada']}"}
    for path in (
        "conda/ada/collection/kit/noarch/repodata.json",
        "conda/ada/collection/kit/noarch/repodata.json.zst",
        "conda/ada/collection/kit/noarch/repodata_shards.msgpack.zst",
        "pypi/ada/collection/kit/simple/",
    ):
        anonymous = requests.get(f"{hub.url}/{path}", timeout=30)
        owner = requests.get(f"{hub.url}/{path}", headers=headers, timeout=30)
        assert (anonymous.status_code, owner.status_code) == (200, 200), path
        assert anonymous.headers["ETag"] != owner.headers["ETag"]
        assert not anonymous.headers["ETag"].startswith("W/")
        assert anonymous.headers["Cache-Control"].startswith("public")
        assert owner.headers["Cache-Control"].startswith("private")
        again = requests.get(f"{hub.url}/{path}", headers={"If-None-Match": anonymous.headers["ETag"]}, timeout=30)
        assert (again.status_code, again.headers["ETag"], again.content) == (304, anonymous.headers["ETag"], b"")
        other = requests.get(f"{hub.url}/{path}", headers={**headers, "If-None-Match": anonymous.headers["ETag"]}, timeout=30)
        assert other.status_code == 200


def test_whole_and_sharded_tell_the_same(hub: HubProcess, tokens: dict[str, str]) -> None:
    import msgpack
    import zstandard

    root = f"{hub.url}/conda/ada/collection/kit"
    whole = requests.get(f"{root}/noarch/repodata.json", timeout=30).json()
    index = msgpack.unpackb(zstandard.decompress(requests.get(f"{root}/noarch/repodata_shards.msgpack.zst", timeout=30).content))
    assert sorted(index["shards"]) == ["app", "tool"]
    listed = {}
    for digest in index["shards"].values():
        shard = requests.get(f"{root}/noarch/shards/{digest.hex()}.msgpack.zst", timeout=30)
        assert shard.content == requests.get(f"{root}/shards/{digest.hex()}.msgpack.zst/noarch", timeout=30).content
        for filename, record in msgpack.unpackb(zstandard.decompress(shard.content))["packages.conda"].items():
            listed[filename] = {key: value.hex() if isinstance(value, bytes) else value for key, value in record.items()}
    assert whole["packages.conda"] == listed
    assert whole["info"]["subdir"] == "noarch"
    assert requests.get(f"{root}/osx-64/repodata.json", timeout=30).status_code == 404
    assert requests.get(f"{root}/notices.json", timeout=30).json() == {"notices": []}
    # A shard and a file of something that is not in the collection do not exist there.
    namespace = msgpack.unpackb(
        zstandard.decompress(requests.get(f"{hub.url}/conda/ada/noarch/repodata_shards.msgpack.zst", timeout=30).content)
    )
    outside = namespace["shards"]["outside"].hex()
    assert requests.get(f"{hub.url}/conda/ada/noarch/shards/{outside}.msgpack.zst", timeout=30).status_code == 200
    assert requests.get(f"{root}/noarch/shards/{outside}.msgpack.zst", timeout=30).status_code == 404
    assert requests.get(f"{root}/noarch/outside-1.0-0.conda", timeout=30).status_code == 404
    assert requests.get(f"{root}/noarch/secret-1.0-0.conda", timeout=30).status_code == 404
    assert requests.get(f"{hub.url}/conda/ada/collection/absent/noarch/repodata.json", timeout=30).status_code == 404
