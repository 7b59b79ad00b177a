"""Whom a provenance object names."""

from __future__ import annotations

import pytest
from pypi_attestations import GitHubPublisher, GitLabPublisher, GooglePublisher

from carrel.formats.pypi.provenance import file_project, publisher_object

GITHUB = "https://token.actions.githubusercontent.com"


def test_publishers_as_clients_read_them() -> None:
    claims = {"repository": "a/b", "workflow_ref": "a/b/.github/workflows/r.yml@refs/tags/v1", "sub": "https://x"}
    github = GitHubPublisher.model_validate(publisher_object(GITHUB, {**claims, "environment": "release"}))
    assert (github.repository, github.workflow, github.environment) == ("a/b", "r.yml", "release")
    claims = {"repository": "group/sub/project", "workflow_ref": "group/sub/project//ci/release.yml@refs/heads/main"}
    for issuer in ("https://gitlab.com", "https://gitlab.example.org:8443/base"):
        gitlab = GitLabPublisher.model_validate(publisher_object(issuer, claims))
        assert (gitlab.repository, gitlab.workflow_filepath) == ("group/sub/project", "ci/release.yml")
    google = GooglePublisher.model_validate(publisher_object("https://accounts.google.com", {"email": "a@b.example", "sub": "1"}))
    assert google.email == "a@b.example"
    other = publisher_object("https://git.example/", {"sub": "someone"})
    assert (other["kind"], other["issuer"], other["subject"]) == ("OpenID", "https://git.example/", "someone")


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("My_Tool-1.0.0-py3-none-any.whl", ("my-tool", "1.0.0")),
        ("my.tool-1.0rc1.tar.gz", ("my-tool", "1.0rc1")),
        ("nonsense", None),
        ("a-b-c.whl", None),
        ("tool-x.tar.gz", None),
    ],
)
def test_project_of_a_file_name(filename: str, expected: tuple[str, str] | None) -> None:
    assert file_project(filename) == expected


@pytest.mark.parametrize("issuer", ["http://[x", "https://a\u2100b.example", ""])
def test_issuers_that_are_no_addresses(issuer: str) -> None:
    assert publisher_object(issuer, {"repository": "acme/x"})["kind"] == "OpenID"
