"""Sign-up, tokens, device sign-in, browser sessions and their protection."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
import requests
from api_world import Api, World, problem

from carrel.testing.hub import PASSWORD, HubProcess


def test_sign_up_and_who_am_i(hub: HubProcess) -> None:
    token = hub.create_user("newcomer")
    user = Api(hub.url, token).get("user").json()
    assert user == {
        "name": "newcomer",
        "display_name": "newcomer",
        "kind": "user",
        "namespaces": [{"name": "newcomer", "kind": "user", "role": "owner", "display_name": "newcomer"}],
    }
    assert problem(Api(hub.url).get("user"))["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "newcomer2", "password": "short"}, 422, "weak_password"),
        ({"name": "Not Allowed", "password": PASSWORD}, 400, "invalid_name"),
        ({"name": "api", "password": PASSWORD}, 400, "invalid_name"),
        ({"password": PASSWORD}, 422, "invalid_input"),
    ],
)
def test_sign_ups_that_are_refused(hub: HubProcess, body: dict[str, str], status: int, code: str) -> None:
    answer = Api(hub.url).post("users", body)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)
    assert PASSWORD not in answer.text


def test_names_are_taken_once(hub: HubProcess) -> None:
    hub.create_user("unique")
    answer = Api(hub.url).post("users", {"name": "unique", "password": PASSWORD})
    assert (answer.status_code, problem(answer)["code"]) == (409, "name_taken")


def test_closed_registration(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--registration=closed")
    assert Api(hub.url).get("").json()["registration"] == "closed"
    answer = Api(hub.url).post("users", {"name": "alice", "password": PASSWORD})
    assert (answer.status_code, problem(answer)["code"]) == (403, "registration_closed")


def test_sign_ups_are_slowed_down(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--registrations-per-hour=2")
    body = {"name": "walter", "password": PASSWORD}
    answers = [requests.post(f"{hub.url}/api/v1/users", json=body, timeout=30) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 409, 429]
    assert int(answers[2].headers["Retry-After"]) > 0


def test_passwords_make_tokens_and_nothing_else(hub: HubProcess) -> None:
    hub.create_user("careful")
    base = f"{hub.url}/api/v1"
    answer = requests.get(f"{base}/user", auth=("careful", PASSWORD), timeout=30)
    assert (answer.status_code, problem(answer)["code"]) == (401, "password_not_accepted")
    wrong = requests.post(f"{base}/tokens", json={"name": "x"}, auth=("careful", "wrong password"), timeout=30)
    unknown = requests.post(f"{base}/tokens", json={"name": "x"}, auth=("nobody", "wrong password"), timeout=30)
    assert wrong.json() == unknown.json()
    assert (wrong.status_code, problem(wrong)["code"]) == (401, "invalid_credentials")


def test_guessing_is_slowed_down(hub: HubProcess) -> None:
    hub.create_user("guessed")
    statuses = []
    for _ in range(12):
        answer = requests.post(f"{hub.url}/api/v1/tokens", json={"name": "x"}, auth=("guessed", "wrong password"), timeout=30)
        statuses.append(answer.status_code)
    assert statuses == [401] * 10 + [429] * 2
    assert int(answer.headers["Retry-After"]) > 0
    assert problem(answer)["code"] == "rate_limited"


def test_tokens(hub: HubProcess) -> None:
    api = Api(hub.url, hub.create_user("holder"))
    made = api.post("tokens", {"name": "ci", "scopes": ["package:read"], "expires_in": 3600}).json()
    assert made["token"].startswith(made["prefix"])
    assert made["scopes"] == ["package:read"]
    listed = api.get("tokens").json()["items"]
    assert [item["name"] for item in listed] == ["ci", "tests"]
    assert not any("token" in item for item in listed)
    other = Api(hub.url, made["token"])
    assert other.get("namespaces/holder/packages").status_code == 200
    assert api.delete(f"tokens/{made['id']}").status_code == 204
    assert other.get("namespaces/holder/packages").status_code == 401
    assert api.delete(f"tokens/{made['id']}").status_code == 404
    stranger = Api(hub.url, hub.create_user("stranger"))
    assert stranger.delete(f"tokens/{listed[1]['id']}").status_code == 404
    assert api.delete("tokens/current").status_code == 204
    assert api.get("user").status_code == 401
    assert api.post("tokens", {"name": "x", "scopes": ["all:powers"]}).status_code == 401


def browser(hub: HubProcess, name: str) -> tuple[requests.Session, str]:
    """Return a signed-in browser's cookies and its XSRF token."""
    session = requests.Session()
    session.get(f"{hub.url}/-/sign-in", timeout=30)
    xsrf = session.cookies["_xsrf"]
    form = {"_xsrf": xsrf, "name": name, "password": PASSWORD}
    answer = session.post(f"{hub.url}/-/sign-in", data=form, allow_redirects=False, timeout=30)
    assert answer.status_code in (302, 303), answer.text
    return session, xsrf


def test_sessions_need_the_xsrf_token_for_changes(hub: HubProcess) -> None:
    hub.create_user("surfer")
    session, xsrf = browser(hub, "surfer")
    base = f"{hub.url}/api/v1"
    assert session.get(f"{base}/user", timeout=30).json()["name"] == "surfer"
    forged = session.post(f"{base}/tokens", json={"name": "x"}, timeout=30)
    assert (forged.status_code, problem(forged)["code"]) == (403, "xsrf")
    assert session.post(f"{base}/tokens", json={"name": "x"}, headers={"X-XSRFToken": xsrf}, timeout=30).status_code == 201
    cookie = next(item for item in session.cookies if item.name == "carrel_session")
    assert "HttpOnly" in cookie._rest
    assert cookie._rest.get("SameSite") == "Lax"
    assert cookie.value not in hub.log


def test_device_sign_in(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--device-interval=1")
    hub.create_user("alice")
    api = Api(hub.url)
    code = api.post("device/code", {"client_name": "JupyterLab"}).json()
    assert code["verification_uri_complete"] == f"{hub.url}/activate?code={code['user_code']}"
    assert (code["interval"], code["expires_in"]) == (1, 900)
    assert problem(api.post("device/token", {"device_code": code["device_code"]}))["code"] == "authorization_pending"
    assert problem(api.post("device/token", {"device_code": code["device_code"]}))["code"] == "slow_down"
    assert problem(api.post("device/token", {"device_code": "unknown"}))["code"] == "expired_token"


@pytest.mark.parametrize("approve", [True, False], ids=["approve", "deny"])
def test_a_person_decides_about_a_device(hub: HubProcess, approve: bool) -> None:
    name = f"person-{'yes' if approve else 'no'}"
    token = hub.create_user(name)
    api = Api(hub.url)
    code = api.post("device/code", {"client_name": "JupyterLab <b>here</b>"}).json()
    question = {"device_code": code["device_code"]}
    page, decision = code["verification_uri_complete"], "approve" if approve else "deny"
    stranger = requests.get(page, headers={"Accept": "text/html"}, allow_redirects=False, timeout=30)
    assert stranger.headers["Location"].startswith("/-/sign-in?next=/activate")
    form = {"code": code["user_code"], "decision": decision}
    assert requests.post(f"{hub.url}/activate", data=form, timeout=30).status_code == 401
    # A token is no person, and another site cannot speak for one.
    bearer = requests.Session()
    bearer.headers["Authorization"] = f"Bearer {token}"
    bearer.get(f"{hub.url}/-/sign-in", timeout=30)
    assert bearer.post(f"{hub.url}/activate", data=form, timeout=30).status_code == 403
    session, xsrf = browser(hub, name)
    shown = session.get(page, timeout=30).text
    assert "JupyterLab &lt;b&gt;here&lt;/b&gt;" in shown
    assert session.post(f"{hub.url}/activate", data=form, timeout=30).status_code == 403
    assert problem(api.post("device/token", question))["code"] == "authorization_pending"
    assert session.post(f"{hub.url}/activate", data=form | {"_xsrf": xsrf}, timeout=30).status_code == 200
    # Decided once: the same code is worth nothing to the next one.
    assert session.post(f"{hub.url}/activate", data=form | {"_xsrf": xsrf}, timeout=30).status_code == 404
    answer = api.post("device/token", question)
    if not approve:
        assert problem(answer)["code"] == "access_denied"
        return
    new = answer.json()
    assert (answer.status_code, new["name"]) == (200, "JupyterLab <b>here</b>")
    assert Api(hub.url, new["token"]).get("user").json()["name"] == name
    assert problem(api.post("device/token", question))["code"] == "expired_token"


@pytest.mark.parametrize("after", ["//[", "/\\evil", "//evil", "https://evil/", "/ok\t//evil", "/[x?y=//z"])
def test_sign_in_leads_nowhere_else(hub: HubProcess, after: str) -> None:
    name = f"reader-{uuid.uuid4().hex[:8]}"
    hub.create_user(name)
    session, _ = browser(hub, name)
    answer = session.get(f"{hub.url}/-/sign-in", params={"next": after}, allow_redirects=False, timeout=30)
    assert answer.status_code == 303
    assert answer.headers["Location"] == (after if after.startswith("/[") else "/")


def test_a_hub_that_is_not_for_strangers(start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub("--allow-anonymous=false")
    api = Api(hub.url, hub.create_user("alice"))
    url = api.upload("alice", "x.csv", b"x", package="p", version="1", visibility="public").json()["download_url"]
    assert api.get(url).headers["Cache-Control"].startswith("private")
    assert Api(hub.url).get(url).status_code == 401
    assert Api(hub.url).get("search?q=p").status_code == 401
    assert Api(hub.url).get("").status_code == 200


def test_organizations_over_http(world: World) -> None:
    api, org = world.owner, world.organization
    assert problem(api.post("organizations", {"name": org}))["code"] == "name_taken"
    members = api.get(f"organizations/{org}/members").json()["items"]
    assert {item["name"]: item["role"] for item in members} == {world.names["owner"]: "owner", world.names["member"]: "member"}
    assert api.get(f"namespaces/{org}").json()["default_visibility"] == "organization"
    assert api.patch(f"namespaces/{org}", {"display_name": "Org", "default_visibility": "public"}).json()["display_name"] == "Org"
    name = world.names["owner"]
    assert problem(api.patch(f"namespaces/{name}", {"default_visibility": "organization"}))["code"] == "not_an_organization"
    assert problem(api.delete(f"organizations/{org}/members/{name}"))["code"] == "last_owner"
    assert api.get(f"organizations/{name}/members").status_code == 404
