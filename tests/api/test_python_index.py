"""What a Python index says beside its files, and what its upload endpoint takes and refuses."""

from __future__ import annotations

import base64
import datetime
import json
import uuid
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pypi_attestations import AttestationType, Provenance

from carrel.testing.artifacts import Artifact, build_sdist, build_wheel
from carrel.testing.hub import HubProcess

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
PUBLISH, SLSA = AttestationType.PYPI_PUBLISH_V1.value, AttestationType.SLSA_PROVENANCE_V1.value


@pytest.fixture(scope="module")
def owner(hub: HubProcess) -> tuple[str, str]:
    name = f"pythonist-{uuid.uuid4().hex[:6]}"
    return name, hub.create_user(name)


def post(
    hub: HubProcess, owner: tuple[str, str], artifact: Artifact, path: str = "legacy/", token: str | None = None, **fields: str
) -> requests.Response:
    name, version = artifact.filename.removesuffix(".tar.gz").split("-")[:2]
    form = {":action": "file_upload", "protocol_version": "1", "metadata_version": "2.1", "name": name, "version": version, **fields}
    return requests.post(
        f"{hub.url}/pypi/{owner[0]}/{path}",
        data=form,
        files={"content": (artifact.filename, artifact.data)},
        auth=("__token__", token or owner[1]),
        timeout=30,
    )


def get(hub: HubProcess, owner: tuple[str, str], path: str, *, anonymous: bool = False, **headers: str) -> requests.Response:
    return requests.get(
        f"{hub.url}/pypi/{owner[0]}/{path}",
        headers=headers,
        auth=None if anonymous else ("__token__", owner[1]),
        timeout=30,
        allow_redirects=False,
    )


def patch(hub: HubProcess, owner: tuple[str, str], package: str, **values: Any) -> None:
    url = f"{hub.url}/api/v1/packages/{owner[0]}/{package}"
    answer = requests.patch(url, json=values, headers={"Authorization": f"Bearer {owner[1]}"}, timeout=30)
    assert answer.ok, answer.text


def unique(stem: str = "proj") -> str:
    return f"{stem}_{uuid.uuid4().hex[:8]}"


def attestation(artifact: Artifact, *, name: str = "", sha256: str = "", predicate: str = PUBLISH, subjects: int = 1) -> dict[str, Any]:
    """Return an attestation in the form of PEP 740, signed by nobody in particular."""
    key = ec.generate_private_key(ec.SECP256R1())
    moment = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([])).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(moment).not_valid_after(moment + datetime.timedelta(minutes=10))
    workflow = "https://github.com/team/tool/.github/workflows/release.yml@refs/tags/v1"
    claims = {8: "https://token.actions.githubusercontent.com", 12: "https://github.com/team/tool", 18: workflow}
    for number, text in claims.items():
        value = bytes([0x0C, len(text)]) + text.encode()
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}"), value), False)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(workflow)]), critical=True)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    subject = {"name": name or artifact.filename, "digest": {"sha256": sha256 or artifact.sha256}}
    statement = json.dumps(
        {"_type": "https://in-toto.io/Statement/v1", "subject": [subject] * subjects, "predicateType": predicate, "predicate": {}}
    ).encode()
    payload_type = b"application/vnd.in-toto+json"
    signed = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type, len(statement), statement)
    return {
        "version": 1,
        "verification_material": {"certificate": base64.b64encode(certificate).decode(), "transparency_entries": [{"logIndex": "0"}]},
        "envelope": {
            "statement": base64.b64encode(statement).decode(),
            "signature": base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256()))).decode(),
        },
    }


@pytest.mark.parametrize("path", ["legacy/", "legacy", "", "simple/"])
def test_every_address_takes_uploads(hub: HubProcess, owner: tuple[str, str], path: str) -> None:
    artifact = build_wheel(unique(), "1.0")
    assert post(hub, owner, artifact, path).status_code == 200
    again = post(hub, owner, artifact, path)
    assert (again.status_code, "exists already" in again.text) == (200, True)
    assert artifact.filename in get(hub, owner, f"simple/{artifact.filename.split('-')[0].replace('_', '-')}/").text
    refused = post(hub, owner, artifact, path, token="ca-" + "a" * 32)
    assert refused.status_code == 403
    assert "token" in refused.reason


def test_upload_into_a_label(hub: HubProcess, owner: tuple[str, str]) -> None:
    name = unique()
    assert post(hub, owner, build_wheel(name, "2.0"), "label/dev/next/legacy/").status_code == 200
    project = name.replace("_", "-")
    assert get(hub, owner, f"simple/{project}/").status_code == 404
    assert "2.0" in get(hub, owner, f"label/dev/next/simple/{project}/").text
    assert get(hub, owner, f"pypi/{project}/json").status_code == 404
    described = get(hub, owner, f"label/dev/next/pypi/{project}/json").json()
    assert described["info"]["version"] == "2.0"
    assert requests.get(described["urls"][0]["url"], auth=("__token__", owner[1]), timeout=30).ok


REFUSED: dict[str, tuple[dict[str, str], str, str]] = {
    "name": ({"name": "other"}, "metadata_mismatch", "package"),
    "version": ({"version": "9"}, "metadata_mismatch", "version"),
    "digest": ({"sha256_digest": "0" * 64}, "digest_mismatch", "SHA-256"),
    "action": ({":action": "doc_upload"}, "invalid_action", ":action"),
    "attestations": ({"attestations": "nonsense"}, "invalid_attestation", "not JSON"),
    "no attestations": ({"attestations": "{}"}, "invalid_attestation", "array"),
    "empty attestation": ({"attestations": "[{}]"}, "invalid_attestation", "Attestation 1"),
    "nested attestations": ({"attestations": "[" * 100_000}, "invalid_attestation", "not JSON"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_words_that_clients_show(hub: HubProcess, owner: tuple[str, str], case: str) -> None:
    fields, code, words = REFUSED[case]
    artifact = build_wheel(unique(), "1.0")
    answer = post(hub, owner, artifact, **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert words in answer.json()["detail"]
    assert words in answer.reason
    assert get(hub, owner, f"simple/{artifact.filename.split('-')[0].replace('_', '-')}/").status_code == 404


def test_provenance(hub: HubProcess, owner: tuple[str, str]) -> None:
    name = unique()
    project = name.replace("_", "-")
    wheel, sdist = build_wheel(name, "1.0"), build_sdist(name, "1.0")
    sent = [attestation(wheel), attestation(wheel, predicate=SLSA)]
    assert post(hub, owner, wheel, attestations=json.dumps(sent)).status_code == 200
    assert post(hub, owner, sdist).status_code == 200
    patch(hub, owner, name, visibility="public")
    page = get(hub, owner, f"simple/{project}/", **JSON)
    with_it, without = page.json()["files"]
    assert without["provenance"] is None
    assert with_it["provenance"] == f"{hub.url}/pypi/{owner[0]}/integrity/{project}/1.0/{wheel.filename}/provenance"
    html = get(hub, owner, f"simple/{project}/").text
    assert html.count("data-provenance=") == 1
    assert f'data-provenance="{with_it["provenance"]}"' in html
    assert get(hub, owner, f"simple/{project}/", **JSON, **{"If-None-Match": page.headers["ETag"]}).status_code == 304
    answer = requests.get(with_it["provenance"], timeout=30)
    assert answer.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"
    (bundle,) = Provenance.model_validate_json(answer.content).attestation_bundles
    assert (bundle.publisher.kind, bundle.publisher.repository, bundle.publisher.workflow) == ("GitHub", "team/tool", "release.yml")
    assert [json.loads(item.model_dump_json()) for item in bundle.attestations] == sent
    assert answer.json()["attestation_bundles"][0]["publisher"]["verified"] is False
    for path in (f"{project}/1.0/{sdist.filename}", f"{project}/2.0/{wheel.filename}", f"other/1.0/{wheel.filename}"):
        assert get(hub, owner, f"integrity/{path}/provenance").status_code == 404
    # The host is what the client says, and is escaped as the form of the page needs it.
    assert 'data-provenance="http://a&amp;b/pypi/' in get(hub, owner, f"simple/{project}/", Host="a&b").text
    assert get(hub, owner, f"simple/{project}/", Host="a&b", **JSON).json()["files"][0]["provenance"].startswith("http://a&b/pypi/")
    patch(hub, owner, name, visibility="private")
    assert requests.get(with_it["provenance"], timeout=30).status_code == 404


ABOUT_OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "other file": ({"name": "other-1.0-py3-none-any.whl"}, "attestations.subject"),
    "other bytes": ({"sha256": "0" * 64}, "attestations.digest"),
    "two files": ({"subjects": 2}, "attestations"),
    "other predicate": ({"predicate": "https://example.com/"}, "attestations"),
}


@pytest.mark.parametrize("case", ABOUT_OTHERS)
def test_attestations_of_something_else(hub: HubProcess, owner: tuple[str, str], case: str) -> None:
    options, field = ABOUT_OTHERS[case]
    artifact = build_wheel(unique(), "1.0")
    answer = post(hub, owner, artifact, attestations=json.dumps([attestation(artifact, **options)]))
    assert (answer.status_code, answer.json().get("field")) == (400, field), answer.text
    twice = post(hub, owner, artifact, attestations=json.dumps([attestation(artifact)] * 2))
    assert (twice.status_code, "same predicate" in twice.reason) == (400, True)
    assert post(hub, owner, artifact, attestations=json.dumps([attestation(artifact)])).status_code == 200


def test_a_root_of_trust_is_asked(start_hub: Callable[..., HubProcess]) -> None:
    root = next(Path(str(files("sigstore") / "_store")).glob("*/trusted_root.json"))
    strict = start_hub(f"--attestation-trust-root={root}")
    owner = ("alice", strict.create_user("alice"))
    artifact = build_wheel("signed", "1.0")
    answer = post(strict, owner, artifact, attestations=json.dumps([attestation(artifact)]))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_attestation")
    assert get(strict, owner, "simple/signed/").status_code == 404
    assert post(strict, owner, artifact).status_code == 200


def test_states_of_a_project(hub: HubProcess, owner: tuple[str, str]) -> None:
    name = unique()
    project = name.replace("_", "-")
    wheel = build_wheel(name, "1.0")
    assert post(hub, owner, wheel).status_code == 200
    url = get(hub, owner, f"simple/{project}/", **JSON).json()["files"][0]["url"].removeprefix("../../")
    other = "https://other.example/simple/x/"
    patch(hub, owner, name, status="archived", status_reason="See the other one", tracks=[other], alternate_locations=[other])
    page = get(hub, owner, f"simple/{project}/", **JSON).json()
    assert page["project-status"] == {"status": "archived", "reason": "See the other one"}
    assert page["meta"] == {"api-version": "1.4", "tracks": [other]}
    assert page["alternate-locations"] == [other]
    assert '<meta name="pypi:project-status" content="archived">' in get(hub, owner, f"simple/{project}/").text
    refused = post(hub, owner, build_wheel(name, "2.0"))
    assert (refused.status_code, refused.json()["code"]) == (403, "package_closed")
    assert "archived" in refused.reason
    assert get(hub, owner, url).ok
    patch(hub, owner, name, status="quarantined")
    page = get(hub, owner, f"simple/{project}/", **JSON).json()
    assert (page["project-status"]["status"], page["files"]) == ("quarantined", [])
    assert get(hub, owner, url).status_code == get(hub, owner, f"{url}.metadata").status_code == 404
    assert get(hub, owner, f"pypi/{project}/json").status_code == 404
    assert post(hub, owner, build_wheel(name, "2.0")).status_code == 403
    patch(hub, owner, name, status="active")
    assert get(hub, owner, url).ok


def test_json_description(hub: HubProcess, owner: tuple[str, str]) -> None:
    name = unique("Proj")
    project = name.replace("_", "-").lower()
    metadata = {"Project-URL": "Source, https://source.example/", "Classifier": ["Topic :: Utilities"]}
    for version in ("1.0", "1.5", "2.0rc1"):
        wheel = build_wheel(name, version, requires=["other>=1"], summary=f"Version {version}", metadata=metadata)
        assert post(hub, owner, wheel).status_code == 200
    assert post(hub, owner, build_sdist(name, "1.5")).status_code == 200
    for path in (f"{project}/json", f"pypi/{project}/json", f"pypi/{name}/json"):
        answer = get(hub, owner, path)
        document = answer.json()
        assert (document["info"]["name"], document["info"]["version"]) == (name, "1.5")
    assert list(document["releases"]) == ["1.0", "1.5", "2.0rc1"]
    assert [item["packagetype"] for item in document["urls"]] == ["bdist_wheel", "sdist"]
    info = document["info"]
    assert (info["summary"], info["requires_dist"], info["classifiers"]) == ("Version 1.5", ["other>=1"], ["Topic :: Utilities"])
    assert info["project_urls"] == {"Source": "https://source.example/"}
    assert info["package_url"] == f"{hub.url}/{owner[0]}/{name}"
    assert get(hub, owner, path, **{"If-None-Match": answer.headers["ETag"]}).status_code == 304
    for version in ("1.0", "1.0.0"):
        one = get(hub, owner, f"{project}/{version}/json").json()
        assert one["info"]["version"] == "1.0"
        assert "releases" not in one
    for path in (f"{project}/7/json", "absent/json", f"label/none/pypi/{project}/json"):
        assert get(hub, owner, path).status_code == 404
    assert get(hub, owner, f"{project}/json", anonymous=True).status_code == 404 or hub_default_is_public(hub, owner)
    in_path = requests.get(f"{hub.url}/pypi/t/{owner[1]}/{owner[0]}/pypi/{project}/json", timeout=30)
    assert in_path.ok
    assert owner[1] not in in_path.text


def hub_default_is_public(hub: HubProcess, owner: tuple[str, str]) -> bool:
    answer = requests.get(f"{hub.url}/api/v1/namespaces/{owner[0]}", headers={"Authorization": f"Bearer {owner[1]}"}, timeout=30)
    return bool(answer.json()["default_visibility"] == "public")


NEGOTIATED = {
    "": "text/html; charset=utf-8",
    "*/*": "text/html; charset=utf-8",
    "application/vnd.pypi.simple.v1+html;q=0.2, application/vnd.pypi.simple.v1+json": "application/vnd.pypi.simple.v1+json",
    "application/vnd.pypi.simple.latest+json": "application/vnd.pypi.simple.v1+json",
    "application/vnd.pypi.simple.v1+html": "application/vnd.pypi.simple.v1+html",
    "text/html, application/vnd.pypi.simple.v1+json;q=0.1": "text/html; charset=utf-8",
    "application/vnd.pypi.simple.v2+json": None,
    "application/vnd.pypi.simple.v1+json;q=0": None,
    "image/png": None,
}


@pytest.mark.parametrize("accept", NEGOTIATED)
@pytest.mark.parametrize("path", ["simple/", "simple/known/"])
def test_negotiation(hub: HubProcess, owner: tuple[str, str], accept: str, path: str) -> None:
    post(hub, owner, build_wheel("known", "1.0"))
    answer = get(hub, owner, path, Accept=accept)
    expected = NEGOTIATED[accept]
    assert "Accept" in answer.headers["Vary"]
    if expected is None:
        assert answer.status_code == 406
        assert "vnd.pypi.simple.v1+json" in answer.text
    else:
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, expected)
