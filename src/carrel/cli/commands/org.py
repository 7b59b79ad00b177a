"""``carrel org``."""

from __future__ import annotations

import dataclasses
import itertools

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.lazy import noun
from carrel.cli.output import columns
from carrel.core.access import Role, Visibility

_ROLE = click.Choice([role.value for role in Role])
_MEMBER = {"organization": "The organization.", "user": "The user.", "role": "Their role, `owner` or `member`; null when they left."}
_ORGANIZATION = {
    "name": "Name.",
    "display_name": "Name for people.",
    "description": "What it is.",
    "default_visibility": "Who sees new packages.",
    "role": "Your role, or null.",
}
_NAMES = tuple(_ORGANIZATION)


@subcommand({"organizations": "Objects with `name`, `display_name` and `role`."}, name="list")
def list_(invocation: Invocation) -> None:
    """List the organizations you belong to."""
    found = [entry for entry in invocation.signed_in_client().whoami().namespaces if entry.kind == "organization"]
    if not found:
        invocation.note("You belong to no organization. 'carrel org create NAME' makes one.")
    document = [{"name": entry.name, "display_name": entry.display_name, "role": entry.role} for entry in found]
    rows = [[entry.name, entry.role or "", entry.display_name] for entry in found]
    invocation.answer({"organizations": document}, columns(rows))


@subcommand(_ORGANIZATION, examples=('carrel org create acme --display-name "Acme Research"',))
@click.argument("name")
@click.option("--display-name", default="", metavar="TEXT", help="Name for people.")
@click.option("--description", default="", metavar="TEXT", help="What it is.")
def create(invocation: Invocation, name: str, display_name: str, description: str) -> None:
    """Create an organization.

    You become its owner, and its packages are at NAME/PACKAGE.
    """
    client = invocation.signed_in_client()
    made = client.organizations.create(name, display_name=display_name, description=description)
    document = {member: getattr(made, member) for member in _NAMES}
    invocation.answer(document, f"Created {made.name}: {client.base_url}/{made.name}")


@subcommand(_ORGANIZATION)
@click.argument("name")
@click.option("--display-name", metavar="TEXT", help="Name for people.")
@click.option("--description", metavar="TEXT", help="What it is.")
@click.option("--default-visibility", type=click.Choice([entry.value for entry in Visibility]), help="Who sees new packages.")
def edit(invocation: Invocation, name: str, display_name: str | None, description: str | None, default_visibility: str | None) -> None:
    """Change how an organization, or your own namespace, is described."""
    made = invocation.signed_in_client().organizations.update(
        name, display_name=display_name, description=description, default_visibility=default_visibility
    )
    invocation.answer({member: getattr(made, member) for member in _NAMES}, f"{made.name} is changed.")


@subcommand({"organization": "The organization.", "members": "Objects with `name`, `display_name` and `role`."})
@click.argument("name")
def members(invocation: Invocation, name: str) -> None:
    """List the members of an organization."""
    found = invocation.signed_in_client().organizations.members(name)
    document = [{"name": member.name, "display_name": member.display_name, "role": member.role} for member in found]
    invocation.answer({"organization": name, "members": document}, columns([member.name, member.role] for member in found))


@subcommand(_MEMBER, examples=("carrel org add acme ada --role owner",))
@click.argument("name")
@click.argument("user")
@click.option("--role", type=_ROLE, default=Role.MEMBER.value, show_default=True, help="Owners may do everything.")
def add(invocation: Invocation, name: str, user: str, role: str) -> None:
    """Add somebody to an organization."""
    made = invocation.signed_in_client().organizations.set_member(name, user, role)
    invocation.answer({"organization": name, "user": user, "role": made.role or role}, f"{user} is {made.role or role} of {name}.")


@subcommand(_MEMBER)
@click.argument("name")
@click.argument("user")
@click.argument("new_role", metavar="ROLE", type=_ROLE)
def role(invocation: Invocation, name: str, user: str, new_role: str) -> None:
    """Change the role of a member.

    ROLE is owner or member. An organization keeps at least one owner.
    """
    made = invocation.signed_in_client().organizations.set_member(name, user, new_role)
    invocation.answer({"organization": name, "user": user, "role": made.role or new_role}, f"{user} is {made.role or new_role} of {name}.")


@subcommand(_MEMBER)
@click.argument("name")
@click.argument("user")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def remove(invocation: Invocation, name: str, user: str, yes: bool) -> None:
    """Remove somebody from an organization, yourself too.

    What they have uploaded stays.
    """
    client = invocation.signed_in_client()
    if not yes:
        invocation.confirm(f"Remove {user} from {name}?")
    client.organizations.remove_member(name, user)
    invocation.answer({"organization": name, "user": user, "role": None}, f"{user} is no member of {name} any more.")


@subcommand(
    {
        "organization": "The organization.",
        "events": "Newest first: objects with `at`, `actor`, `action`, `subject`, `token_prefix`, `detail`.",
    }
)
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
def audit(invocation: Invocation, name: str, limit: int) -> None:
    """List what was done in an organization, or in your own namespace, and by whom."""
    events = list(itertools.islice(invocation.signed_in_client().organizations.audit(name), limit))
    rows = [[event.at[:19].replace("T", " "), event.actor, event.action, event.subject] for event in events]
    document = {"organization": name, "events": [dataclasses.asdict(event) for event in events]}
    invocation.answer(document, columns(rows))


command = noun(
    "org",
    [list_, create, edit, members, add, role, remove, audit],
    "Create organizations and look after their members.",
    {
        "login": "'carrel login'",
        "logout": "'carrel logout'",
        "whoami": "'carrel whoami'",
        "upload": "'carrel upload'",
        "show": "'carrel show NAMESPACE'",
        "delete": "the page of the organization: it cannot be removed with the command",
    },
)
