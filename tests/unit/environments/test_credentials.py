from __future__ import annotations

import pytest

from carrel.environments.credentials import headers_for, redact, strip_url, user_and_password


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://hub.example/conda/t/ca-abc123/acme/noarch/a.conda", "https://hub.example/conda/acme/noarch/a.conda"),
        ("https://me:secret@hub.example:8443/x?sig=1#frag", "https://hub.example:8443/x"),
        ("https://hub.example/t/<TOKEN>/acme", "https://hub.example/acme"),
        ("file:///opt/channel", "file:///opt/channel"),
        ("conda-forge", "conda-forge"),
    ],
)
def test_addresses_lose_their_credentials(url: str, stripped: str) -> None:
    assert strip_url(url) == stripped


def test_text_is_redacted() -> None:
    headers = {"https://hub.example": {"Authorization": "Bearer ca-topsecret"}}
    text = redact("GET https://me:pw@h/x /t/ca-abc123/y ca-topsecret https://s/?X-Amz-Signature=abcdef&a=1", headers)
    assert text == "GET https://h/x /y *** https://s/?X-Amz-Signature=***&a=1"


def test_headers_go_to_whole_hosts_and_path_parts_only() -> None:
    headers = {"https://hub.example": {"A": "1"}, "https://hub.example/conda/acme": {"A": "2"}}
    assert headers_for("https://hub.example/pypi", headers) == {"A": "1"}
    assert headers_for("https://hub.example/conda/acme/noarch", headers) == {"A": "2"}
    assert headers_for("https://hub.example/conda/acme2", headers) == {"A": "1"}
    assert headers_for("https://hub.example.evil/", headers) == {}
    assert headers_for("http://hub.example/", headers) == {}
    assert headers_for("https://hub.example:8443/", headers) == {}


def test_headers_become_user_and_password() -> None:
    assert user_and_password("https://h/", {"https://h": {"authorization": "Bearer ca-1"}}) == ("__token__", "ca-1")
    assert user_and_password("https://h/", {"https://h": {"Authorization": "Basic bWU6cHc="}}) == ("me", "pw")
    assert user_and_password("https://a:b%40c@h/", {}) == ("a", "b@c")
    assert user_and_password("https://h/", {}) is None
