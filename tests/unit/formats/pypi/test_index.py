from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

from packaging.version import Version

from carrel.formats.pypi import index

EVIL = "<script>\"&'"
PROJECT = index.Project("a")
FILE = index.ProjectFile(
    filename="a-1.0-py3-none-any.whl",
    version="1.0",
    url="../../files/ab/a-1.0-py3-none-any.whl",
    sha256="ab" * 32,
    size=12,
    upload_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    requires_python=">=3.9,<4",
    metadata_sha256="cd" * 32,
)


class Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))
        self.scripts += tag == "script"


def anchors(page: bytes) -> list[dict[str, str | None]]:
    parser = Anchors()
    parser.feed(page.decode())
    assert parser.scripts == 0
    return parser.found


def test_the_json_page_has_every_mandatory_field() -> None:
    document = json.loads(index.project_json(PROJECT, [FILE]))
    assert document["meta"] == {"api-version": "1.4"}
    assert document["name"] == "a"
    assert document["versions"] == ["1.0"]
    (file,) = document["files"]
    assert file["hashes"] == {"sha256": "ab" * 32}
    assert file["core-metadata"] == file["dist-info-metadata"] == {"sha256": "cd" * 32}
    assert file["size"] == 12
    assert file["upload-time"] == "2026-01-02T03:04:05.000000Z"
    assert file["requires-python"] == ">=3.9,<4"
    assert file["yanked"] is False


def test_the_html_page_says_the_same() -> None:
    (anchor,) = anchors(index.project_html(PROJECT, [FILE]))
    assert anchor["href"] == f"{FILE.url}#sha256={'ab' * 32}"
    assert anchor["data-requires-python"] == ">=3.9,<4"
    assert anchor["data-core-metadata"] == anchor["data-dist-info-metadata"] == f"sha256={'cd' * 32}"
    assert "data-yanked" not in anchor


def test_yanked_with_and_without_a_reason() -> None:
    for yanked, told in ((True, ""), ("broken <b>", "broken <b>")):
        file = replace(FILE, yanked=yanked)
        assert anchors(index.project_html(PROJECT, [file]))[0]["data-yanked"] == told
        assert json.loads(index.project_json(PROJECT, [file]))["files"][0]["yanked"] == yanked


def test_nothing_escapes_from_its_place() -> None:
    file = replace(FILE, filename=EVIL, url=EVIL, requires_python=EVIL, yanked=EVIL, provenance=EVIL)
    (anchor,) = anchors(index.project_html(index.Project(EVIL, EVIL, EVIL, (EVIL,), (EVIL,)), [file]))
    assert anchor["data-yanked"] == anchor["data-provenance"] == EVIL
    assert len(anchors(index.root_html([EVIL, "b"]))) == 2


def test_versions_are_sorted_as_versions() -> None:
    files = [replace(FILE, version=version) for version in ("1.10", "1.9", "1.0rc1", "1.10", "odd one")]
    versions = json.loads(index.project_json(PROJECT, files))["versions"]
    assert versions == ["odd one", "1.0rc1", "1.9", "1.10"]
    assert versions[1:] == sorted(versions[1:], key=Version)


def test_the_list_of_projects() -> None:
    assert json.loads(index.root_json(["a", "b"]))["projects"] == [{"name": "a"}, {"name": "b"}]
    assert [anchor["href"] for anchor in anchors(index.root_html(["a", "b"]))] == ["a/", "b/"]
