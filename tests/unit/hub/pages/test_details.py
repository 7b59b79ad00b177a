"""What a package page tells of a file, by its kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from carrel.hub.packages.views import FileView
from carrel.hub.pages.details import Details, details_of


def told(kind: str, attributes: dict[str, Any]) -> Details:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return details_of(
        FileView(
            id=1,
            release_id=1,
            namespace="acme",
            package="tool",
            version="1",
            filename="tool",
            kind=kind,
            subdir="",
            size=1,
            sha256="0" * 64,
            md5="0" * 32,
            labels=("main",),
            attributes=attributes,
            uploaded_at=moment,
            uploaded_by="ada",
            downloads=0,
        )
    )


def lists(details: Details) -> dict[str, list[str]]:
    return {item.title: list(item.items) for item in details.lists}


def test_a_conda_package_tells_what_it_needs_and_exports() -> None:
    details = told("conda", {"index": {"depends": ["python >=3.11"], "build": "py_0"}, "run_exports": {"weak": ["tool >=1"]}})
    assert lists(details) == {"Depends": ["python >=3.11"], "Exports, weak": ["tool >=1"]}
    assert ("Build", "py_0") in details.facts


def test_requirements_of_extras_stand_apart() -> None:
    details = told("pypi", {"requires_dist": ["a", 'b>=2; extra == "plot"', 'c; python_version < "3.12" and extra == "plot"', "not!valid"]})
    assert lists(details) == {"Requires": ["a", "not!valid"], "With the extra “plot”": ["b>=2", 'c ; python_version < "3.12"']}


def test_source_packages_are_marked() -> None:
    assert told("pypi", {"source": True}).source
    assert told("r", {"source": True, "description": {"Author": "A. Writer", "Title": "Shown above"}}).fields == [("Author", "A. Writer")]
    assert not told("pypi", {}).source


def test_a_long_list_says_what_is_left_out() -> None:
    (requires,) = told("pypi", {"requires_dist": [f"p{number}" for number in range(250)]}).lists
    assert (len(requires.items), requires.more) == (200, 50)


def test_kinds_with_pages_of_their_own_tell_nothing_here() -> None:
    assert told("notebook", {"depends": ["x"]}) == Details()
