"""Which identities a publisher stands for."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.hub.publishers.claims import matches

MATCHED: tuple[tuple[dict[str, str], dict[str, Any], bool], ...] = (
    ({"repository": "a/b"}, {"repository": "a/b", "ref": "x"}, True),
    ({"repository": "a/b"}, {"repository": "A/b"}, False),
    ({"repository": "a/b"}, {}, False),
    ({"repository": "a/b"}, {"repository": None}, False),
    ({"repository": "a/b"}, {"repository": ["a/b"]}, True),
    ({"repository": "a/b"}, {"repository": [["a/b"]]}, False),
    ({"repository": "a/b"}, {"repository": {"a/b": 1}}, False),
    ({"repository": "*"}, {"repository": "a/b"}, False),
    ({"id": "7"}, {"id": 7}, True),
    ({"ref_protected": "true"}, {"ref_protected": True}, True),
    ({"ref": "refs/tags/v*"}, {"ref": "refs/tags/v1.0"}, True),
    ({"ref": "refs/tags/v*"}, {"ref": "refs/tags/w"}, False),
    ({"ref": "refs/*/v*"}, {"ref": "x\nrefs/tags/v1"}, False),
    ({"ref": "a.c*"}, {"ref": "abc"}, False),
    ({"ref": "refs/heads/ma?n*"}, {"ref": "refs/heads/main"}, False),
)


@pytest.mark.parametrize(("wanted", "borne", "expected"), MATCHED)
def test_matches(wanted: dict[str, str], borne: dict[str, Any], *, expected: bool) -> None:
    assert matches(wanted, borne) is expected


def test_patterns_of_many_stars_are_compared_at_once() -> None:
    assert not matches({"ref": "*a" * 100 + "*b"}, {"ref": "a" * 5000})
    assert matches({"ref": "*a" * 100 + "*b"}, {"ref": "a" * 5000 + "b"})
    assert not matches({"ref": "ab*ba"}, {"ref": "aba"})
    assert matches({"ref": "a**b"}, {"ref": "ab"})
