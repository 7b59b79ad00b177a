"""``carrel label``."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import click

from carrel.cli.invocation import Invocation, namespace_option, subcommand
from carrel.cli.lazy import noun
from carrel.cli.output import columns, count
from carrel.cli.selection import CHANGE_ANSWER, Selection, answer_change, change, specs_argument
from carrel.client.labels import LabelChange
from carrel.core.errors import NotFound

if TYPE_CHECKING:
    from carrel.client.hub import HubClient

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would change.")
_LABEL = {
    "namespace": "Namespace.",
    "name": "The label.",
    "locked": "Whether owners alone may change what it shows.",
    "files": "How many files bear it.",
}


@subcommand({"namespace": "Namespace.", "labels": "Its labels: objects with `name`, `locked` and `files` (how many bear it)."}, name="list")
@click.argument("namespace", required=False)
def list_(invocation: Invocation, namespace: str | None) -> None:
    """List the labels of a namespace."""
    client = invocation.client() if namespace else invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    labels = client.labels.list(namespace)
    rows = [[label.name, count(label.files, "file"), "locked" if label.locked else ""] for label in labels]
    if not rows:
        invocation.note(f"{namespace} has no labels yet.")
    document = [{"name": label.name, "locked": label.locked, "files": label.files} for label in labels]
    invocation.answer({"namespace": namespace, "labels": document}, columns(rows))


@subcommand({**_LABEL, "items": "The files: objects with `package`, `version`, `filename`, `subdir`, `kind`, `size` and `labels`."})
@click.argument("label")
@namespace_option
def show(invocation: Invocation, label: str, namespace: str | None) -> None:
    """Show the files that bear a label."""
    client = invocation.client() if namespace else invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    found = client.labels.get(namespace, label)
    files = list(client.labels.files(namespace, label))
    document = {"namespace": namespace, "name": found.name, "locked": found.locked, "files": found.files}
    head = f"{found.name}: {count(len(files), 'file')}" + (", locked" if found.locked else "")
    rows = [[f"{file.package}@{file.version}", f"{file.subdir}/{file.filename}" if file.subdir else file.filename] for file in files]
    lines = [head, *(f"  {line}" for line in columns(rows))]
    invocation.answer({**document, "items": [dataclasses.asdict(file) for file in files]}, lines)


def _select(invocation: Invocation, specs: tuple[str, ...], namespace: str | None) -> tuple[HubClient, Selection]:
    client = invocation.signed_in_client()
    selection = Selection.parse(specs, namespace)
    return client, selection if selection.namespace else dataclasses.replace(selection, namespace=client.whoami().name)


@subcommand(CHANGE_ANSWER, examples=("carrel label add vetted acme/charts@1.2",))
@click.argument("label")
@specs_argument(required=True)
@namespace_option
@_DRY_RUN
def add(invocation: Invocation, label: str, specs: tuple[str, ...], namespace: str | None, dry_run: bool) -> None:
    """Give files a label.

    SPEC is NAMESPACE/PACKAGE, a pattern such as 'NAMESPACE/tide*', NAMESPACE/PACKAGE@VERSION or
    NAMESPACE/PACKAGE@VERSION/FILE.
    """
    client, selection = _select(invocation, specs, namespace)
    change(invocation, client, "add", selection, to_label=label, dry_run=dry_run)


@subcommand(CHANGE_ANSWER, examples=("carrel label remove broken acme/charts", "carrel label remove dev --namespace acme"))
@click.argument("label")
@specs_argument()
@namespace_option
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@_DRY_RUN
def remove(invocation: Invocation, label: str, specs: tuple[str, ...], namespace: str | None, yes: bool, dry_run: bool) -> None:
    """Take a label off files.

    Without SPEC off everything, which is asked about. SPEC is written as in 'carrel label add'. Files that bear no label any
    more stay on the hub, and are in no channel.
    """
    client, selection = _select(invocation, specs, namespace)
    if not specs and not yes and not dry_run:
        found = client.labels.get(selection.namespace, label)
        invocation.confirm(f"Take the label {label} off {count(found.files, 'file')} of {selection.namespace}?")
    change(invocation, client, "remove", selection, from_label=label, dry_run=dry_run)


def _two(action: str, text: str, example: str) -> click.Command:
    @subcommand(CHANGE_ANSWER, name=action, examples=(example,))
    @click.argument("from_label", metavar="FROM")
    @click.argument("to_label", metavar="TO")
    @specs_argument()
    @namespace_option
    @_DRY_RUN
    def made(invocation: Invocation, from_label: str, to_label: str, specs: tuple[str, ...], namespace: str | None, dry_run: bool) -> None:
        client, selection = _select(invocation, specs, namespace)
        change(invocation, client, action, selection, from_label=from_label, to_label=to_label, dry_run=dry_run)

    made.help = text
    return made


copy = _two(
    "copy",
    "Give the files of one label another one too.\n\nWithout SPEC all of them. SPEC is written as in 'carrel label add'.",
    "carrel label copy dev main --namespace acme --dry-run",
)
move = _two(
    "move",
    "Move the files of one label to another.\n\nWithout SPEC all of them. SPEC is written as in 'carrel label add'.",
    "carrel label move dev main 'acme/tide*'",
)


@subcommand(CHANGE_ANSWER)
@click.argument("label")
@click.argument("new_name", metavar="NAME")
@namespace_option
@_DRY_RUN
def rename(invocation: Invocation, label: str, new_name: str, namespace: str | None, dry_run: bool) -> None:
    """Rename a label; its files stay under it."""
    client, selection = _select(invocation, (), namespace)
    change(invocation, client, "rename", selection, from_label=label, to_label=new_name, dry_run=dry_run)


def _locking(name: str, locked: bool, text: str) -> click.Command:
    @subcommand(_LABEL, name=name)
    @click.argument("label")
    @namespace_option
    def made(invocation: Invocation, label: str, namespace: str | None) -> None:
        client = invocation.signed_in_client()
        namespace = invocation.namespace(client, namespace)
        found = client.labels.lock(namespace, label, locked)
        document = {"namespace": namespace, "name": found.name or label, "locked": found.locked, "files": found.files}
        invocation.answer(document, f"{label} of {namespace} is {'locked' if found.locked else 'unlocked'}.")

    made.help = text
    return made


lock = _locking("lock", True, "Lock a label.\n\nOwners of the namespace alone then change which files bear it.")
unlock = _locking("unlock", False, "Unlock a label.")


@subcommand(
    {**_LABEL, "relations": "The paths `base` and `overrides`, where there are any."},
    examples=("carrel label relate dev --overrides ../..",),
)
@click.argument("label")
@namespace_option
@click.option("--base", metavar="PATH", help="The channel that packages here build on.")
@click.option("--overrides", metavar="PATH", help="The channel whose packages those here take the place of.")
def relate(invocation: Invocation, label: str, namespace: str | None, base: str | None, overrides: str | None) -> None:
    """Say how the conda channel of a label relates to others.

    PATH leads from the label's channel to the other one: ../.. is the namespace without a label (CEP 42). Without options the
    channel stands alone.
    """
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    found = client.labels.relate(namespace, label, base, overrides)
    relations = {name: value for name, value in found.relations.items() if value}
    document = {"namespace": namespace, "name": found.name, "locked": found.locked, "files": found.files, "relations": relations}
    told = ", ".join(f"{name} {value}" for name, value in relations.items()) or "stands alone"
    invocation.answer(document, f"{label} of {namespace}: {told}")


@subcommand(
    {
        "namespace": "Namespace.",
        "changes": "Newest first: objects with `id`, `at`, `actor`, `action`, `summary`, `count` and `undone_at`.",
    }
)
@click.argument("namespace", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
def history(invocation: Invocation, namespace: str | None, limit: int) -> None:
    """List changes of labels."""
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    changes = list(itertools.islice(client.labels.history(namespace), limit))
    rows = [[entry.id, entry.at[:16].replace("T", " "), entry.actor, entry.summary + _undone(entry)] for entry in changes]
    if not rows:
        invocation.note("No labels were changed yet.")
    names = ("id", "at", "actor", "action", "summary", "count", "undone_at")
    document = [{name: getattr(entry, name) for name in names} for entry in changes]
    invocation.answer({"namespace": namespace, "changes": document}, columns(rows))


def _undone(entry: LabelChange) -> str:
    return " (taken back)" if entry.undone_at else ""


@subcommand(CHANGE_ANSWER)
@click.argument("change_id", metavar="[ID]", required=False)
@namespace_option
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def undo(invocation: Invocation, change_id: str | None, namespace: str | None, yes: bool) -> None:
    """Take a change of labels back.

    Without ID the last one, which is asked about.
    """
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    if change_id is None:
        last = next((entry for entry in client.labels.history(namespace) if not entry.undone_at and entry.action != "undo"), None)
        if last is None:
            raise NotFound(f"No change of labels in {namespace} can be taken back.", code="change_not_found")
        if not yes:
            invocation.confirm(f"Take back: {last.summary} ({count(last.count, 'file')})?")
        change_id = last.id
    answer_change(invocation, namespace, client.labels.undo(namespace, change_id), dry_run=False)


command = noun(
    "label",
    [list_, show, add, copy, move, remove, rename, lock, unlock, relate, history, undo],
    "List, give, take, lock and undo labels.\n\n"
    "Labels divide a namespace: 'main' is what its channels show, others have addresses of their own. Each change is one step for all "
    "files, and can be taken back.",
    {"delete": "'carrel label remove'", "promote": "'carrel label move'", "files": "'carrel label show'"},
)
