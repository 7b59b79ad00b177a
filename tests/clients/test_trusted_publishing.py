"""Trusted publishing with a real issuer: what clients do, and every identity that gets nothing."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from oidc_issuer import Issuer, tls_front

from carrel.testing.artifacts import Artifact, build_conda, build_wheel
from carrel.testing.hub import HubProcess

REPOSITORY = "team/tool"
CLAIMS = {
    "sub": f"repo:{REPOSITORY}:ref:refs/tags/v1",
    "repository": REPOSITORY,
    "ref": "refs/tags/v1",
    "workflow_ref": f"{REPOSITORY}/.github/workflows/release.yml@refs/tags/v1",
}
WANTED = {"repository": REPOSITORY, "workflow_ref": f"{REPOSITORY}/.github/workflows/release.yml@refs/tags/*"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.claims = dict(CLAIMS)
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def trusting(start_hub: Callable[..., HubProcess], issuer: Issuer) -> HubProcess:
    return start_hub(f"--oidc-issuers={issuer.url} https://unreachable.invalid", "--oidc-audiences=hub.test other.test")


@pytest.fixture(scope="module")
def token(trusting: HubProcess, issuer: Issuer) -> str:
    """A token of alice, who trusts a repository with the package some-tool."""
    token = trusting.create_user("alice")
    assert register(trusting, token, "alice", issuer.url, package="Some-Tool").status_code == 201
    return token


def register(
    hub: HubProcess, token: str, namespace: str, issuer: str, claims: dict[str, str] | None = None, package: str | None = None
) -> requests.Response:
    body = {"issuer": issuer, "claims": WANTED if claims is None else claims, "package": package}
    return api(hub, token, "POST", f"namespaces/{namespace}/publishers", json=body)


def api(hub: HubProcess, token: str, verb: str, path: str, **options: Any) -> requests.Response:
    return requests.request(verb, f"{hub.url}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30, **options)


def mint(hub: HubProcess, identity: str, **fields: Any) -> requests.Response:
    return requests.post(f"{hub.url}/_/oidc/mint-token", json={"token": identity, **fields}, timeout=30)


def refusal(response: requests.Response) -> tuple[str, str]:
    """Return the one reason of a refusal, in the form that clients show."""
    assert response.status_code == 422, response.text
    (error,) = response.json()["errors"]
    assert error["description"] == response.json()["detail"]
    return error["code"], error["description"]


def post_wheel(hub: HubProcess, token: str, artifact: Artifact, namespace: str = "alice") -> requests.Response:
    name, version = artifact.filename.split("-")[:2]
    return requests.post(
        f"{hub.url}/pypi/{namespace}/legacy/",
        data={":action": "file_upload", "protocol_version": "1", "name": name, "version": version},
        files={"content": (artifact.filename, artifact.data)},
        auth=("__token__", token),
        timeout=30,
    )


def run(command: list[str | Path], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "NO_PROXY": "*", "UV_NO_CONFIG": "1", **env}
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, env=environment, timeout=120)


def test_uv_publishes_with_the_identity_of_its_job(trusting: HubProcess, issuer: Issuer, token: str, tmp_path: Path) -> None:
    artifact = build_wheel("some_tool", f"1.{uuid.uuid4().int % 10**6}")
    path = tmp_path / artifact.filename
    path.write_bytes(artifact.data)
    with tls_front(trusting.port, tmp_path) as (url, authority):
        command: list[str | Path] = [sys.executable, "-m", "uv", "publish", "--trusted-publishing", "always"]
        command += ["--publish-url", f"{url}/pypi/alice/legacy/", path]
        done = run(command, {**issuer.job(), "SSL_CERT_FILE": str(authority)})
    assert done.returncode == 0, done.stdout + done.stderr
    page = requests.get(f"{trusting.url}/pypi/t/{token}/alice/simple/some-tool/", timeout=30).text
    assert artifact.filename in page
    (publisher,) = api(trusting, token, "GET", "namespaces/alice/publishers").json()["items"]
    assert publisher["last_used_at"]
    trail = api(trusting, token, "GET", "namespaces/alice/audit").json()["items"]
    minted = next(item for item in trail if item["action"] == "publisher.mint")
    assert minted["actor"] == "alice"
    assert minted["detail"]["claims"]["workflow_ref"] == CLAIMS["workflow_ref"]
    uploaded = next(item for item in trail if item["action"] == "file.upload")
    assert uploaded["token_prefix"] == minted["token_prefix"]


def test_twine_exchanges_the_identity_of_its_job(trusting: HubProcess, issuer: Issuer, token: str, tmp_path: Path) -> None:
    # The option exists for the public index alone, so twine's own code is called with our address.
    code = """
import sys
from twine.auth import CredentialInput, Resolver
print(Resolver({"repository": sys.argv[1]}, CredentialInput("__token__")).make_trusted_publishing_token())
"""
    artifact = build_wheel("some_tool", f"2.{uuid.uuid4().int % 10**6}")
    path = tmp_path / artifact.filename
    path.write_bytes(artifact.data)
    with tls_front(trusting.port, tmp_path) as (url, authority):
        env = {**issuer.job(), "REQUESTS_CA_BUNDLE": str(authority)}
        minted = run([sys.executable, "-c", code, f"{url}/pypi/alice/legacy/"], env)
        assert minted.returncode == 0, minted.stdout + minted.stderr
        secret = minted.stdout.strip().splitlines()[-1]
        command: list[str | Path] = [sys.executable, "-m", "twine", "upload", "--non-interactive", "-u", "__token__", "-p", secret]
        done = run([*command, "--repository-url", f"{url}/pypi/alice/legacy/", path], env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_minted_token_does_this_upload_and_nothing_else(trusting: HubProcess, issuer: Issuer, token: str) -> None:
    other = trusting.create_user(f"bob-{uuid.uuid4().hex[:6]}")
    answer = mint(trusting, issuer.token())
    minted = answer.json()
    assert minted["success"]
    assert minted["packages"] == ["Some-Tool"]
    assert minted["namespace"] == "alice"
    assert 880 < minted["expires"] - time.time() <= 900
    secret = minted["token"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert post_wheel(trusting, secret, build_wheel("some.tool", "3.0")).status_code == 200  # any spelling of the name
    refused = post_wheel(trusting, secret, build_wheel("other_tool", "1.0"))
    assert (refused.status_code, refused.json()["code"]) == (403, "package_limit")
    namespace = api(trusting, other, "GET", "user").json()["name"]
    assert post_wheel(trusting, secret, build_wheel("some_tool", "1.0"), namespace).status_code in (403, 404)
    assert api(trusting, secret, "POST", "tokens", json={"name": "more"}).status_code == 403
    assert api(trusting, secret, "DELETE", "packages/alice/some_tool").status_code in (403, 404)
    assert requests.post(f"{trusting.url}/_/oidc/burn-token", json={"token": secret}, timeout=30).status_code == 202
    assert post_wheel(trusting, secret, build_wheel("some_tool", "4.0")).status_code == 403
    # Other tokens are none of its business.
    assert requests.post(f"{trusting.url}/_/oidc/burn-token", json={"token": token}, timeout=30).status_code == 202
    assert api(trusting, token, "GET", "user").ok


def test_rattler_build_publishes_with_the_identity_of_its_job(trusting: HubProcess, issuer: Issuer, token: str, tmp_path: Path) -> None:
    code = """
import sys
from rattler_build import upload_package_to_prefix
upload_package_to_prefix([sys.argv[1]], sys.argv[2], "alice")
"""
    artifact = build_conda("some-tool", f"1.{uuid.uuid4().int % 10**6}")
    path = tmp_path / artifact.filename
    path.write_bytes(artifact.data)
    # It asks for an audience of its own, whatever the server; a hub that wants to take that has to list it.
    issuer.audience = "other.test"
    try:
        done = run([sys.executable, "-c", code, path, trusting.url], {**issuer.job(), "HOME": str(tmp_path)})
    finally:
        issuer.audience = ""
    assert done.returncode == 0, done.stdout + done.stderr
    assert api(trusting, token, "GET", f"packages/alice/some-tool/releases/{artifact.filename.split('-')[2]}").ok


def test_the_bare_exchange(trusting: HubProcess, issuer: Issuer, token: str) -> None:
    answer = requests.post(f"{trusting.url}/api/oidc/mint_token", json={"token": issuer.token("other.test")}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert post_wheel(trusting, answer.text, build_wheel("some_tool", "0.1")).status_code == 200
    assert refusal(requests.post(f"{trusting.url}/api/oidc/mint_token", json={"token": "x.y.z"}, timeout=30))[0] == "invalid-token"


def test_audience_is_told_first(trusting: HubProcess, hub: HubProcess, issuer: Issuer) -> None:
    assert requests.get(f"{trusting.url}/_/oidc/audience", timeout=30).json() == {"audience": "hub.test"}
    assert requests.get(f"{hub.url}/_/oidc/audience", timeout=30).status_code == 404
    assert refusal(mint(hub, issuer.token()))[0] == "not-enabled"


def unsigned(issuer: Issuer) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {**CLAIMS, "iss": issuer.url, "aud": "hub.test", "iat": int(time.time()), "exp": int(time.time()) + 300}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def with_other_payload(token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{unsigned_part(token)}.{signature}"


def unsigned_part(token: str) -> str:
    text = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return base64.urlsafe_b64encode(json.dumps({**claims, "jti": "forged"}).encode()).decode().rstrip("=")


STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
REFUSED: dict[str, tuple[Callable[[Issuer], str], str, str]] = {
    "no token": (lambda issuer: "", "invalid-payload", "token"),
    "nonsense": (lambda issuer: "nonsense", "invalid-token", "JSON Web Token"),
    "endless": (lambda issuer: "e" * 20_000, "invalid-payload", "characters"),
    "unsigned": (unsigned, "invalid-token", "none"),
    "shared secret": (lambda issuer: issuer.token(key="x" * 64, algorithm="HS256"), "invalid-token", "HS256"),
    "other key": (lambda issuer: issuer.token(key=STRANGER), "invalid-token", "signature"),
    "changed": (lambda issuer: with_other_payload(issuer.token()), "invalid-token", "signature"),
    "other issuer": (lambda issuer: issuer.token(iss="https://evil.example"), "invalid-issuer", "evil.example"),
    "audience": (lambda issuer: issuer.token("pypi"), "invalid-audience", "'hub.test'"),
    "expired": (lambda issuer: issuer.token(exp=int(time.time()) - 60), "invalid-token", "expired"),
    "no expiry": (lambda issuer: issuer.token(exp=None), "invalid-token", "'exp'"),
    "early": (lambda issuer: issuer.token(nbf=int(time.time()) + 600), "invalid-token", "not valid yet"),
    "other repository": (lambda issuer: issuer.token(repository="evil/tool"), "invalid-publisher", "evil/tool"),
    "longer repository": (lambda issuer: issuer.token(repository=f"{REPOSITORY}/x"), "invalid-publisher", "repository"),
    "branch": (
        lambda issuer: issuer.token(workflow_ref=CLAIMS["workflow_ref"].replace("refs/tags/v1", "refs/heads/main")),
        "invalid-publisher",
        "refs/heads/main",
    ),
    "no claim": (lambda issuer: issuer.token(repository=None), "invalid-publisher", "sub="),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(trusting: HubProcess, issuer: Issuer, token: str, case: str) -> None:
    make, code, words = REFUSED[case]
    found, description = refusal(mint(trusting, make(issuer)))
    assert found == code
    assert words in description


def test_each_identity_is_good_for_one_token(trusting: HubProcess, issuer: Issuer, token: str) -> None:
    identity = issuer.token()
    assert mint(trusting, identity).ok
    assert refusal(mint(trusting, identity))[0] == "invalid-reuse-token"
    without_id = issuer.token(jti=None)
    assert mint(trusting, without_id).ok
    assert refusal(mint(trusting, without_id))[0] == "invalid-reuse-token"
    # What was refused for another reason is not used up.
    assert refusal(mint(trusting, identity := issuer.token(), namespace="nobody"))[0] == "invalid-publisher"
    assert mint(trusting, identity, namespace="alice").ok


def test_keys_are_rotated(trusting: HubProcess, issuer: Issuer, token: str) -> None:
    assert mint(trusting, issuer.token()).ok
    fetched = len(issuer.requests)
    assert mint(trusting, issuer.token()).ok
    assert len(issuer.requests) == fetched  # keys are remembered
    old = issuer.token()
    issuer.rotate()
    assert mint(trusting, issuer.token()).ok
    assert refusal(mint(trusting, old))[0] == "invalid-token"


def test_an_issuer_that_does_not_answer(trusting: HubProcess, issuer: Issuer) -> None:
    answer = mint(trusting, issuer.token(iss="https://unreachable.invalid"))
    assert answer.status_code == 502
    assert answer.json()["errors"][0]["code"] == "issuer-unavailable"


BAD_CLAIMS = (
    {},
    {"ref": "refs/heads/main", "environment": "release"},
    {"repository": "team/*"},
    {"repository": REPOSITORY, "aud": "x"},
    {"workflow_ref": "*"},
    {"repository": ""},
    {"re pository": "x"},
)


@pytest.mark.parametrize("claims", BAD_CLAIMS)
def test_claims_that_strangers_bear(trusting: HubProcess, issuer: Issuer, token: str, claims: dict[str, str]) -> None:
    answer = register(trusting, token, "alice", issuer.url, claims)
    assert answer.status_code == 422, answer.text
    assert "claims" in answer.json()["errors"][0]["field"]


def test_registration_is_for_owners(trusting: HubProcess, issuer: Issuer, token: str) -> None:
    mark = uuid.uuid4().hex[:6]
    owner, member = trusting.create_user(f"owner-{mark}"), trusting.create_user(f"member-{mark}")
    organization = f"org-{mark}"
    trusting.create_organization(organization, owner, {f"member-{mark}": "member"})
    claims = {"repository": f"{organization}/all"}
    for caller, expected in ((member, 403), (token, 403), ("ca-" + "a" * 32, 401)):
        assert register(trusting, caller, organization, issuer.url, claims).status_code == expected
        assert api(trusting, caller, "GET", f"namespaces/{organization}/publishers").status_code == expected
    assert register(trusting, owner, organization, "https://evil.example", claims).json()["errors"][0]["field"] == "issuer"
    made = register(trusting, owner, organization, issuer.url, claims)
    assert made.status_code == 201, made.text
    assert register(trusting, owner, organization, issuer.url, claims).json()["code"] == "publisher_exists"
    identity = {"repository": f"{organization}/all"}
    minted = mint(trusting, issuer.token(**identity)).json()
    assert minted["packages"] is None
    assert post_wheel(trusting, minted["token"], build_wheel(f"any_{mark}", "1.0"), organization).status_code == 200
    # Whoever registered it owns the namespace no more: what they allowed ends with that.
    second = trusting.create_user(f"second-{mark}")
    put = api(trusting, owner, "PUT", f"organizations/{organization}/members/second-{mark}", json={"role": "owner"})
    assert put.ok, put.text
    demoted = api(trusting, second, "PUT", f"organizations/{organization}/members/owner-{mark}", json={"role": "member"})
    assert demoted.ok, demoted.text
    assert refusal(mint(trusting, issuer.token(**identity)))[0] == "invalid-publisher"
    path = f"namespaces/{organization}/publishers/{made.json()['id']}"
    assert api(trusting, member, "DELETE", path).status_code == 403
    assert api(trusting, second, "DELETE", path).status_code == 204
    assert api(trusting, second, "DELETE", path).status_code == 404
    assert api(trusting, second, "DELETE", f"namespaces/{organization}/publishers/{'9' * 40}").status_code == 404


def test_the_publisher_that_asks_for_most_decides(trusting: HubProcess, issuer: Issuer, token: str) -> None:
    mark = uuid.uuid4().hex[:6]
    first, second = f"first-{mark}", f"second-{mark}"
    for name, claims in ((first, {"repository": mark}), (second, {"repository": mark, "ref": "refs/tags/*"})):
        assert register(trusting, trusting.create_user(name), name, issuer.url, claims).status_code == 201
    assert mint(trusting, issuer.token(repository=mark)).json()["namespace"] == second
    assert mint(trusting, issuer.token(repository=mark), namespace=first).json()["namespace"] == first
    assert mint(trusting, issuer.token(repository=mark, ref="refs/heads/x")).json()["namespace"] == first


def test_no_identity_and_no_token_gets_into_the_log(trusting: HubProcess, issuer: Issuer, token: str) -> None:
    identity = issuer.token()
    secret = mint(trusting, identity).json()["token"]
    assert mint(trusting, identity).status_code == 422
    assert identity not in trusting.log
    assert secret not in trusting.log
