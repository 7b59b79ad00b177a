"""The hub as a process: what was answered survives its death."""

from __future__ import annotations

import requests

from carrel.testing.hub import HubProcess


def whoami(hub: HubProcess, token: str) -> requests.Response:
    return requests.get(f"{hub.url}/api/v1/user", headers={"Authorization": f"token {token}"}, timeout=30)


def test_what_was_answered_survives_a_kill(hub: HubProcess) -> None:
    token = hub.create_user("survivor")
    hub.kill()
    hub.restart()
    answer = whoami(hub, token)
    assert answer.status_code == 200, hub.log
    assert answer.json()["name"] == "survivor"


def test_an_orderly_end_leaves_no_error_in_the_log(hub: HubProcess) -> None:
    token = hub.create_user("orderly")
    hub.restart()
    assert whoami(hub, token).ok
    assert "Traceback" not in hub.log


def test_tokens_do_not_reach_the_log(hub: HubProcess) -> None:
    token = hub.create_user("quiet")
    requests.get(f"{hub.url}/conda/t/{token}/quiet/noarch/repodata.json", timeout=30)
    assert token not in hub.log
