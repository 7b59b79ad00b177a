"""``carrel package``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.lazy import noun
from carrel.cli.output import columns
from carrel.client.models import Package
from carrel.core.access import Permission, Status, Visibility

_VISIBILITY = [entry.value for entry in Visibility]
_STATUS = [entry.value for entry in Status]
_PERMISSION = [entry.value for entry in Permission]
_PACKAGE = {
    "namespace": "Namespace.",
    "name": "Name.",
    "summary": "One line about it.",
    "license": "License.",
    "home_page": "Address of its home page.",
    "visibility": "Who sees it.",
    "status": "`active`, `archived`, `deprecated` or `quarantined`.",
    "status_reason": "Why.",
    "url": "Its page.",
}


def _answer(invocation: Invocation, package: Package, line: str) -> None:
    invocation.answer({member: getattr(package, member) for member in _PACKAGE}, line)


@subcommand(_PACKAGE, examples=('carrel package edit acme/charts --summary "Sea charts" --description @README.md',))
@click.argument("reference", metavar="NAMESPACE/NAME")
@click.option("--summary", metavar="TEXT", help="One line about it.")
@click.option("--description", metavar="TEXT", help="Description in Markdown; @FILE reads it from a file.")
@click.option("--license", "license_", metavar="TEXT", help="License.")
@click.option("--home-page", metavar="ADDRESS", help="Address of its home page.")
@click.option("--display-name", metavar="TEXT", help="Name for people.")
@click.option("--tracks", multiple=True, metavar="ADDRESS", help="The project on another index that this one extends (PEP 708).")
@click.option("--alternate-location", "locations", multiple=True, metavar="ADDRESS", help="The same project on another index (PEP 708).")
def edit(
    invocation: Invocation,
    reference: str,
    summary: str | None,
    description: str | None,
    license_: str | None,
    home_page: str | None,
    display_name: str | None,
    tracks: tuple[str, ...],
    locations: tuple[str, ...],
) -> None:
    """Change what is said of a package.

    What is not named stays. A later upload of a release says it anew where its file does.
    """
    if description is not None and description.startswith("@"):
        description = Path(description[1:]).read_text("utf-8")
    changes: dict[str, Any] = {"summary": summary, "description": description, "license": license_, "home_page": home_page}
    changes |= {"display_name": display_name, "tracks": list(tracks) or None, "alternate_locations": list(locations) or None}
    if all(value is None for value in changes.values()):
        usage("Say what to change, for example --summary.")
    target = invocation.target(reference, "package")
    made = invocation.signed_in_client_for(target).update_package(target.namespace, str(target.package), **changes)
    _answer(invocation, made, f"{made.namespace}/{made.name} is changed.")


@subcommand(_PACKAGE, examples=("carrel package visibility acme/charts public",))
@click.argument("reference", metavar="NAMESPACE/NAME")
@click.argument("who", metavar="WHO", type=click.Choice(_VISIBILITY))
def visibility(invocation: Invocation, reference: str, who: str) -> None:
    """Say who sees a package.

    WHO is private (owners, and whoever was given the package), organization (members too), unlisted (anyone who knows the
    address) or public.
    """
    target = invocation.target(reference, "package")
    made = invocation.signed_in_client_for(target).update_package(target.namespace, str(target.package), visibility=who)
    _answer(invocation, made, f"{made.namespace}/{made.name} is {made.visibility}.")


@subcommand(_PACKAGE, examples=('carrel package status acme/charts deprecated --reason "Use acme/maps"',))
@click.argument("reference", metavar="NAMESPACE/NAME")
@click.argument("new_status", metavar="STATUS", type=click.Choice(_STATUS))
@click.option("--reason", metavar="TEXT", help="Why; installers show it.")
def status(invocation: Invocation, reference: str, new_status: str, reason: str | None) -> None:
    """Say whether a package should be used.

    STATUS is active, archived (no more releases), deprecated (use something else) or quarantined (not offered for
    installation).
    """
    target = invocation.target(reference, "package")
    told = "" if new_status == "active" and reason is None else reason
    made = invocation.signed_in_client_for(target).update_package(
        target.namespace, str(target.package), status=new_status, status_reason=told
    )
    _answer(invocation, made, f"{made.namespace}/{made.name} is {new_status}.")


@subcommand(
    {
        "namespace": "Namespace.",
        "name": "Name.",
        "collaborators": "Who was given the package: objects with `name` and `permission`.",
    },
    examples=("carrel package collaborators acme/charts --add ada --permission write",),
)
@click.argument("reference", metavar="NAMESPACE/NAME")
@click.option("--add", "added", multiple=True, metavar="USER", help="Give the package to this user; may be repeated.")
@click.option("--remove", "removed", multiple=True, metavar="USER", help="Take it from this user; may be repeated.")
@click.option("--permission", type=click.Choice(_PERMISSION), default="write", show_default=True, help="For --add.")
def collaborators(invocation: Invocation, reference: str, added: tuple[str, ...], removed: tuple[str, ...], permission: str) -> None:
    """List who was given a package, give it and take it back."""
    target = invocation.target(reference, "package")
    client = invocation.signed_in_client_for(target)
    name = str(target.package)
    for user in added:
        client.set_collaborator(target.namespace, name, user, permission)
    for user in removed:
        client.remove_collaborator(target.namespace, name, user)
    found = client.collaborators(target.namespace, name)
    if not found:
        invocation.note(f"{target.namespace}/{name} was given to nobody.")
    document = [{"name": entry.name, "permission": entry.permission} for entry in found]
    rows = columns([entry.name, entry.permission] for entry in found)
    invocation.answer({"namespace": target.namespace, "name": name, "collaborators": document}, rows)


command = noun(
    "package",
    [edit, visibility, collaborators, status],
    "Describe packages, and say who may see and change them.",
    {
        "create": "'carrel upload', which makes the package as well",
        "add-collaborator": "'carrel package collaborators NAMESPACE/NAME --add USER'",
        "list-collaborators": "'carrel package collaborators NAMESPACE/NAME'",
        "remove": "'carrel remove'",
        "delete": "'carrel remove'",
        "show": "'carrel show'",
        "list": "'carrel show NAMESPACE'",
        "update": "'carrel package edit'",
        "private": "'carrel package visibility NAMESPACE/NAME private'",
        "public": "'carrel package visibility NAMESPACE/NAME public'",
    },
)
