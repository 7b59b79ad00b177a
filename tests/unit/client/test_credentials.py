from __future__ import annotations

import json
import os
import threading

import pytest

from carrel.client.credentials import CredentialStore, normalize_hub_url
from carrel.core.errors import BadRequest, Unavailable

TOKEN = "ca-" + "b3" * 16
HUB = "https://hub.invalid"


@pytest.fixture
def store(tmp_path):
    return CredentialStore(tmp_path / "carrel", environ={})


def test_tokens_are_kept_for_their_owner_alone(store):
    assert store.get(HUB) is None
    store.save(HUB + "/", TOKEN, "ada")
    credential = store.get(HUB)
    assert (credential.token, credential.user, credential.hub_url) == (TOKEN, "ada", HUB)
    assert store.default_hub() == HUB
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o077 == 0
    assert TOKEN not in repr(credential)


def test_a_file_that_others_can_read_is_closed(store):
    store.save(HUB, TOKEN)
    store.path.chmod(0o644)
    store.get(HUB)
    assert store.path.stat().st_mode & 0o077 == 0


def test_forgetting(store):
    store.save(HUB, TOKEN)
    assert store.forget(HUB) is True
    assert store.forget(HUB) is False
    assert store.get(HUB) is None
    assert TOKEN not in store.path.read_text()


def test_two_hubs_do_not_share_tokens(store):
    store.save(HUB, TOKEN)
    store.save("https://other.invalid", "ca-other")
    assert store.get(HUB).token == TOKEN
    assert store.hubs() == [HUB, "https://other.invalid"]
    assert store.get("https://hub.invalid.evil.invalid") is None
    assert store.get("http://hub.invalid") is None
    assert store.get("https://hub.invalid:8443") is None


def test_many_writers_lose_nothing(store):
    threads = [threading.Thread(target=store.save, args=(f"https://h{n}.invalid", f"t{n}")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.hubs()) == 12
    assert [p.name for p in store.path.parent.iterdir() if p.name.startswith(".credentials-")] == []


def test_a_damaged_file_says_what_to_do(store):
    store.path.parent.mkdir()
    store.path.write_text("{")
    with pytest.raises(Unavailable, match="sign in again"):
        store.get(HUB)
    store.path.write_text(json.dumps({"hubs": []}))
    assert store.get(HUB) is None


def test_the_environment_wins_but_only_for_the_chosen_hub(tmp_path):
    def store(**environ):
        return CredentialStore(tmp_path, environ=environ)

    assert store(CARREL_HUB_URL=HUB + "/").default_hub() == HUB
    both = store(CARREL_HUB_URL=HUB, CARREL_TOKEN=TOKEN)
    assert both.get(HUB).token == TOKEN
    assert both.get("https://other.invalid") is None
    assert both.get("https://other.invalid", chosen=True) is None
    token_only = store(CARREL_TOKEN=TOKEN)
    assert token_only.get(HUB) is None, "a hub that was only named in a link gets no token"
    assert token_only.get(HUB, chosen=True).token == TOKEN


def test_configuration_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CARREL_CONFIG_DIR", str(tmp_path / "c"))
    assert CredentialStore().path == tmp_path / "c" / "credentials.json"


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://Hub.Invalid/", "https://hub.invalid"),
        ("https://hub.invalid:443/x/", "https://hub.invalid/x"),
        ("http://hub.invalid:80", "http://hub.invalid"),
        ("http://[::1]:8000/?q=1#f", "http://[::1]:8000"),
    ],
)
def test_normal_form_of_addresses(url, normal):
    assert normalize_hub_url(url) == normal


@pytest.mark.parametrize("url", ["hub.invalid", "ftp://hub.invalid", "https://ada:pw@hub.invalid", "https://", ""])
def test_addresses_that_are_refused(url):
    with pytest.raises(BadRequest):
        normalize_hub_url(url)


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_an_unreadable_file_says_what_to_do(store):
    store.save(HUB, TOKEN)
    store.path.parent.chmod(0o000)
    try:
        with pytest.raises(Unavailable):
            store.get(HUB)
    finally:
        store.path.parent.chmod(0o700)
