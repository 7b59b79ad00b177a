"""``carrel group``."""

from __future__ import annotations

import click

from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.lazy import noun
from carrel.cli.output import columns, count
from carrel.core.access import Permission

_PERMISSION = click.Choice([entry.value for entry in Permission])
_GROUP = {"organization": "The organization.", "group": "The group.", "permission": "`read`, `write` or `admin`; null when it was removed."}
_CHANGE = {"organization": "The organization.", "group": "The group.", "changed": "The users or packages that were added or removed."}


def _split(text: str) -> tuple[str, str]:
    organization, slash, group = text.partition("/")
    if not slash or not organization or not group or "/" in group:
        usage(f"{text!r} names no group: write ORGANIZATION/GROUP.")
    return organization, group


@subcommand({"organization": "The organization.", "groups": "Objects with `name`, `permission` and `members` (how many)."}, name="list")
@click.argument("organization")
def list_(invocation: Invocation, organization: str) -> None:
    """List the groups of an organization."""
    found = invocation.signed_in_client().groups.list(organization)
    if not found:
        invocation.note(f"{organization} has no groups. 'carrel group create {organization}/NAME' makes one.")
    document = [{"name": group.name, "permission": group.permission, "members": group.members} for group in found]
    rows = columns([group.name, group.permission, count(group.members, "member")] for group in found)
    invocation.answer({"organization": organization, "groups": document}, rows)


@subcommand(
    {
        **_GROUP,
        "members": "Objects with `name` and `display_name`.",
        "packages": "Objects with `name` and `summary`.",
    }
)
@click.argument("group", metavar="ORG/GROUP")
def show(invocation: Invocation, group: str) -> None:
    """Show the members and packages of a group."""
    organization, name = _split(group)
    client = invocation.signed_in_client()
    found = client.groups.get(organization, name)
    members = client.groups.members(organization, name)
    packages = client.groups.packages(organization, name)
    lines = [f"{organization}/{found.name}: {found.permission} on {count(len(packages), 'package')}"]
    lines += [f"  member   {member.name}" for member in members]
    lines += [f"  package  {package.name}" for package in packages]
    document = {
        "organization": organization,
        "group": found.name,
        "permission": found.permission,
        "members": [{"name": member.name, "display_name": member.display_name} for member in members],
        "packages": [{"name": package.name, "summary": package.summary} for package in packages],
    }
    invocation.answer(document, lines)


@subcommand(_GROUP, examples=("carrel group create acme/data --permission write",))
@click.argument("group", metavar="ORG/GROUP")
@click.option("--permission", "--perms", type=_PERMISSION, default="read", show_default=True, help="What its members may do.")
def create(invocation: Invocation, group: str, permission: str) -> None:
    """Create a group."""
    organization, name = _split(group)
    made = invocation.signed_in_client().groups.create(organization, name, permission)
    invocation.answer(
        {"organization": organization, "group": made.name, "permission": made.permission}, f"Created {group}, which may {made.permission}."
    )


@subcommand(_GROUP)
@click.argument("group", metavar="ORG/GROUP")
@click.argument("new_permission", metavar="PERMISSION", type=_PERMISSION)
def permission(invocation: Invocation, group: str, new_permission: str) -> None:
    """Change what the members of a group may do.

    PERMISSION is read, write or admin.
    """
    organization, name = _split(group)
    made = invocation.signed_in_client().groups.update(organization, name, new_permission)
    invocation.answer(
        {"organization": organization, "group": made.name, "permission": made.permission}, f"Members of {group} may {made.permission}."
    )


@subcommand(_GROUP)
@click.argument("group", metavar="ORG/GROUP")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def remove(invocation: Invocation, group: str, yes: bool) -> None:
    """Remove a group; its members and packages stay."""
    organization, name = _split(group)
    client = invocation.signed_in_client()
    if not yes:
        members = client.groups.members(organization, name)
        invocation.confirm(f"Remove {group}? {count(len(members), 'member')} may lose access to its packages.")
    client.groups.delete(organization, name)
    invocation.answer({"organization": organization, "group": name, "permission": None}, f"Removed {group}.")


def _changing(name: str, method: str, what: str, text: str) -> click.Command:
    @subcommand(_CHANGE, name=name)
    @click.argument("group", metavar="ORG/GROUP")
    @click.argument("names", nargs=-1, required=True, metavar=f"{what}...")
    def made(invocation: Invocation, group: str, names: tuple[str, ...]) -> None:
        organization, group_name = _split(group)
        do = getattr(invocation.signed_in_client().groups, method)
        for entry in names:
            do(organization, group_name, entry.removeprefix(f"{organization}/"))
        told = "Added to" if method.startswith("add") else "Removed from"
        document = {"organization": organization, "group": group_name, "changed": list(names)}
        invocation.answer(document, f"{told} {group}: {', '.join(names)}")

    made.help = text
    return made


command = noun(
    "group",
    [
        list_,
        show,
        create,
        permission,
        remove,
        _changing("add-member", "add_member", "USER", "Take users into a group."),
        _changing("remove-member", "remove_member", "USER", "Take users out of a group."),
        _changing("add-package", "add_package", "PACKAGE", "Give a group packages of its organization."),
        _changing("remove-package", "remove_package", "PACKAGE", "Take packages from a group."),
    ],
    "Give groups of people a permission on packages.\n\n"
    "All members of a group have its permission (read, write or admin) on all of its packages, private ones too.",
    {
        "add": "'carrel group create' or 'carrel group add-member'",
        "delete": "'carrel group remove'",
        "members": "'carrel group show'",
        "packages": "'carrel group show'",
    },
)
