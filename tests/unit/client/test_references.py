from __future__ import annotations

import pytest

from carrel.client.references import Reference
from carrel.core.errors import BadRequest

HUB = "https://hub.invalid/prefix"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme/analysis", Reference("acme", "analysis")),
        (" acme/analysis@7 ", Reference("acme", "analysis", "7")),
        ("acme/analysis@latest", Reference("acme", "analysis")),
        ("acme/analysis@1.0+local", Reference("acme", "analysis", "1.0+local")),
        (f"{HUB}/acme/analysis", Reference("acme", "analysis", None, HUB)),
        (f"{HUB}/acme/analysis/7/", Reference("acme", "analysis", "7", HUB)),
        ("http://other.invalid:8000/acme/analysis/7?x=1#y", Reference("acme", "analysis", "7", "http://other.invalid:8000")),
        ("https://hub.invalid/acme/an%2Ealysis", Reference("acme", "an.alysis", None, "https://hub.invalid")),
    ],
)
def test_forms(text, expected):
    assert Reference.parse(text, HUB) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme",
        "acme/analysis@",
        "acme/analysis/7",
        "../etc",
        "acme/../x",
        "Acme/analysis",
        "search/x",
        "javascript://x/acme/a",
        "file:///acme/a",
        "https://ada:pw@hub.invalid/acme/a",
        "https://hub.invalid/",
        "https://hub.invalid/a/b/c/d",
        "https://hub.invalid/acme/%2e%2e",
        "acme/a b",
    ],
)
def test_what_is_no_reference(text):
    with pytest.raises(BadRequest):
        Reference.parse(text, HUB)


def test_text_and_page():
    reference = Reference("acme", "analysis", "1.0+x")
    assert str(reference) == "acme/analysis@1.0+x"
    assert Reference.parse(str(reference)) == reference
    assert reference.page("https://h/") == "https://h/acme/analysis/1.0%2Bx"
    assert str(Reference("acme", "a").with_version("2")) == "acme/a@2"
