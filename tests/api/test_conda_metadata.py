"""What conda channels serve beside shards and packages, for each viewer, and the interfaces by which owners change it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import msgpack
import pytest
import requests
import zstandard
from conda_schemas import check_channeldata, check_repodata, check_run_exports

from carrel.testing.artifacts import Artifact, build_conda
from carrel.testing.attesting import ISSUER, PrivateSigstore
from carrel.testing.hub import HubProcess

SIGSTORE = PrivateSigstore()
INDEXES = ("repodata.json", "current_repodata.json", "repodata_from_packages.json", "run_exports.json", "patch_instructions.json")


@pytest.fixture(scope="module")
def hub(start_hub: Callable[..., HubProcess], tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A hub that believes the tests' own Sigstore."""
    root = SIGSTORE.write_trust_root(tmp_path_factory.mktemp("trust") / "trusted_root.json")
    return start_hub(f"--attestation-trust-root={root}", f"--oidc-issuers={ISSUER}", "--oidc-audiences=hub.example")


@pytest.fixture(scope="module")
def owner(hub: HubProcess) -> str:
    """Of the namespace with two versions of an application, its library in a label, and a secret."""
    token = hub.create_user("alice")
    for artifact in APPS:
        put(hub, token, artifact, visibility="public")
    put(hub, token, build_conda("lib", "3.0", noarch="generic"), visibility="public", label=["main", "rc"])
    put(hub, token, build_conda("secret", noarch="generic", run_exports=["secret"]), visibility="private")
    return token


APPS = [
    build_conda(
        "app",
        version,
        build="h1_0",
        depends=["lib <2" if version == "1.0" else "lib >=2", "missing"],
        run_exports={"weak": [f"app >={version}"]},
        files={"etc/conda/activate.d/app.sh": "", "bin/app": ""},
        about={"home": "https://app.example", "summary": f"App <{version}>", "doc_url": "javascript:alert(1)"},
        fmt=fmt,
    )
    for version, fmt in (("1.0", "tar.bz2"), ("2.0", "tar.bz2"), ("2.0", "conda"))
]


def put(hub: HubProcess, token: str, artifact: Artifact, namespace: str = "alice", **query: Any) -> requests.Response:
    response = requests.put(
        f"{hub.url}/api/v1/namespaces/{namespace}/files/{artifact.filename}",
        data=artifact.data,
        params=query,
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert response.ok, response.text
    return response


def call(hub: HubProcess, verb: str, path: str, token: str | None = None, body: Any = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(verb, f"{hub.url}{path}", json=body, headers=headers, timeout=60)


def get(hub: HubProcess, path: str, token: str | None = None) -> Any:
    response = call(hub, "GET", path, token)
    assert response.status_code == 200, (path, response.text)
    if path.endswith(".zst"):
        return json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(response.content))
    return response.json()


def sharded(hub: HubProcess, token: str | None, channel: str, subdir: str) -> dict[str, Any]:
    """Return the whole index as a client puts it together from shards."""

    def unpacked(path: str) -> Any:
        response = call(hub, "GET", path, token)
        assert response.status_code == 200, (path, response.text)
        return msgpack.unpackb(zstandard.decompress(response.content))

    index = unpacked(f"{channel}/{subdir}/repodata_shards.msgpack.zst")
    keep = ("subdir", "channel_relations", "repodata_revisions")
    document: dict[str, Any] = {
        "info": {key: index["info"][key] for key in keep if key in index["info"]},
        "packages": {},
        "packages.conda": {},
        "removed": [],
        "repodata_version": 1,
    }
    for digest in index["shards"].values():
        shard = unpacked(f"{channel}/{subdir}/shards/{digest.hex()}.msgpack.zst")
        for key, records in (*((key, shard[key]) for key in ("packages", "packages.conda")), *shard.get("v3", {}).items()):
            for record in records.values():
                record.update(sha256=record["sha256"].hex(), md5=record["md5"].hex())
            if key.startswith("packages"):
                document[key].update(records)
            else:
                document.setdefault("v3", {"conda": {}, "tar.bz2": {}})[key].update(records)
        document["removed"] += shard.get("removed", [])
    return document


def test_every_index_is_valid_filtered_and_conditional(hub: HubProcess, owner: str) -> None:
    for subdir in ("noarch", "linux-64"):
        for token in (None, owner):
            whole = get(hub, f"/conda/alice/{subdir}/repodata.json", token)
            check_repodata(whole)
            assert whole == sharded(hub, token, "/conda/alice", subdir)
            for name in INDEXES:
                path = f"/conda/alice/{subdir}/{name}"
                document = get(hub, path, token)
                if "repodata" in name:
                    check_repodata(document)
                elif name.startswith("run"):
                    check_run_exports(document)
                assert ("secret" in json.dumps(document)) <= (token is not None)
                first = call(hub, "GET", path, token)
                scope = "private" if token else "public"
                assert first.headers["Cache-Control"] == f"{scope}, max-age=30"
                headers = {"If-None-Match": first.headers["ETag"], **({"Authorization": f"Bearer {token}"} if token else {})}
                again = requests.get(f"{hub.url}{path}", headers=headers, timeout=60)
                assert (again.status_code, again.headers["ETag"], again.content) == (304, first.headers["ETag"], b"")
                if not name.startswith("patch"):
                    assert get(hub, f"{path}.zst", token) == document
                    assert call(hub, "GET", f"{path}.zst", token).headers["ETag"] != first.headers["ETag"]
    secrets = get(hub, "/conda/alice/noarch/run_exports.json", owner)["packages.conda"]["secret-1.0-0.conda"]
    assert secrets == {"run_exports": {"weak": ["secret"]}}


def test_current_repodata_keeps_what_the_latest_needs(hub: HubProcess, owner: str) -> None:
    for version in ("1.0", "1.5", "2.0"):
        put(hub, owner, build_conda("base", version), visibility="public")
    put(hub, owner, build_conda("old", depends=["base <2"]), visibility="public")
    document = get(hub, "/conda/alice/linux-64/current_repodata.json")
    assert set(document["packages.conda"]) == {"app-2.0-h1_0.conda", "base-2.0-0.conda", "base-1.5-0.conda", "old-1.0-0.conda"}
    assert document["packages"] == {}
    whole = get(hub, "/conda/alice/linux-64/repodata.json")
    twin = whole["packages"]["app-2.0-h1_0.tar.bz2"]["md5"]
    assert document["packages.conda"]["app-2.0-h1_0.conda"] == {**whole["packages.conda"]["app-2.0-h1_0.conda"], "legacy_bz2_md5": twin}


def test_channeldata_page_and_feed(hub: HubProcess, owner: str) -> None:
    document = get(hub, "/conda/alice/channeldata.json")
    check_channeldata(document)
    assert document["subdirs"] == ["linux-64", "noarch"]
    app = document["packages"]["app"]
    assert (app["version"], app["activate.d"], app["post_link"]) == ("2.0", True, False)
    assert app["run_exports"] == {"1.0": {"weak": ["app >=1.0"]}, "2.0": {"weak": ["app >=2.0"]}}
    assert "secret" not in document["packages"]
    assert "secret" in get(hub, "/conda/alice/channeldata.json", owner)["packages"]
    assert set(get(hub, "/conda/alice/label/rc/channeldata.json")["packages"]) == {"lib"}
    page = call(hub, "GET", "/conda/alice/index.html")
    assert "App &lt;2.0&gt;" in page.text
    assert "javascript:" not in page.text
    assert page.headers["Content-Type"].startswith("text/html")
    feed = ElementTree.fromstring(call(hub, "GET", "/conda/alice/rss.xml").content)
    titles = [item.findtext("title") for item in feed.iter("item")]
    assert "app 2.0 [linux-64]" in titles
    assert all(item.findtext("link", "https://").startswith("https://") for item in feed.iter("item"))
    assert call(hub, "GET", "/conda/alice/label/none/channeldata.json").status_code == 404


def test_addresses_that_released_conda_makes_of_every_index(hub: HubProcess, owner: str) -> None:
    for label in ("", "/label/rc"):
        for name in (*INDEXES, "repodata.json.zst", "current_repodata.json.zst", "run_exports.json.zst"):
            straight = call(hub, "GET", f"/conda/t/{owner}/alice{label}/noarch/{name}")
            swapped = call(hub, "GET", f"/conda/t/{owner}/alice{label}/{name}/noarch")
            assert straight.status_code == swapped.status_code == 200, name
            assert straight.content == swapped.content


def test_hotfixes_change_records_and_nothing_else(hub: HubProcess, owner: str) -> None:
    api, channel = "/api/v1/namespaces/fixes/hotfixes/linux-64", "/conda/fixes/linux-64"
    token = hub.create_user("fixes")
    for name in ("a", "b", "c"):
        for fmt in ("tar.bz2", "conda"):
            put(hub, token, build_conda(name, depends=["python >=3"], fmt=fmt, run_exports=[name]), "fixes", visibility="public")
    put(hub, token, build_conda("hidden"), "fixes", visibility="private")
    before = get(hub, f"{channel}/repodata.json")
    assert call(hub, "GET", api, token).status_code == 404
    instructions = {
        "patch_instructions_version": 2,
        "packages": {"a-1.0-0.tar.bz2": {"depends": ["python >=3,<4"], "license": None, "run_exports": {"strong": ["a"], "weak": None}}},
        "packages.conda": {"a-1.0-0.conda": {"constrains": ["z"]}, "hidden-1.0-0.conda": {"depends": ["x"]}},
        "revoke": ["b-1.0-0.tar.bz2"],
        "remove": ["c-1.0-0.conda"],
        "external_dependencies": {},
    }
    answer = call(hub, "PUT", api, token, instructions)
    assert answer.status_code == 200, answer.text
    stored = {key: value for key, value in instructions.items() if key != "external_dependencies"}
    assert call(hub, "GET", api, token).json() == stored
    after = get(hub, f"{channel}/repodata.json")
    check_repodata(after)
    assert after == sharded(hub, None, "/conda/fixes", "linux-64")
    older, newer = after["packages"], after["packages.conda"]
    for record in (older["a-1.0-0.tar.bz2"], newer["a-1.0-0.conda"]):
        assert record["depends"] == ["python >=3,<4"]
        assert "license" not in record
        assert record["run_exports"] == {"strong": ["a"]}
        assert record["indexed_timestamp"]
    assert (older["a-1.0-0.tar.bz2"]["constrains"], newer["a-1.0-0.conda"]["constrains"]) == ([], ["z"])
    for record in (older["b-1.0-0.tar.bz2"], newer["b-1.0-0.conda"]):
        assert record["revoked"] is True
        assert record["depends"] == ["python >=3", "package_has_been_revoked"]
    assert "c-1.0-0.tar.bz2" in older
    assert "c-1.0-0.conda" not in newer
    assert after["removed"] == ["c-1.0-0.conda"]
    assert call(hub, "GET", f"{channel}/c-1.0-0.conda").status_code == 200
    exports = get(hub, f"{channel}/run_exports.json")["packages.conda"]
    assert exports["a-1.0-0.conda"] == {"run_exports": {"strong": ["a"]}}
    unpatched = get(hub, f"{channel}/repodata_from_packages.json")
    assert unpatched == before
    assert "hidden-1.0-0.conda" in get(hub, f"{channel}/patch_instructions.json", token)["packages.conda"]
    assert set(get(hub, f"{channel}/patch_instructions.json")["packages.conda"]) == {"a-1.0-0.conda"}
    put(hub, token, build_conda("a", "2.0"), "fixes", visibility="public")  # an upload keeps the fixes of its package
    assert get(hub, f"{channel}/repodata.json")["packages.conda"]["a-1.0-0.conda"]["constrains"] == ["z"]
    assert call(hub, "DELETE", api, token).status_code == 204
    again = get(hub, f"{channel}/repodata.json")
    del again["packages.conda"]["a-2.0-0.conda"]
    assert again == before


@pytest.mark.parametrize(
    ("instructions", "field"),
    [
        ({"patch_instructions_version": 3}, "patch_instructions_version"),
        ({"packages": {"a-1-0.conda": {}}}, "packages"),
        ({"packages": {"../a-1-0.tar.bz2": {}}}, "packages"),
        ({"packages": {"a-1-0.tar.bz2": []}}, "packages.a-1-0.tar.bz2"),
        ({"packages": {"a-1-0.tar.bz2": {"depends": "x"}}}, "packages.a-1-0.tar.bz2.depends"),
        ({"packages": {"a-1-0.tar.bz2": {"sha256": "0"}}}, "packages.a-1-0.tar.bz2.sha256"),
        ({"packages": {"a-1-0.tar.bz2": {"indexed_timestamp": 1}}}, "packages.a-1-0.tar.bz2.indexed_timestamp"),
        ({"packages": {"a-1-0.tar.bz2": {"run_exports": {}}}}, "packages.a-1-0.tar.bz2.run_exports"),
        ({"remove": ["a"]}, "remove"),
    ],
)
def test_hotfixes_that_cannot_be_used(hub: HubProcess, owner: str, instructions: dict[str, Any], field: str) -> None:
    answer = call(hub, "PUT", "/api/v1/namespaces/alice/hotfixes/noarch", owner, instructions)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["code"], answer.json()["field"]) == ("invalid_instructions", field)


def test_only_owners_change_what_a_channel_says(hub: HubProcess, owner: str) -> None:
    other = hub.create_user("mallory")
    for token, status in ((other, 403), (None, 401)):
        for verb, path, body in (
            ("PUT", "hotfixes/noarch", {}),
            ("DELETE", "hotfixes/noarch", None),
            ("GET", "hotfixes/noarch", None),
            ("POST", "notices", {"message": "x"}),
            ("GET", "notices", None),
        ):
            assert call(hub, verb, f"/api/v1/namespaces/alice/{path}", token, body).status_code == status
    assert call(hub, "PUT", "/api/v1/namespaces/alice/hotfixes/no_platform", owner, {}).status_code == 400


def test_notices_from_draft_to_deleted(hub: HubProcess, owner: str) -> None:
    api = "/api/v1/namespaces/alice/notices"
    assert get(hub, "/conda/alice/notices.json") == {"notices": []}
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for body in (
        {"message": ""},
        {"message": "x" * 601},
        {"message": "x", "level": "loud"},
        {"message": "x", "expires_at": "2020-01-01T00:00:00Z"},
    ):
        assert call(hub, "POST", api, owner, body).status_code in (400, 422), body
    draft = call(hub, "POST", api, owner, {"message": "Hello", "level": "warning", "expires_at": soon})
    assert (draft.status_code, draft.json()["status"]) == (201, "draft")
    notice = f"{api}/{draft.json()['id']}"
    assert get(hub, "/conda/alice/notices.json") == {"notices": []}
    assert call(hub, "POST", f"{notice}/publish", owner).json()["status"] == "published"
    assert call(hub, "PATCH", notice, owner, {"message": "Hello again"}).json()["level"] == "warning"
    (shown,) = get(hub, "/conda/alice/label/rc/notices.json")["notices"]
    assert (shown["id"], shown["message"], shown["level"]) == (draft.json()["id"], "Hello again", "warning")
    assert datetime.fromisoformat(shown["expires_at"]) == datetime.fromisoformat(soon)
    assert datetime.fromisoformat(shown["created_at"]) <= datetime.now(UTC)
    lasting = call(hub, "POST", api, owner, {"message": "No end"}).json()
    call(hub, "POST", f"{api}/{lasting['id']}/publish", owner)
    assert datetime.fromisoformat(get(hub, "/conda/alice/notices.json")["notices"][1]["expires_at"]) > datetime.now(UTC)
    assert call(hub, "POST", f"{api}/{lasting['id']}/archive", owner).json()["status"] == "archived"
    assert call(hub, "DELETE", notice, owner).status_code == 204
    assert call(hub, "GET", notice, owner).status_code == 404
    assert get(hub, "/conda/alice/notices.json") == {"notices": []}
    assert [item["status"] for item in get(hub, api, owner)["items"]] == ["archived"]
    assert [item["status"] for item in get(hub, f"{api}?status=deleted", owner)["items"]] == ["deleted"]


def test_newer_records_are_apart(hub: HubProcess, owner: str) -> None:
    put(hub, owner, build_conda("modern", noarch="generic", index={"schema_version": 3}, depends=["lib >=2"]), visibility="public")
    whole = get(hub, "/conda/alice/noarch/repodata.json")
    check_repodata(whole)
    assert whole == sharded(hub, None, "/conda/alice", "noarch")
    assert "modern-1.0-0.conda" not in whole["packages.conda"]
    record = whole["v3"]["conda"]["modern-1.0-0"]
    assert record["depends"] == ['lib[version=">=2"]']
    moment = record["indexed_timestamp"]
    assert whole["info"]["repodata_revisions"] == {"v3": {"n_packages": 1, "newest": moment, "oldest": moment}}
    assert get(hub, "/conda/alice/noarch/repodata_from_packages.json") == whole


def test_builds_of_the_future_are_refused(hub: HubProcess, owner: str) -> None:
    artifact = build_conda("tomorrow", index={"timestamp": int(1000 * (time.time() + 86400))})
    answer = requests.put(
        f"{hub.url}/api/v1/namespaces/alice/files/{artifact.filename}",
        data=artifact.data,
        headers={"Authorization": f"Bearer {owner}"},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["field"]) == (400, "timestamp")


def test_one_document_for_all_who_wait(hub: HubProcess, owner: str) -> None:
    put(hub, owner, build_conda("busy", noarch="generic"), visibility="public")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call(hub, "GET", "/conda/alice/channeldata.json"), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert "busy" in answers[0].json()["packages"]


class Attested:
    """A package whose attestations the tests change."""

    def __init__(self, hub: HubProcess, token: str, artifact: Artifact) -> None:
        self.hub, self.token, self.artifact = hub, token, artifact
        name, version, _ = artifact.filename.rsplit("-", 2)
        self.path = f"/api/v1/packages/alice/{name}/releases/{version}/files/noarch%2F{artifact.filename}/attestations"
        self.url = f"/conda/alice/noarch/{artifact.filename}"

    def put(self, *bundles: Any, token: str | None = None) -> requests.Response:
        return call(self.hub, "PUT", self.path, token or self.token, list(bundles))

    def attest(self, channel: str | None = "/conda/alice", **options: Any) -> dict[str, Any]:
        target = None if channel is None else f"{self.hub.url}{channel}"
        given = {"filename": self.artifact.filename, "sha256": self.artifact.sha256, **options}
        return SIGSTORE.attest(given.pop("filename"), given.pop("sha256"), target, **given)

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = get(self.hub, "/conda/alice/noarch/repodata.json", self.token)["packages.conda"][self.artifact.filename]
        return found


@pytest.fixture(scope="module")
def attested(hub: HubProcess, owner: str) -> Attested:
    """A package with a trusted publisher."""
    artifact = build_conda("attested", noarch="generic")
    put(hub, owner, artifact, visibility="public")
    claims = {"repository": "acme/charts", "workflow_ref": "acme/charts/.github/workflows/publish.yml@refs/heads/*"}
    publisher = {"package": "attested", "issuer": ISSUER, "claims": {**claims, "environment": "release"}}
    answer = call(hub, "POST", "/api/v1/namespaces/alice/publishers", owner, publisher)
    assert answer.status_code == 201, answer.text
    return Attested(hub, owner, artifact)


def test_attestations_are_checked_served_and_named(hub: HubProcess, attested: Attested) -> None:
    assert call(hub, "GET", f"{attested.url}.v0.sigs").status_code == 404
    assert "attestations_sha256" not in attested.record()
    bundle = attested.attest()
    answer = attested.put(bundle)
    assert answer.status_code == 200, answer.text
    digest = answer.json()["attestations_sha256"]
    assert attested.record()["attestations_sha256"] == digest
    for path in (f"{attested.url}.sigs.{digest}", f"{attested.url}.v0.sigs", attested.path):
        served = call(hub, "GET", path)
        assert served.json() == [bundle]
        assert ("immutable" in served.headers["Cache-Control"]) is (".sigs." in path)
        assert int(served.headers["Content-Length"]) == len(served.content)
    second = attested.put(bundle, attested.attest(None)).json()["attestations_sha256"]
    assert second != digest
    assert call(hub, "GET", f"{attested.url}.sigs.{digest}").status_code == 404
    assert call(hub, "GET", f"{attested.url}.sigs.{second}").status_code == 200
    shards = sharded(hub, None, "/conda/alice", "noarch")
    assert shards["packages.conda"][attested.artifact.filename]["attestations_sha256"] == second
    assert call(hub, "DELETE", attested.path, attested.token).status_code == 204
    assert "attestations_sha256" not in attested.record()
    assert call(hub, "DELETE", attested.path, attested.token).status_code == 404


def test_attestations_that_are_refused(hub: HubProcess, attested: Attested) -> None:
    good = attested.attest()
    tampered = json.loads(json.dumps(good))
    tampered["dsseEnvelope"]["payload"] = attested.attest(sha256="0" * 64)["dsseEnvelope"]["payload"]
    statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "https://example.com/x", "predicate": {}}
    for bundles, code in (
        ([], "invalid_attestation"),
        ([{}], "invalid_attestation"),
        ([tampered], "invalid_attestation"),
        ([PrivateSigstore().attest(attested.artifact.filename, attested.artifact.sha256)], "invalid_attestation"),
        ([SIGSTORE.sign(statement)], "invalid_attestation"),
        ([attested.attest(filename="other-1.0-0.conda")], "invalid_attestation"),
        ([attested.attest(sha256="0" * 64)], "invalid_attestation"),
        ([attested.attest("/conda/bob")], "invalid_attestation"),
        ([attested.attest("/conda/alice/")], "invalid_attestation"),
        ([attested.attest(repository="evil/charts")], "untrusted_publisher"),
        ([attested.attest(ref="refs/tags/v1")], "untrusted_publisher"),
        ([attested.attest(issuer="https://issuer.example")], "untrusted_publisher"),
        ([good, attested.attest(repository="evil/charts")], "untrusted_publisher"),
    ):
        answer = attested.put(*bundles)
        assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert "attestations_sha256" not in attested.record()
    assert attested.put(good, token=hub.create_user("stranger")).status_code == 403
    unpublished = Attested(hub, attested.token, build_conda("unpublished", noarch="generic"))
    put(hub, attested.token, unpublished.artifact, visibility="public")
    assert unpublished.put(unpublished.attest()).json()["code"] == "untrusted_publisher"


def test_a_token_for_a_label_attests_what_is_under_it_alone(hub: HubProcess, attested: Attested) -> None:
    asked = {"name": "staging", "scopes": ["conda:upload", "package:read"], "labels": ["staging"]}
    narrowed = call(hub, "POST", "/api/v1/tokens", attested.token, asked).json()["token"]
    for build, labels, status in (("1", ["staging"], 200), ("2", ["main", "staging"], 403), ("3", ["main"], 404)):
        made = Attested(hub, attested.token, build_conda("attested", "0.9", build=build, noarch="generic"))
        put(hub, attested.token, made.artifact, label=labels)
        assert made.put(made.attest()).status_code == 200
        assert made.put(made.attest(), token=narrowed).status_code == status, build
        assert call(hub, "GET", made.path, narrowed).status_code == (404 if status == 404 else 200)


def test_a_package_comes_with_its_attestation(hub: HubProcess, attested: Attested) -> None:
    url = f"{hub.url}/api/v1/upload/alice"
    for version, options, status in (("2.0", {}, 201), ("3.0", {"repository": "evil/charts"}, 422), ("3.0", {"sha256": "0" * 64}, 422)):
        artifact = build_conda("attested", version, noarch="generic")
        new = Attested(hub, attested.token, artifact)
        files = {
            "file": (artifact.filename, artifact.data, "application/octet-stream", {"X-File-Name": artifact.filename}),
            "attestation": (None, json.dumps(new.attest(**options)), "application/json"),
        }
        answer = requests.post(url, files=files, headers={"Authorization": f"Bearer {attested.token}"}, timeout=60)
        assert answer.status_code == status, answer.text
        present = call(hub, "GET", new.url, attested.token)
        assert present.status_code == (200 if status == 201 else 404)
        if status == 201:
            digest = new.record()["attestations_sha256"]
            assert len(call(hub, "GET", f"{new.url}.sigs.{digest}", attested.token).json()) == 1
