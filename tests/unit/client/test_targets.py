from __future__ import annotations

import pytest

from carrel.client.targets import Target
from carrel.core.errors import BadRequest

HUB = "https://hub.invalid"


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("acme", Target("acme"), "acme"),
        ("acme/charts", Target("acme", "charts"), "acme/charts"),
        ("acme/charts@1.0", Target("acme", "charts", "1.0"), "acme/charts@1.0"),
        ("acme/charts/1.0", Target("acme", "charts", "1.0"), "acme/charts@1.0"),
        ("acme/charts@latest/a.csv", Target("acme", "charts", None, "a.csv"), "acme/charts/a.csv"),
        ("acme/charts@1.0/a.whl", Target("acme", "charts", "1.0", "a.whl"), "acme/charts@1.0/a.whl"),
        ("acme/charts/1.0/linux-64/a.conda", Target("acme", "charts", "1.0", "a.conda", "linux-64"), "acme/charts@1.0/linux-64/a.conda"),
        ("acme/c@1/macosx/arm/4.4/c.tgz", Target("acme", "c", "1", "c.tgz", "macosx/arm/4.4"), "acme/c@1/macosx/arm/4.4/c.tgz"),
        (f"{HUB}/acme/charts/1.0", Target("acme", "charts", "1.0", hub_url=HUB), "acme/charts@1.0"),
    ],
)
def test_targets(text: str, expected: Target, written: str) -> None:
    assert Target.parse(text, HUB) == expected
    assert str(expected) == written


@pytest.mark.parametrize(
    "text", ["", "/", "A B", "acme//charts", "acme/charts@", "acme/charts@1/../x", "acme/a b", "acme/c@1/a/b/c/d/e", "ftp://x/y/z"]
)
def test_what_names_nothing(text: str) -> None:
    with pytest.raises(BadRequest):
        Target.parse(text, HUB)
