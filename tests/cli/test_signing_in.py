"""Signing in and out."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import threading

import pytest
import requests
from cli_process import Carrel

from carrel.testing.hub import PASSWORD, HubProcess


def test_with_a_token_from_standard_input(carrel: Carrel, hub: HubProcess) -> None:
    token = hub.create_user("tokenist")
    document = carrel.json("login", "--hub", hub.url, "--token", stdin=token + "\n")
    assert document == {
        "hub": hub.url,
        "user": "tokenist",
        "namespaces": [{"name": "tokenist", "kind": "user", "role": "owner"}],
    }
    kept = carrel.home / "config" / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert carrel.json("whoami")["user"] == "tokenist"
    assert "tokenist on " + hub.url in carrel.ok("whoami").out


def test_with_a_password(carrel: Carrel, hub: HubProcess) -> None:
    hub.create_user("passworder")
    answer = carrel.ok("login", "--hub", hub.url, "--username", "passworder", stdin=PASSWORD + "\n")
    assert answer.out == f"Signed in to {hub.url} as passworder.\n"
    assert PASSWORD not in (carrel.home / "config" / "credentials.json").read_text()
    assert carrel.json("whoami")["user"] == "passworder"


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_with_a_device_code(carrel: Carrel, start_hub: object, hub: HubProcess, decision: str) -> None:
    name = f"device-{decision}"
    hub.create_user(name)
    process = subprocess.Popen(
        carrel.command("login", "--hub", hub.url),
        env=carrel.environ(),
        cwd=carrel.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stderr is not None
    said = ""
    while not (found := re.search(r"https?://\S+/activate\?code=(\S+)", said)):
        line = process.stderr.readline()
        assert line, said
        said += line
    assert found[1] in said.partition("\n")[0]
    _decide(hub, name, found[0], found[1], decision)
    out, err = process.communicate(timeout=60)
    watchdog.cancel()
    if decision == "approve":
        assert (process.returncode, out) == (0, f"Signed in to {hub.url} as {name}.\n"), err
        assert carrel.json("whoami")["user"] == name
    else:
        assert process.returncode == 4
        assert "refused" in err
        assert carrel("whoami", "--hub", hub.url).code == 4


def _decide(hub: HubProcess, name: str, address: str, code: str, decision: str) -> None:
    """Do what a person does on the hub's page."""
    with requests.Session() as session:
        page = session.get(f"{hub.url}/-/sign-in", timeout=30)
        session.post(
            f"{hub.url}/-/sign-in", data={"name": name, "password": PASSWORD, "next": "/", "_xsrf": _xsrf(page.text)}, timeout=30
        ).raise_for_status()
        page = session.get(address, timeout=30)
        session.post(
            f"{hub.url}/activate", data={"code": code, "decision": decision, "_xsrf": _xsrf(page.text)}, timeout=30
        ).raise_for_status()


def _xsrf(page: str) -> str:
    return page.partition('name="_xsrf" value="')[2].partition('"')[0]


def test_a_wrong_token_is_refused_and_not_kept(carrel: Carrel, hub: HubProcess) -> None:
    answer = carrel("login", "--hub", hub.url, "--token", stdin="ca-" + "a" * 32 + "\n")
    assert answer.code == 4
    assert answer.err.startswith("Error: ")
    assert "token" in answer.err
    assert "Traceback" not in answer.err
    assert not (carrel.home / "config" / "credentials.json").exists()


def test_a_wrong_token_in_the_environment_says_what_to_do(carrel: Carrel, hub: HubProcess) -> None:
    wrong = "ca-" + "b" * 32
    answer = carrel("whoami", env={"CARREL_HUB_URL": hub.url, "CARREL_TOKEN": wrong})
    assert answer.code == 4
    assert "token" in answer.err
    assert wrong not in answer.err + answer.out


def test_signing_out_revokes_the_token(carrel: Carrel, hub: HubProcess) -> None:
    token = hub.create_user("leaver")
    carrel.ok("login", "--hub", hub.url, "--token", stdin=token)
    assert carrel.json("logout") == {"hub": hub.url, "signed_out": True, "revoked": True}
    assert requests.get(f"{hub.url}/api/v1/user", headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code == 401
    answer = carrel("whoami")
    assert answer.code == 4
    assert f"carrel login --hub {hub.url}" in answer.err
    assert carrel.json("logout") == {"hub": hub.url, "signed_out": False, "revoked": False}


def test_ctrl_c_while_waiting_for_the_code(carrel: Carrel, hub: HubProcess) -> None:
    process = subprocess.Popen(
        carrel.command("login", "--hub", hub.url),
        env=carrel.environ(),
        cwd=carrel.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "confirm the code" in process.stderr.readline()
    os.kill(process.pid, 2)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err.splitlines()[-1]) == ("", "Cancelled.")
    assert "Traceback" not in err
