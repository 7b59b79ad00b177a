"""``carrel publisher``."""

from __future__ import annotations

from typing import Any

import click

from carrel.cli.invocation import Invocation, namespace_option, subcommand, usage
from carrel.cli.lazy import noun
from carrel.cli.output import columns
from carrel.client.publishers import Publisher

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
_PUBLISHER = {
    "id": "Number of the publisher.",
    "package": "The package it may upload, or null for the whole namespace.",
    "issuer": "Who vouches for the identity.",
    "claims": "What the identity must bear.",
    "created_at": "When it was added.",
    "created_by": "By whom.",
    "last_used_at": "When it uploaded last, or null.",
}


def _json(publisher: Publisher) -> dict[str, Any]:
    return {member: getattr(publisher, member) for member in _PUBLISHER}


@subcommand({"namespace": "Namespace.", "publishers": "Objects with the members that 'carrel publisher add' answers."}, name="list")
@click.argument("namespace", required=False)
def list_(invocation: Invocation, namespace: str | None) -> None:
    """List who may upload without a kept token."""
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    found = client.publishers.list(namespace)
    if not found:
        invocation.note(f"{namespace} trusts no publisher.")
    rows = [[entry.id, entry.package or "*", entry.issuer, " ".join(f"{k}={v}" for k, v in entry.claims.items())] for entry in found]
    invocation.answer({"namespace": namespace, "publishers": [_json(entry) for entry in found]}, columns(rows))


@subcommand(
    _PUBLISHER,
    examples=(
        "carrel publisher add --namespace acme --package charts --github acme/charts --workflow release.yml",
        "carrel publisher add --issuer https://login.example.org --claim sub=builder",
    ),
)
@namespace_option
@click.option("--package", metavar="NAME", help="The package, which need not exist yet (default: the whole namespace).")
@click.option("--github", metavar="OWNER/REPO", help="Trust the actions of this GitHub repository.")
@click.option("--gitlab", metavar="GROUP/PROJECT", help="Trust the pipelines of this GitLab project.")
@click.option("--workflow", metavar="FILE", help="Only this workflow of the repository.")
@click.option("--environment", metavar="NAME", help="Only from this deployment environment.")
@click.option("--issuer", metavar="ADDRESS", help="Another issuer of identities that the hub trusts.")
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="What the identity must bear; may be repeated.")
def add(
    invocation: Invocation,
    namespace: str | None,
    package: str | None,
    github: str | None,
    gitlab: str | None,
    workflow: str | None,
    environment: str | None,
    issuer: str | None,
    claims: tuple[str, ...],
) -> None:
    """Let a build service upload without a kept token.

    The service proves who it is with an identity of its own (OpenID Connect), for which the hub gives it a token of a few
    minutes.
    """
    wanted = identity(github, gitlab, workflow, environment, issuer, claims)
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    made = client.publishers.add(namespace, *wanted, package)
    what = f"{namespace}/{package}" if package else f"everything in {namespace}"
    invocation.answer(_json(made), f"Publisher {made.id} may upload {what}.")


def identity(
    github: str | None,
    gitlab: str | None,
    workflow: str | None,
    environment: str | None,
    issuer: str | None,
    claims: tuple[str, ...],
) -> tuple[str, dict[str, str]]:
    """Return the issuer and the claims that the options stand for."""
    if sum(value is not None for value in (github, gitlab, issuer)) != 1:
        usage("Choose one of --github, --gitlab and --issuer.")
    if workflow and not github:
        usage("--workflow goes with --github.")
    wanted: dict[str, str] = {}
    if github:
        wanted["repository"] = github
        if workflow:
            wanted["workflow_ref"] = f"{github}/.github/workflows/{workflow}@*"
    if gitlab:
        wanted["project_path"] = gitlab
    if environment:
        wanted["environment"] = environment
    for text in claims:
        name, equals, value = text.partition("=")
        if not equals or not name:
            usage(f"{text!r} is no claim: write NAME=VALUE.")
        wanted[name] = value
    if not wanted:
        usage("Say with --claim what the identity must bear.")
    return issuer or (GITHUB if github else GITLAB), wanted


@subcommand({"namespace": "Namespace.", "id": "The publisher.", "removed": "True."})
@click.argument("publisher")
@namespace_option
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def remove(invocation: Invocation, publisher: str, namespace: str | None, yes: bool) -> None:
    """Trust a publisher no more."""
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    if not yes:
        invocation.confirm(f"Remove publisher {publisher} of {namespace}?")
    client.publishers.remove(namespace, publisher)
    invocation.answer({"namespace": namespace, "id": publisher, "removed": True}, f"Publisher {publisher} is removed.")


command = noun(
    "publisher",
    [list_, add, remove],
    "Let build services upload without a kept token.",
    {"create": "'carrel publisher add'", "delete": "'carrel publisher remove'"},
)
