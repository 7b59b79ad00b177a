from __future__ import annotations

import pytest

from carrel.hub.channels.pypi.negotiation import Form, negotiate

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form.TEXT),
        ("*/*", Form.TEXT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form.TEXT),
        (f"{JSON}, {HTML};q=0.1, text/html;q=0.01", Form.JSON),
        (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", Form.JSON),
        (f"{HTML}, text/html;q=0.5", Form.HTML),
        ("application/vnd.pypi.simple.latest+json", Form.JSON),
        (f"{JSON};q=0, text/html", Form.TEXT),
        ("application/json", None),
        ("image/png;q=nonsense", None),
    ],
)
def test_negotiate(accept: str, form: Form | None) -> None:
    assert negotiate(accept) is form
