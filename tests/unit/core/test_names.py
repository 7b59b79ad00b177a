from __future__ import annotations

import pytest

from carrel.core import names
from carrel.core.errors import InvalidName


@pytest.mark.parametrize("name", ["a", "alice", "team-1", "a.b_c-d", "0x", "a" * 64])
def test_namespaces(name: str) -> None:
    assert names.validate_namespace(name) == name


@pytest.mark.parametrize("name", ["", "Alice", "-a", "a-", "a--b", "a b", "a/b", "ä", "a" * 65, "a\n", "api", "conda", "t", "search"])
def test_not_namespaces(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        names.validate_namespace(name)
    assert caught.value.fields["field"] == "namespace"


@pytest.mark.parametrize("name", ["numpy", "R6", "ruamel.yaml", "_libgcc_mutex", "a", "Flask-SQLAlchemy"])
def test_packages(name: str) -> None:
    assert names.validate_package(name) == name


@pytest.mark.parametrize("name", ["", ".hidden", "a-", "-a", "a b", "a/b", "..", "a" * 129, "a\n"])
def test_not_packages(name: str) -> None:
    with pytest.raises(InvalidName):
        names.validate_package(name)


@pytest.mark.parametrize("version", ["1", "1.0", "2024.1rc1", "1!2.0", "1.0+cu118", "0.1.0-2"])
def test_versions(version: str) -> None:
    assert names.validate_version(version) == version


@pytest.mark.parametrize("version", ["", "latest", ".1", "-1", "1 0", "1/0", "1" * 128, "1\n"])
def test_not_versions(version: str) -> None:
    with pytest.raises(InvalidName):
        names.validate_version(version)


@pytest.mark.parametrize("label", ["main", "dev", "release/2026", "a.b-c_d"])
def test_labels(label: str) -> None:
    assert names.validate_label(label) == label


@pytest.mark.parametrize("label", ["", "1st", "a//b", "a/../b", "a/.", "dev/linux-64", "noarch", "nolabel", "a/", "a b", "a" * 129])
def test_not_labels(label: str) -> None:
    with pytest.raises(InvalidName):
        names.validate_label(label)


@pytest.mark.parametrize(
    ("text", "subdir"), [("noarch", True), ("linux-64", True), ("osx-arm64", True), ("main", False), ("linux-64/x", False)]
)
def test_subdirs(text: str, subdir: bool) -> None:
    assert names.is_subdir(text) is subdir


@pytest.mark.parametrize(
    ("text", "slug"), [("My Analysis (v2)", "my-analysis-v2"), ("été.ipynb", "t-ipynb"), ("***", "untitled"), ("", "untitled")]
)
def test_slugs(text: str, slug: str) -> None:
    assert names.slugify(text) == slug


def test_messages_show_at_most_the_start_of_a_name() -> None:
    with pytest.raises(InvalidName) as caught:
        names.validate_package("x" * 5000)
    assert len(caught.value.detail) < 300
