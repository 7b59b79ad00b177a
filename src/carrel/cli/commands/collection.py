"""``carrel collection``."""

from __future__ import annotations

from typing import Any

import click

from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.lazy import noun
from carrel.cli.output import columns, count, cut
from carrel.client.collections import Collection
from carrel.core.access import Visibility

_VISIBILITY = click.option("--visibility", type=click.Choice([entry.value for entry in Visibility]), help="Who sees it.")
_COLLECTION = {
    "namespace": "Namespace.",
    "name": "Name.",
    "title": "Name for people.",
    "description": "What it is.",
    "visibility": "Who sees it.",
    "count": "How many things it holds that you see.",
    "url": "Its page.",
    "conda_channel": "Address of its conda channel.",
    "python_index": "Address of its Python package index.",
    "r_repository": "Address of its R repository.",
}
_ITEMS = {**_COLLECTION, "items": "What it holds: objects with `namespace`, `name`, `kinds`, `latest_version`, `summary` and `note`."}
_CHANGE = {"namespace": "Namespace.", "name": "The collection.", "changed": "The packages that were added or removed."}


def _split(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not slash or not namespace or not name or "/" in name:
        usage(f"{text!r} names no collection: write NAMESPACE/COLLECTION.")
    return namespace, name


def _json(found: Collection) -> dict[str, Any]:
    return {member: getattr(found, member) for member in _COLLECTION}


@subcommand(
    {"namespace": "Namespace.", "collections": "Objects with the members of 'carrel collection show', without `items`."}, name="list"
)
@click.argument("namespace", required=False)
def list_(invocation: Invocation, namespace: str | None) -> None:
    """List the collections of a namespace."""
    client = invocation.client() if namespace else invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    found = client.collections.list(namespace)
    if not found:
        invocation.note(f"{namespace} has no collections.")
    rows = [[f"{entry.namespace}/{entry.name}", entry.visibility, str(entry.count), cut(entry.title)] for entry in found]
    invocation.answer({"namespace": namespace, "collections": [_json(entry) for entry in found]}, columns(rows))


@subcommand(_ITEMS)
@click.argument("collection", metavar="NAMESPACE/COLLECTION")
def show(invocation: Invocation, collection: str) -> None:
    """Show a collection and what it holds."""
    found = invocation.client().collections.get(*_split(collection))
    items = [
        {
            "namespace": item.package.namespace,
            "name": item.package.name,
            "kinds": list(item.package.kinds),
            "latest_version": item.package.latest_version,
            "summary": item.package.summary,
            "note": item.note,
        }
        for item in found.items
    ]
    facts = [["page", found.url], ["conda", found.conda_channel], ["Python", found.python_index], ["R", found.r_repository]]
    rows = [
        [f"{item.package.namespace}/{item.package.name}", item.package.latest_version or "", cut(item.note or item.package.summary)]
        for item in found.items
    ]
    lines = [f"{found.namespace}/{found.name}" + (f": {found.title}" if found.title else "") + f" ({found.visibility})"]
    lines += [f"  {line}" for line in columns(row for row in facts if row[1])]
    lines += ["", *(f"  {line}" for line in columns(rows))] if rows else []
    invocation.answer({**_json(found), "items": items}, lines)


@subcommand(_COLLECTION, examples=('carrel collection create acme/course --title "Tides for beginners" --visibility public',))
@click.argument("collection", metavar="NAMESPACE/COLLECTION")
@click.option("--title", default="", metavar="TEXT", help="Name for people.")
@click.option("--description", default="", metavar="TEXT", help="What it is, in Markdown.")
@_VISIBILITY
def create(invocation: Invocation, collection: str, title: str, description: str, visibility: str | None) -> None:
    """Create a collection."""
    namespace, name = _split(collection)
    made = invocation.signed_in_client().collections.create(namespace, name, title=title, description=description, visibility=visibility)
    invocation.answer(_json(made), f"Created {collection}: {made.url}")


@subcommand(_COLLECTION)
@click.argument("collection", metavar="NAMESPACE/COLLECTION")
@click.option("--title", metavar="TEXT", help="Name for people.")
@click.option("--description", metavar="TEXT", help="What it is, in Markdown.")
@_VISIBILITY
def edit(invocation: Invocation, collection: str, title: str | None, description: str | None, visibility: str | None) -> None:
    """Change how a collection is described, and who sees it."""
    namespace, name = _split(collection)
    if title is None and description is None and visibility is None:
        usage("Say what to change, for example --title.")
    made = invocation.signed_in_client().collections.update(namespace, name, title=title, description=description, visibility=visibility)
    invocation.answer(_json(made), f"{collection} is changed.")


@subcommand({"namespace": "Namespace.", "name": "The collection.", "removed": "True."})
@click.argument("collection", metavar="NAMESPACE/COLLECTION")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def delete(invocation: Invocation, collection: str, yes: bool) -> None:
    """Remove a collection; what it holds stays."""
    namespace, name = _split(collection)
    client = invocation.signed_in_client()
    if not yes:
        found = client.collections.get(namespace, name)
        invocation.confirm(f"Remove the collection {collection} ({count(found.count, 'package')}, which stay)?")
    client.collections.delete(namespace, name)
    invocation.answer({"namespace": namespace, "name": name, "removed": True}, f"Removed {collection}.")


@subcommand(_CHANGE, examples=('carrel collection add acme/course upstream/charts ada/tides --note "Chapter 2"',))
@click.argument("collection", metavar="NAMESPACE/COLLECTION")
@click.argument("packages", nargs=-1, required=True, metavar="NAMESPACE/NAME...")
@click.option("--note", metavar="TEXT", help="What is said of them in this collection.")
def add(invocation: Invocation, collection: str, packages: tuple[str, ...], note: str | None) -> None:
    """Put packages, notebooks or environments into a collection; they may be anybody's."""
    namespace, name = _split(collection)
    targets = [invocation.target(text, "package") for text in packages]
    client = invocation.signed_in_client()
    for target in targets:
        client.collections.add(namespace, name, target.namespace, str(target.package), note)
    document = {"namespace": namespace, "name": name, "changed": [str(target) for target in targets]}
    invocation.answer(document, f"Added to {collection}: {', '.join(packages)}")


@subcommand(_CHANGE)
@click.argument("collection", metavar="NAMESPACE/COLLECTION")
@click.argument("packages", nargs=-1, required=True, metavar="NAMESPACE/NAME...")
def remove(invocation: Invocation, collection: str, packages: tuple[str, ...]) -> None:
    """Take packages, notebooks or environments out of a collection."""
    namespace, name = _split(collection)
    targets = [invocation.target(text, "package") for text in packages]
    client = invocation.signed_in_client()
    for target in targets:
        client.collections.remove(namespace, name, target.namespace, str(target.package))
    document = {"namespace": namespace, "name": name, "changed": [str(target) for target in targets]}
    invocation.answer(document, f"Removed from {collection}: {', '.join(packages)}")


command = noun(
    "collection",
    [list_, show, create, edit, add, remove, delete],
    "Put packages, notebooks and environments together under one name.\n\n"
    "A collection has a page, and a conda channel, a Python package index and an R repository of exactly what it holds.",
)
